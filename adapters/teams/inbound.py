"""From Teams' activities to an Incoming, or the reason why there is none.

learn.microsoft.com/azure/bot-service/rest-api/bot-framework-rest-connector-api-reference and, for what is Teams' own,
learn.microsoft.com/microsoftteams/platform/bots/how-to/conversations/subscribe-to-conversation-events.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from adapters.teams.limits import FILE_HOSTS
from adapters.teams.payload import channel_of, installation_of, micros, root_of, tenant_of
from adapters.teams.reading import File, as_command, first_mentioned, mentions_us, read_attachments, readable
from core import listening
from core.commands import parse
from core.domain import Author, Message
from core.errors import UsageError
from core.inbox import Incoming, Kind
from core.language import hint_of
from core.payloads import Json, digest, objects_at, text_at, value_at
from core.places import Place, Platform

MARK = "frontdesk"
"""In the data of our cards: which of our buttons was pressed."""
_LIKED = ("like", "1f44d_thumbsup", "yes-tone0")
_DISLIKED = ("dislike", "1f44e_thumbsdown", "no-tone0")
_NOTHING = "/start"  # what a mention without a word asks for


class Scope(StrEnum):
    """Where a conversation is held; the names of conversationType."""

    PERSONAL = "personal"
    GROUP = "groupChat"
    CHANNEL = "channel"


class Event(StrEnum):
    """What changed around the bot."""

    ADDED = "added"  # the app was installed here
    REMOVED = "removed"
    JOINED = "joined"  # somebody else was added to the conversation


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known around an activity."""

    tenant_id: int
    request_id: str = ""
    file_hosts: Sequence[str] = FILE_HOSTS


@dataclass(frozen=True, slots=True)
class Ignored:
    """Why an activity becomes nothing."""

    reason: str


@dataclass(frozen=True, slots=True)
class Heard(listening.Heard):
    """An activity that may become something."""

    files: tuple[File, ...] = ()


@dataclass(frozen=True, slots=True)
class Changed:
    """The app was added to a conversation or removed from it, or somebody joined."""

    event: Event
    key: str  # the same for the two activities that say the same
    scope: Scope
    place: Place
    installation: str
    address: Mapping[str, Any]
    locale: str


def scope_of(activity: Json) -> Scope:
    """Tell where an activity comes from; where it does not say, by the shape of the conversation's id."""
    kind, conversation = text_at(activity, "conversation", "conversationType"), text_at(activity, "conversation", "id")
    if kind in tuple(Scope):
        return Scope(kind)
    if text_at(activity, "channelData", "team", "id") or "@thread.tacv2" in conversation:
        return Scope.CHANNEL
    grouped = value_at(activity, "conversation", "isGroup") is True or "@thread" in conversation
    return Scope.GROUP if grouped else Scope.PERSONAL


def is_targeted(activity: Json) -> bool:
    """Tell whether only its author sees the message, as with slash commands in groups and channels."""
    return value_at(activity, "recipient", "isTargeted") is True


def author_of(activity: Json) -> str:
    """Return the author's Entra object id, which all bots see alike; where there is none, the id for this bot."""
    return text_at(activity, "from", "aadObjectId") or text_at(activity, "from", "id")


def place_of(activity: Json, *, private: bool = False) -> Place:
    """Name the thread of an activity; what only one person sees is a thread of that person's own."""
    conversation = text_at(activity, "conversation", "id")
    thread = f"{conversation};private={author_of(activity)}" if private else conversation
    return Place(Platform.TEAMS, channel_of(conversation), thread)


def address_of(activity: Json, *, private: bool = False) -> dict[str, Any]:
    """Keep what a later reply needs, as plain JSON: the conversation reference."""
    address = {
        "serviceUrl": text_at(activity, "serviceUrl"),
        "channelId": text_at(activity, "channelId"),
        "conversation": text_at(activity, "conversation", "id"),
        "tenant": tenant_of(activity),
        "bot": text_at(activity, "recipient", "id"),
        "bot_name": text_at(activity, "recipient", "name"),
        "user": text_at(activity, "from", "id"),
        "locale": locale_of(activity),
        "scope": scope_of(activity).value,
    }
    return {**address, "private": True} if private else address


