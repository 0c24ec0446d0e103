"""Who and what is in a small Teams, and what was written there."""

import itertools
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


class Clock:
    """The time of the fake; a test may let it jump."""

    def __init__(self) -> None:
        self._ahead_s = 0.0

    def now(self) -> float:
        return time.time() + self._ahead_s

    def advance(self, seconds: float) -> None:
        self._ahead_s += seconds


@dataclass(frozen=True)
class Tenant:
    tenant_id: str
    name: str


@dataclass(frozen=True)
class User:
    user_id: str
    aad_id: str
    name: str
    tenant: Tenant
    is_bot: bool = False


@dataclass
class Chat:
    """A personal chat, a group chat, or a channel of a team."""

    conversation_id: str  # without the thread of a channel
    scope: str  # personal, groupChat, channel
    tenant: Tenant
    members: list[User]
    name: str = ""
    team_id: str = ""
    installed: bool = True
    blocked: bool = False

    @property
    def is_personal(self) -> bool:
        return self.scope == "personal"


@dataclass
class Stream:
    """A message that grows."""

    stream_id: str
    begun_at: float
    sequence: int = 0
    text: str = ""
    informative: str = ""
    last_at: float = 0.0
    state: str = "streaming"  # streaming, final, canceled, timed out
    updates: list[str] = field(default_factory=list)


@dataclass
class Message:
    """What stands in a chat."""

    activity_id: str
    conversation: str  # with ;messageid= in a channel
    author_id: str
    body: Json
    at: float
    targeted_to: str = ""
    deleted: bool = False
    edits: list[Json] = field(default_factory=list)  # the bodies before
    stream: Stream | None = None
    reply_to: str = ""

    @property
    def text(self) -> str:
        return str(self.body.get("text") or "")

    @property
    def attachments(self) -> list[Json]:
        return list(self.body.get("attachments") or [])

    @property
    def cards(self) -> list[Json]:
        return [item["content"] for item in self.attachments if str(item.get("contentType")).endswith("card.adaptive")]

    @property
    def entities(self) -> list[Json]:
        return list(self.body.get("entities") or [])

    @property
    def root_entity(self) -> Json:
        return next((one for one in self.entities if one.get("type") == "https://schema.org/Message"), {})

    @property
    def citations(self) -> list[Json]:
        return list(self.root_entity.get("citation") or [])

    @property
    def is_labelled(self) -> bool:
        return "AIGeneratedContent" in self.root_entity.get("additionalType", [])

    @property
    def feedback(self) -> str:
        return str(self.body.get("channelData", {}).get("feedbackLoop", {}).get("type", ""))


@dataclass(frozen=True)
class Violation:
    """A rule that a call broke, whether or not it was refused."""

    rule: str
    detail: str = ""


class State:
    """Everything there is."""

    def __init__(self, app_id: str) -> None:
        self.clock = Clock()
        self.app_id = app_id
        self.bot_id = f"28:{app_id}"
        self.tenants: dict[str, Tenant] = {}
        self.chats: dict[str, Chat] = {}
        self.messages: list[Message] = []
        self.typing: list[str] = []  # the conversations in which it was shown, in order
        self.violations: list[Violation] = []
        self._numbers = itertools.count(int(time.time() * 1000))

    def new_id(self) -> str:
        return str(next(self._numbers))

    def tenant(self, name: str) -> Tenant:
        tenant = Tenant(str(uuid.uuid4()), name)
        self.tenants[tenant.tenant_id] = tenant
        return tenant

    def user(self, tenant: Tenant, name: str, *, is_bot: bool = False) -> User:
        prefix = "28:" if is_bot else "29:1"
        return User(prefix + uuid.uuid4().hex, str(uuid.uuid4()), name, tenant, is_bot)

    def chat(self, scope: str, tenant: Tenant, members: list[User], name: str = "", team_id: str = "") -> Chat:
        key = uuid.uuid4().hex
        conversation = {
            "personal": f"a:1{key}",
            "groupChat": f"19:{key}@thread.v2",
            "channel": f"19:{key}@thread.tacv2",
        }[scope]
        chat = Chat(conversation, scope, tenant, members, name, team_id)
        self.chats[conversation] = chat
        return chat

    def chat_of(self, conversation: str) -> Chat | None:
        return self.chats.get(conversation.partition(";messageid=")[0])

    def find(self, conversation: str, activity_id: str) -> Message | None:
        base = conversation.partition(";messageid=")[0]
        return next(
            (
                message
                for message in self.messages
                if message.activity_id == activity_id and message.conversation.partition(";messageid=")[0] == base
            ),
            None,
        )

    def violate(self, rule: str, detail: str = "") -> None:
        self.violations.append(Violation(rule, detail))
