"""Pacing on a clock of its own: what goes out is checked by counting every stretch, not by the rule under test."""

import heapq
import itertools
import random
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Busy, StoreUnavailable
from core.pacing import (
    SLACK_CHANNEL,
    TEAMS_THREAD,
    TELEGRAM_BOT,
    TELEGRAM_GROUP,
    TELEGRAM_PRIVATE,
    Book,
    PreferredPacer,
    Rate,
    Rule,
    Slot,
    Turn,
    free_from,
)

SECOND = 1_000_000


def too_early(times, rate):
    """Count the stretches of RATE's length that hold too many of TIMES; counted the plain way."""
    times = sorted(times)
    return sum(
        1
        for end, at in enumerate(times)
        if sum(1 for other in times[max(0, end - rate.count) : end + 1] if other > at - rate.per_s * SECOND)
        > rate.count
    )


def check(calls, holds=()):
    """Check all CALLS, as time and slots, against their rates and the HOLDS, as key, from and until."""
    rates, times = {}, defaultdict(list)
    for at, slots in calls:
        for slot in slots:
            times[slot.key].append(at)
            rates[slot.key] = slot.rates
    assert [(key, rate) for key in times for rate in rates[key] if too_early(times[key], rate)] == []
    early = [(key, at) for key, since, until in holds for at in times[key] if since < at < until]
    assert early == []


def play(arrivals, *, late=lambda: 0, dies=lambda: False, holds=()):
    """Let callers come at ARRIVALS, ask, sleep and ask again; return who went out when, in that order."""
    book, ties, calls = Book(), itertools.count(), []
    heap = [(at, next(ties), slots, 0) for at, slots in arrivals]
    heap += [(since, next(ties), (key, until - since), None) for key, since, until in holds]
    heapq.heapify(heap)
    while heap:
        now, _, slots, number = heapq.heappop(heap)
        if number is None:
            book.hold(now, *slots)
            continue
        if number and dies():
            continue
        turn = book.take(now, slots, number, -1)
        if turn.wait_us:
            heapq.heappush(heap, (now + turn.wait_us + late(), next(ties), slots, turn.number))
        else:
            calls.append((now, slots))
    return calls


def test_the_checker_sees_what_is_too_early():
    rate = Rate(2, 1.0)
    assert too_early([0, 0, SECOND, SECOND], rate) == 0
    assert too_early([0, 500_000, SECOND - 1], rate) == 1


@pytest.mark.parametrize("rule", [SLACK_CHANNEL, TELEGRAM_PRIVATE, TELEGRAM_GROUP], ids=["slack", "chat", "group"])
def test_ten_minutes_of_flood_use_the_rate_and_never_more(rule):
    slot = rule.slot("C1")
    arrivals = [(n * 200_000, [slot]) for n in range(3_000)]
    book, calls = Book(), []
    # Nobody queues: each second look is a new caller, as many as fit in ten minutes.
    for now, slots in arrivals:
        if book.take(now, slots, 0, 0).wait_us == 0:
            calls.append((now, slots))
    check(calls)
    slowest = min(rate.count / rate.per_s for rate in rule.rates)
    assert len(calls) >= slowest * 600


def test_ten_minutes_of_a_queue_that_never_empties_hold_all_four_rates_of_teams():
    chance = random.Random(1)
    slot = TEAMS_THREAD.slot("a thread")
    arrivals = [(chance.randrange(600 * SECOND), [slot]) for _ in range(800)]
    calls = play(arrivals, late=lambda: chance.choice((0, 1_500, 40_000)))
    assert len(calls) == 800
    check(calls)


