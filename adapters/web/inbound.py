"""From the JSON of the HTTP channel to an Incoming; docs/howto/http.md tells what each field means."""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from core.domain import Attachment, Author, Message
from core.errors import UsageError
from core.inbox import Incoming, Kind
from core.places import Place, Platform

LONGEST_ID = 200  # characters
LONGEST_TEXT = 64_000  # characters; what the inbox keeps of it is its own limit
MOST_FILES = 10
MOST_BASES = 50
LONGEST_CALLBACK = 4_000  # characters of JSON
HIGHEST_REVISION = 2**62

# An id with one of these is none: two that differ only in what a database drops would become the same.
_ODD = re.compile("[\x00-\x1f\ud800-\udfff]")

_PLACE = ("channel", "thread")
_SAID = ("text", "session", "knowledge_bases", "files")
_FIELDS = frozenset(
    ("event_id", "kind", "message_id", "revision", "author", "target", "rating", "reason", "callback", *_PLACE, *_SAID)
)
_COMMAND_FIELDS = frozenset(("event_id", "command", "author", "session", "callback", *_PLACE))
_NEED_MESSAGE = (Kind.EDIT, Kind.DELETE)
_RATINGS = (-1, 1)


@dataclass(frozen=True, slots=True)
class GivenFile:
    """A file in a request."""

    name: str
    media_type: str
    data: bytes
    reason: str = ""  # why it cannot be taken; empty where it can


def incoming(
    tenant_id: int,
    installation: str,
    body: Mapping[str, Any],
    attachments: tuple[Attachment, ...] = (),
    request_id: str = "",
) -> Incoming:
    """Turn the body of an event into an Incoming; raises UsageError that names the field at fault.

    ATTACHMENTS are the body's files, stored meanwhile.
    """
    refuse_unknown(body, _FIELDS)
    kind = _kind(body)
    event_id = _identifier(body, "event_id", required=True)
    message_id = _identifier(body, "message_id", required=kind in _NEED_MESSAGE) or event_id
    text = _text(body, "text", required=kind in (Kind.MESSAGE, Kind.EDIT) and not attachments)
    return Incoming(
        message=_message(tenant_id, installation, body, text, attachments),
        installation=installation,
        event_id=event_id,
        message_id=message_id if kind in (Kind.MESSAGE, *_NEED_MESSAGE) else event_id,
        kind=kind,
        revision=_revision(body, kind),
        target=_target(body, kind, message_id),
        address=_address(body),
        detail=_rating(body) if kind is Kind.FEEDBACK else {},
        request_id=request_id,
    )


def interaction(tenant_id: int, installation: str, body: Mapping[str, Any], request_id: str = "") -> Incoming:
    """Turn the body of an interaction into an Incoming, a message that is a command; raises UsageError."""
    refuse_unknown(body, _COMMAND_FIELDS)
    command = _text(body, "command", required=True)
    if not command.startswith("/"):
        raise UsageError('The field "command" must begin with a slash, as /help does.')
    event_id = _identifier(body, "event_id", required=True)
    message = _message(tenant_id, installation, body, command, ())
    return Incoming(message, installation, event_id, event_id, address=_address(body), request_id=request_id)


def given_files(body: Mapping[str, Any], limit_bytes: int) -> list[GivenFile]:
    """Decode the files of a body; one over LIMIT_BYTES is named with the reason. Raises UsageError."""
    return [_file(item, limit_bytes) for item in _list(body, "files", MOST_FILES)]


def refuse_unknown(body: Mapping[str, Any], known: frozenset[str]) -> None:
    """Raise UsageError for a field nobody reads: a slip of the pen, or an attempt to set what is not theirs to set."""
    unknown = sorted(set(body) - known)
    if unknown:
        raise UsageError(
            f'There is no field "{unknown[0][:60]}" here; leave it out. Known are {", ".join(sorted(known))}.'
        )


def place_of(query: Mapping[str, Any]) -> Place:
    """Read the place of a request's query as that of a body; raises UsageError."""
    return Place(Platform.API, _identifier(query, "channel"), _identifier(query, "thread"))


def _message(
    tenant_id: int, installation: str, body: Mapping[str, Any], text: str, attachments: tuple[Attachment, ...]
) -> Message:
    author = _object(body, "author")
    refuse_unknown(author, frozenset(("id", "name")))
    author_id = _identifier(author, "id", required=True)
    return Message(
        tenant_id=tenant_id,
        place=Place(Platform.API, _identifier(body, "channel") or author_id, _identifier(body, "thread")),
        author=Author(author_id, _text(author, "name")[:LONGEST_ID]),
        text=text,
        session_id=_session(body),
        knowledge_bases=tuple(_names(body, "knowledge_bases")),
        attachments=attachments,
        installation=installation,
    )


