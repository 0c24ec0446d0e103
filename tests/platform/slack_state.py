"""What a small Slack knows: workspaces, people, channels, messages, files, views and the time."""

import itertools
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


class SlackError(Exception):
    """A refusal of the Web API, as the code it answers with."""

    def __init__(self, code: str, *details: str, **more: Any) -> None:
        super().__init__(code)
        self.code, self.details, self.more = code, details, more


@dataclass
class Clock:
    """The server's time, which a test may move forward."""

    offset_s: float = 0.0

    def now(self) -> float:
        return time.time() + self.offset_s

    def advance(self, seconds: float) -> None:
        self.offset_s += seconds


@dataclass
class Workspace:
    team_id: str
    name: str
    domain: str
    bot_token: str
    bot_user_id: str
    bot_id: str
    app_id: str
    scopes: set[str]
    installed: bool = True
    commercial: bool = False  # an app of somebody else's: reading history back is held to one call a minute


@dataclass
class User:
    user_id: str
    team_id: str
    name: str
    admin: bool = False
    guest: bool = False
    bot_id: str = ""  # another app's bot
    app_id: str = ""
    active: bool = True  # whoever is not sees no ephemeral message, now or later
    locale: str = "en-US"

    def shown(self) -> Json:
        profile = {"display_name": self.name, "real_name": self.name.title(), "email": f"{self.name}@example.com"}
        flags = {"is_admin": self.admin, "is_owner": False, "is_restricted": self.guest, "is_bot": bool(self.bot_id)}
        named = {"id": self.user_id, "team_id": self.team_id, "name": self.name, "real_name": self.name.title()}
        return {**named, **flags, "deleted": False, "is_ultra_restricted": False, "tz": "Etc/UTC", "profile": profile}


@dataclass
class Group:
    group_id: str
    team_id: str
    handle: str
    users: list[str]


@dataclass
class Channel:
    channel_id: str
    team_id: str
    name: str
    kind: str  # channel, group, im, mpim: as in channel_type
    members: set[str]
    archived: bool = False
    shared: bool = False  # with another organisation

    def shown(self) -> Json:
        kinds = {"is_channel": "channel", "is_group": "group", "is_im": "im", "is_mpim": "mpim"}
        flags = {flag: self.kind == kind for flag, kind in kinds.items()}
        private = self.kind != "channel"
        named = {"id": self.channel_id, "name": self.name, "context_team_id": self.team_id}
        flags |= {"is_private": private, "is_archived": self.archived, "is_ext_shared": self.shared}
        return {**named, **flags, "num_members": len(self.members)}


@dataclass
class File:
    file_id: str
    team_id: str
    name: str
    mimetype: str
    content: bytes
    url: str
    user_id: str = ""
    channels: set[str] = field(default_factory=set)
    complete: bool = True  # its upload was ended by files.completeUploadExternal
    given: bool = False  # to the app, in a modal: it is in no channel

    def shown(self) -> Json:
        extension = self.name.rpartition(".")[2]
        named = {"id": self.file_id, "name": self.name, "title": self.name, "user": self.user_id}
        typed = {"mimetype": self.mimetype, "filetype": extension, "size": len(self.content), "mode": "hosted"}
        urls = {"url_private": self.url, "url_private_download": self.url}
        return {**named, **typed, **urls, "is_external": False, "file_access": "visible", "created": 1700000000}


@dataclass
class Stream:
    opened_at: float
    recipient_user_id: str
    state: str = "streaming"  # streaming, done, stopped by user
    chunks: list[Json] = field(default_factory=list)
    status: str = ""


@dataclass
class Message:
    channel: str
    ts: str
    user: str
    text: str = ""
    blocks: list[Json] = field(default_factory=list)
    thread_ts: str = ""
    bot_id: str = ""
    app_id: str = ""
    ephemeral_to: str = ""  # the only one who sees it
    edited_ts: str = ""
    deleted: bool = False
    markdown: bool = False  # its text is Markdown that the server renders, not mrkdwn
    files: list[File] = field(default_factory=list)
    reactions: dict[str, list[str]] = field(default_factory=dict)
    arguments: Json = field(default_factory=dict)  # of the call that wrote it last
    stream: Stream | None = None
    edits: int = 0

    def shown(self) -> Json:
        body: Json = {"type": "message", "user": self.user, "text": self.text, "ts": self.ts}
        optional: Json = {
            "blocks": self.blocks,
            "thread_ts": self.thread_ts,
            "bot_id": self.bot_id,
            "app_id": self.app_id,
            "files": [file.shown() for file in self.files],
            "edited": {"user": self.user, "ts": self.edited_ts} if self.edited_ts else None,
        }
        return body | {name: value for name, value in optional.items() if value}


