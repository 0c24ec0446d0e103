"""The numbers of Microsoft Teams, each with the page it comes from.

Pages are under https://learn.microsoft.com/microsoftteams/platform/.
"""

# How fast a bot must answer before the service sends an activity again. Not documented; see docs/decisions.md.
ACK_S = 15.0

# What one message may hold. bots/how-to/format-your-bot-messages and the page on limits disagree (28, 40, 80, 100 KB);
# the smallest is kept, counted over the whole activity as UTF-16.
MESSAGE_BYTES = 28 * 1024
MESSAGE_UNITS = MESSAGE_BYTES // 2
RESERVED_UNITS = 1_000  # of those, for where a message goes and the stream it ends

# Messages of one bot to one thread: how many in how many seconds. bots/how-to/rate-limit
SEND_RATES = ((7, 1.0), (8, 2.0), (60, 30.0), (1_800, 3_600.0))
REQUESTS_PER_SECOND = 50  # of one app in one tenant
RETRIED_STATUSES = (412, 429, 502, 504)

# Streams. bots/streaming-ux
STREAM_S = 120.0
STREAM_PERIOD_S = 1.0
STREAM_ROOM_S = 100.0  # when to finish by an update instead, before the two minutes are over
INFORMATIVE_TEXT = 1_000
TYPING_S = 4.0  # the indicator stays for some five seconds; not documented

# Citations and label. bots/how-to/bot-messages-ai-generated-content
CITATIONS = 10  # documented are 20; Microsoft's own local client takes 10
CITATION_NAME = 80
CITATION_ABSTRACT = 160

# Adaptive Cards. task-modules-and-cards/cards/universal-actions-for-adaptive-cards
CARD_VERSION = "1.5"
REFRESH_USERS = 60
ACTIONS = 6  # of one set; what is over it is not shown

# Suggested actions. bots/how-to/conversations/prompt-suggestions
SUGGESTED_PROMPTS = 6

# The app package. resources/schema/manifest-schema
COMMAND_LISTS = 3
COMMANDS_PER_LIST = 12
COMMAND_TITLE = 128

# Files come from hosts of the tenant's own SharePoint and OneDrive. bots/how-to/bots-filesv4
FILE_HOSTS = (".sharepoint.com", ".svc.ms", ".sharepoint.us", ".sharepoint-mil.us")

# The connector: to nobody else is the bot's token sent. bots/how-to/conversations/send-proactive-messages
SERVICE_HOSTS = (
    "smba.trafficmanager.net",
    ".botframework.com",
    ".botframework.azure.us",
    "smba.infra.gcc.teams.microsoft.com",
    "smba.infra.gov.teams.microsoft.us",
    "smba.infra.dod.teams.microsoft.us",
)
