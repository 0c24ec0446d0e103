"""The way in: what a platform sends is capped, cleaned and redacted, and then stored before it is acknowledged."""

import asyncio
import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from core.domain import Attachment, Author, Message
from core.errors import Overloaded, StoreUnavailable, TooLarge, UsageError
from core.inbox import Accepted, Inbox, Incoming, Kind
from core.language import hint_of
from core.meter import Counted, Meter
from core.places import Place
from core.redact import redact

_BREAK = re.compile("\r\n?|[\u2028\u2029]")
# PostgreSQL keeps no NUL, and a terminal would obey an escape.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# What no reader sees and a model may read: soft hyphens, zero-width spaces, bidirectional overrides, tag characters.
_UNSEEN = re.compile("[\u00ad\u180e\u200b\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\U000e0000-\U000e0fff]")
# Joiners belong to emoji, Persian and Indic words; beside an ASCII character they only hide it from a search.
_JOINER = re.compile("(?<=[!-~])[\u200c\u200d]+|[\u200c\u200d]+(?=[!-~])")
_PLAIN = re.compile("[\t\n -~]*")
_MARGIN = 1_000  # characters read beyond the longest text, so that a secret at its end is seen whole
_DEEPEST = 16
_LONG = 2_000  # characters; redacting more takes some 10 ms, during which nobody else would be served


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of an event is kept."""

    longest_text: int = 32_000  # characters; the engine refuses what is over its own, lower limit, and says so
    longest_id_bytes: int = 512  # three of them fit into an index entry
    longest_name: int = 255
    longest_reason: int = 2_000  # of a rating


class Acceptance:
    """Take events in, the same way for all platforms."""

    def __init__(
        self,
        inbox: Inbox,
        meter: Meter,
        limits: Limits | None = None,
        signal: Callable[[Incoming], None] | None = None,
    ) -> None:
        self._inbox = inbox
        self._meter = meter
        self._limits = limits or Limits()
        self._signal = signal

    async def accept(self, incoming: Incoming) -> Accepted:
        """Store INCOMING; only then may its platform be told that it was received.

        SIGNAL is called for whatever will be answered; it must return at once and raise nothing. Raises UsageError for
        an event without ids or with ids over the limit, Overloaded and StoreUnavailable as Inbox.accept does.
        """
        platform, tenant = incoming.message.place.platform.value, str(incoming.message.tenant_id)
        try:
            accepted = await self._inbox.accept(await self._prepare(incoming))
        except (UsageError, Overloaded, StoreUnavailable) as error:
            self._meter.count(Counted.REFUSED, platform=platform, tenant=tenant, reason=_reason(error))
            raise
        if accepted.duplicate:
            self._meter.count(Counted.DUPLICATES, platform=platform, tenant=tenant)
            return accepted
        self._meter.count(Counted.ACCEPTED, platform=platform, tenant=tenant, kind=incoming.kind.value)
        if self._signal is not None and incoming.kind in (Kind.MESSAGE, Kind.EDIT):
            self._signal(incoming)
        return accepted

    async def _prepare(self, incoming: Incoming) -> Incoming:
        if len(incoming.message.text) <= _LONG:
            return prepare(incoming, self._limits)
        return await asyncio.to_thread(prepare, incoming, self._limits)


def prepare(incoming: Incoming, limits: Limits) -> Incoming:
    """Cap, clean and redact everything an event brought; raises UsageError where it cannot be told from others."""
    if not incoming.event_id or not incoming.message_id:
        raise UsageError("The event has no id, so it could not be told from another one; it was not stored.")
    message = _prepare_message(incoming.message, limits)
    detail = _without_secrets(clean_json(incoming.detail), limits.longest_reason)
    return replace(
        incoming,
        message=message,
        installation=clean_id(incoming.installation, limits.longest_id_bytes),
        event_id=clean_id(incoming.event_id, limits.longest_id_bytes),
        message_id=clean_id(incoming.message_id, limits.longest_id_bytes),
        target=clean_id(incoming.target, limits.longest_id_bytes),
        address=clean_json(incoming.address),
        detail=detail,
        request_id=clean_name(incoming.request_id, limits.longest_name),
    )


def _prepare_message(message: Message, limits: Limits) -> Message:
    text, hidden = clean_and_redact(message.text, limits.longest_text)
    longest = limits.longest_id_bytes
    place = message.place
    return replace(
        message,
        text=text,
        characters=len(message.text) if len(message.text) > limits.longest_text else 0,
        language_hint=hint_of(message.language_hint),
        hidden=(*message.hidden, *hidden),
        place=Place(place.platform, clean_id(place.channel, longest), clean_id(place.thread, longest)),
        author=Author(
            clean_id(message.author.author_id, longest), clean_name(message.author.name, limits.longest_name)
        ),
        installation=clean_id(message.installation, longest),
        knowledge_bases=tuple(clean_json(name) for name in message.knowledge_bases),
        attachments=tuple(_prepare_attachment(attachment, limits) for attachment in message.attachments),
    )


def _prepare_attachment(attachment: Attachment, limits: Limits) -> Attachment:
    return replace(
        attachment,
        name=clean_name(redact(attachment.name[: limits.longest_name]).text, limits.longest_name),
        media_type=clean_name(attachment.media_type, limits.longest_name),
        reason=clean_name(attachment.reason, limits.longest_reason),
    )


def clean_and_redact(text: str, longest: int) -> tuple[str, tuple[str, ...]]:
    """Return at most LONGEST characters of TEXT, clean and redacted, and the kind of each part that was hidden.

    What is over LONGEST is dropped.
    """
    redacted = redact(clean_text(text[: longest + _MARGIN]))
    hidden = tuple(part.kind.value for part in redacted.hidden for _ in range(part.count))
    return redacted.text[:longest], hidden


def clean_text(text: str) -> str:
    """Compose characters (Unicode NFC) and drop what no reader sees and no database keeps; plain text is as it was."""
    if _PLAIN.fullmatch(text):
        return text
    whole = _CONTROL.sub("", _BREAK.sub("\n", clean_surrogates(text)))
    if whole.isascii():
        return whole
    # Twice: composing can bring forth ASCII ("K" of the Kelvin sign), and dropping can bring parts together.
    seen = _JOINER.sub("", _UNSEEN.sub("", unicodedata.normalize("NFC", whole)))
    return unicodedata.normalize("NFC", seen)


def clean_surrogates(text: str) -> str:
    """Join pairs of surrogates, and put U+FFFD for a lone one: it is half a character and no encoding takes it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def clean_id(text: str, longest_bytes: int) -> str:
    """Return an id that can be stored; raises TooLarge over LONGEST_BYTES, for a shortened one would be another's."""
    cleaned = text if _PLAIN.fullmatch(text) else _CONTROL.sub("", clean_surrogates(text))
    if len(cleaned.encode()) > longest_bytes:
        raise TooLarge(f"An id of the event has over {longest_bytes} bytes; it was not stored.")
    return cleaned


def clean_name(text: str, longest: int) -> str:
    """Return at most LONGEST characters of a name, in one line."""
    return " ".join(clean_text(text[: 4 * longest]).split())[:longest]


def clean_json(value: Any, depth: int = 0) -> Any:
    """Return JSON that PostgreSQL keeps: without NUL, halves of characters, NaN and what lies over 16 levels deep."""
    if isinstance(value, str):
        return value if _PLAIN.fullmatch(value) else clean_surrogates(value).replace("\x00", "")
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping | list | tuple) and depth >= _DEEPEST:
        return None
    if isinstance(value, Mapping):
        return {clean_json(str(key)): clean_json(held, depth + 1) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [clean_json(held, depth + 1) for held in value]
    return value


def _without_secrets(detail: Mapping[str, Any], longest: int) -> dict[str, Any]:
    """Clean and redact the words in the detail of an event: people write what they like into a rating's reason."""
    return {
        key: clean_and_redact(value, longest)[0] if isinstance(value, str) else value for key, value in detail.items()
    }


def _reason(error: Exception) -> str:
    if isinstance(error, Overloaded):
        return "overloaded"
    return "unavailable" if isinstance(error, StoreUnavailable) else "unreadable"
