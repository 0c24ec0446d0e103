"""Slack's numbers, each with the page or source it comes from.

Pages are under https://docs.slack.dev/; "SDK" is the validation in slack_sdk.models.
"""

# How fast an app must answer. apis/events-api, interactivity/handling-user-interaction
ACK_S = 3.0
TRIGGER_S = 3.0  # a trigger_id opens one view within this time
SIGNATURE_WINDOW_S = 300  # authentication/verifying-requests-from-slack
EVENT_RETRIES = 3  # nearly at once, after 1 minute, after 5 minutes
RESPONSE_URL_USES = 5
RESPONSE_URL_S = 30 * 60
MAX_SOCKETS = 10  # apis/events-api/using-socket-mode

# Calls a minute for each method in each workspace. apis/web-api/rate-limits
TIER_1 = 1
TIER_2 = 20
TIER_3 = 50
TIER_4 = 100
POST_PERIOD_S = 1.0  # chat.postMessage: one a second in each channel, short bursts tolerated
EDIT_PERIOD_S = 3.0  # chat.update while a long message grows. changelog/2025, ai/developing-ai-apps

# Text of a message. reference/methods/chat.postMessage, chat.update
TEXT_RECOMMENDED = 4_000
TEXT_TRUNCATED = 40_000  # cut off above it, without an error
UPDATE_TEXT = 4_000  # msg_too_long above it
MARKDOWN_TEXT = 12_000  # markdown_text, and all markdown blocks of a message together

# Blocks. reference/block-kit/blocks, block-elements, composition-objects; SDK
BLOCKS_PER_MESSAGE = 50
BLOCKS_PER_VIEW = 100
BLOCKS_TOTAL_TEXT = 13_200  # msg_blocks_too_long above it; undocumented, slackapi/bolt-js#2509
SECTION_TEXT = 3_000
SECTION_FIELDS = 10
FIELD_TEXT = 2_000
HEADER_TEXT = 150
CONTEXT_ELEMENTS = 10
ACTIONS_ELEMENTS = 25
CONTEXT_ACTIONS_ELEMENTS = 5
BLOCK_ID = 255
ACTION_ID = 255
BUTTON_TEXT = 75
BUTTON_VALUE = 2_000
BUTTON_URL = 3_000
PLACEHOLDER = 150
SELECT_OPTIONS = 100
OVERFLOW_OPTIONS = 5
OPTION_TEXT = 75
OPTION_VALUE = 150
CHECKBOX_OPTIONS = 10
CONFIRM_TITLE = 100
CONFIRM_TEXT = 300
CONFIRM_BUTTON = 30
IMAGE_URL = 3_000
IMAGE_ALT = 2_000
IMAGE_TITLE = 2_000
INPUT_LABEL = 2_000
INPUT_HINT = 2_000
PLAIN_TEXT_INPUT = 3_000
FILE_INPUT_FILES = 10

# Views. reference/views/modal-views, home-tab-views; SDK
VIEW_TITLE = 24
VIEW_BUTTON = 24  # submit and close
VIEW_METADATA = 3_000
VIEW_CALLBACK_ID = 255
VIEWS_IN_STACK = 3

# Streams. reference/methods/chat.startStream
STREAM_S = 300.0  # from its start; an append does not extend it

# Agents. ai/agent-sessions, reference/methods/assistant.threads.setSuggestedPrompts, manifest schema
SESSION_TITLE = 200
SESSION_PROCESSING_S = 3_600.0
SUGGESTED_PROMPTS = 4

# Everything an app keeps out of the way of. apis/rate-limits
DELIVERIES_PER_HOUR = 30_000  # to one app from one workspace
