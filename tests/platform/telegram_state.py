"""What a small Telegram knows: people, chats, messages, drafts, files and bots."""

import itertools
import time
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

DRAFT_S = 30.0
CALLBACK_S = 150.0
ANONYMOUS_ADMIN = 1087968824


class ApiError(Exception):
    """A refusal with the server's wording."""

    def __init__(self, code: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.parameters = parameters


def bad_request(description: str) -> ApiError:
    return ApiError(400, f"Bad Request: {description}")


def forbidden(description: str) -> ApiError:
    return ApiError(403, f"Forbidden: {description}")


_RIGHTS = (
    "can_be_edited can_manage_chat can_delete_messages can_manage_video_chats can_restrict_members "
    "can_promote_members can_change_info can_invite_users can_post_stories can_edit_stories can_delete_stories"
).split()


def member_shown(user: "User", status: str) -> Json:
    """Write a ChatMember with the fields its status asks for."""
    found: Json = {"user": user.shown(), "status": status}
    if status in ("creator", "administrator"):
        found["is_anonymous"] = False
    if status == "administrator":
        found |= dict.fromkeys(_RIGHTS, True)
    return found | ({"until_date": 0} if status == "kicked" else {})


class Clock:
    """The platform's time in seconds; a test may move it on, and with MANUAL nothing else does."""

    def __init__(self, *, manual: bool = False) -> None:
        self._manual = manual
        self._ahead = 0.0
        self._born = time.time()

    def now(self) -> float:
        return self._ahead + (0.0 if self._manual else time.time() - self._born)

    def date(self) -> int:
        return int(self._born + self.now())

    def advance(self, seconds: float) -> None:
        self._ahead += seconds


@dataclass
class User:
    user_id: int
    first_name: str
    username: str = ""
    is_bot: bool = False
    language_code: str = "en"

    def shown(self) -> Json:
        more = {"username": self.username} if self.username else {}
        if not self.is_bot:
            more["language_code"] = self.language_code
        return {"id": self.user_id, "is_bot": self.is_bot, "first_name": self.first_name, **more}


@dataclass
class File:
    file_id: str
    name: str
    media_type: str
    data: bytes
    size: int

    def shown(self) -> Json:
        return {
            "file_id": self.file_id,
            "file_unique_id": f"u{self.file_id[-8:]}",
            "file_name": self.name,
            "mime_type": self.media_type,
            "file_size": self.size,
        }


@dataclass
class Message:
    message_id: int
    chat: "Chat"
    sender: User
    date: int
    text: str = ""
    entities: list[Json] = field(default_factory=list)
    topic: int | None = None
    reply_to: "Message | None" = None
    media: Json = field(default_factory=dict)  # document, photo, voice ... and caption, as the API shows them
    markup: Json | None = None
    edit_date: int | None = None
    previews: bool = True
    anonymous: bool = False  # written by an administrator as the group
    sent_at: float = 0.0
    reactions: dict[int, list[Json]] = field(default_factory=dict)  # by user id

    def shown(self, *, with_reply: bool = True) -> Json:
        found: Json = {"message_id": self.message_id, "date": self.date, "chat": self.chat.shown()}
        found["from"] = self.sender.shown()
        if self.anonymous:
            found["from"] = {"id": ANONYMOUS_ADMIN, "is_bot": True, "first_name": "Group"}
            found["sender_chat"] = self.chat.shown()
        if self.topic is not None:
            found |= {"message_thread_id": self.topic, "is_topic_message": True}
        if self.text:
            found["text"] = self.text
        if self.entities:
            found["caption_entities" if self.media else "entities"] = self.entities
        if self.reply_to is not None and with_reply:
            found["reply_to_message"] = self.reply_to.shown(with_reply=False)
        if self.markup:
            found["reply_markup"] = self.markup
        if self.edit_date is not None:
            found["edit_date"] = self.edit_date
        return found | self.media


@dataclass
class Draft:
    draft_id: int
    text: str
    entities: list[Json]
    at: float
    topic: int | None = None
    can_stop: bool = False
    finished: bool = False  # a message was sent after it


@dataclass
class Chat:
    chat_id: int
    kind: str  # private, group, supergroup
    title: str = ""
    user: User | None = None  # of a private chat
    username: str = ""
    is_forum: bool = False
    members: dict[int, str] = field(default_factory=dict)  # status by user id
    topics: dict[int, str] = field(default_factory=dict)  # open, closed
    messages: dict[int, Message] = field(default_factory=dict)
    drafts: dict[int, Draft] = field(default_factory=dict)
    actions: list[str] = field(default_factory=list)
    blocked: bool = False
    started: bool = False
    deleted: list[int] = field(default_factory=list)
    last_id: int = 0
    moved_to: int = 0  # the supergroup that a group has become

    def shown(self) -> Json:
        if self.kind == "private":
            assert self.user is not None
            named = {"username": self.user.username} if self.user.username else {}
            return {"id": self.chat_id, "type": "private", "first_name": self.user.first_name, **named}
        named = {"username": self.username} if self.username else {}
        forum = {"is_forum": True} if self.is_forum else {}
        return {"id": self.chat_id, "type": self.kind, "title": self.title, **named, **forum}

    def add(self, message: Message) -> Message:
        self.messages[message.message_id] = message
        return message

    def next_id(self) -> int:
        self.last_id += 1
        return self.last_id


@dataclass
class Webhook:
    url: str = ""
    secret: str = ""
    max_connections: int = 40
    set_at: float = float("-inf")
    last_error: str = ""
    last_error_date: int = 0


DEFAULT_UPDATES = frozenset(
    "message edited_message channel_post edited_channel_post callback_query my_chat_member "
    "stopped_message_generation inline_query poll".split()
)
"""What is sent where allowed_updates was never given: everything but members and reactions."""


@dataclass
class Pending:
    """An update that waits to be fetched or delivered."""

    update_id: int
    kind: str
    body: Json
    queue: tuple[str, int]  # order holds within one: a chat, or a user for callback queries
    expires_at: float
    attempts: int = 0


@dataclass
class Bot:
    user: User
    token: str
    webhook: Webhook = field(default_factory=Webhook)
    allowed: frozenset[str] = DEFAULT_UPDATES
    updates: list[Pending] = field(default_factory=list)
    last_update_id: int = 0
    poll: Any = None  # the future of the getUpdates that waits
    last_poll: tuple[int, float] = (0, float("-inf"))
    commands: dict[tuple[str, str], list[Json]] = field(default_factory=dict)
    descriptions: dict[tuple[str, str], str] = field(default_factory=dict)
    menus: dict[int, Json] = field(default_factory=dict)
    can_read_all: bool = False

    @property
    def bot_id(self) -> int:
        return self.user.user_id


@dataclass
class Violation:
    method: str
    code: int
    description: str


@dataclass
class Query:
    """A button that was pressed."""

    query_id: str
    bot_id: int
    at: float
    answered: Json | None = None


@dataclass
class State:
    clock: Clock
    bots: dict[str, Bot] = field(default_factory=dict)  # by token
    users: dict[int, User] = field(default_factory=dict)
    chats: dict[tuple[int, int], Chat] = field(default_factory=dict)  # by bot id (0: a group) and chat id
    files: dict[str, File] = field(default_factory=dict)
    paths: dict[tuple[str, str], File] = field(default_factory=dict)  # by token and path
    queries: dict[str, Query] = field(default_factory=dict)
    violations: list[Violation] = field(default_factory=list)
    ids: Any = field(default_factory=lambda: itertools.count(1001))

    def private(self, bot: Bot, user: User) -> Chat:
        key = (bot.bot_id, user.user_id)
        if key not in self.chats:
            self.chats[key] = Chat(user.user_id, "private", user=user)
        return self.chats[key]

    def find(self, bot: Bot, chat_id: int) -> Chat | None:
        return self.chats.get((bot.bot_id, chat_id)) or self.chats.get((0, chat_id))

    def add_file(self, name: str, media_type: str, data: bytes, size: int | None = None) -> File:
        file_id = f"BQACAgIAAxkBAAI{next(self.ids):08d}"
        self.files[file_id] = File(file_id, name, media_type, data, len(data) if size is None else size)
        return self.files[file_id]
