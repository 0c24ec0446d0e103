"""A TCP proxy that misbehaves as it is told: slow, cut off, refusing, silent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum, auto


class Fault(Enum):
    NONE = auto()
    REFUSE = auto()  # new connections are reset, the open ones cut
    HANG = auto()  # bytes are taken and never passed on
    SLOW = auto()  # each piece waits DELAY_S first
    DRIP = auto()  # one byte at a time, DELAY_S apart


@dataclass
class Proxy:
    """Passes bytes between PORT and the target, through the present fault."""

    host: str
    target_port: int | str  # a port of HOST, or the path of a Unix socket
    port: int = 0
    fault: Fault = Fault.NONE
    delay_s: float = 0.1
    connections: int = 0
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    def set(self, fault: Fault, delay_s: float = 0.1) -> None:
        self.fault, self.delay_s = fault, delay_s
        if fault is Fault.REFUSE:
            self.cut()

    def cut(self) -> None:
        """Reset every open connection."""
        for writer in list(self._open):
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self.fault is Fault.REFUSE:
            writer.transport.abort()
            return
        try:
            there, back = await self._connect()
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, back}
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass(reader, back))
                both.create_task(self._pass(there, writer))
        finally:
            self._open -= {writer, back}
            for end in (writer, back):
                end.transport.abort()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self.target_port, str):
            return await asyncio.open_unix_connection(self.target_port)
        return await asyncio.open_connection(self.host, self.target_port)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                while self.fault is Fault.HANG:  # noqa: ASYNC110 - set by the test, from no task
                    await asyncio.sleep(0.02)
                if self.fault is Fault.DRIP:
                    for byte in data:
                        await asyncio.sleep(self.delay_s)
                        writer.write(bytes([byte]))
                    continue
                if self.fault is Fault.SLOW:
                    await asyncio.sleep(self.delay_s)
                writer.write(data)
                await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()


@asynccontextmanager
async def proxy(target_port: int | str, host: str = "127.0.0.1") -> AsyncIterator[Proxy]:
    """Run a proxy before TARGET_PORT, a port of HOST or the path of a Unix socket."""
    made = Proxy(host, target_port)
    server = await asyncio.start_server(made.serve, host, 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        made.cut()
        await asyncio.sleep(0)
