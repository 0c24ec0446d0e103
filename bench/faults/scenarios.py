"""What is done to a running Frontdesk, and what must still be true afterwards."""

import asyncio
import itertools
import os
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import aiohttp
import asyncpg
import psutil

from bench.faults.house import House, Running, house
from bench.faults.sender import QUESTION, Ack, client, message, send, send_at_rate, send_until_accepted

STEPS = ("claimed", "opened", "answered", "kept", "posted", "settled", "ended")
"""Where core/desk.py can be told to die."""

_PER_MESSAGE = """
select inbox.event_id, inbox.state, inbox.ending, inbox.ticket_number,
    (select count(*) from outbox where outbox.inbox_id = inbox.answered_by) as deliveries,
    (select count(*) from answer_events e where e.inbox_id = inbox.answered_by and e.kind = 'answer') as finals,
    (select coalesce(sum(doubts), 0) from outbox where outbox.inbox_id = inbox.answered_by) as doubts
from inbox where kind = 'message'
"""


@dataclass
class Outcome:
    """What a scenario found."""

    name: str
    figures: dict[str, Any]
    broken: list[str]

    def show(self) -> str:
        """Write it in one line, and what is broken below."""
        figures = ", ".join(f"{name} {value}" for name, value in self.figures.items())
        return "\n".join([f"{self.name}: {figures}", *(f"  BROKEN: {line}" for line in self.broken)])


