"""Read JSON from outside: a field of another type than expected counts as missing."""

from collections.abc import Mapping
from typing import Any

Json = Mapping[str, Any]

_LARGEST = 1 << 63


def record(found: Json, name: str) -> Json:
    """Return the object in a field; an empty one where there is none."""
    value = found.get(name)
    return value if isinstance(value, Mapping) else {}


def objects(found: Json, name: str) -> list[Json]:
    """Return the objects in a list."""
    value = found.get(name)
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def text(found: Json, name: str) -> str:
    """Return the text in a field; the empty string where there is none."""
    value = found.get(name)
    return value if isinstance(value, str) else ""


def integer(found: Json, name: str) -> int | None:
    """Return the 64-bit number in a field; None where there is none."""
    value = found.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if -_LARGEST <= value < _LARGEST else None


def flag(found: Json, name: str) -> bool:
    """Tell whether a field is true."""
    return found.get(name) is True
