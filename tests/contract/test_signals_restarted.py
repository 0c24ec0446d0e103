"""Signals behind a gate that lets nobody through for a while: whatever it answers, they are heard again."""

import asyncio
import struct
from contextlib import asynccontextmanager, suppress
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from adapters.postgres.signals import open_signals

SOON_S = 20
AUTHENTICATED, READY = b"R" + struct.pack("!ii", 8, 0), b"Z" + struct.pack("!i", 5) + b"I"


class Gate:
    """A proxy in front of PostgreSQL that can lose everybody, and answer the next ones itself."""

    def __init__(self, url):
        parts, query = urlsplit(url), parse_qs(urlsplit(url).query)
        self._socket = f"{query['host'][0]}/.s.PGSQL.{query['port'][0]}" if query else None
        self._server = (parts.hostname, parts.port)
        self._login = f"{parts.username}:{parts.password}", parts.path
        self._writers = []
        self.refuses = 0  # the next that come
        self.refused = 0

    @asynccontextmanager
    async def opened(self):
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        login, path = self._login
        try:
            yield f"postgresql://{login}@127.0.0.1:{server.sockets[0].getsockname()[1]}{path}?sslmode=disable"
        finally:
            self.lose_all()
            server.close()

    def lose_all(self):
        while self._writers:
            self._writers.pop().close()

    async def _serve(self, reader, writer):
        self._writers.append(writer)
        if self.refuses:
            self.refuses, self.refused = self.refuses - 1, self.refused + 1
            await reader.read(1_000)
            writer.write(AUTHENTICATED + READY)  # names no version of the server: the driver knows no error for that
            return
        there = asyncio.open_unix_connection(self._socket) if self._socket else asyncio.open_connection(*self._server)
        inner_reader, inner_writer = await there
        self._writers.append(inner_writer)
        await asyncio.gather(pass_on(reader, inner_writer), pass_on(inner_reader, writer))


async def pass_on(reader, writer):
    with suppress(ConnectionError):
        while piece := await reader.read(65_536):
            writer.write(piece)
    writer.close()


@pytest.fixture
async def owner(addresses):
    connection = await asyncpg.connect(addresses.owner)
    yield connection
    await connection.close()


# The driver cannot clean up a connection whose making it did not foresee to fail.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_an_error_nobody_has_named_does_not_end_the_signals(addresses, owner, caplog):
    gate = Gate(addresses.application)
    async with (
        gate.opened() as url,
        open_signals(url) as signals,
        signals.subscribe("here", "1") as event,
        asyncio.timeout(SOON_S),
    ):
        gate.refuses = 3
        gate.lose_all()
        await event.wait()  # whoever waits is woken once it works again
        event.clear()
        await owner.execute("select pg_notify('here', '1')")
        await event.wait()
    assert gate.refused == 3
    (logged,) = [record for record in caplog.records if record.name == "adapters.postgres.signals"]
    assert logged.levelname == "WARNING"
    assert logged.exc_info[0] is AttributeError


async def test_a_server_that_is_away_for_a_while_is_logged_in_one_line(addresses, owner, caplog):
    gate = Gate(addresses.application)
    async with gate.opened() as url, open_signals(url) as signals, asyncio.timeout(SOON_S):
        await owner.execute("alter role application nologin")
        try:
            async with signals.subscribe("here", "1") as event:
                gate.lose_all()
                while not caplog.records:  # noqa: ASYNC110 - a log has no event
                    await asyncio.sleep(0.01)
                await owner.execute("alter role application login")
                await event.wait()
        finally:
            await owner.execute("alter role application login")
    (logged,) = [record for record in caplog.records if record.name == "adapters.postgres.signals"]
    assert not logged.exc_info
