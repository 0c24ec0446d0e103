"""Signals between processes: heard by whom they concern, and never missed for good."""

import asyncio

import pytest

from adapters.postgres.signals import PostgresInterruptions, open_signals
from core.domain import Author, Message
from core.errors import StoreUnavailable
from core.inbox import Ending, Incoming, Kind, Thread
from core.places import Place, Platform

HERE = Place(Platform.API, "lobby", "one")
THREAD = Thread(1, "app", HERE)
SOON_S = 20


@pytest.fixture
async def signals(addresses):
    async with open_signals(addresses.application) as opened:
        yield opened


async def cut(owner):
    """End the listening connection as a restart of the server does."""
    ended = await owner.fetch(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'frontdesk signals'"
        " and datname = current_database()"
    )
    assert len(ended) == 1


async def say(inbox, about="m1", kind=Kind.MESSAGE, revision=0):
    message = Message(1, HERE, Author("U1"), "lunch?")
    await inbox.accept(Incoming(message, "app", f"{kind}:{about}:{revision}", about, kind, revision))


async def test_a_notification_wakes_whom_it_names_and_nobody_else(signals, owner):
    async with (
        signals.subscribe("here", "1:2") as mine,
        signals.subscribe("here", "1:2") as mine_too,
        signals.subscribe("here", "1:3") as other,
        signals.subscribe("there", "1:2") as elsewhere,
        asyncio.timeout(SOON_S),
    ):
        await owner.execute("select pg_notify('here', '1:2:stop')")
        await mine.wait()
        await mine_too.wait()
        await owner.execute("select pg_notify('there', 'nobody'), pg_notify('here', '1:22')")
        await owner.execute("select pg_notify('here', '1:3')")
        await other.wait()
        assert not elsewhere.is_set()


async def test_who_left_is_forgotten_and_who_stays_still_hears(signals, owner):
    async with signals.subscribe("here", "1") as stays, asyncio.timeout(SOON_S):
        async with signals.subscribe("here", "1") as left:
            pass
        await owner.execute("select pg_notify('here', '1')")
        await stays.wait()
        assert not left.is_set()


async def test_a_lost_connection_wakes_everybody_once_it_is_back_and_hears_again(signals, owner):
    async with signals.subscribe("here", "1") as event, asyncio.timeout(SOON_S):
        await cut(owner)
        await event.wait()
        event.clear()
        await owner.execute("select pg_notify('here', '1')")
        await event.wait()
        async with signals.subscribe("new", "2") as another:
            await owner.execute("select pg_notify('new', '2')")
            await another.wait()


async def test_many_subscribe_at_once_to_channels_nobody_listened_to(signals, owner):
    async def hear(number):
        async with signals.subscribe(f"channel_{number}", "1") as event, asyncio.timeout(SOON_S):
            await owner_lock.acquire()
            await owner.execute(f"select pg_notify('channel_{number}', '1')")
            owner_lock.release()
            await event.wait()

    owner_lock = asyncio.Lock()
    await asyncio.gather(*(hear(number) for number in range(20)))


async def test_a_server_that_is_not_there_at_first_is_named():
    with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1"):
        async with open_signals("postgresql://user:secret@127.0.0.1:1/nowhere"):
            pass


@pytest.mark.parametrize("kind", [Kind.STOP, Kind.TAKEOVER, Kind.EDIT, Kind.DELETE])
async def test_who_answers_hears_what_interrupts_it(inbox, signals, database, kind):
    await say(inbox)
    batch = await inbox.claim(THREAD)
    async with PostgresInterruptions(signals, database).watch(batch) as interruption, asyncio.timeout(SOON_S):
        assert interruption.kind is None
        await say(inbox, "m1" if kind in (Kind.EDIT, Kind.DELETE) else "s", kind, 1)
        assert await interruption.wait() is kind
        assert interruption.kind is kind


async def test_an_interruption_that_came_before_anybody_listened_is_heard(inbox, signals, database):
    await say(inbox)
    batch = await inbox.claim(THREAD)
    await say(inbox, "s", Kind.STOP)
    async with PostgresInterruptions(signals, database).watch(batch) as interruption:
        assert interruption.kind is Kind.STOP


async def test_an_interruption_that_came_while_the_connection_was_lost_is_heard(inbox, signals, database, owner):
    await say(inbox)
    batch = await inbox.claim(THREAD)
    async with PostgresInterruptions(signals, database).watch(batch) as interruption, asyncio.timeout(SOON_S):
        await cut(owner)
        # Without the notification: what the row says is enough, once everybody is woken.
        await owner.execute("update inbox set interrupted_by = 'delete'")
        assert await interruption.wait() is Kind.DELETE


async def test_what_concerns_another_batch_is_not_heard(inbox, signals, database):
    await say(inbox)
    batch = await inbox.claim(THREAD)
    interruptions = PostgresInterruptions(signals, database)
    async with interruptions.watch(batch) as interruption:
        await say(inbox, "another", Kind.DELETE)
        await inbox.end(batch, Ending.ANSWERED)
        await say(inbox, "m2")
        second = await inbox.claim(THREAD)
        while second.incoming.kind is not Kind.MESSAGE:
            await inbox.end(second, Ending.DONE)
            second = await inbox.claim(THREAD)
        async with interruptions.watch(second) as later, asyncio.timeout(SOON_S):
            await say(inbox, "s", Kind.STOP)
            assert await later.wait() is Kind.STOP
        assert interruption.kind is None