async def ready(made: House, timeout_s: float = 60) -> float:
    """Wait until the web process says it is ready and a worker, where there is one, works; return the seconds it took.

    A program that is still starting ends where it meets no database, as it should; what is tried is a running one.
    """
    begun = time.monotonic()
    async with aiohttp.ClientSession() as session:
        while time.monotonic() - begun < timeout_s:
            with suppress(aiohttp.ClientError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                timeout = aiohttp.ClientTimeout(total=3)
                async with session.get(f"{made.url}/health/ready", timeout=timeout) as answer:
                    if answer.status == 200 and await made.has_its_workers():
                        return time.monotonic() - begun
            await asyncio.sleep(0.1)
    logs = "\n".join(running.tail() for running in made.running[-3:])
    raise RuntimeError(f"not ready within {timeout_s} s:\n{logs}")


async def audit(made: House, acks: Sequence[Ack]) -> tuple[dict[str, Any], list[str]]:
    """Compare what was acknowledged with what the database holds."""
    rows = {row["event_id"]: row for row in await made.fetch(_PER_MESSAGE)}
    acknowledged = {ack.event_id for ack in acks if ack.accepted}
    lost = acknowledged - set(rows)
    broken = [f"acknowledged and not stored: {sorted(lost)[:5]}"] if lost else []
    open_rows = [event for event, row in rows.items() if row["state"] != "ended"]
    if open_rows:
        broken.append(f"{len(open_rows)} not ended: {open_rows[:5]}")
    doubles = [event for event, row in rows.items() if row["finals"] > 1 or row["deliveries"] > 1]
    if doubles:
        broken.append(f"{len(doubles)} answered more than once: {doubles[:5]}")
    silent = [
        event
        for event, row in rows.items()
        if row["ending"] in ("answered", "failed") and (row["finals"] < 1 or row["deliveries"] < 1)
    ]
    if silent:
        broken.append(f"{len(silent)} ended without an answer: {silent[:5]}")
    unstated = [event for event, row in rows.items() if row["ending"] == "failed" and row["ticket_number"] is None]
    if unstated:
        broken.append(f"{len(unstated)} failed without a ticket: {unstated[:5]}")
    figures = {
        "stored": len(rows),
        "endings": dict(Counter(row["ending"] for row in rows.values())),
        "doubts": sum(int(row["doubts"]) for row in rows.values()),
        "tickets": await made.value("select count(*) from tickets"),
    }
    return figures, broken


async def conclude(made: House, acks: Sequence[Ack], within_s: float) -> tuple[dict[str, Any], list[str]]:
    """Wait until every message has ended, and audit."""
    took_s = await made.all_ended(within_s)
    figures, broken = await audit(made, acks)
    if took_s is None:
        broken.append(f"not all ended within {within_s:g} s")
    return {"ended_s": took_s and round(took_s, 1), **figures}, broken


async def thrice(count: int = 1_000) -> Outcome:
    """Deliver every message three times, shuffled and concurrently."""
    with house() as made:
        made.web()
        made.worker("--concurrency", "10")
        await ready(made)
        events = [message(number) for number in range(count)] * 3
        random.Random(7).shuffle(events)  # noqa: S311
        gate = asyncio.Semaphore(50)

        async def deliver(session: aiohttp.ClientSession, event: dict[str, Any]) -> Ack:
            async with gate:
                return (await send_until_accepted(session, made.events_url, event))[-1]

        async with client() as session:
            acks = list(await asyncio.gather(*(deliver(session, event) for event in events)))
        figures, broken = await conclude(made, acks, 120)
        answers = await made.value("select count(*) from answer_events where kind = 'answer'")
        if answers != count:
            broken.append(f"{answers} answers to {count} messages")
        return Outcome("each message three times", {"answers": answers, **figures}, broken)


async def kill_workers(kills: int = 200, *, per_second: float = 8.0) -> Outcome:
    """Kill workers at every step boundary and at random while messages come in; each kill is followed by a start."""
    with house() as made:
        made.web()
        await ready(made)
        chance = random.Random(11)  # noqa: S311
        workers = [_crashing(made, chance) for _ in range(2)]
        killed: Counter[str] = Counter()
        async with under_load(made, per_second) as acks:
            while sum(killed.values()) < kills:
                await asyncio.sleep(chance.uniform(0.3, 1.2))
                for index, (worker, step) in enumerate(workers):
                    if worker.alive and (step != "at random" or chance.random() >= 0.5):
                        continue
                    worker.kill()
                    killed[step] += 1
                    workers[index] = _crashing(made, chance)
        for worker, _ in workers:
            worker.kill()
        made.worker()
        figures, broken = await conclude(made, acks, 60)
        return Outcome("workers killed", {"kills": dict(killed), **figures}, broken)


def _crashing(made: House, chance: random.Random) -> tuple[Running, str]:
    step = chance.choice([*STEPS, "at random", "at random"])
    if step == "at random":
        return made.worker(), step
    return made.worker("--die-at", step, "--after", str(chance.randint(1, 4))), step


@asynccontextmanager
async def under_load(made: House, per_second: float) -> AsyncIterator[list[Ack]]:
    """Send messages until the block ends, each until it is acknowledged; yield what becomes of them."""
    acks: list[Ack] = []
    enough = asyncio.Event()
    sending = asyncio.create_task(_keep_sending(made, acks, per_second, enough))
    try:
        yield acks
        enough.set()
        await sending
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


async def _keep_sending(made: House, acks: list[Ack], per_second: float, enough: asyncio.Event) -> None:
    """Send messages until it is ENOUGH, and go on with those sent: one given up here may be stored after the audit."""
    async with client() as session, asyncio.TaskGroup() as group:

        async def one(number: int) -> None:
            acks.extend(await send_until_accepted(session, made.events_url, message(number)))

        for number in itertools.count():
            if enough.is_set():
                break
            group.create_task(one(number))
            await asyncio.sleep(1 / per_second)


async def kill_postgres(kills: int = 20, *, per_second: float = 10.0) -> Outcome:
    """Kill the database's postmaster under load; the running processes must bring it back and lose nothing."""
    with house() as made:
        made.web()
        made.worker()
        await ready(made)
        back = []
        async with under_load(made, per_second) as acks:
            for _ in range(kills):
                await asyncio.sleep(1.5)
                os.kill(made.postmaster(), signal.SIGKILL)
                await asyncio.sleep(0.3)
                back.append(await ready(made))
            await asyncio.sleep(1)
        figures, broken = await conclude(made, acks, 60)
        refused = Counter(ack.status for ack in acks if not ack.accepted)
        figures = {"kills": kills, "slowest_back_s": round(max(back), 1), "refused": dict(refused), **figures}
        return Outcome("PostgreSQL killed", figures, broken)


async def kill_web(kills: int = 20, *, per_second: float = 20.0) -> Outcome:
    """Kill the web process under load and start it again."""
    with house() as made:
        web = made.web()
        made.worker()
        await ready(made)
        async with under_load(made, per_second) as acks:
            for _ in range(kills):
                await asyncio.sleep(1)
                web.kill()
                web = made.web()
                await ready(made)
        figures, broken = await conclude(made, acks, 60)
        return Outcome("web process killed", {"kills": kills, **figures}, broken)


async def hang_postgres(seconds: float = 10.0) -> Outcome:
    """Stop every process of PostgreSQL for a while: events must be refused in time, and all be well afterwards."""
    with house() as made:
        web = made.web()
        worker = made.worker()
        await ready(made)
        master = made.postmaster()
        async with client() as session:
            os.killpg(os.getpgid(master), 0)
            _signal_all(master, signal.SIGSTOP)
            begun = time.monotonic()
            acks = []
            number = 0
            while time.monotonic() - begun < seconds:
                acks.append(await send(session, made.events_url, message(number)))
                number += 1
                await asyncio.sleep(0.2)
            _signal_all(master, signal.SIGCONT)
            back_s = await ready(made)
            acks += await send_until_accepted(session, made.events_url, message(number))
        figures, broken = await conclude(made, acks, 60)
        slowest = max(ack.seconds for ack in acks)
        if slowest > 3:
            broken.append(f"an event waited {slowest:.1f} s for its refusal")
        if back_s > 5:
            broken.append(f"ready only {back_s:.1f} s after the return")
        if not (web.alive and worker.alive):
            broken.append("a process ended")
        figures = {"slowest_refusal_s": round(slowest, 2), "back_s": round(back_s, 1), **figures}
        return Outcome(f"PostgreSQL hangs {seconds:.0f} s", figures, broken)


def _signal_all(master: int, what: signal.Signals) -> None:
    process = psutil.Process(master)
    for one in (process, *process.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            one.send_signal(what)


async def drain(messages: int = 60) -> Outcome:
    """Ask web and worker to end while they work: both must, within ten seconds, and lose nothing."""
    with house() as made:
        web, worker = made.web(), made.worker("--concurrency", "4")
        await ready(made)
        async with client() as session:
            events = [message(number) for number in range(messages)]
            sending = asyncio.create_task(send_at_rate(session, made.events_url, events, 100))
            await asyncio.sleep(messages / 200)
            begun = time.monotonic()
            worker.kill(signal.SIGTERM)
            web.kill(signal.SIGTERM)
            acks = await sending
            codes = [await asyncio.to_thread(running.wait, 12) for running in (worker, web)]
            took_s = time.monotonic() - begun
            made.web()
            made.worker()
            await ready(made)
            again = [event for event, ack in zip(events, acks, strict=True) if not ack.accepted]
            for event in again:
                acks += await send_until_accepted(session, made.events_url, event)
        figures, broken = await conclude(made, acks, 60)
        if took_s > 10 or codes != [0, 0]:
            broken.append(f"ended after {took_s:.1f} s with codes {codes}")
        return Outcome("SIGTERM under load", {"took_s": round(took_s, 1), "sent_again": len(again), **figures}, broken)


async def poison(count: int = 5) -> Outcome:
    """Send messages that kill their worker each time: each must end in a stated failure with a ticket."""
    text = f"{QUESTION} poison"
    with house() as made:
        made.web()
        await ready(made)
        stop = asyncio.Event()

        async def keep_a_worker() -> None:
            while not stop.is_set():
                worker = made.worker("--die-on", "poison", "--concurrency", "1")
                while worker.alive and not stop.is_set():  # noqa: ASYNC110
                    await asyncio.sleep(0.1)

        keeping = asyncio.create_task(keep_a_worker())
        async with client() as session:
            acks = []
            for number in range(count):
                acks += await send_until_accepted(session, made.events_url, message(number, text=text))
            acks += await send_until_accepted(session, made.events_url, message(count))
        figures, broken = await conclude(made, acks, 300)
        stop.set()
        await keeping
        if figures["endings"] != {"failed": count, "answered": 1}:
            broken.append(f"endings {figures['endings']}")
        return Outcome("poison messages", figures, broken)
