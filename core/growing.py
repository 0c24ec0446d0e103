"""What has been written of an answer, and when its reader is shown more of it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

ALONE_S = 1.0
"""After which a first piece is not the whole answer."""

_log = logging.getLogger(__name__)


class Growing:
    """The text of an answer that grows.

    What comes in one piece is not shown before it is final: then it is sent once, and it may be for its author alone.
    """

    def __init__(self, show: Callable[[], Awaitable[None]], clock: Callable[[], float]) -> None:
        """Call SHOW, one at a time, where there is more to show."""
        self.text = ""
        self._show = show
        self._clock = clock
        self._writes = 0
        self._written_at = 0.0
        self._lock = asyncio.Lock()

    async def write(self, text: str) -> None:
        """Add the next piece."""
        self.text += text
        self._writes += 1
        if self._writes > 1:
            await self.show()
        else:
            self._written_at = self._clock()

    async def refresh(self) -> None:
        """Show what nothing has come after for a while."""
        if self.text and (self._writes > 1 or self._clock() - self._written_at >= ALONE_S):
            await self.show()

    def take_back(self) -> None:
        """Begin again."""
        self.text, self._writes = "", 0

    async def show(self) -> None:
        """Show what there is."""
        await to_its_end(self._alone())

    async def _alone(self) -> None:
        async with self._lock:
            await self._show()


async def to_its_end(showing: Coroutine[Any, Any, None]) -> None:
    """Await SHOWING also where the answer is broken off meanwhile: what was posted must be noted."""
    task = asyncio.ensure_future(showing)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.info("The last piece of an answer that was broken off was not shown: %s", error)
        raise
