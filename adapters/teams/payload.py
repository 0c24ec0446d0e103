"""Read what Teams sends: who and where, in whichever of its shapes they come."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from core.payloads import Json, text_at

CHANNEL = "msteams"
_THREAD = ";messageid="


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


def is_teams(address: Mapping[str, Any]) -> bool:
    """Tell whether an address is one in Teams; else it is in another channel, which a client on this machine plays."""
    return address.get("channelId") in (None, "", CHANNEL)


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
