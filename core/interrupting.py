"""Answers that are broken off: by a stop, an edit, a deletion, or a person who takes over."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from core.documents import Citation
from core.inbox import Interruption, Kind
from core.ports import Reply

T = TypeVar("T")


class Interrupted(Exception):
    """Say that an answer was broken off and why; no person reads this."""

    def __init__(self, kind: Kind) -> None:
        super().__init__(kind.value)
        self.kind = kind


class Silent:
    """A Reply that shows nothing, for what must not be seen before it is whole."""

    async def write(self, text: str) -> None:
        """Show nothing."""

    async def restart(self) -> None:
        """Take back nothing."""


class Written:
    """A Reply that remembers what was written through it to another."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self.text = ""
        self._cited: Callable[[], tuple[Citation, ...]] = tuple

    async def write(self, text: str) -> None:
        """Show the next piece of the answer."""
        self.text += text
        await self._reply.write(text)

    async def restart(self) -> None:
        """Take back everything written so far."""
        self.text = ""
        await self._reply.restart()

    def cite_with(self, cited: Callable[[], tuple[Citation, ...]]) -> None:
        """Remember how to tell what the marks in the text stand for."""
        self._cited = cited

    def citations(self) -> tuple[Citation, ...]:
        """List what the text written so far cites."""
        return tuple(citation for citation in self._cited() if f"[{citation.number}]" in self.text)


async def unless_interrupted(work: Coroutine[Any, Any, T], interruption: Interruption | None) -> T:
    """Await WORK; raises Interrupted, with WORK cancelled and ended, where INTERRUPTION comes first."""
    if interruption is None:
        return await work
    working = asyncio.ensure_future(work)
    waiting = asyncio.ensure_future(interruption.wait())
    try:
        await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise Interrupted(waiting.result())
    finally:
        await _end(working, waiting)


async def _end(*tasks: asyncio.Future[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
