"""One connection that listens, and whoever in this process waits for what it hears."""

import asyncio
import logging
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg

from adapters.postgres.database import Database, mapped_errors, place_of
from core.errors import FrontdeskError
from core.inbox import Batch, Interruption, Kind

INTERRUPTIONS = "frontdesk_interruptions"

_LOST = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)
_LOOKED_AFTER_S = 10.0  # a connection whose other end vanished says nothing by itself
_ANSWERS_WITHIN_S = 5.0
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0

_log = logging.getLogger(__name__)

# What ends a message for good comes first: of a question both edited and deleted, nothing is answered.
_INTERRUPTED_BY = """
select interrupted_by from inbox
where inbox_id = any($1::bigint[]) and claim = $2 and state = 'answering' and interrupted_by is not null
order by array_position(array['takeover', 'stop', 'delete', 'edit'], interrupted_by) limit 1
"""


class Signals:
    """What PostgreSQL notifies this process of; a lost connection is opened again, and then everybody is woken."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: asyncpg.Connection | None = None
        self._lost = asyncio.Event()
        self._pause_s = 0.0  # after the last failure; 0 where the connection has answered since
        self._listening = asyncio.Lock()  # the connection does one thing at a time
        self._channels: set[str] = set()
        self._waiting: dict[tuple[str, str], set[asyncio.Event]] = defaultdict(set)

    @asynccontextmanager
    async def subscribe(self, channel: str, key: str) -> AsyncIterator[asyncio.Event]:
        """Yield an event that is set by each notification on CHANNEL that is KEY or begins with KEY and a colon.

        It is also set whenever something may have been missed: clear it, then look. While PostgreSQL is away, nothing
        is heard until it is back.
        """
        event = asyncio.Event()
        self._waiting[channel, key].add(event)
        try:
            await self._listen(channel)
            yield event
        finally:
            waiting = self._waiting[channel, key]
            waiting.discard(event)
            if not waiting:
                del self._waiting[channel, key]

    async def open(self) -> None:
        """Connect and listen again to every channel there is; raises StoreUnavailable."""
        async with mapped_errors(place_of(self._url)), self._listening:
            self._lost = lost = asyncio.Event()
            settings = {"application_name": "frontdesk signals"}
            connection = await asyncpg.connect(
                self._url, timeout=_ANSWERS_WITHIN_S, command_timeout=_ANSWERS_WITHIN_S, server_settings=settings
            )
            connection.add_termination_listener(lambda _: lost.set())
            self._connection = connection
            for channel in self._channels:
                await connection.add_listener(channel, self._hear)
        self._wake_all()

    async def run(self) -> None:
        """Keep the connection open until cancelled; of failures in a row, the first is logged."""
        while True:
            try:
                await self._watch()
                await self.close()
                await self.open()
            except Exception as error:  # noqa: BLE001 - were this loop to end, nobody here would be woken any more
                await self._rest(error)

    async def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None and not connection.is_closed():
            connection.terminate()

    async def _listen(self, channel: str) -> None:
        async with self._listening:
            if channel in self._channels:
                return
            self._channels.add(channel)
            if self._connection is None or self._connection.is_closed():
                return
            heard = False
            try:
                with suppress(*_LOST):
                    await self._connection.add_listener(channel, self._hear)
                    heard = True
            finally:
                if not heard:
                    self._lost.set()  # opened again, it listens to this channel too

    async def _watch(self) -> None:
        """Return when the connection is lost."""
        while True:
            try:
                async with asyncio.timeout(_LOOKED_AFTER_S):
                    await self._lost.wait()
                    return
            except TimeoutError:
                if not await self._answers():
                    return
                self._pause_s = 0.0

    async def _answers(self) -> bool:
        try:
            async with self._listening:
                if self._connection is None:
                    return False
                await self._connection.execute("select 1")
        except _LOST:
            return False
        return True

    async def _rest(self, error: Exception) -> None:
        """Pause after a failure, longer each time."""
        if not self._pause_s:
            unknown = not isinstance(error, FrontdeskError)
            _log.warning("Nothing is heard from PostgreSQL until it works again: %s", error, exc_info=unknown)
        self._lost.set()
        self._pause_s = min(2 * self._pause_s or _FIRST_PAUSE_S, _LONGEST_PAUSE_S)
        await asyncio.sleep(self._pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - no secret

    def _hear(self, _: object, __: int, channel: str, payload: object) -> None:
        words = str(payload).split(":")
        for length in range(1, len(words) + 1):
            for event in self._waiting.get((channel, ":".join(words[:length])), ()):
                event.set()

    def _wake_all(self) -> None:
        for events in self._waiting.values():
            for event in events:
                event.set()


@asynccontextmanager
async def open_signals(url: str) -> AsyncIterator[Signals]:
    """Listen on URL while the context is open; raises StoreUnavailable when the server cannot be reached at first."""
    signals = Signals(url)
    await signals.open()
    try:
        async with _beside(signals.run()):
            yield signals
    finally:
        await signals.close()


@asynccontextmanager
async def _beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run WORK while the context is open."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


class PostgresInterruptions:
    """The Interruptions port: the row says what interrupted it, the signal says when to look."""

    def __init__(self, signals: Signals, database: Database) -> None:
        self._signals = signals
        self._database = database

    @asynccontextmanager
    async def watch(self, batch: Batch) -> AsyncIterator[Interruption]:
        """Listen for what interrupts BATCH, whichever process accepts it; one that came before is heard too."""
        key = f"{batch.incoming.message.tenant_id}:{batch.lead.inbox_id}"
        async with self._signals.subscribe(INTERRUPTIONS, key) as event:
            heard = _Interruption(self._database, batch, event)
            await heard.look()
            async with _beside(heard.listen()):
                yield heard


class _Interruption:
    """Interruption of one batch."""

    def __init__(self, database: Database, batch: Batch, event: asyncio.Event) -> None:
        self._database = database
        self._batch = batch
        self._event = event
        self._interrupted = asyncio.Event()
        self._kind: Kind | None = None

    @property
    def kind(self) -> Kind | None:
        """Return what has interrupted it; None while nothing has."""
        return self._kind

    async def wait(self) -> Kind:
        """Wait for the interruption."""
        while self._kind is None:
            await self._interrupted.wait()
        return self._kind

    async def look(self) -> None:
        """Look at the rows once."""
        ids = [entry.inbox_id for entry in self._batch.entries]
        async with self._database.tenant(self._batch.incoming.message.tenant_id) as connection:
            found = await connection.fetchval(_INTERRUPTED_BY, ids, self._batch.claim)
        if found is not None:
            self._kind = Kind(found)
            self._interrupted.set()

    async def listen(self) -> None:
        """Look whenever something may have changed, until it was interrupted."""
        while self._kind is None:
            await self._event.wait()
            self._event.clear()
            try:
                await self.look()
            except FrontdeskError:
                await asyncio.sleep(_LONGEST_PAUSE_S / 4)
                self._event.set()
