"""The events of answers in PostgreSQL: in order, once, refused to whoever was taken over, read from another process."""

import asyncio
from contextlib import aclosing

import pytest

from adapters.postgres.events import PostgresEvents, answer_of
from adapters.postgres.inbox import PostgresInbox
from adapters.postgres.signals import open_signals
from core.domain import Answer, Author, DeliveryKey, Message, Origin
from core.errors import NotFound, Superseded
from core.inbox import Ending, Incoming, Kind
from core.places import Place, Platform
from core.pulled import Event, EventKind, answer_data, follow

PLACE = Place(Platform.API, "help", "t1")
ANSWER = Answer("20 days [1].", Origin.DOCUMENTS, None, steps={"search": 0.1})


def asked(event_id, kind=Kind.MESSAGE, message_id=None, revision=0):
    message = Message(1, PLACE, Author("u1"), f"Question {event_id}?", installation="shop")
    return Incoming(message, "shop", event_id, message_id or event_id, kind, revision)


@pytest.fixture
def inbox(database):
    return PostgresInbox(database)


@pytest.fixture
def events(database):
    return PostgresEvents(database)


async def opened(database, inbox_id, claim=1):
    async with database.tenant(1) as connection:
        outbox_id = await connection.fetchval(
            "insert into outbox (tenant_id, inbox_id, purpose, platform, installation, channel, thread, author_id, "
            "address, claim) values (1, $1, 'answer', 'api', 'shop', 'help', 't1', 'u1', '{}', $2) returning outbox_id",
            inbox_id,
            claim,
        )
    return DeliveryKey(outbox_id, claim)


async def accepted(inbox, event):
    return (await inbox.accept(event)).inbox_id


def kinds(found):
    return [event.kind for event in found if event is not None]


async def test_events_are_numbered_in_their_order(database, inbox, events):
    inbox_id = await accepted(inbox, asked("e1"))
    key = await opened(database, inbox_id)
    await events.append(key, 1, inbox_id, [(EventKind.RESTART, {}), (EventKind.TEXT, {"text": "20"})])
    await events.append(key, 1, inbox_id, [(EventKind.TEXT, {"text": " days"})])
    assert await events.since(1, inbox_id, 1) == [
        Event(inbox_id, 2, EventKind.TEXT, {"text": "20"}),
        Event(inbox_id, 3, EventKind.TEXT, {"text": " days"}),
    ]


async def test_an_answer_stands_there_once_and_comes_back_whole(database, inbox, events):
    inbox_id = await accepted(inbox, asked("e1"))
    key = await opened(database, inbox_id)
    for _ in range(3):
        await events.append(key, 1, inbox_id, [(EventKind.ANSWER, answer_data(ANSWER))])
    (event,) = await events.since(1, inbox_id, 0)
    assert answer_of(event) == ANSWER


async def test_equal_pieces_of_text_are_both_kept(database, inbox, events):
    inbox_id = await accepted(inbox, asked("e1"))
    key = await opened(database, inbox_id)
    for _ in range(2):
        await events.append(key, 1, inbox_id, [(EventKind.TEXT, {"text": "ha"})])
    assert len(await events.since(1, inbox_id, 0)) == 2


async def test_a_worker_that_was_taken_over_is_refused(database, inbox, events):
    inbox_id = await accepted(inbox, asked("e1"))
    key = await opened(database, inbox_id, claim=2)
    with pytest.raises(Superseded):
        await events.append(DeliveryKey(key.outbox_id, 1), 1, inbox_id, [(EventKind.TEXT, {"text": "late"})])
    assert await events.since(1, inbox_id, 0) == []


async def test_another_tenant_sees_no_events(database, inbox, events):
    inbox_id = await accepted(inbox, asked("e1"))
    key = await opened(database, inbox_id)
    await events.append(key, 1, inbox_id, [(EventKind.TEXT, {"text": "20"})])
    assert await events.since(2, inbox_id, 0) == []
    with pytest.raises(NotFound):
        async with aclosing(follow(inbox, events, 2, inbox_id)) as found:
            await anext(found)


