"""Sockets that say nothing: closed in time, and never more of them than the process can hold.

aiohttp alone waits 75 s for the first byte or the rest of a header and forever for the rest of a body; a few hundred
sockets that stall on purpose would be all it takes to shut the door.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

_LOOK_S = 1.0


class Watched(asyncio.Protocol):
    """A connection that knows until when it owes us a request."""

    def __init__(self, inner: asyncio.Protocol, watch: "Watch") -> None:
        self._inner = inner
        self._watch = watch
        self._transport: asyncio.BaseTransport | None = None
        self.due_s: float | None = None  # None while a request is being answered
        self.is_idle = False  # between two requests, with nothing of the next one here

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for a request; where all places are taken, hang up."""
        self._transport = transport
        self._inner.connection_made(transport)
        if not self._watch.add(transport, self):
            transport.close()

    def data_received(self, data: bytes) -> None:
        """Hand the bytes on; with the first of a request, the time for its header begins."""
        if self.is_idle:
            self._watch.expect(self)
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        """Hand the end on."""
        return self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        if self._transport is not None:
            self._watch.remove(self._transport)
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        """Hand on that the peer reads too slowly."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Hand on that the peer reads again."""
        self._inner.resume_writing()


class Watch:
    """All connections of one server."""

    def __init__(self, *, wait_s: float, idle_s: float, sockets: int) -> None:
        self._wait_s = wait_s
        self._idle_s = idle_s
        self._sockets = sockets
        self._connections: dict[asyncio.BaseTransport, Watched] = {}

    def __len__(self) -> int:
        return len(self._connections)

    def add(self, transport: asyncio.BaseTransport, connection: Watched) -> bool:
        """Watch a connection; where there are too many, in the place of an idle one. False where none is idle."""
        if len(self._connections) >= self._sockets and not self._make_room():
            return False
        self._connections[transport] = connection
        self.expect(connection)
        return True

    def _make_room(self) -> bool:
        for transport, connection in self._connections.items():
            if connection.is_idle:
                transport.close()
                del self._connections[transport]
                return True
        return False

    def remove(self, transport: asyncio.BaseTransport) -> None:
        """Stop watching a connection."""
        self._connections.pop(transport, None)

    def expect(self, connection: Watched) -> None:
        """Let the connection send the rest of a header soon."""
        connection.due_s, connection.is_idle = _now_s() + self._wait_s, False

    @contextmanager
    def answering(self, transport: asyncio.BaseTransport | None) -> Iterator[None]:
        """Let the connection be while a request of it is answered; then it may rest for a while."""
        connection = self._connections.get(transport) if transport is not None else None
        if connection is None:
            yield
            return
        connection.due_s, connection.is_idle = None, False
        try:
            yield
        finally:
            connection.due_s, connection.is_idle = _now_s() + self._idle_s, True

    @asynccontextmanager
    async def looking(self) -> AsyncIterator[None]:
        """Close what waits too long, as long as this lasts."""
        looking = asyncio.create_task(self._look())
        try:
            yield
        finally:
            looking.cancel()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            now_s = _now_s()
            for transport, connection in list(self._connections.items()):
                if connection.due_s is not None and connection.due_s <= now_s:
                    transport.close()

    def wrap(self, factory: Callable[[], asyncio.Protocol]) -> Callable[[], Watched]:
        """Make a factory of watched connections out of FACTORY."""
        return lambda: Watched(factory(), self)


def _now_s() -> float:
    return asyncio.get_running_loop().time()
