"""Read documents in a child process with limits on time and memory, so that no file can harm the bot."""

import asyncio
import json
import signal
import struct
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from core.documents import Block, BlockKind, ReadDocument
from core.errors import Unavailable, UnreadableDocument
from ingest.formats import Format

_COMMAND = (sys.executable, "-P", "-m", "ingest.sandbox_child")
# The child gets no secrets. Windows does not start Python without the name of its own folder.
_ENVIRONMENT = {"PYTHONUTF8": "1", "SYSTEMROOT": r"C:\Windows"}
_LENGTH = struct.Struct(">I")
_MOST_REPLY_BYTES = 64_000_000
_START_S = 60.0
_DYING_S = 5.0
_SIMPLER = "split it or save it in a simpler form"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may cost."""

    cpu_s: int = 20
    wall_s: float = 60.0
    memory_bytes: int = 1 << 30  # of address space, the interpreter's own included


@dataclass(frozen=True, slots=True)
class _Reply:
    outcome: ReadDocument | str  # a document, or the reason why it cannot be read
    last: bool  # the child ends after this


class Sandbox:
    """One child process that reads file after file; a new one takes over when it dies, hangs or has served enough."""

    def __init__(self, limits: Limits | None = None, command: Sequence[str] = _COMMAND) -> None:
        self._limits = limits or Limits()
        self._command = command
        self._child: Process | None = None
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        async with self._turn:
            await self._stop()

    async def read(self, format: Format, name: str, data: bytes) -> ReadDocument:  # noqa: A002 - the word of the design
        """Read a file of a known format; calls made at once are served one after the other.

        Raises UnreadableDocument with the reason, Unavailable where the child does not start.
        """
        async with self._turn:
            try:
                if self._child and self._child.returncode is not None:  # ended while idle: no fault of this file
                    await self._stop()
                child = self._child or await self._start()
                reply = await self._exchange(child, {"format": format, "name": name}, data)
            except BaseException:  # also when cancelled: a child that is still busy serves nobody
                await self._stop()
                raise
            if reply.last:
                await self._stop()
        if isinstance(reply.outcome, str):
            raise UnreadableDocument(reply.outcome)
        return reply.outcome

    async def _start(self) -> Process:
        try:
            child = self._child = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=PIPE,
                stdout=PIPE,
                stderr=DEVNULL,
                env=_ENVIRONMENT,
                cwd=Path(sys.executable).anchor,
            )
            async with asyncio.timeout(_START_S):
                await _send(child, json.dumps(asdict(self._limits)).encode())
                await _receive(child)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError) as error:
            raise Unavailable("The process that reads documents does not start; reinstall Frontdesk.") from error
        return child

    async def _exchange(self, child: Process, request: dict[str, str], data: bytes) -> _Reply:
        try:
            async with asyncio.timeout(self._limits.wall_s):
                await _send(child, json.dumps(request).encode(), data)
                frame = await _receive(child)
            return _parse(frame, self._limits)
        except TimeoutError as error:
            raise UnreadableDocument(f"it takes longer than {self._limits.wall_s:g} s to read; {_SIMPLER}") from error
        except (OSError, asyncio.IncompleteReadError) as error:
            raise UnreadableDocument(await self._cause_of_death(child)) from error
        except (ValueError, RecursionError) as error:
            raise UnreadableDocument(f"its reader answered nonsense; {_SIMPLER}") from error

    async def _cause_of_death(self, child: Process) -> str:
        with suppress(TimeoutError):
            async with asyncio.timeout(_DYING_S):
                await child.wait()
        if child.returncode is not None and -child.returncode == getattr(signal, "SIGXCPU", None):
            return f"it needs more than {self._limits.cpu_s} s of computing time to read; {_SIMPLER}"
        return f"its reader was ended or crashed (exit status {child.returncode}); {_SIMPLER}"

    async def _stop(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        with suppress(ProcessLookupError):
            child.kill()
        if child.stdin is not None:
            child.stdin.close()
        await child.communicate()  # reads what is left, so that the pipes are closed with the process


async def _send(child: Process, *frames: bytes) -> None:
    writer = child.stdin
    if writer is None:
        raise BrokenPipeError
    for frame in frames:
        writer.write(_LENGTH.pack(len(frame)))
        writer.write(frame)
    await writer.drain()


async def _receive(child: Process) -> bytes:
    reader = child.stdout
    if reader is None:
        raise BrokenPipeError
    size = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))[0]
    if size > _MOST_REPLY_BYTES:
        raise ValueError(f"a frame of {size} bytes")
    return await reader.readexactly(size)


def _parse(frame: bytes, limits: Limits) -> _Reply:
    """Check what the child says: a parser that was taken over could say anything. Raises ValueError."""
    match json.loads(frame):
        case {"refused": str(reason), "last": bool(last)}:
            return _Reply(reason, last)
        case {"exhausted": "memory"}:
            return _Reply(
                f"it needs more than {limits.memory_bytes / 2**30:g} GB of memory to read; {_SIMPLER}", last=True
            )
        case {"title": str(title), "pages": int() | None as pages, "blocks": list(blocks), "last": bool(last)}:
            return _Reply(ReadDocument(title, tuple(map(_block, blocks)), pages), last)
    raise ValueError("not a reply")


def _block(value: Any) -> Block:
    match value:
        case [str(kind), str(text), int(level), int() | None as page]:
            return Block(BlockKind(kind), text, level, page)
    raise ValueError("not a block")
