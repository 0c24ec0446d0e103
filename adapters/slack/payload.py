"""Read what Slack sends: every field may be missing or something else, and then it is empty."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

Json = Mapping[str, Any]


def text_at(payload: Any, *path: str) -> str:
    """Return the text under PATH; empty where there is none."""
    found = value_at(payload, *path)
    return found if isinstance(found, str) else ""


def object_at(payload: Any, *path: str) -> dict[str, Any]:
    """Return the object under PATH; empty where there is none."""
    found = value_at(payload, *path)
    return found if isinstance(found, dict) else {}


def objects_at(payload: Any, *path: str) -> list[dict[str, Any]]:
    """Return the objects of the list under PATH."""
    found = value_at(payload, *path)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def value_at(payload: Any, *path: str) -> Any:
    """Return what lies under PATH; None where there is nothing."""
    for name in path:
        if not isinstance(payload, Mapping):
            return None
        payload = payload.get(name)
    return payload


def id_at(payload: Any, name: str) -> str:
    """Return the id of NAME, which is a text in events and an object in interactions."""
    return text_at(payload, name) or text_at(payload, name, "id")


def installation_of(payload: Json) -> str:
    """Name the workspace in which the app was installed that hears this; the organisation for its own installs.

    In channels shared with others, authorizations tells it and team_id may be somebody else's.
    """
    view = object_at(payload, "view")
    authorized = next(iter(objects_at(payload, "authorizations")), {})
    return (
        text_at(view, "app_installed_team_id")
        or id_at(payload, "team")
        or text_at(authorized, "team_id")
        or text_at(payload, "team_id")
        or text_at(payload, "user", "team_id")
        or text_at(view, "team_id")
        or text_at(authorized, "enterprise_id")
        or id_at(payload, "enterprise")
        or text_at(payload, "enterprise_id")
    )


def digest(*parts: Any) -> str:
    """Make an id of what has none of its own."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:32]
