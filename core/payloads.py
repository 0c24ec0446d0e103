"""Read JSON that others sent: a field that is missing or of another type than expected counts as empty."""

import hashlib
import json
import re
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from core.errors import TooLarge

Json = Mapping[str, Any]

_LARGEST = 1 << 63
_UNKEPT = re.compile("[\0\ud800-\udfff]")  # NUL, and halves of a surrogate pair


def value_at(payload: Any, *path: str) -> Any:
    """Return what lies under PATH; None where there is nothing."""
    for name in path:
        if not isinstance(payload, dict):
            return None
        payload = payload.get(name)
    return payload


def text_at(payload: Any, *path: str) -> str:
    """Return the text under PATH, what no database keeps replaced; the empty string where there is none."""
    found = payload
    for name in path:  # as value_at does, of which a message would need dozens more
        if not isinstance(found, dict):
            return ""
        found = found.get(name)
    if not isinstance(found, str):
        return ""
    return found if found.isascii() and "\0" not in found else _UNKEPT.sub("\ufffd", found)


def object_at(payload: Any, *path: str) -> dict[str, Any]:
    """Return the object under PATH; an empty one where there is none."""
    found = value_at(payload, *path)
    return found if isinstance(found, dict) else {}


def objects_at(payload: Any, *path: str) -> list[dict[str, Any]]:
    """Return the objects of the list under PATH."""
    found = value_at(payload, *path)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def integer_at(payload: Any, *path: str) -> int | None:
    """Return the 64-bit number under PATH; None where there is none."""
    found = value_at(payload, *path)
    if not isinstance(found, int) or isinstance(found, bool):
        return None
    return found if -_LARGEST <= found < _LARGEST else None


def flag_at(payload: Any, *path: str) -> bool:
    """Tell whether what lies under PATH is true."""
    return value_at(payload, *path) is True


def parse_object(written: str | bytes) -> dict[str, Any] | None:
    """Read a JSON object in UTF-8; None where it is none."""
    try:
        found = json.loads(written if isinstance(written, str) else written.decode("utf-8"))
    except (ValueError, RecursionError):  # a UnicodeDecodeError is a ValueError
        return None
    return found if isinstance(found, dict) else None


def digest(*parts: Any) -> str:
    """Make an id of what has none of its own, the same for the same."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:32]


async def read_capped(pieces: AsyncIterator[bytes], *, at_most: int) -> bytes:
    """Put a body together as it comes; raises TooLarge as soon as it is over AT_MOST bytes."""
    body = bytearray()
    async for piece in pieces:
        body += piece
        if len(body) > at_most:
            raise too_large(at_most)
    return bytes(body)


def too_large(at_most: int) -> TooLarge:
    """Say that a body has over AT_MOST bytes."""
    return TooLarge(f"The body is larger than {at_most:,} bytes; send less.")


def retry_after_s(value: str, longest_s: float = 3600.0) -> float:
    """Read a Retry-After (RFC 9110, 10.2.3), at most LONGEST_S; one second where it says nothing usable."""
    try:
        seconds = float(value)
    except ValueError:
        seconds = _seconds_until(value)
    return min(max(seconds, 0.0), longest_s) if seconds == seconds else 1.0  # noqa: PLR0124 - NaN


def _seconds_until(date: str) -> float:
    """Count the seconds until DATE of HTTP; NaN where it is none."""
    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return float("nan")
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds()