def _session(body: Mapping[str, Any]) -> UUID | None:
    given = _identifier(body, "session")
    try:
        return UUID(given) if given else None
    except ValueError as error:
        raise _wrong("session", "the id of a session") from error


def _kind(body: Mapping[str, Any]) -> Kind:
    given = body.get("kind", Kind.MESSAGE.value)
    try:
        return Kind(given)
    except ValueError as error:
        known = ", ".join(Kind)
        raise UsageError(f'The field "kind" must be one of {known}.') from error


def _revision(body: Mapping[str, Any], kind: Kind) -> int:
    lowest = 1 if kind is Kind.EDIT else 0
    return _integer(body, "revision", lowest, lowest, HIGHEST_REVISION)


def _target(body: Mapping[str, Any], kind: Kind, message_id: str) -> str:
    target = _identifier(body, "target", required=kind is Kind.FEEDBACK)
    return target or (message_id if kind in _NEED_MESSAGE else "")


def _rating(body: Mapping[str, Any]) -> dict[str, Any]:
    rating = _integer(body, "rating", None, min(_RATINGS), max(_RATINGS))
    if rating not in _RATINGS:
        raise UsageError('The field "rating" must be 1 or -1.')
    return {"rating": rating, "reason": _text(body, "reason")}


def _address(body: Mapping[str, Any]) -> dict[str, Any]:
    callback = _object(body, "callback", required=False)
    if len(str(callback)) > LONGEST_CALLBACK:
        raise UsageError(f'The field "callback" is longer than {LONGEST_CALLBACK:,} characters; shorten it.')
    return {"callback": callback} if callback else {}


def _file(item: Any, limit_bytes: int) -> GivenFile:
    if not isinstance(item, dict):
        raise _wrong("files", "a list of objects")
    refuse_unknown(item, frozenset(("name", "media_type", "content")))
    name = _identifier(item, "name", required=True)
    media_type = _identifier(item, "media_type")
    content = item.get("content")
    if not isinstance(content, str):
        raise _wrong("content", "the file's bytes in base64")
    if len(content) // 4 * 3 > limit_bytes + 2:
        return GivenFile(name, media_type, b"", f"it is over the limit of {limit_bytes / 1e6:.1f} MB")
    try:
        return GivenFile(name, media_type, base64.b64decode(content, validate=True))
    except (binascii.Error, ValueError) as error:
        raise _wrong("content", "the file's bytes in base64") from error


def _wrong(name: str, expected: str) -> UsageError:
    return UsageError(f'The field "{name}" must be {expected}.')


def _checked(body: Mapping[str, Any], name: str, kind: type, expected: str, *, required: bool) -> Any:
    """Return the field NAME where it is there and of its KIND, None where it is not there; null is not there."""
    value = body.get(name)
    if value is None:
        if required:
            raise UsageError(f'The field "{name}" is missing; it is {expected}.')
        return None
    if not isinstance(value, kind) or isinstance(value, bool):
        raise _wrong(name, expected)
    return value


def _identifier(body: Mapping[str, Any], name: str, *, required: bool = False) -> str:
    expected = f"a text of 1 to {LONGEST_ID} characters"
    identifier = str(_checked(body, name, str, expected, required=required) or "").strip()
    if len(identifier) > LONGEST_ID or (required and not identifier) or _ODD.search(identifier):
        raise _wrong(name, expected)
    return identifier


def _text(body: Mapping[str, Any], name: str, *, required: bool = False) -> str:
    expected = f"a text of at most {LONGEST_TEXT:,} characters"
    text = str(_checked(body, name, str, expected, required=required) or "")
    if len(text) > LONGEST_TEXT or (required and not text.strip()):
        raise _wrong(name, expected)
    return text


def _integer(body: Mapping[str, Any], name: str, default: int | None, lowest: int, highest: int) -> int:
    expected = f"a whole number from {lowest} to {highest}"
    value = _checked(body, name, int, expected, required=default is None)
    if value is None:
        return default or 0  # without a default it is required
    if not lowest <= value <= highest:
        raise _wrong(name, expected)
    return int(value)


def _object(body: Mapping[str, Any], name: str, *, required: bool = True) -> dict[str, Any]:
    return dict(_checked(body, name, dict, "an object", required=required) or {})


def _list(body: Mapping[str, Any], name: str, most: int) -> Sequence[Any]:
    expected = f"a list of at most {most}"
    items: list[Any] = _checked(body, name, list, expected, required=False) or []
    if len(items) > most:
        raise _wrong(name, expected)
    return items


def _names(body: Mapping[str, Any], name: str) -> list[str]:
    names = _list(body, name, MOST_BASES)
    if not all(isinstance(item, str) and 0 < len(item) <= LONGEST_ID and not _ODD.search(item) for item in names):
        raise _wrong(name, "a list of names")
    return list(names)
