"""The Web API's methods for messages, conversations and people. docs.slack.dev/reference/methods"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.platform.slack_blocks import check_blocks
from tests.platform.slack_rates import SPECIAL, T2, T3, T4
from tests.platform.slack_state import Channel, Json, Message, SlackError, State, Workspace

MARKDOWN_TEXT, TRUNCATED, UPDATE_TEXT = 12_000, 40_000, 4_000
READ = {"channel": "channels:read", "group": "groups:read", "im": "im:read", "mpim": "mpim:read"}
HISTORY = {"channel": "channels:history", "group": "groups:history", "im": "im:history", "mpim": "mpim:history"}


@dataclass
class Call:
    """One call of a method; what happened because of it is announced to the app."""

    state: State
    workspace: Workspace
    arguments: Json
    announce: Callable[[Workspace, str, Json], None]  # an event to the app
    base_url: str

    def required(self, name: str, code: str = "invalid_arguments") -> str:
        value = self.arguments.get(name)
        if not isinstance(value, str) or not value:
            raise SlackError(code, f"missing required field: {name}")
        return value

    def need(self, scope: str) -> None:
        if scope not in self.workspace.scopes:
            raise SlackError("missing_scope", needed=scope, provided=",".join(sorted(self.workspace.scopes)))

    def channel(self, name: str = "channel") -> Channel:
        return self.state.channel(self.workspace, self.required(name, "channel_not_found"))

    def readable(self, scopes: dict[str, str]) -> Channel:
        channel = self.channel()
        self.need(scopes[channel.kind])
        return channel


@dataclass(frozen=True)
class Method:
    run: Callable[[Call], Json]
    tier: int
    scope: str


METHODS: dict[str, Method] = {}


def method(name: str, tier: int, scope: str = "") -> Callable[[Callable[[Call], Json]], Callable[[Call], Json]]:
    def register(run: Callable[[Call], Json]) -> Callable[[Call], Json]:
        METHODS[name] = Method(run, tier, scope)
        return run

    return register


def content(call: Call, *, text_limit: int = TRUNCATED) -> Json:
    """Check what a message is to say and return it as a message's fields."""
    arguments = call.arguments
    check_metadata(call)
    text, markdown, blocks = arguments.get("text"), arguments.get("markdown_text"), arguments.get("blocks")
    if markdown and (text or blocks):
        raise SlackError("markdown_text_conflict")
    if markdown:
        if len(markdown) > MARKDOWN_TEXT:
            raise SlackError("msg_too_long")
        return {"text": markdown, "blocks": [], "markdown": True}
    checked = check_blocks(blocks) if blocks else []
    if not text and not checked and not arguments.get("attachments"):
        raise SlackError("no_text")
    if text_limit < TRUNCATED and len(text or "") > text_limit:
        raise SlackError("msg_too_long")
    return {"text": (text or "")[:TRUNCATED], "blocks": checked, "markdown": False}


def writable(call: Call) -> Channel:
    """Return the channel a message goes to, by its id or a person's."""
    name = call.required("channel", "channel_not_found")
    if name in call.state.users:
        return call.state.direct(call.workspace, [name])
    channel = call.channel()
    if channel.archived:
        raise SlackError("is_archived")
    if call.workspace.bot_user_id not in channel.members:
        raise SlackError("not_in_channel")
    return channel


def thread_of(call: Call, channel: Channel) -> str:
    """Return the thread a message goes to; raises SlackError where there is none."""
    ts = call.arguments.get("thread_ts")
    if ts is None:
        return ""
    root = call.state.find(channel.channel_id, str(ts))
    if root is None:
        raise SlackError("invalid_thread_ts")
    return root.thread_ts or root.ts


def check_metadata(call: Call) -> None:
    """Check the metadata of a message. docs.slack.dev/messaging/message-metadata"""
    metadata = call.arguments.get("metadata")
    if metadata is None:
        return
    if not isinstance(metadata, dict) or not isinstance(metadata.get("event_payload"), dict):
        raise SlackError("invalid_metadata_format")
    if not isinstance(metadata.get("event_type"), str) or not metadata["event_type"]:
        raise SlackError("invalid_metadata_schema")


def by_bot(call: Call, channel: Channel, **fields: Any) -> Message:
    place: Json = {"channel": channel.channel_id, "ts": call.state.new_ts(), "arguments": dict(call.arguments)}
    author: Json = {
        "user": call.workspace.bot_user_id,
        "bot_id": call.workspace.bot_id,
        "app_id": call.workspace.app_id,
    }
    message = Message(**place, **author, **fields)
    call.state.messages.append(message)
    return message


def told(call: Call, channel: Channel, message: Message) -> None:
    """Announce an app's own message to it, as Slack does."""
    event = {**message.shown(), "channel": channel.channel_id, "channel_type": channel.kind, "event_ts": message.ts}
    call.announce(call.workspace, "message", event)


