"""An open-loop sender: events leave when they are due, whatever became of those before."""

import asyncio
import random
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from bench.faults.house import KEY

QUESTION = "How many vacation days does a full-time employee get?"


@dataclass(frozen=True)
class Ack:
    """What became of one delivery."""

    event_id: str
    status: int  # 0 where there was no answer
    seconds: float

    @property
    def accepted(self) -> bool:
        """Tell whether it was acknowledged."""
        return 200 <= self.status < 300


def message(number: int, *, thread: str | None = None, text: str = QUESTION, author: str = "U1") -> dict[str, Any]:
    """Make one event in a thread of its own."""
    return {
        "event_id": f"E{number}",
        "kind": "message",
        "message_id": f"M{number}",
        "channel": "C1",
        "thread": thread or f"T{number}",
        "author": {"id": author},
        "text": text,
    }


@asynccontextmanager
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    """Open a client that may have many requests under way."""
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=30)
    headers = {"Authorization": f"Bearer {KEY}"}
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, headers=headers) as session:
        yield session


async def send(session: aiohttp.ClientSession, url: str, event: dict[str, Any]) -> Ack:
    """Deliver one event once."""
    begun = time.perf_counter()
    try:
        async with session.post(url, json=event) as response:
            await response.read()
            status = response.status
    except (aiohttp.ClientError, TimeoutError, OSError):
        status = 0
    return Ack(event["event_id"], status, time.perf_counter() - begun)


async def send_until_accepted(
    session: aiohttp.ClientSession, url: str, event: dict[str, Any], *, pause_s: float = 0.5, tries: int = 200
) -> list[Ack]:
    """Deliver one event as platforms do: again and again until it is acknowledged."""
    acks: list[Ack] = []
    for _ in range(tries):
        acks.append(await send(session, url, event))
        if acks[-1].accepted:
            break
        await asyncio.sleep(pause_s * (0.5 + random.random()))  # noqa: S311
    return acks


async def send_at_rate(
    session: aiohttp.ClientSession, url: str, events: Sequence[dict[str, Any]], per_second: float
) -> list[Ack]:
    """Deliver EVENTS at a steady rate, whether or not the ones before have been acknowledged."""
    begun = time.perf_counter()
    tasks = []
    for number, event in enumerate(events):
        await asyncio.sleep(max(0.0, begun + number / per_second - time.perf_counter()))
        tasks.append(asyncio.create_task(send(session, url, event)))
    return list(await asyncio.gather(*tasks))


def summary(acks: Sequence[Ack]) -> str:
    """Say how fast they were acknowledged."""
    seconds = sorted(ack.seconds for ack in acks)
    p50 = statistics.median(seconds)
    p99 = seconds[min(len(seconds) - 1, int(len(seconds) * 0.99))]
    good = sum(ack.accepted for ack in acks)
    return (
        f"{good} of {len(acks)} acknowledged, p50 {p50 * 1000:.1f} ms, p99 {p99 * 1000:.0f} ms, "
        f"slowest {seconds[-1] * 1000:.0f} ms"
    )
