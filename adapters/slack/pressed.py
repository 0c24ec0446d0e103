"""From slash commands, shortcuts and buttons to an Incoming; docs.slack.dev/reference/interaction-payloads.

The names of the buttons under an answer are here, for whoever writes them and whoever reads them.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from adapters.slack.inbound import Heard, Ignored, Seen, about, files_of, readable
from adapters.slack.markup import from_mrkdwn
from adapters.slack.payload import id_at, installation_of
from core.commands import BY_NAME, parse
from core.domain import Author, Message
from core.inbox import Incoming, Kind
from core.payloads import Json, digest, object_at, objects_at, text_at, value_at
from core.places import Place, Platform

FEEDBACK = "feedback"
"""Feedback buttons, or two plain ones that begin so; the value is GOOD or BAD, or JSON with it as the rating."""
GOOD, BAD = "good", "bad"
HUMAN = "human"
PASSAGE = "passage"  # shows what an answer rests on; the value says which
SHARE = "share"  # shows a private answer to the channel
STOP = "stop"
ASK_ABOUT_THIS = "ask_about_this"
"""The callback_id of the message shortcut."""
FEEDBACK_REASON = "feedback_reason"
"""The callback_id of the modal that asks why; its private_metadata is JSON: channel, ts, thread_ts and rating."""

_RATINGS = {GOOD: 1, "positive": 1, "up": 1, "1": 1, "+1": 1, BAD: -1, "negative": -1, "down": -1, "-1": -1}
COMMAND = "command:"
"""What the event_id of a slash command begins with."""
WISH = "human:"
"""What the message_id of a wish for a person begins with."""
_PRIVATE = "private:"
_TYPED = re.compile(r"<(?:[@#!]|https?://|mailto:|tel:)[^<>]*>|&(?:amp|lt|gt);")


@dataclass(frozen=True, slots=True)
class Pressed:
    """A button under an answer that shows something at once."""

    what: str  # PASSAGE or SHARE
    value: str
    place: Place
    message_id: str  # of the answer
    author_id: str
    trigger_id: str
    address: Mapping[str, Any]


def private_thread(user_id: str) -> str:
    """Name the thread in which somebody is answered privately in a channel: slash commands know none."""
    return _PRIVATE + user_id


def command_text(command: str, text: str, prefix: str) -> str:
    """Write what a slash command says as a message: a command of our table, or a question."""
    name, text = command.removeprefix("/").lower(), text.strip()
    if name in BY_NAME and command != prefix:
        return f"/{name} {text}".strip()
    if not text:
        return "/help"
    first = text.split(maxsplit=1)[0].lower()
    written = text if text.startswith("/") else f"/{text}"
    known = BY_NAME.get(first.removeprefix("/"))
    if text.startswith("/"):
        return text
    takes_more = known is not None and (known.arguments or known.verbs)
    return written if known is not None and (takes_more or text.lower() == first) else text


def from_command(payload: Json, seen: Seen, prefix: str) -> Heard | Ignored:
    """Turn a slash command into a private message: the command is nobody else's to see."""
    channel, author = text_at(payload, "channel_id"), text_at(payload, "user_id")
    if not channel or not author:
        return Ignored("it says not who wrote it where")
    # What is typed behind a command is no mrkdwn: only Slack's own forms are read, and <div> stays what it is.
    text = _TYPED.sub(lambda found: from_mrkdwn(found[0], seen.names), text_at(payload, "text"))
    text = command_text(text_at(payload, "command"), text, prefix)
    event_id = f"{COMMAND}{text_at(payload, 'trigger_id') or digest(payload)}"
    incoming = _private(payload, seen, channel, author, text, event_id, thread_ts="")
    name = seen.names.get(author) or text_at(payload, "user_name")
    return Heard(replace(incoming, message=replace(incoming.message, author=Author(author, name))))


def from_interaction(payload: Json, seen: Seen) -> Heard | Pressed | Ignored:
    """Turn an interaction into what it says; Ignored for what the modals and the App Home did not take."""
    match text_at(payload, "type"):
        case "message_action":
            return _shortcut(payload, seen)
        case "block_actions" | "interactive_message":
            return _button(payload, seen)
        case "view_submission":
            return _reason(payload, seen)
        case _:
            return Ignored("nothing is done about this kind of interaction")


def _shortcut(payload: Json, seen: Seen) -> Heard | Ignored:
    """Read "Ask about this": whoever chose it asks what the message says, and is answered privately."""
    message, channel, author = object_at(payload, "message"), id_at(payload, "channel"), id_at(payload, "user")
    if text_at(payload, "callback_id") != ASK_ABOUT_THIS or not channel or not author:
        return Ignored("nothing is done about this shortcut")
    text, files = readable(message, seen), files_of(message)
    if not text and not files:
        return Ignored("the message has no text")
    event_id = f"shortcut:{text_at(payload, 'trigger_id') or digest(payload)}"
    ts = text_at(message, "ts") or text_at(payload, "message_ts")
    incoming = _private(payload, seen, channel, author, text, event_id, thread_ts=text_at(message, "thread_ts") or ts)
    return Heard(incoming, files=files)


