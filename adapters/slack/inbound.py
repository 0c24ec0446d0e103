"""From Slack's events to an Incoming, or the reason why there is none; docs.slack.dev/reference/events.

A message that mentions us comes as an app_mention and as a message: both are the same Incoming but for their event_id.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from adapters.slack.markup import from_mrkdwn, from_rich_text
from adapters.slack.payload import channel_type_of, id_at, installation_of
from core import listening
from core.attached import MOST_FILES
from core.commands import parse
from core.domain import Attachment, Author, Message
from core.inbox import Incoming, Kind
from core.payloads import Json, digest, object_at, objects_at, text_at, value_at
from core.places import Place, Platform

ANSWERED_SUBTYPES = ("", "file_share", "thread_broadcast")
_SLACKBOT = "USLACKBOT"
_MENTION = re.compile(r"<@([UW][A-Z0-9]{1,40})(\|[^<>]*)?>")
_TS = re.compile(r"([0-9]{1,12})\.([0-9]{1,9})")  # Slack writes six digits, emulators up to nine
_LIKED = ("+1", "thumbsup")
_DISLIKED = ("-1", "thumbsdown")
_NOTHING = "/start"  # what a mention without a word asks for
_MOST_FILES = 2 * MOST_FILES  # the reader names those over its own limit; who sends more hears of the first ones


@dataclass(frozen=True, slots=True)
class Bot:
    """Who we are in one workspace."""

    user_id: str
    bot_id: str = ""
    app_id: str = ""


@dataclass(frozen=True, slots=True)
class File:
    """A file of a message, of which only its name came."""

    file_id: str
    name: str
    media_type: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Ignored:
    """Why an event becomes nothing."""

    reason: str


@dataclass(frozen=True, slots=True)
class Heard(listening.Heard):
    """An event that may become something."""

    files: tuple[File, ...] = ()
    may_say_why: str = ""  # of a bad rating: the trigger_id with which to ask


@dataclass(frozen=True, slots=True)
class Titled:
    """A title that a person gave a session."""

    place: Place
    title: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known around an event."""

    tenant_id: int
    bot: Bot
    names: Mapping[str, str] = field(default_factory=dict)  # of the people it mentions, by user id
    request_id: str = ""
    at_s: float = 0.0  # when it came in, in seconds since 1970; 0: not known


def people_in(payload: Json) -> tuple[str, ...]:
    """List the ids of people whom an event mentions without their names."""
    event = object_at(payload, "event") or payload
    said = text_at(event, "message", "text") or text_at(event, "text")
    return tuple(dict.fromkeys(found[1] for found in _MENTION.finditer(said) if not found[2]))


def authors_in(payload: Json) -> tuple[str, ...]:
    """List the id of whoever wrote the message of an event: one or none."""
    event = object_at(payload, "event")
    author = text_at(event, "user") or text_at(event, "message", "user")
    return (author,) if author else ()


def from_event(payload: Json, seen: Seen) -> Heard | Titled | Ignored:
    """Turn an event_callback into what it says."""
    event = object_at(payload, "event")
    match text_at(event, "type"):
        case "message" | "app_mention":
            return _message(payload, event, seen)
        case "reaction_added":
            return _reaction(payload, event, seen)
        case "agent_session_stopped":
            return _stopped(payload, event, seen)
        case "agent_session_title_changed":
            return _titled(event)
        case _:
            return Ignored("nothing is done about this kind of event")


def _message(payload: Json, event: Json, seen: Seen) -> Heard | Ignored:
    match text_at(event, "subtype"):
        case "message_changed":
            return _changed(payload, event, seen)
        case "message_deleted":
            return _deleted(payload, event, object_at(event, "previous_message"), seen)
        case subtype if subtype not in ANSWERED_SUBTYPES:
            return Ignored(f"messages of the subtype {subtype[:40]} are no questions")
    if refusal := _refusal(event, event, seen.bot):
        return Ignored(refusal)
    return _said(payload, event, event, seen)


