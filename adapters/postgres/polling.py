"""One of all processes at a time: a lock that lives as long as the connection that holds it."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from adapters.postgres.database import mapped_errors, place_of

ASK_EVERY_S = 1.0
_ALIVE_EVERY_S = 5.0
_ANSWERS_WITHIN_S = 5.0

# A holder that hangs or whose machine is gone says nothing any more: the server ends its session, and so its lock.
_SETTINGS = {"application_name": "frontdesk polling", "idle_session_timeout": "20s", "tcp_user_timeout": "20s"}
_TRY = "select pg_try_advisory_lock(hashtextextended('frontdesk polling ' || $1, 0))"
_LOST = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)


@asynccontextmanager
async def hold_polling(url: str, name: str) -> AsyncIterator[asyncio.Event]:
    """Wait until this process alone of all holds the lock NAME, and yield an event that is set when it is lost.

    Raises StoreUnavailable when PostgreSQL does not answer. Needs a session of its own: an address of a pooler that
    shares sessions out by transactions will not do.
    """
    async with mapped_errors(place_of(url)):
        connection = await asyncpg.connect(
            url, timeout=_ANSWERS_WITHIN_S, command_timeout=_ANSWERS_WITHIN_S, server_settings=_SETTINGS
        )
    lost = asyncio.Event()
    connection.add_termination_listener(lambda _: lost.set())
    try:
        async with mapped_errors(place_of(url)):
            while not await connection.fetchval(_TRY, name):  # noqa: ASYNC110 - another process lets go of it
                await asyncio.sleep(ASK_EVERY_S * random.uniform(0.5, 1.5))  # noqa: S311 - spreads, does not protect
        watching = asyncio.create_task(_watch(connection, lost))
        try:
            yield lost
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
    finally:
        connection.terminate()


async def _watch(connection: asyncpg.Connection, lost: asyncio.Event) -> None:
    """Look every few seconds whether the connection still answers."""
    while not lost.is_set():
        await asyncio.sleep(_ALIVE_EVERY_S)
        try:
            await connection.execute("select 1")
        except _LOST:
            lost.set()
