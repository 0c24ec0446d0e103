"""What is done beside an acknowledgement, which does not wait for it: words to people, signs of work."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Hashable
from typing import Any

from core.errors import ChannelUnavailable, FrontdeskError, Rejected

_MOST_TOLD = 10_000  # whom a word was said to lately; more are told nothing

_log = logging.getLogger(__name__)


class Beside:
    """Run calls beside the acknowledgement, at most so many at once; more are left out, for none is needed."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, call: Coroutine[Any, Any, None]) -> None:
        """Start CALL; what a platform refuses is logged."""
        if len(self._tasks) >= self._most:
            call.close()
            return
        task = asyncio.create_task(_logged(call))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Let go of calls that are on their way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _logged(call: Coroutine[Any, Any, None]) -> None:
    try:
        await call
    except (Rejected, ChannelUnavailable) as error:
        _log.info("A call beside the answers was not made: %s", error)
    except FrontdeskError as error:
        _log.warning("A call beside the answers was not made: %s", error)


class NowAndThen:
    """Remember to whom something was said, so that it is said once in a while."""

    def __init__(self, every_s: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._every_s = every_s
        self._clock = clock
        self._said: dict[Hashable, float] = {}

    def may_tell(self, who: Hashable) -> bool:
        """Tell whether WHO was told nothing for a while; then it counts as told."""
        now_s = self._clock()
        self._said = {known: at_s for known, at_s in self._said.items() if now_s - at_s < self._every_s}
        if who in self._said or len(self._said) >= _MOST_TOLD:
            return False
        self._said[who] = now_s
        return True

    def forget(self, who: Hashable) -> None:
        """Let WHO be told at once: what was to be said was not."""
        self._said.pop(who, None)
