"""What an app is sent, in the shapes the platform documents. docs.slack.dev/reference/{events,interaction-payloads}"""

import re
from collections.abc import Iterable
from typing import Any

from tests.platform.slack_blocks import elements_of
from tests.platform.slack_state import Channel, File, Json, Message, State, User, View, Workspace

VERIFICATION_TOKEN = "verification"


def event_callback(state: State, workspace: Workspace, event: Json) -> Json:
    authorization = {"team_id": workspace.team_id, "user_id": workspace.bot_user_id, "is_bot": True}
    return {
        "token": VERIFICATION_TOKEN,
        "team_id": workspace.team_id,
        "context_team_id": workspace.team_id,
        "context_enterprise_id": None,
        "api_app_id": workspace.app_id,
        "event": event,
        "type": "event_callback",
        "event_id": state.unique("Ev"),
        "event_time": int(state.clock.now()),
        "authorizations": [{"enterprise_id": None, **authorization, "is_enterprise_install": False}],
        "is_ext_shared_channel": _is_shared(state, event),
        "event_context": "4-context",
    }


def _is_shared(state: State, event: Json) -> bool:
    channel = event.get("channel")
    return isinstance(channel, str) and channel in state.channels and state.channels[channel].shared


_TYPED = re.compile(
    r"<@(?P<user>[UW]\w+)>|<(?P<url>https?://[^|>]+)(?:\|(?P<label>[^>]*))?>"
    r"|(?<!\w)(?P<mark>[*_~`])(?P<in>\w[^*_~`]*)(?P=mark)(?!\w)"
)
_STYLES = {"*": "bold", "_": "italic", "~": "strike", "`": "code"}
_ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))


def rich_text(text: str) -> list[Json]:
    """Write what somebody typed as Slack's editor does: it sends the same twice, as mrkdwn and as rich text."""
    elements, place = [], 0
    for found in _TYPED.finditer(text):
        elements += _plain_text(text[place : found.start()])
        elements.append(_styled(found))
        place = found.end()
    section = {"type": "rich_text_section", "elements": [*elements, *_plain_text(text[place:])]}
    return [{"type": "rich_text", "block_id": "rich", "elements": [section]}]


def _plain_text(text: str) -> list[Json]:
    for written, meant in _ENTITIES:
        text = text.replace(written, meant)
    return [{"type": "text", "text": text}] if text else []


def _styled(found: re.Match[str]) -> Json:
    if found["user"]:
        return {"type": "user", "user_id": found["user"]}
    if found["url"]:
        return {"type": "link", "url": found["url"]} | ({"text": found["label"]} if found["label"] else {})
    return {"type": "text", "text": found["in"], "style": {_STYLES[found["mark"]]: True}}


def message_event(message: Message, channel: Channel, user: User, root: Message | None) -> Json:
    event = {**message.shown(), "team": user.team_id, "channel": channel.channel_id, "event_ts": message.ts}
    if channel.shared:
        event |= {"user_team": user.team_id, "source_team": user.team_id}
    event["channel_type"] = channel.kind
    if message.files:
        event |= {"subtype": "file_share", "upload": False, "display_as_bot": False}
    if root is not None:
        event["parent_user_id"] = root.user
    return event if user.bot_id else {**event, "client_msg_id": f"client-{message.ts}"}


def mention_event(event: Json) -> Json:
    """Make the app_mention that comes beside a message."""
    return {name: value for name, value in event.items() if name not in ("channel_type", "subtype")} | {
        "type": "app_mention"
    }


def changed_event(state: State, channel: Channel, message: Message, before: Json) -> Json:
    ts = state.new_ts()
    where: Json = {
        "channel": channel.channel_id,
        "channel_type": channel.kind,
        "ts": ts,
        "event_ts": ts,
        "hidden": True,
    }
    both: Json = {"message": message.shown(), "previous_message": before}
    return {"type": "message", "subtype": "message_changed", **both, **where}


def deleted_event(state: State, channel: Channel, message: Message) -> Json:
    ts = state.new_ts()
    where: Json = {
        "channel": channel.channel_id,
        "channel_type": channel.kind,
        "ts": ts,
        "event_ts": ts,
        "hidden": True,
    }
    gone: Json = {"deleted_ts": message.ts, "previous_message": message.shown()}
    return {"type": "message", "subtype": "message_deleted", **gone, **where}


