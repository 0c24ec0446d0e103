"""Keep the times of calls in PostgreSQL, where there is no Redis: one statement a call, on the server's clock."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from adapters.postgres.database import NO_TENANT, Connection, Database
from core.errors import StoreUnavailable
from core.pacing import Slot, Turn, merged

TIMEOUT_S = 2.0  # of one statement; a server that hangs must not stop those who can pace themselves

_TAKE = "select wait_us, number from frontdesk_pace($1, $2, $3, $4, $5, $6, $7)"
_HOLD = """
insert into pacing as p (key, held_from, held_until, idle_at)
select $1, now_us, now_us + $2, now_us + $2
from (select coalesce($3::bigint, (extract(epoch from clock_timestamp()) * 1000000)::bigint) as now_us) clock
on conflict (key) do update set
    held_from = excluded.held_from,
    held_until = greatest(p.held_until, excluded.held_until),
    idle_at = greatest(p.idle_at, excluded.idle_at)
"""
_PURGE = """
delete from pacing where key in (
    select key from pacing where idle_at < (extract(epoch from clock_timestamp()) * 1000000)::bigint
    for update skip locked
)
"""


class PostgresPacing:
    """A PacingStore for all processes that share the database; raises StoreUnavailable."""

    def __init__(self, database: Database, *, timeout_s: float = TIMEOUT_S) -> None:
        self._database = database
        self._timeout_s = timeout_s

    async def take(self, slots: Sequence[Slot], number: int, most_us: int, *, now_us: int | None = None) -> Turn:
        """Count a call, or plan one; the server's clock tells the time where NOW_US does not."""
        wanted = merged(slots)
        rates = [(slot.key, rate.count, rate.per_us) for slot in wanted for rate in slot.rates]
        names, counts, pers = ([rate[part] for rate in rates] for part in range(3))
        async with self._connection() as connection:
            keys = [slot.key for slot in wanted]
            row = await connection.fetchrow(_TAKE, keys, names, counts, pers, number, most_us, now_us)
        return Turn(row["wait_us"], row["number"])

    async def hold(self, key: str, for_us: int, *, now_us: int | None = None) -> None:
        """Let no call go out under KEY for FOR_US."""
        async with self._connection() as connection:
            await connection.execute(_HOLD, key, for_us, now_us)

    async def purge(self) -> int:
        """Drop the keys that say nothing any more; count them."""
        async with self._connection() as connection:
            done = await connection.execute(_PURGE)
        return int(done.rpartition(" ")[2])

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        try:
            async with asyncio.timeout(self._timeout_s), self._database.tenant(NO_TENANT) as connection:
                yield connection
        except TimeoutError as error:
            raise StoreUnavailable(f"PostgreSQL at {self._database.place} did not answer in time.") from error