def test_a_long_limit_holds_beside_the_short_ones():
    slot = Rule((*TEAMS_THREAD.rates[:3], Rate(180, 360.0))).slot("a thread")  # the hour's, a tenth of it
    book = Book()
    calls = [(at, [slot]) for at in range(0, 400 * SECOND, SECOND // 2) if not book.take(at, [slot], 0, 0).wait_us]
    check(calls)
    assert len([at for at, _ in calls if at < 360 * SECOND]) == 180
    assert len(calls) > 180


def test_chats_share_the_bots_limit_and_nobody_elses_backlog():
    bot = TELEGRAM_BOT.slot("bot")
    flood = [(0, [TELEGRAM_PRIVATE.slot("busy"), bot])] * 100
    others = [(n * SECOND // 4, [TELEGRAM_PRIVATE.slot(f"chat {n}"), bot]) for n in range(1, 200)]
    calls = play([*flood, *others])
    check(calls)
    came = {slots[0].key: at for at, slots in others}
    waited = [at - came[slots[0].key] for at, slots in calls if slots[0].key in came]
    assert len(waited) == 199
    assert max(waited) == 0


def test_a_backlog_is_served_in_the_order_it_came():
    slot = TELEGRAM_PRIVATE.slot("chat")
    chance = random.Random(2)
    arrivals = [(n, [slot, TELEGRAM_PRIVATE.slot(str(n))]) for n in range(60)]
    calls = play(arrivals, late=lambda: chance.randrange(30_000), holds=[("chat", 5 * SECOND, 9 * SECOND)])
    assert [int(slots[1].key) for _, slots in calls] == list(range(60))
    check(calls, [("chat", 5 * SECOND, 9 * SECOND)])


def test_a_caller_that_dies_costs_its_own_turn_and_no_more():
    slot = TELEGRAM_PRIVATE.slot("chat")
    deaths = iter([True, False, False])
    calls = play([(n, [slot]) for n in range(4)], dies=lambda: next(deaths, False))
    assert [at for at, _ in calls] == [0, 2 * SECOND, 3 * SECOND]


def test_a_hold_reaches_those_who_wait_already_and_ends_to_the_microsecond():
    slot = TELEGRAM_PRIVATE.slot("chat")
    calls = play([(0, [slot])] * 3, holds=[("chat", 500_000, 7_500_000)])
    assert [at for at, _ in calls] == [0, 7_500_000, 8_500_000]


def test_a_shorter_hold_does_not_end_a_longer_one():
    book, slot = Book(), TELEGRAM_PRIVATE.slot("chat")
    book.hold(0, "chat", 10 * SECOND)
    book.hold(SECOND, "chat", SECOND)
    assert book.take(2 * SECOND, [slot], 0, 0).wait_us == 8 * SECOND


def test_a_key_without_rates_heeds_a_hold_and_counts_nothing():
    slot = Slot("callback", ())
    calls = play([(n, [slot]) for n in range(5)] + [(SECOND, [slot])] * 5, holds=[("callback", 500_000, 3 * SECOND)])
    assert [at for at, _ in calls] == [0, 1, 2, 3, 4] + [3 * SECOND] * 5


def test_whoever_will_not_wait_that_long_leaves_nothing_behind():
    book, chat, bot = Book(), TELEGRAM_PRIVATE.slot("chat"), Rule((Rate(2, 1.0),)).slot("bot")
    assert book.take(0, [chat, bot], 0, -1).wait_us == 0
    assert book.take(1, [chat, bot], 0, 10).wait_us == SECOND - 1
    assert book.take(1, [TELEGRAM_PRIVATE.slot("other"), bot], 0, 0).wait_us == 0
    assert book.take(SECOND, [chat, bot], 0, 0).wait_us == 0


def test_a_clock_that_is_set_back_stops_nobody():
    book, slot = Book(), TELEGRAM_PRIVATE.slot("chat")
    assert book.take(600 * SECOND, [slot], 0, -1).wait_us == 0
    assert book.take(0, [slot], 0, -1).wait_us == SECOND
    book.hold(900 * SECOND, "held", 5 * SECOND)
    assert book.take(0, [TELEGRAM_PRIVATE.slot("held")], 0, -1).wait_us == 5 * SECOND


def test_keys_that_nobody_needs_any_more_are_dropped():
    book = Book()
    for n in range(4_000):
        book.take(n * SECOND // 10, [TELEGRAM_PRIVATE.slot(str(n))], 0, -1)
    assert len(book) < 1_100


rates = st.lists(st.builds(Rate, st.integers(1, 4), st.sampled_from((0.5, 1.0, 3.0))), min_size=1, max_size=3)
moments = st.integers(0, 6 * SECOND)


@given(
    first=rates,
    second=rates,
    arrivals=st.lists(st.tuples(moments, st.sampled_from(("a", "b", "ab"))), max_size=25),
    holds=st.lists(st.tuples(st.sampled_from(("a", "b")), moments, st.integers(0, 4 * SECOND)), max_size=3),
    chance=st.randoms(use_true_random=False),
    mortal=st.booleans(),
)
def test_nothing_ever_goes_out_early(first, second, arrivals, holds, chance, mortal):
    slots = {"a": Rule(tuple(first)).slot("a"), "b": Rule(tuple(second)).slot("b")}
    until = [(key, since, since + length) for key, since, length in holds]
    calls = play(
        [(at, [slots[key] for key in keys]) for at, keys in arrivals],
        late=lambda: chance.choice((0, 0, 3_000, 700_000)),
        dies=lambda: mortal and chance.random() < 0.1,
        holds=until,
    )
    check(calls, until)
    assert mortal or len(calls) == len(arrivals)


@given(st.lists(st.integers(0, 30), max_size=12), st.integers(1, 4), st.integers(1, 8), st.integers(0, 40))
def test_the_first_free_moment_is_free_and_none_before_it_is(times, count, per, at):
    rate = Rate(count, per / SECOND)
    found = free_from(sorted(times), rate, at)

    def adds(moment):
        starts = range(-1 - per, 60)
        return any(
            start < moment <= start + per and sum(1 for t in [*times, moment] if start < t <= start + per) > count
            for start in starts
        )

    assert not adds(found)
    assert all(adds(moment) for moment in range(at, found))


class Clock:
    """A clock that moves when somebody sleeps."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now

    async def sleep(self, seconds):
        self.now += seconds


class Store:
    """A store in this process that can be taken away."""

    def __init__(self, clock):
        self.clock, self.book, self.there = clock, Book(), True

    def _now(self):
        if not self.there:
            raise StoreUnavailable("It is not there.")
        return int(self.clock() * SECOND)

    async def take(self, slots, number, most_us):
        return self.book.take(self._now(), slots, number, most_us)

    async def hold(self, key, for_us):
        self.book.hold(self._now(), key, for_us)


async def test_without_any_store_a_process_paces_itself():
    clock = Clock()
    pacer = PreferredPacer(clock=clock, sleep=clock.sleep)
    waits = [await pacer.wait([TELEGRAM_PRIVATE.slot("chat")]) for _ in range(3)]
    assert waits == pytest.approx([0, 1, 1])


async def test_what_was_sent_before_an_outage_counts_after_it():
    clock = Clock()
    first, second = Store(clock), Store(clock)
    pacer = PreferredPacer(first, second, clock=clock, sleep=clock.sleep)
    await pacer.wait([TELEGRAM_PRIVATE.slot("chat")])
    await pacer.hold("held", 5)
    first.there = False
    assert await pacer.try_now([TELEGRAM_PRIVATE.slot("chat")]) == pytest.approx(1)
    another = PreferredPacer(first, second, clock=clock, sleep=clock.sleep)
    assert await another.wait([TELEGRAM_PRIVATE.slot("held")]) == pytest.approx(5)


async def test_two_processes_keep_one_rate():
    clock = Clock()
    store = Store(clock)
    one, two = (PreferredPacer(store, clock=clock, sleep=clock.sleep) for _ in range(2))
    await one.wait([TELEGRAM_PRIVATE.slot("chat")])
    assert await two.wait([TELEGRAM_PRIVATE.slot("chat")]) == pytest.approx(1)


async def test_busy_names_the_wait_and_is_raised_before_it():
    clock = Clock()
    pacer = PreferredPacer(Store(clock), clock=clock, sleep=clock.sleep)
    await pacer.hold("chat", 60)
    with pytest.raises(Busy) as busy:
        await pacer.wait([TELEGRAM_PRIVATE.slot("chat")], most_s=5)
    assert busy.value.retry_after_s == pytest.approx(60)
    assert clock() == 100.0


async def test_a_number_of_a_lost_store_is_no_trouble_for_the_next():
    clock = Clock()
    store = Store(clock)
    assert (await store.take([TELEGRAM_PRIVATE.slot("chat")], 77, -1)) == Turn(0, 77)