def locale_of(activity: Json) -> str:
    """Return the language of the author's client, such as en-US."""
    return text_at(activity, "locale") or next(
        (text_at(entity, "locale") for entity in objects_at(activity, "entities") if text_at(entity, "locale")), ""
    )


def from_activity(activity: Json, seen: Seen) -> Heard | Changed | Ignored:
    """Turn an activity that is no invoke into what it says; of cards that submit, see adapters/teams/invoked.py."""
    if not text_at(activity, "conversation", "id") or not text_at(activity, "recipient", "id"):
        return Ignored("it says not where it stands")
    match text_at(activity, "type"):
        case "conversationUpdate":
            return _members(activity)
        case "installationUpdate":
            return _installation(activity)
        case kind if kind in _READERS:
            return _refused(activity) or _READERS[kind](activity, seen)
        case _:
            return Ignored("nothing is done about this kind of activity")


def _refused(activity: Json) -> Ignored | None:
    """Say why an activity is not for us. Without this, two bots would never end."""
    author = text_at(activity, "from", "id")
    if author and author == text_at(activity, "recipient", "id"):
        return Ignored("it is our own")
    if author.startswith("28:") or text_at(activity, "from", "role") == "bot":
        return Ignored("another program wrote it")
    if not author:
        return Ignored("nobody wrote it")
    return None


def _said(activity: Json, seen: Seen) -> Heard | Ignored:
    if not text_at(activity, "id"):
        return Ignored("it has no id")
    files, attachments = read_attachments(activity, seen.file_hosts)
    direct = scope_of(activity) is Scope.PERSONAL or is_targeted(activity)
    addressed = direct or mentions_us(activity)
    text = readable(activity)
    if addressed:
        text = as_command(text, targeted=is_targeted(activity))
    if not text and not files and not attachments and not addressed:
        return Ignored("it has no text")
    if not text and isinstance(value_at(activity, "value"), dict):
        return Ignored("it is a card's that is not ours")
    text = text or ("" if files or attachments else _NOTHING)
    incoming = make_incoming(activity, seen, text=text, private=_is_private(activity))
    incoming = replace(incoming, message=replace(incoming.message, attachments=attachments))
    root = root_of(text_at(activity, "conversation", "id"))
    return Heard(
        incoming,
        addressed=addressed,
        root=root if root != text_at(activity, "id") else "",
        to_another=first_mentioned(activity) not in ("", text_at(activity, "recipient", "id")),
        files=files,
    )


def _is_private(activity: Json) -> bool:
    return is_targeted(activity) and scope_of(activity) is not Scope.PERSONAL


def _edited(activity: Json, seen: Seen) -> Heard | Ignored:
    if text_at(activity, "channelData", "eventType") not in ("", "editMessage", "undeleteMessage"):
        return Ignored("nobody edited its text")
    heard = _said(activity, seen)
    if isinstance(heard, Ignored):
        return heard
    incoming = heard.incoming
    revision = _time_of(activity) or 1  # above the message's own
    event_id = f"{incoming.event_id}:{revision}"
    edited = replace(incoming, kind=Kind.EDIT, event_id=event_id, revision=revision, target=incoming.message_id)
    return replace(heard, incoming=edited)


def _time_of(activity: Json) -> int:
    """Return the time of an edit or a deletion, which numbers it; 0 where it says none."""
    return micros(text_at(activity, "timestamp")) or micros(text_at(activity, "localTimestamp"))


def _deleted(activity: Json, seen: Seen) -> Heard | Ignored:
    if text_at(activity, "channelData", "eventType") not in ("", "softDeleteMessage") or not text_at(activity, "id"):
        return Ignored("no message was deleted")
    incoming = make_incoming(activity, seen, text="", kind=Kind.DELETE)
    revision = _time_of(activity)
    event_id = f"{incoming.event_id}:{revision}"
    gone = replace(incoming, event_id=event_id, revision=revision, target=incoming.message_id)
    # It may come before its message: in a chat with us alone, that is one for us whenever it comes.
    return Heard(gone, addressed=scope_of(activity) is Scope.PERSONAL)