@pytest.mark.parametrize("heard", [True, False], ids=["by signals", "by looking"])
async def test_a_reader_follows_an_answer_while_it_is_written(addresses, database, inbox, heard):
    inbox_id = await accepted(inbox, asked("e1"))
    key = await opened(database, inbox_id)
    async with open_signals(addresses.application) as signals:
        events = PostgresEvents(database, signals if heard else None)
        begun = asyncio.Event()

        async def read():
            found = []
            async with aclosing(follow(inbox, events, 1, inbox_id)) as following:
                async for event in following:
                    found.append(event)
                    begun.set()
            return kinds(found)

        await events.append(key, 1, inbox_id, [(EventKind.TEXT, {"text": "20"})])
        reading = asyncio.create_task(read())
        await begun.wait()
        await events.append(key, 1, inbox_id, [(EventKind.ANSWER, answer_data(ANSWER))])
        assert await reading == [EventKind.TEXT, EventKind.ANSWER]


async def test_a_reader_that_comes_back_reads_on(database, inbox, events):
    inbox_id = await accepted(inbox, asked("e1"))
    key = await opened(database, inbox_id)
    await events.append(key, 1, inbox_id, [(EventKind.TEXT, {"text": "20"}), (EventKind.TEXT, {"text": " days"})])
    await events.append(key, 1, inbox_id, [(EventKind.ANSWER, answer_data(ANSWER))])
    found = [event async for event in follow(inbox, events, 1, inbox_id, after=f"{inbox_id}.1")]
    assert [event.position for event in found] == [2, 3]


async def test_readers_of_rows_answered_together_read_the_same_answer(database, inbox, events):
    first, second = [await accepted(inbox, asked(name)) for name in ("e1", "e2")]
    batch = await inbox.claim(asked("e1").thread)
    key = await opened(database, batch.lead.inbox_id)
    await events.append(key, 1, batch.lead.inbox_id, [(EventKind.ANSWER, answer_data(ANSWER))])
    await inbox.end(batch, Ending.ANSWERED)
    assert kinds([event async for event in follow(inbox, events, 1, first)])[-1] is EventKind.ANSWER
    assert kinds([event async for event in follow(inbox, events, 1, second)])[-1] is EventKind.ANSWER


async def test_a_reader_of_an_edited_message_begins_again_with_the_answer_to_the_edit(database, inbox, events):
    first = await accepted(inbox, asked("e1"))
    key = await opened(database, first)
    await events.append(key, 1, first, [(EventKind.TEXT, {"text": "20"})])
    await accepted(inbox, asked("e2", Kind.EDIT, "e1", 1))
    batch = await inbox.claim(asked("e1").thread)
    async with database.tenant(1) as connection:
        claim = await connection.fetchval(
            "update outbox set inbox_id = $1, claim = claim + 1 returning claim", batch.lead.inbox_id
        )
    again = DeliveryKey(key.outbox_id, claim)
    await events.append(again, 1, batch.lead.inbox_id, [(EventKind.ANSWER, answer_data(ANSWER))])
    found = [event async for event in follow(inbox, events, 1, first, after=f"{first}.1")]
    assert kinds(found) == [EventKind.RESTART, EventKind.WORKING, EventKind.ANSWER]


async def test_a_row_that_asked_for_nothing_says_how_it_ended(inbox, events):
    inbox_id = await accepted(inbox, asked("e1", Kind.FEEDBACK))
    batch = await inbox.claim(asked("e1").thread)
    await inbox.end(batch, Ending.DONE)
    (event,) = [event async for event in follow(inbox, events, 1, inbox_id)]
    assert (event.kind, event.data["ending"]) == (EventKind.ENDED, "done")


async def test_what_was_said_without_a_question_can_be_read(database, events):
    async with database.tenant(1) as connection:
        await connection.execute(
            "insert into outbox (tenant_id, purpose, platform, installation, channel, thread, author_id, address, "
            "content) values (1, 'person', 'api', 'shop', 'help', 't1', 'u1', '{}', $1)",
            answer_data(ANSWER),
        )
    ((number, purpose, answer),) = await events.said(1, "shop", PLACE)
    assert (purpose, answer) == ("person", ANSWER)
    assert await events.said(1, "shop", PLACE, after=number) == []
    assert await events.said(1, "other", PLACE) == []
    assert await events.said(2, "shop", PLACE) == []
