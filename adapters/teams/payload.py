"""Read what Teams sends: every field may be missing or something else, and then it is empty."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

Json = Mapping[str, Any]

_THREAD = ";messageid="


def value_at(payload: Any, *path: str) -> Any:
    """Return what lies under PATH; None where there is nothing."""
    for name in path:
        if not isinstance(payload, Mapping):
            return None
        payload = payload.get(name)
    return payload


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


def parse_object(text: str) -> dict[str, Any]:
    """Read a JSON object; empty where TEXT is none."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def digest(payload: Json) -> str:
    """Name a payload that has no id by all that it says."""
    written = json.dumps(payload, sort_keys=True, default=str, ensure_ascii=True)
    return hashlib.sha256(written.encode()).hexdigest()[:32]


def micros(timestamp: str) -> int:
    """Read a time as microseconds since 1970, which rise with each edit; 0 where it is none."""
    try:
        at = datetime.fromisoformat(timestamp)
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return max(0, int(at.timestamp() * 1_000_000))
    except (ValueError, OverflowError):
        return 0


def channel_of(conversation_id: str) -> str:
    """Return the conversation without the message whose thread it names."""
    return conversation_id.partition(_THREAD)[0]


def root_of(conversation_id: str) -> str:
    """Return the id of the message whose thread a conversation is; empty where it is no thread."""
    return conversation_id.partition(_THREAD)[2]


def tenant_of(activity: Json) -> str:
    """Return the Entra tenant an activity comes from; empty where it says none."""
    return text_at(activity, "channelData", "tenant", "id") or text_at(activity, "conversation", "tenantId")


def installation_of(activity: Json) -> str:
    """Name the bot in the tenant that an activity was sent to."""
    return f"{tenant_of(activity)}/{text_at(activity, 'recipient', 'id')}"


def host_allowed(url: str, hosts: Sequence[str]) -> bool:
    """Tell whether URL is https and its host is one of HOSTS, of which one that begins with a dot allows what ends so.

    A host given as HOST:PORT allows http on it too, for servers of one's own.
    """
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return False
    if parts.username or parts.password or not host:
        return False
    if f"{host}:{port}" in hosts:
        return parts.scheme in ("http", "https")
    ours = any(host.endswith(allowed) if allowed.startswith(".") else host == allowed for allowed in hosts)
    return ours and parts.scheme == "https" and port in (None, 443)
