"""Where conversations are reached now, for platforms whose addresses change, and which of them were greeted."""

from collections.abc import Mapping
from typing import Any

from adapters.postgres.database import Database
from core.outbox import Target

_NOTE = """
insert into conversations (tenant_id, platform, installation, channel, address) values ($1, $2, $3, $4, $5)
on conflict (tenant_id, platform, installation, channel) do update
    set address = excluded.address, updated_at = now()
"""

_GREET = """
insert into conversations as known (tenant_id, platform, installation, channel, address, greeted_at)
values ($1, $2, $3, $4, $5, now())
on conflict (tenant_id, platform, installation, channel) do update
    set address = excluded.address, greeted_at = now(), updated_at = now()
    where known.greeted_at is null
returning true
"""

_AT = "where tenant_id = $1 and platform = $2 and installation = $3 and channel = $4"
_FORGET = f"delete from conversations {_AT}"  # noqa: S608 - no value in it
_NEWEST = f"select address from conversations {_AT}"  # noqa: S608
_NEWEST_OF_ALL = """
select address from conversations where tenant_id = $1 and platform = $2 and installation = $3
order by updated_at desc limit 1
"""


class PostgresConversations:
    """Keep the newest address of each conversation."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def note(self, target: Target) -> None:
        """Keep the address of TARGET as the newest of its conversation; raises StoreUnavailable."""
        async with self._database.tenant(target.tenant_id) as connection:
            await connection.execute(_NOTE, *_key(target), dict(target.address))

    async def greet(self, target: Target) -> bool:
        """Note that the conversation of TARGET is greeted; False where it was before. Raises StoreUnavailable."""
        async with self._database.tenant(target.tenant_id) as connection:
            return bool(await connection.fetchval(_GREET, *_key(target), dict(target.address)))

    async def forget(self, target: Target) -> None:
        """Drop a conversation that is over; raises StoreUnavailable."""
        async with self._database.tenant(target.tenant_id) as connection:
            await connection.execute(_FORGET, *_key(target))

    async def newest(self, target: Target) -> Mapping[str, Any]:
        """Return the newest address of the conversation of TARGET; empty where none is known."""
        async with self._database.tenant(target.tenant_id) as connection:
            found = await connection.fetchval(_NEWEST, *_key(target))
        return found or {}

    async def newest_of_all(self, target: Target) -> Mapping[str, Any]:
        """Return the newest address of any conversation of the installation of TARGET; empty where there is none."""
        async with self._database.tenant(target.tenant_id) as connection:
            found = await connection.fetchval(_NEWEST_OF_ALL, *_key(target)[:3])
        return found or {}


def _key(target: Target) -> tuple[int, str, str, str]:
    return target.tenant_id, target.place.platform.value, target.installation, target.place.channel