@dataclass
class View:
    view_id: str
    team_id: str
    user_id: str
    content: Json
    hash: str
    stack: list["View"]  # the modal's views from the bottom up; empty for a Home tab

    def shown(self) -> Json:
        root = self.stack[0].view_id if self.stack else self.view_id
        known = {"id": self.view_id, "team_id": self.team_id, "hash": self.hash, "root_view_id": root}
        defaults = {"private_metadata": "", "callback_id": "", "external_id": "", "state": {"values": {}}}
        return {**defaults, **self.content, **known}


@dataclass
class Trigger:
    user_id: str
    made_at: float
    used: bool = False
    view: View | None = None  # the view it came from, on whose stack a push lands


@dataclass
class ResponseUrl:
    channel: str
    user_id: str
    made_at: float
    message: Message | None = None
    uses: int = 0


@dataclass
class Session:
    """An agent session of one thread."""

    status: str
    title: str = ""
    changed_at: float = 0.0
    history: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Violation:
    """One rule broken: a refused call, a late acknowledgement, an answer of the wrong shape."""

    where: str
    code: str
    detail: str = ""


class State:
    """Everything that a small Slack holds."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.workspaces: dict[str, Workspace] = {}
        self.users: dict[str, User] = {}
        self.groups: dict[str, Group] = {}
        self.channels: dict[str, Channel] = {}
        self.messages: list[Message] = []
        self.files: dict[str, File] = {}
        self.views: dict[str, View] = {}
        self.homes: dict[str, View] = {}  # by user
        self.sessions: dict[tuple[str, str], Session] = {}  # by channel and thread
        self.statuses: dict[tuple[str, str], str] = {}  # of assistant.threads.setStatus
        self.prompts: dict[str, list[Json]] = {}  # suggested, by channel
        self.triggers: dict[str, Trigger] = {}
        self.response_urls: dict[str, ResponseUrl] = {}
        self.codes: dict[str, tuple[str, str]] = {}  # OAuth: team and redirect address
        self.revoked: set[str] = set()
        self.violations: list[Violation] = []
        self._numbers = itertools.count(1)
        self.run = os.urandom(4).hex()  # Slack never names two events alike, whatever was restarted in between

    def number(self) -> int:
        return next(self._numbers)

    def identifier(self, prefix: str) -> str:
        return f"{prefix}{self.number():08d}"

    def unique(self, prefix: str) -> str:
        """Make an id that no other run of a small Slack has made."""
        return f"{prefix}{self.run}{self.number():08d}"

    def new_ts(self) -> str:
        return f"{int(self.clock.now())}.{self.number():06d}"

    def violate(self, where: str, code: str, detail: str = "") -> None:
        self.violations.append(Violation(where, code, detail))

    def workspace_of(self, token: str) -> Workspace | None:
        return next((found for found in self.workspaces.values() if found.bot_token == token), None)

    def channel(self, workspace: Workspace, channel_id: str) -> Channel:
        """Return a channel the bot may know of: a private one only where it is a member."""
        channel = self.channels.get(channel_id)
        if channel is None or channel.team_id != workspace.team_id:
            raise SlackError("channel_not_found")
        if channel.kind != "channel" and workspace.bot_user_id not in channel.members:
            raise SlackError("channel_not_found")
        return channel

    def direct(self, workspace: Workspace, users: Iterable[str]) -> Channel:
        """Open the direct conversation of the bot with USERS, the one there is where there is one."""
        members = {workspace.bot_user_id, *users}
        if unknown := members - set(self.users):
            raise SlackError("user_not_found", *unknown)
        for channel in self.channels.values():
            if channel.kind in ("im", "mpim") and channel.members == members:
                return channel
        kind, prefix = ("im", "D") if len(members) == 2 else ("mpim", "G")
        channel = Channel(self.identifier(prefix), workspace.team_id, "directmessage", kind, members)
        self.channels[channel.channel_id] = channel
        return channel

    def reaches(self, where: str, user_id: str) -> bool:
        """Tell whether an ephemeral message is seen by its reader; one that is lost is held against the app."""
        user = self.users.get(user_id)
        if user is None or user.active:
            return True
        self.violate(where, "ephemeral_lost", user_id)
        return False

    def find(self, channel_id: str, ts: str) -> Message | None:
        """Return the message that is there for everybody."""
        for message in reversed(self.messages):
            if (message.channel, message.ts) == (channel_id, ts) and not message.deleted and not message.ephemeral_to:
                return message
        return None

    def thread(self, channel_id: str, ts: str, *, user: str = "") -> list[Message]:
        """Return what is visible in a thread, its first message included; what only USER sees where one is named."""
        return [
            message
            for message in self.messages
            if message.channel == channel_id
            and ts in (message.ts, message.thread_ts)
            and not message.deleted
            and (not message.ephemeral_to or not user or message.ephemeral_to == user)
        ]
