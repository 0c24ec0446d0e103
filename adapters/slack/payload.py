"""Read what Slack sends: who and where, in whichever of its shapes they come."""

from typing import Any

from core.payloads import Json, object_at, objects_at, text_at


def id_at(payload: Any, name: str) -> str:
    """Return the id of NAME, which is a text in events and an object in interactions."""
    return text_at(payload, name) or text_at(payload, name, "id")


def channel_type_of(event: Json) -> str:
    """Name the kind of an event's channel, which mentions and emulators leave out: an id of D is a conversation."""
    return text_at(event, "channel_type") or ("im" if text_at(event, "channel").startswith("D") else "")


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