def command_form(workspace: Workspace, channel: Channel, user: User, command: str, text: str) -> dict[str, str]:
    return {
        "token": VERIFICATION_TOKEN,
        "team_id": workspace.team_id,
        "team_domain": workspace.domain,
        "channel_id": channel.channel_id,
        "channel_name": channel.name,
        "user_id": user.user_id,
        "user_name": user.name,
        "command": command,
        "text": text,
        "api_app_id": workspace.app_id,
        "is_enterprise_install": "false",
    }


def interaction(kind: str, workspace: Workspace, user: User) -> Json:
    return {
        "type": kind,
        "team": {"id": workspace.team_id, "domain": workspace.domain},
        "user": {"id": user.user_id, "username": user.name, "name": user.name, "team_id": user.team_id},
        "api_app_id": workspace.app_id,
        "token": VERIFICATION_TOKEN,
        "enterprise": None,
        "is_enterprise_install": False,
    }


def in_message(message: Message, channel: Channel) -> Json:
    """Say where in a message something was pressed; the content of an ephemeral one is not told."""
    container: Json = {"type": "message", "message_ts": message.ts, "channel_id": channel.channel_id}
    container["is_ephemeral"] = bool(message.ephemeral_to)
    if message.thread_ts:
        container["thread_ts"] = message.thread_ts
    named: Json = {"container": container, "channel": {"id": channel.channel_id, "name": channel.name}}
    return named if message.ephemeral_to else {**named, "message": message.shown()}


def in_view(view: View) -> Json:
    return {"container": {"type": "view", "view_id": view.view_id}, "view": view.shown()}


def find_element(blocks: Iterable[Json], action_id: str) -> tuple[Json, Json]:
    """Return the block and its element with ACTION_ID; raises LookupError where nobody could press it."""
    for block in blocks:
        for element in elements_of(block):
            if element.get("action_id") == action_id:
                return block, element
    raise LookupError(f"there is nothing to press called {action_id}")


def action(element: Json, block: Json, chosen: Any, ts: str) -> Json:
    kind = element["type"]
    named: Json = {"type": kind, "action_id": element["action_id"], "block_id": block["block_id"], "action_ts": ts}
    if kind in ("button", "icon_button"):
        return {**named, **{name: element[name] for name in ("text", "value", "url") if name in element}}
    if kind == "feedback_buttons":
        button = element["positive_button" if chosen else "negative_button"]
        return {**named, "text": button["text"], "value": button["value"]}
    return {**named, **entered(element, chosen)}


def _option(element: Json, value: Any) -> Json:
    groups = element.get("option_groups") or ()
    options = element.get("options") or [option for group in groups for option in group["options"]]
    return next(option for option in options if option["value"] == value)


def entered(element: Json, value: Any) -> Json:
    """Return the state of an element in which a person entered VALUE."""
    kind = element["type"]
    names = {"users": "selected_user", "channels": "selected_channel", "conversations": "selected_conversation"}
    if kind == "file_input":
        files: list[File] = list(value or ())
        return {"type": kind, "files": [file.shown() for file in files]}
    if kind in ("static_select", "radio_buttons", "overflow"):
        chosen = element.get("initial_option") if value is None else _option(element, value)
        return {"type": kind, "selected_option": chosen}
    if kind in ("multi_static_select", "checkboxes"):
        default = element.get("initial_options") or []
        return {"type": kind, "selected_options": default if value is None else [_option(element, v) for v in value]}
    if kind.endswith("_select"):
        source = kind.removeprefix("multi_").removesuffix("_select")
        name = names[source] + ("s" if kind.startswith("multi_") else "")
        return {
            "type": kind,
            name: element.get(f"initial_{name.removeprefix('selected_')}") if value is None else value,
        }
    return {"type": kind, "value": element.get("initial_value") if value is None else value}


def view_state(view: View, values: Json) -> Json:
    """Return the state of a view in which VALUES were entered, by action id; raises LookupError."""
    state: Json = {}
    left = dict(values)
    for block in view.content["blocks"]:
        for element in elements_of(block):
            action_id = element.get("action_id", "action")
            if element["type"] in ("button", "image"):
                continue
            given = entered(element, left.pop(action_id, None))
            empty = not any(value for name, value in given.items() if name != "type")
            if block["type"] == "input" and empty and not block.get("optional"):
                raise LookupError(f"{action_id} must be filled in")
            state.setdefault(block["block_id"], {})[action_id] = given
    if left:
        raise LookupError(f"there is nothing to fill in called {', '.join(left)}")
    return {"values": state}
