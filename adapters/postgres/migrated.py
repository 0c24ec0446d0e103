"""Channels that go on under another id, with what was decided for them and what was said there."""

from adapters.postgres.database import Database
from core.places import Platform

# What was decided for the new channel already stays. Versions go on rising: what is remembered of older ones is void.
_STATEMENTS = (
    """
    update channel_settings as old set channel = $4, version = version + 1, updated_at = now()
    where tenant_id = $1 and platform = $2 and channel = $3 and not exists (
        select from channel_settings where tenant_id = $1 and platform = $2 and channel = $4)
    """,
    """
    update channel_bots set channel = $4
    where tenant_id = $1 and platform = $2 and channel = $3 and not exists (
        select from channel_bots where tenant_id = $1 and platform = $2 and channel = $4)
    """,
    """
    update knowledge_bases
    set channels = array(select distinct unnest(array_replace(channels, $3, $4))), version = version + 1,
        updated_at = now()
    where tenant_id = $1 and $2 = any(platforms) and $3 = any(channels)
    """,
    """
    update sessions set current = false
    where tenant_id = $1 and platform = $2 and channel = $3 and current and exists (
        select from sessions as other where other.tenant_id = $1 and other.platform = $2 and other.channel = $4
            and other.thread = sessions.thread and other.current)
    """,
    "update sessions set channel = $4 where tenant_id = $1 and platform = $2 and channel = $3",
    # A ticket's answer goes on to the new channel, below no message: those of the old one are not there. What was
    # answered to its author alone goes on to them.
    """
    update tickets set target = target || jsonb_build_object('channel', $4::text, 'address', $5::jsonb)
    where tenant_id = $1 and target->>'platform' = $2 and target->>'channel' = $3
        and target->'address'->>'chat_id' = $3
    """,
)


class PostgresMoves:
    """Let a channel go on under another id."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def move(
        self, tenant_id: int, platform: Platform, channel: str, new_channel: str, address: dict[str, object]
    ) -> None:
        """Move settings, bot, scopes, conversations and tickets, in one transaction; once more changes nothing.

        ADDRESS is where tickets of the old channel are answered now. Raises StoreUnavailable.
        """
        async with self._database.tenant(tenant_id) as connection:
            for statement in _STATEMENTS:
                arguments = (tenant_id, platform.value, channel, new_channel, address)
                await connection.execute(statement, *arguments[: 5 if "$5" in statement else 4])