def changed(call: Call, message: Message, before: Json) -> None:
    kind = call.state.channels[message.channel].kind
    ts = call.state.new_ts()
    both: Json = {"message": message.shown(), "previous_message": before}
    where: Json = {"channel": message.channel, "channel_type": kind, "ts": ts, "event_ts": ts, "hidden": True}
    call.announce(call.workspace, "message", {"type": "message", "subtype": "message_changed", **both, **where})


def own(call: Call, code: str, ts_name: str = "ts") -> Message:
    """Return a message of the app's own; raises SlackError with CODE where it is somebody else's."""
    channel = call.channel()
    message = call.state.find(channel.channel_id, call.required(ts_name, "message_not_found"))
    if message is None:
        raise SlackError("message_not_found")
    if message.bot_id != call.workspace.bot_id:
        raise SlackError(code)
    return message


def posted(message: Message) -> Json:
    return {"channel": message.channel, "ts": message.ts, "message": message.shown()}


@method("auth.test", SPECIAL)
def auth_test(call: Call) -> Json:
    workspace = call.workspace
    named: Json = {
        "url": f"https://{workspace.domain}.slack.com/",
        "team": workspace.name,
        "team_id": workspace.team_id,
    }
    user = call.state.users[workspace.bot_user_id].name
    who: Json = {"user": user, "user_id": workspace.bot_user_id, "bot_id": workspace.bot_id}
    return {**named, **who, "is_enterprise_install": False}


@method("chat.postMessage", SPECIAL, "chat:write")
def post_message(call: Call) -> Json:
    channel = writable(call)
    message = by_bot(call, channel, thread_ts=thread_of(call, channel), **content(call))
    told(call, channel, message)
    return posted(message)


@method("chat.postEphemeral", T4, "chat:write")
def post_ephemeral(call: Call) -> Json:
    channel, user = writable(call), call.required("user", "user_not_in_channel")
    if user not in channel.members:
        raise SlackError("user_not_in_channel")
    said, thread_ts = content(call), thread_of(call, channel)
    if not call.state.reaches("chat.postEphemeral", user):
        return {"message_ts": call.state.new_ts()}
    message = by_bot(call, channel, thread_ts=thread_ts, ephemeral_to=user, **said)
    return {"message_ts": message.ts}


@method("chat.update", T3, "chat:write")
def update(call: Call) -> Json:
    message = own(call, "cant_update_message")
    if streaming(call, message):
        raise SlackError("streaming_state_conflict")
    said, before = content(call, text_limit=UPDATE_TEXT), message.shown()
    message.text, message.markdown = said["text"], said["markdown"]
    if said["blocks"] or "blocks" in call.arguments:
        message.blocks = said["blocks"]
    kept = {"metadata": message.arguments.get("metadata")}
    message.edited_ts, message.edits = call.state.new_ts(), message.edits + 1
    message.arguments = kept | call.arguments
    changed(call, message, before)
    return {**posted(message), "text": message.text}


def streaming(call: Call, message: Message) -> bool:
    stream = message.stream
    return stream is not None and stream.state == "streaming" and call.state.clock.now() < stream.opened_at + 300


@method("chat.delete", T3, "chat:write")
def delete(call: Call) -> Json:
    message = own(call, "cant_delete_message")
    message.deleted = True
    return {"channel": message.channel, "ts": message.ts}


@method("chat.getPermalink", SPECIAL)
def permalink(call: Call) -> Json:
    channel, ts = call.channel(), call.required("message_ts", "message_not_found")
    if call.state.find(channel.channel_id, ts) is None:
        raise SlackError("message_not_found")
    address = f"https://{call.workspace.domain}.slack.com/archives/{channel.channel_id}/p{ts.replace('.', '')}"
    return {"channel": channel.channel_id, "permalink": address}


@method("conversations.open", T3)
def conversations_open(call: Call) -> Json:
    users = [user for user in str(call.arguments.get("users") or "").split(",") if user]
    if not users:
        raise SlackError("users_list_not_supplied")
    call.need("im:write" if len(users) == 1 else "mpim:write")
    return {"channel": call.state.direct(call.workspace, users).shown()}


@method("conversations.info", T3)
def conversations_info(call: Call) -> Json:
    channel = call.readable(READ)
    return {"channel": {**channel.shown(), "is_member": call.workspace.bot_user_id in channel.members}}


@method("conversations.members", T4)
def conversations_members(call: Call) -> Json:
    return paged(call, "members", sorted(call.readable(READ).members))


