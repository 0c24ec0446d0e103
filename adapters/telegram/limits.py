"""Telegram's numbers, each with the page or source it comes from.

"API" is https://core.telegram.org/bots/api, "FAQ" https://core.telegram.org/bots/faq, "server" the source of
github.com/tdlib/telegram-bot-api, "PTB" telegram.constants of python-telegram-bot 22.8.
"""

# Text, in UTF-16 code units of what remains when the markup is read. API, sendMessage; PTB
TEXT = 4_096
CAPTION = 1_024
RAW_TEXT_BYTES = 1 << 15  # of a text with its markup; above it the server refuses. server, get_formatted_text
ENTITIES = 100  # formatted stretches of a message; those beyond are not shown. PTB, MessageLimit.MESSAGE_ENTITIES
CALLBACK_ANSWER = 200  # API, answerCallbackQuery

# Buttons. API, InlineKeyboardButton; PTB, InlineKeyboardMarkupLimit
CALLBACK_DATA_BYTES = 64
BUTTONS_PER_ROW = 8
BUTTONS = 100

# Files. API, getFile, sendDocument; server
DOWNLOAD_BYTES = 20 << 20
UPLOAD_BYTES = 50 * 1_000_000

# How long an update can be answered or is kept. server
UPDATE_S = 86_400.0
CALLBACK_S = 150.0
DRAFT_S = 30.0  # a draft disappears unless it is sent again. API, sendMessageDraft

# Webhooks and polling. API, setWebhook, getUpdates; server
SECRET_TOKEN = 256  # characters of A-Za-z0-9_-
MAX_CONNECTIONS = 100
POLL_S = 50.0
UPDATES_PER_POLL = 100
SET_WEBHOOK_PERIOD_S = 1.0

# What a bot says of itself. API, setMyCommands, setMyDescription, setMyShortDescription, deep linking
COMMANDS = 100
COMMAND_NAME = 32
COMMAND_DESCRIPTION = 256
DESCRIPTION = 512
SHORT_DESCRIPTION = 120
START_PARAMETER = 64

# Time between two edits of an answer that grows. Edits count as messages; the rates are in core/pacing.py. FAQ
EDIT_PRIVATE_S = 1.5
EDIT_GROUP_S = 3.0