def _changed(payload: Json, event: Json, seen: Seen) -> Heard | Ignored:
    """Read an edit: the same event announces unfurled links, new replies and deleted roots of threads."""
    message, before = object_at(event, "message"), object_at(event, "previous_message")
    if text_at(message, "subtype") == "tombstone":
        return _deleted(payload, event, {**before, "ts": text_at(message, "ts")}, seen)
    if text_at(message, "subtype") not in ANSWERED_SUBTYPES:
        return Ignored("no question was edited")
    if refusal := _refusal(event, message, seen.bot):
        return Ignored(refusal)
    revision = micros(text_at(message, "edited", "ts"))
    if not revision or (before and text_at(before, "text") == text_at(message, "text")):
        return Ignored("nobody edited its text")
    heard = _said(payload, event, message, seen)
    if isinstance(heard, Ignored):
        return heard
    incoming = replace(heard.incoming, kind=Kind.EDIT, revision=revision, target=heard.incoming.message_id)
    return replace(heard, incoming=incoming)


def _deleted(payload: Json, event: Json, before: Json, seen: Seen) -> Heard | Ignored:
    ts = text_at(event, "deleted_ts") or text_at(before, "ts")
    if refusal := _refusal(event, {**before, "ts": ts}, seen.bot):
        return Ignored(refusal)
    incoming = _incoming(payload, event, {**before, "ts": ts}, seen, text="", kind=Kind.DELETE)
    return Heard(incoming, addressed=incoming.message.direct or mentions(text_at(before, "text"), seen.bot))


def _refusal(event: Json, message: Json, bot: Bot) -> str:
    """Say why a message is not for us; empty where it may be. Without this, two bots would never end."""
    author = text_at(message, "user")
    if author == bot.user_id or (bot.bot_id and text_at(message, "bot_id") == bot.bot_id):
        return "it is our own"
    if text_at(message, "bot_id") or text_at(message, "app_id") or value_at(message, "bot_profile"):
        return "another program wrote it"
    if not author or author == _SLACKBOT:
        return "nobody wrote it"
    if not text_at(event, "channel") or not _TS.fullmatch(text_at(message, "ts")):
        return "it says not where it stands"
    return ""


def _said(payload: Json, event: Json, message: Json, seen: Seen) -> Heard | Ignored:
    written, files = text_at(message, "text"), files_of(message)
    direct = channel_type_of(event) == "im"
    mentioned = mentions(written, seen.bot) or text_at(event, "type") == "app_mention"
    text = readable(message, seen)
    if not text and not files and not (direct or mentioned):
        return Ignored("it has no text")
    text = text or ("" if files else _NOTHING)
    first = _MENTION.match(written.lstrip())
    return Heard(
        _incoming(payload, event, message, seen, text=text),
        addressed=direct or mentioned,
        root=_root(message),
        to_another=first is not None and first[1] != seen.bot.user_id,
        files=files,
    )


def _root(message: Json) -> str:
    thread_ts = text_at(message, "thread_ts")
    return thread_ts if thread_ts != text_at(message, "ts") else ""


def readable(message: Json, seen: Seen) -> str:
    """Write what a message says as plain text, our own mention left out once."""
    written = text_at(message, "text")
    if written:
        return from_mrkdwn(written, seen.names, bot_id=seen.bot.user_id)
    try:
        return from_rich_text(objects_at(message, "blocks"), seen.names, bot_id=seen.bot.user_id)
    except (TypeError, KeyError, AttributeError, ValueError):  # blocks in a shape that nobody documents
        return ""


def mentions(text: str, bot: Bot) -> bool:
    """Tell whether TEXT mentions us."""
    return any(found[1] == bot.user_id for found in _MENTION.finditer(text))


def files_of(message: Json) -> tuple[File, ...]:
    """List the files of a message; a deleted or hidden one has no name any more and is no file."""
    found = []
    for item in objects_at(message, "files")[:_MOST_FILES]:
        file_id, mode, size = text_at(item, "id"), text_at(item, "mode"), value_at(item, "size")
        if file_id and mode not in ("tombstone", "hidden_by_limit"):
            name = text_at(item, "name") or text_at(item, "title") or file_id
            found.append(File(file_id, name, text_at(item, "mimetype"), size if isinstance(size, int) else 0))
    return tuple(found)