def paged(call: Call, name: str, found: list[Any], most: int = 1000) -> Json:
    limit = min(int(call.arguments.get("limit") or most), most)
    start = int(call.arguments.get("cursor") or 0)
    cursor = str(start + limit) if start + limit < len(found) else ""
    return {name: found[start : start + limit], "response_metadata": {"next_cursor": cursor}}


def page_of_messages(call: Call, found: list[Message]) -> Json:
    seen = [_with_metadata(call, message) for message in found if not message.ephemeral_to and not message.deleted]
    answer = paged(call, "messages", seen, 15 if call.workspace.commercial else 1000)
    return {**answer, "has_more": bool(answer["response_metadata"]["next_cursor"])}


def _with_metadata(call: Call, message: Message) -> Json:
    metadata = message.arguments.get("metadata") if call.arguments.get("include_all_metadata") else None
    return {**message.shown(), "metadata": metadata} if metadata else message.shown()


@method("conversations.replies", T3)
def replies(call: Call) -> Json:
    channel, ts = call.readable(HISTORY), call.required("ts", "thread_not_found")
    found = call.state.thread(channel.channel_id, ts)
    if not found:
        raise SlackError("thread_not_found")
    return page_of_messages(call, found[:1] + _between(call, found[1:]))  # the first message always comes along


def _between(call: Call, found: list[Message]) -> list[Message]:
    """Keep what was written between the times that a call names."""
    oldest, latest = float(call.arguments.get("oldest") or 0), float(call.arguments.get("latest") or "inf")
    ends = (oldest, latest) if str(call.arguments.get("inclusive")).lower() in ("1", "true") else ()
    return [message for message in found if oldest < float(message.ts) < latest or float(message.ts) in ends]


@method("conversations.history", T3)
def history(call: Call) -> Json:
    channel = call.readable(HISTORY)
    if call.workspace.bot_user_id not in channel.members:
        raise SlackError("not_in_channel")
    found = [message for message in call.state.messages if message.channel == channel.channel_id]
    return page_of_messages(call, [message for message in reversed(found) if not message.thread_ts])


@method("users.info", T4, "users:read")
def users_info(call: Call) -> Json:
    user = call.state.users.get(call.required("user", "user_not_found"))
    if user is None or (user.team_id != call.workspace.team_id and not _is_met(call, user.user_id)):
        raise SlackError("user_not_found")
    wants_locale = str(call.arguments.get("include_locale")).lower() in ("1", "true")
    return {"user": shown_user(call, user.shown()) | ({"locale": user.locale} if wants_locale else {})}


def _is_met(call: Call, user_id: str) -> bool:
    """Tell whether somebody of another organisation is in a channel that is shared with it."""
    ours = [channel for channel in call.state.channels.values() if channel.team_id == call.workspace.team_id]
    return any(channel.shared and user_id in channel.members for channel in ours)


def shown_user(call: Call, user: Json) -> Json:
    if "users:read.email" not in call.workspace.scopes:
        user["profile"].pop("email")
    return user


@method("users.list", T2, "users:read")
def users_list(call: Call) -> Json:
    users = [user for user in call.state.users.values() if user.team_id == call.workspace.team_id]
    return paged(call, "members", [shown_user(call, user.shown()) for user in users])


@method("usergroups.list", T2, "usergroups:read")
def usergroups_list(call: Call) -> Json:
    groups = [group for group in call.state.groups.values() if group.team_id == call.workspace.team_id]
    return {"usergroups": [{"id": group.group_id, "handle": group.handle, "name": group.handle} for group in groups]}


@method("usergroups.users.list", T2, "usergroups:read")
def usergroups_users(call: Call) -> Json:
    group = call.state.groups.get(call.required("usergroup", "no_such_subteam"))
    if group is None:
        raise SlackError("no_such_subteam")
    return {"users": list(group.users)}


@method("team.info", T3, "team:read")
def team_info(call: Call) -> Json:
    workspace = call.workspace
    return {"team": {"id": workspace.team_id, "name": workspace.name, "domain": workspace.domain}}


def reacted(call: Call) -> tuple[str, Message]:
    message = call.state.find(call.channel().channel_id, call.required("timestamp", "bad_timestamp"))
    if message is None:
        raise SlackError("message_not_found")
    return call.required("name", "invalid_name"), message


@method("reactions.add", T3, "reactions:write")
def reactions_add(call: Call) -> Json:
    name, message = reacted(call)
    users = message.reactions.setdefault(name, [])
    if call.workspace.bot_user_id in users:
        raise SlackError("already_reacted")
    users.append(call.workspace.bot_user_id)
    return {}


@method("reactions.remove", T2, "reactions:write")
def reactions_remove(call: Call) -> Json:
    name, message = reacted(call)
    if call.workspace.bot_user_id not in message.reactions.get(name, ()):
        raise SlackError("no_reaction")
    message.reactions[name].remove(call.workspace.bot_user_id)
    return {}