def _button(payload: Json, seen: Seen) -> Heard | Pressed | Ignored:
    action = next(iter(objects_at(payload, "actions")), {})
    container, message = object_at(payload, "container"), object_at(payload, "message")
    author, ts = id_at(payload, "user"), text_at(container, "message_ts") or text_at(message, "ts")
    channel = text_at(container, "channel_id") or id_at(payload, "channel")
    if not author or not channel or not ts:
        return Ignored("it was pressed in no message")
    thread_ts = text_at(container, "thread_ts") or text_at(message, "thread_ts") or ts
    item = {"channel": channel, "ts": ts, "thread_ts": thread_ts}
    name = text_at(action, "action_id").partition(":")[0]
    if name.startswith(FEEDBACK):
        return _rating(payload, seen, item, author, _value(action))
    match name:
        case "human":
            return Heard(_wish(payload, seen, item, author, _value(action)))
        case "stop":
            return Heard(_addressed(about(payload, seen, Kind.STOP, item, author, ts, {}), payload, seen))
        case "passage" | "share":
            incoming = _addressed(about(payload, seen, Kind.MESSAGE, item, author, ts, {}), payload, seen)
            place, trigger = _place_of(payload, item, author), text_at(payload, "trigger_id")
            return Pressed(name, _value(action), place, ts, author, trigger, incoming.address)
    return Ignored("nothing is done about this button")


def _value(action: Json) -> str:
    return text_at(action, "value") or text_at(action, "selected_option", "value")


def _rating(payload: Json, seen: Seen, item: Json, author: str, value: str) -> Heard | Ignored:
    given = _parsed(value)
    rating = _RATINGS.get(str(given.get("rating", value)).lower())
    if rating is None:
        return Ignored("it rates neither well nor badly")
    detail = {"rating": rating, "reason": text_at(given, "reason")}
    target = text_at(given, "message") or text_at(item, "ts")  # a private answer is named by ourselves
    why = text_at(payload, "trigger_id") if rating < 0 and not detail["reason"] else ""
    incoming = _addressed(about(payload, seen, Kind.FEEDBACK, item, author, target, detail), payload, seen)
    return Heard(incoming, may_say_why=why)


def _reason(payload: Json, seen: Seen) -> Heard | Ignored:
    """Read why an answer was rated badly: the metadata names the answer, the first field holds the words."""
    view, author = object_at(payload, "view"), id_at(payload, "user")
    given = _parsed(text_at(view, "private_metadata"))
    if text_at(view, "callback_id") != FEEDBACK_REASON or not author or not text_at(given, "ts"):
        return Ignored("nothing is done about this form")
    fields = [field for block in object_at(view, "state", "values").values() for field in _values(block)]
    reason = " ".join(text for field in fields if (text := text_at(field, "value"))).strip()
    detail = {"rating": _RATINGS.get(str(given.get("rating")), -1), "reason": reason}
    target = text_at(given, "message") or text_at(given, "ts")
    return Heard(about(payload, seen, Kind.FEEDBACK, given, author, target, detail))


def _values(block: Any) -> list[Any]:
    return list(block.values()) if isinstance(block, dict) else []


def _wish(payload: Json, seen: Seen, item: Json, author: str, value: str) -> Incoming:
    """Make the wish for a person; pressed twice under one answer, by whomever, it is one wish.

    VALUE ends with the language of the answer, in which the wish is answered, however often it is repeated.
    """
    incoming = _addressed(about(payload, seen, Kind.MESSAGE, item, author, "", {}), payload, seen)
    message_id = f"{WISH}{text_at(item, 'ts')}"
    return replace(
        incoming,
        message=replace(
            incoming.message,
            place=_place_of(payload, item, author),
            text="/human",
            language_hint=value.partition(":")[2],
        ),
        message_id=message_id,
    )


def _place_of(payload: Json, item: Json, author: str) -> Place:
    """Say in which conversation an answer stands: one that only its reader sees stands in theirs."""
    private = value_at(payload, "container", "is_ephemeral") is True
    thread = private_thread(author) if private else text_at(item, "thread_ts")
    return Place(Platform.SLACK, text_at(item, "channel"), thread)


def _addressed(incoming: Incoming, payload: Json, seen: Seen) -> Incoming:
    more = {
        "at": seen.at_s,
        "ts": text_at(payload, "container", "message_ts"),
        "private": value_at(payload, "container", "is_ephemeral") is True,
        "response_url": text_at(payload, "response_url"),
        "user_team": text_at(payload, "user", "team_id"),
    }
    address = {**incoming.address, **{name: value for name, value in more.items() if value}}
    author = Author(incoming.message.author.author_id, text_at(payload, "user", "name"))
    return replace(incoming, address=address, message=replace(incoming.message, author=author))


def _private(
    payload: Json, seen: Seen, channel: str, author: str, text: str, event_id: str, *, thread_ts: str
) -> Incoming:
    installation = installation_of(payload)
    address = {
        "team": installation,
        "channel": channel,
        "thread_ts": thread_ts,
        "ts": "",
        "user": author,
        "user_team": text_at(payload, "user", "team_id") or installation,
        "channel_type": "im" if text_at(payload, "channel_name") == "directmessage" else "",
        "response_url": text_at(payload, "response_url"),
        "private": True,
        **({"at": seen.at_s} if seen.at_s else {}),
    }
    parsed = parse(text)
    stops = parsed is not None and parsed.name == "stop"
    return Incoming(
        message=Message(
            tenant_id=seen.tenant_id,
            place=Place(Platform.SLACK, channel, private_thread(author)),
            author=Author(author, text_at(payload, "user", "name")),
            text=text,
            installation=installation,
        ),
        installation=installation,
        event_id=event_id,
        message_id=event_id,
        kind=Kind.STOP if stops else Kind.MESSAGE,
        address=address,
        request_id=seen.request_id,
    )


def _parsed(text: str) -> dict[str, Any]:
    """Read a JSON object that we wrote ourselves; empty where it is none."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