def _incoming(
    payload: Json, event: Json, message: Json, seen: Seen, *, text: str, kind: Kind = Kind.MESSAGE
) -> Incoming:
    ts, channel = text_at(message, "ts"), text_at(event, "channel")
    thread_ts, author = text_at(message, "thread_ts") or ts, text_at(message, "user")
    installation = installation_of(payload)
    parsed = parse(text) if kind is Kind.MESSAGE else None
    if parsed is not None and parsed.name == "stop":
        kind = Kind.STOP
    address: dict[str, Any] = {
        "team": installation,
        "channel": channel,
        "thread_ts": thread_ts,
        "ts": ts,
        "user": author,
        "user_team": text_at(message, "user_team") or text_at(message, "team") or installation,
        "channel_type": channel_type_of(event),
    }
    if isinstance(shared := value_at(payload, "is_ext_shared_channel"), bool):
        address["ext_shared"] = shared
    return Incoming(
        message=Message(
            tenant_id=seen.tenant_id,
            place=Place(Platform.SLACK, channel, thread_ts),
            author=Author(author, seen.names.get(author, "")),
            text=text,
            installation=installation,
            direct=channel_type_of(event) == "im",
        ),
        installation=installation,
        event_id=event_id_of(payload),
        message_id=ts,
        kind=kind,
        target=ts if kind is Kind.DELETE else "",
        address=address,
        request_id=seen.request_id,
    )


def _reaction(payload: Json, event: Json, seen: Seen) -> Heard | Ignored:
    """Read a thumb on an answer of ours as a rating; skin tones follow the name behind two colons."""
    name = text_at(event, "reaction").partition("::")[0]
    item, author = object_at(event, "item"), text_at(event, "user")
    if name not in (*_LIKED, *_DISLIKED):
        return Ignored("this reaction rates nothing")
    # Without item_user, as emulators send it, the message itself says whether it was ours.
    if text_at(event, "item_user") not in ("", seen.bot.user_id) or text_at(item, "type") != "message":
        return Ignored("it rates nothing of ours")
    if not author or author == seen.bot.user_id or not text_at(item, "channel"):
        return Ignored("nobody rated it")
    rating = 1 if name in _LIKED else -1
    return Heard(about(payload, seen, Kind.FEEDBACK, item, author, text_at(item, "ts"), {"rating": rating}))


def _stopped(payload: Json, event: Json, seen: Seen) -> Heard | Ignored:
    """Read the stop button of the agent's pane."""
    streams = value_at(event, "streaming_message_ts")
    stopped = streams if isinstance(streams, list) else [streams]
    target = next((ts for ts in stopped if isinstance(ts, str)), "")
    if not text_at(event, "channel") or not text_at(event, "user"):
        return Ignored("it says not what to stop")
    place = {"channel": text_at(event, "channel"), "ts": text_at(event, "thread_ts")}
    return Heard(about(payload, seen, Kind.STOP, place, text_at(event, "user"), target, {}))


def _titled(event: Json) -> Titled | Ignored:
    channel, thread_ts, title = (text_at(event, name) for name in ("channel", "thread_ts", "title"))
    if not channel or not title.strip():
        return Ignored("it names no session or no title")
    return Titled(Place(Platform.SLACK, channel, thread_ts), " ".join(title.split())[:200])


def about(
    payload: Json, seen: Seen, kind: Kind, item: Json, author: str, target: str, detail: Mapping[str, Any]
) -> Incoming:
    """Make what concerns an answer of ours: ITEM names its channel, its ts and where it is known its thread."""
    channel, installation, event_id = text_at(item, "channel"), installation_of(payload), event_id_of(payload)
    thread_ts = text_at(item, "thread_ts") or text_at(item, "ts")
    return Incoming(
        message=Message(
            tenant_id=seen.tenant_id,
            place=Place(Platform.SLACK, channel, thread_ts),
            author=Author(author),
            text="",
            installation=installation,
        ),
        installation=installation,
        event_id=event_id,
        message_id=event_id,
        kind=kind,
        target=target,
        address={"team": installation, "channel": channel, "thread_ts": thread_ts, "user": author},
        detail=detail,
        request_id=seen.request_id,
    )


def event_id_of(payload: Json) -> str:
    """Name the delivery, so that the same again is known: its own id, what is unique in it, else all of it."""
    own = text_at(payload, "event_id") or text_at(payload, "trigger_id")
    acted = next((text_at(action, "action_ts") for action in objects_at(payload, "actions")), "")
    return own or (f"{acted}:{id_at(payload, 'user')}" if acted else digest(payload))


def micros(ts: str) -> int:
    """Read a Slack timestamp as microseconds since 1970; 0 where it is none."""
    found = _TS.fullmatch(ts)
    return int(found[1]) * 1_000_000 + int(found[2][:6].ljust(6, "0")) if found else 0


def attachment(file: File) -> Attachment:
    """Make the attachment of a file that waits to be fetched."""
    return Attachment(file.name, file.media_type, file.size_bytes)
