"""When the next call of a platform's API may go out, so that no process calls earlier than the platform allows.

A rate says how many calls may leave in any stretch of its length, not how they are spread: a bucket of tokens or one
counter a minute would let twice as many through around a boundary. So each key keeps the times of its recent calls,
which are few, and a call goes out only where no stretch that ends with it is full.

Whoever must wait is told when its turn will be and asks again then. The plan only keeps the order; the second look
decides, on the server's clock, and sees a Retry-After that came meanwhile. A caller that died leaves a plan behind,
which costs its own turn and nothing else. The time that counts is when a call leaves; what the network adds to it,
a rule can leave room for.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Protocol

from core.errors import Busy, Unavailable

_SWEEP = 1_000  # calls between two looks for keys that nobody needs any more


@dataclass(frozen=True, slots=True)
class Rate:
    """At most COUNT calls in any PER_S seconds."""

    count: int
    per_s: float

    @property
    def per_us(self) -> int:
        """Return the stretch in whole microseconds, in which all times are kept: they compare the same everywhere."""
        return ceil(self.per_s * 1e6)


@dataclass(frozen=True, slots=True)
class Slot:
    """What one call needs of KEY, which has the same rates in every call; with none, it only heeds a hold."""

    key: str
    rates: tuple[Rate, ...]

    @property
    def longest_us(self) -> int:
        """Return how long a call matters."""
        return max((rate.per_us for rate in self.rates), default=0)


@dataclass(frozen=True, slots=True)
class Rule:
    """Rates that hold together."""

    rates: tuple[Rate, ...]

    def slot(self, *names: str) -> Slot:
        """Name what the rule is kept for: a chat, a thread, a method of a workspace."""
        return Slot("\x1f".join(names), self.rates)


def _rule(*rates: tuple[int, float]) -> Rule:
    return Rule(tuple(Rate(count, per_s) for count, per_s in rates))


SLACK_CHANNEL = _rule((3, 3.0))  # one message a second; short bursts are tolerated
# A second more than the minute Slack counts: calls leave evenly and arrive less so.
SLACK_TIERS = {1: _rule((1, 61.0)), 2: _rule((20, 61.0)), 3: _rule((50, 61.0)), 4: _rule((100, 61.0))}
TEAMS_THREAD = _rule((7, 1.0), (8, 2.0), (60, 30.0), (1800, 3600.0))
TELEGRAM_PRIVATE = _rule((1, 1.0))
TELEGRAM_GROUP = _rule((20, 60.0), (1, 1.0))
TELEGRAM_BOT = _rule((28, 1.0))  # of the 30 that are allowed: calls leave evenly and arrive less so


class Pacer(Protocol):
    """Hold calls of a platform's API back until they may go out."""

    async def wait(self, slots: Sequence[Slot], *, most_s: float | None = None) -> float:
        """Sleep until a call that needs all of SLOTS may go out, and count it; return the seconds waited.

        Raises Busy, with nothing counted, where it would take longer than MOST_S.
        """

    async def hold(self, key: str, seconds: float) -> None:
        """Let no call that needs KEY go out for SECONDS, in no process, also of those that wait already."""

    async def try_now(self, slots: Sequence[Slot]) -> float:
        """Count a call and return 0 where it may go out now; else return the seconds until it might."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What a store says of a call."""

    wait_us: int  # 0: it may go out and is counted; else when to ask again
    number: int  # the place in the queue, to be named when asking again


class PacingStore(Protocol):
    """Keep the times of calls and the plans of those who wait; all methods raise Unavailable."""

    async def take(self, slots: Sequence[Slot], number: int, most_us: int) -> Turn:
        """Count a call in all of SLOTS or in none.

        NUMBER is the place in the queue that was given before, 0 at first. Where the wait is longer than MOST_US
        (negative: there is no limit) nothing is planned and the place is given up.
        """

    async def hold(self, key: str, for_us: int) -> None:
        """Let no call go out under KEY for FOR_US."""


def merged(slots: Sequence[Slot]) -> list[Slot]:
    """Sort SLOTS by key, so that nobody waits for each other's locks, with each key once."""
    rates: dict[str, tuple[Rate, ...]] = {}
    for slot in slots:
        rates[slot.key] = tuple(dict.fromkeys((*rates.get(slot.key, ()), *slot.rates)))
    return [Slot(key, rates[key]) for key in sorted(rates)]


def free_from(times: Sequence[int], rate: Rate, at: int) -> int:
    """Find the first time from AT on where one more call among TIMES, sorted, leaves no stretch too full."""
    per = rate.per_us
    for first, last in zip(times, times[rate.count - 1 :], strict=False):
        if last - first < per and last - per < at < first + per:
            at = first + per
    return at