def _reaction(activity: Json, seen: Seen) -> Heard | Ignored:
    """Read a thumb on an answer of ours as a rating."""
    names = [text_at(reaction, "type") for reaction in objects_at(activity, "reactionsAdded")]
    rating = next((1 if name in _LIKED else -1 for name in names if name in (*_LIKED, *_DISLIKED)), 0)
    target = text_at(activity, "replyToId")
    if not rating or not target:
        return Ignored("this reaction rates nothing")
    return Heard(make_rating(activity, seen, target, rating, ""))


def make_rating(
    activity: Json, seen: Seen, target: str, rating: int, reason: str, *, private: bool = False
) -> Incoming:
    """Make the rating of the answer TARGET: 1 or -1, and why."""
    incoming = make_incoming(activity, seen, text="", kind=Kind.FEEDBACK, private=private)
    return replace(incoming, message_id=incoming.event_id, target=target, detail={"rating": rating, "reason": reason})


_READERS: Mapping[str, Callable[[Json, Seen], Heard | Ignored]] = {
    "message": _said,
    "messageUpdate": _edited,
    "messageDelete": _deleted,
    "messageReaction": _reaction,
}


def _members(activity: Json) -> Changed | Ignored:
    bot = text_at(activity, "recipient", "id")
    added = [text_at(member, "id") for member in objects_at(activity, "membersAdded")]
    removed = [text_at(member, "id") for member in objects_at(activity, "membersRemoved")]
    if bot in added:
        return _changed(activity, Event.ADDED)
    if bot in removed:
        return _changed(activity, Event.REMOVED)
    if any(added):
        return _changed(activity, Event.JOINED)
    return Ignored("nobody came whom we greet")


def _installation(activity: Json) -> Changed | Ignored:
    match text_at(activity, "action"):
        case "add":
            return _changed(activity, Event.ADDED)
        case "remove":
            return _changed(activity, Event.REMOVED)
        case _:
            return Ignored("the app was only renewed")


def _changed(activity: Json, event: Event) -> Changed:
    place = place_of(activity)
    key = f"{event}:{place.channel}" if event is not Event.JOINED else f"{event}:{event_id_of(activity)}"
    scope, locale = scope_of(activity), locale_of(activity)
    return Changed(event, key, scope, place, installation_of(activity), address_of(activity), locale)


# What becomes of it


def event_id_of(activity: Json) -> str:
    """Name an activity, so that the same again is known; ids are unique in their conversation alone."""
    own = text_at(activity, "id") or digest(activity)
    return f"{text_at(activity, 'type')}:{text_at(activity, 'conversation', 'id')}:{own}"


def make_incoming(
    activity: Json, seen: Seen, *, text: str, kind: Kind = Kind.MESSAGE, private: bool = False
) -> Incoming:
    """Make the Incoming of an activity; raises UsageError where it names no tenant."""
    if not tenant_of(activity):
        raise UsageError("The activity names no tenant, so it is not known whose it is; it was not stored.")
    parsed = parse(text) if kind is Kind.MESSAGE else None
    if parsed is not None and parsed.name == "stop":
        kind = Kind.STOP
    installation = installation_of(activity)
    message = Message(
        tenant_id=seen.tenant_id,
        place=place_of(activity, private=private),
        author=Author(author_of(activity), text_at(activity, "from", "name")),
        text=text,
        installation=installation,
        language_hint=hint_of(locale_of(activity)),
        direct=scope_of(activity) is Scope.PERSONAL,
    )
    return Incoming(
        message=message,
        installation=installation,
        event_id=event_id_of(activity),
        message_id=text_at(activity, "id") or event_id_of(activity),
        kind=kind,
        address=address_of(activity, private=private),
        request_id=seen.request_id,
    )
