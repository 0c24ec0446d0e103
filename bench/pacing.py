"""Measure what one reservation costs in each store of pacing.

    python -m bench.pacing --database postgresql://USER:PASSWORD@HOST/DATABASE [--redis redis://localhost]

Free: each call has a chat of its own and shares the bot's limit. Full: the log of the key holds an hour of Teams'
calls. Each number is milliseconds, p50 and p99.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

from adapters.postgres.database import open_database
from adapters.postgres.pacing import PostgresPacing
from adapters.redis.link import open_link
from adapters.redis.pacing import RedisPacing
from core.pacing import TEAMS_THREAD, TELEGRAM_PRIVATE, Book, PacingStore, Rate, Rule, Slot, Turn

BOT = Rule((Rate(1_000_000, 1.0),))
SECOND = 1_000_000


class InProcess:
    """The book of this process as a store."""

    def __init__(self) -> None:
        self._book = Book()

    async def take(self, slots: Sequence[Slot], number: int, most_us: int) -> Turn:
        """Count a call, or plan one."""
        return self._book.take(int(time.monotonic() * SECOND), slots, number, most_us)

    async def hold(self, key: str, for_us: int) -> None:
        """Let no call go out under KEY for FOR_US."""
        self._book.hold(int(time.monotonic() * SECOND), key, for_us)


async def _times(call: Callable[[int], Awaitable[object]], count: int) -> str:
    taken = []
    for n in range(count):
        begun = time.perf_counter()
        await call(n)
        taken.append((time.perf_counter() - begun) * 1000)
    cuts = statistics.quantiles(taken, n=100)
    return f"{cuts[49]:7.3f} {cuts[98]:7.3f}"


async def _measure(name: str, store: PacingStore, count: int) -> None:
    run = f"{time.time():.0f}"
    free = await _times(
        lambda n: store.take([TELEGRAM_PRIVATE.slot(run, str(n)), BOT.slot(run, str(n % 20))], 0, 0), count
    )
    thread = [TEAMS_THREAD.slot(run, "thread")]
    for _ in range(1_800):
        await store.take(thread, 0, -1)
    full = await _times(lambda _: store.take(thread, 0, 0), max(100, count // 10))
    print(f"{name:10} free {free}   full {full}")


async def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database")
    parser.add_argument("--redis")
    parser.add_argument("--count", type=int, default=2_000)
    words = parser.parse_args()
    async with AsyncExitStack() as stack:
        await _measure("in process", InProcess(), words.count)
        if words.redis:
            link = await stack.enter_async_context(open_link(words.redis, timeout_s=1))
            await _measure("redis", RedisPacing(link), words.count)
        if words.database:
            database = await stack.enter_async_context(open_database(words.database))
            await _measure("postgres", PostgresPacing(database), words.count)


if __name__ == "__main__":
    asyncio.run(main())