@dataclass(slots=True)
class _Log:
    """What is kept of one key; a number of 0 marks a call that went out, any other one a plan."""

    held_from: int = 0
    held_until: int = 0
    newest: int = 0  # the last number given
    calls: list[tuple[int, int]] = field(default_factory=list)  # time and number, sorted
    idle_at: int = 0  # when it says nothing any more

    def held(self, now: int) -> int:
        """Return the end of the last hold; a clock that was set back must not prolong it."""
        if self.held_from > now:
            self.held_from, self.held_until = now, now + self.held_until - self.held_from
        return self.held_until

    def tidy(self, now: int, number: int, longest: int) -> None:
        """Drop what no longer matters and the caller's own plan; a clock that was set back must not stop us."""
        moved = ((at if by else min(at, now), by) for at, by in self.calls)
        self.calls = sorted((at, by) for at, by in moved if at + longest > now and (not number or by != number))

    def before(self, number: int) -> list[int]:
        """List the calls made and the plans of those ahead in the queue."""
        return [at for at, by in self.calls if not number or by < number]

    def add(self, at: int, number: int, longest: int) -> None:
        """Count a call, or plan one."""
        self.calls = sorted([*self.calls, (at, number)])
        self.idle_at = max(self.idle_at, at + longest)


class Book:
    """The whole rule over a dictionary; the stores of Redis and PostgreSQL do the same in their own languages."""

    def __init__(self) -> None:
        self._logs: dict[str, _Log] = {}
        self._takes = 0

    def __len__(self) -> int:
        return len(self._logs)

    def take(self, now: int, slots: Sequence[Slot], number: int, most_us: int) -> Turn:
        """Do what PacingStore.take does, at NOW."""
        self._sweep(now)
        wanted = [(slot, self._logs.setdefault(slot.key, _Log())) for slot in merged(slots)]
        counted = [(slot.longest_us, log) for slot, log in wanted if slot.rates]
        for longest, log in counted:
            log.tidy(now, number, longest)
        at = _first(now, number, wanted)
        number = number or max([now, *(log.newest + 1 for _, log in wanted)])
        for longest, log in counted:
            log.newest = max(log.newest, number)
            if at == now or most_us < 0 or at - now <= most_us:
                log.add(at, 0 if at == now else number, longest)
        return Turn(at - now, number)

    def hold(self, now: int, key: str, for_us: int) -> None:
        """Do what PacingStore.hold does, at NOW."""
        log = self._logs.setdefault(key, _Log())
        log.held_from, log.held_until = now, max(log.held_until, now + for_us)
        log.idle_at = max(log.idle_at, log.held_until)

    def _sweep(self, now: int) -> None:
        self._takes += 1
        if self._takes % _SWEEP == 0:
            self._logs = {key: log for key, log in self._logs.items() if log.idle_at > now}


def _first(now: int, number: int, wanted: Sequence[tuple[Slot, _Log]]) -> int:
    at, before = max([now, *(log.held(now) for _, log in wanted)]), -1
    known = [(rate, log.before(number)) for slot, log in wanted for rate in slot.rates]
    while at != before:
        before = at
        for rate, times in known:
            at = free_from(times, rate, at)
    return at


class PreferredPacer:
    """Pace by the first of STORES that answers, and always by what this process itself has sent.

    When no store answers, or another one than before, calls of other processes in the stretches before are not known
    to it: each process alone still keeps every rate.
    """

    def __init__(
        self,
        *stores: PacingStore,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._stores = stores
        self._own = Book()
        self._clock = clock
        self._sleep = sleep

    async def wait(self, slots: Sequence[Slot], *, most_s: float | None = None) -> float:
        """Sleep until a call that needs all of SLOTS may go out, and count it; raises Busy."""
        begun = self._clock()
        for take in (self._take_shared, self._take_own):
            number = 0
            while True:
                left = self._left(begun, most_s)
                turn = await take(slots, number, left)
                if not turn.wait_us:
                    break
                if 0 <= left < turn.wait_us:
                    raise Busy("The platform's limit is reached; try again soon.", turn.wait_us / 1e6)
                number = turn.number
                await self._sleep(turn.wait_us / 1e6)
        return self._clock() - begun

    async def hold(self, key: str, seconds: float) -> None:
        """Let no call that needs KEY go out for SECONDS; every store hears of it, so that it outlasts an outage."""
        for_us = ceil(seconds * 1e6)
        self._own.hold(self._now(), key, for_us)
        for store in self._stores:
            try:
                await store.hold(key, for_us)
            except Unavailable:
                continue

    async def try_now(self, slots: Sequence[Slot]) -> float:
        """Count a call and return 0 where it may go out now; else return the seconds until it might."""
        turn = await self._take_shared(slots, 0, 0)
        if not turn.wait_us:
            turn = await self._take_own(slots, 0, 0)
        return turn.wait_us / 1e6

    async def _take_shared(self, slots: Sequence[Slot], number: int, most_us: int) -> Turn:
        for store in self._stores:
            try:
                return await store.take(slots, number, most_us)
            except Unavailable:
                continue
        return Turn(0, number)

    async def _take_own(self, slots: Sequence[Slot], number: int, most_us: int) -> Turn:
        return self._own.take(self._now(), slots, number, most_us)

    def _left(self, begun: float, most_s: float | None) -> int:
        return -1 if most_s is None else max(0, int((begun + most_s - self._clock()) * 1e6))

    def _now(self) -> int:
        return int(self._clock() * 1e6)
