"""What was taken back of an answer is shown to no reader who comes later, and is kept no longer."""

import pytest

from adapters.postgres.events import PostgresEvents
from adapters.postgres.inbox import PostgresInbox
from adapters.postgres.outbox import PostgresOutbox
from core.domain import Answer, Author, Message, Origin
from core.errors import Superseded
from core.inbox import Ending, Incoming
from core.outbox import Posting, Purpose, Target
from core.places import Place, Platform
from core.pulled import EventKind, PulledChannel, follow

PLACE = Place(Platform.API, "help", "t1")
TARGET = Target(1, "shop", PLACE, "u1")
ANSWER = Answer("28 days.", Origin.DOCUMENTS, None)


class Story:
    """One question, and the readers and writers of its answer."""

    def __init__(self, database):
        self.inbox = PostgresInbox(database)
        self.outbox = PostgresOutbox(database)
        self.events = PostgresEvents(database)
        self.channel = PulledChannel(Platform.API, self.events, clock=iter(range(1_000)).__next__)

    async def ask(self):
        event = Incoming(Message(1, PLACE, Author("u1"), "How many days?"), "shop", "e1", "m1")
        self.inbox_id = (await self.inbox.accept(event)).inbox_id
        self.batch = await self.inbox.claim(event.thread)

    async def open(self):
        delivery = await self.outbox.open(TARGET, Purpose.ANSWER, inbox_id=self.inbox_id)
        return Posting(self.outbox, delivery, self.channel.doubt)

    async def read(self, after=""):
        return [
            (event.kind, event.data.get("text", ""))
            async for event in follow(self.inbox, self.events, 1, self.inbox_id, after=after)
            if event is not None
        ]


@pytest.fixture
async def story(database):
    story = Story(database)
    await story.ask()
    return story


async def write_in_two_tries(story):
    await story.channel.reply(await story.open()).write("15 days")
    posting = await story.open()
    reply = story.channel.reply(posting)
    await reply.write("28 ")
    await reply.write("days")
    return posting, reply


@pytest.mark.parametrize("after", ["", "1"], ids=["a new reader", "one that comes back"])
async def test_a_withdrawn_answer_is_told_without_its_words(story, after):
    posting, reply = await write_in_two_tries(story)
    await reply.finish(ANSWER)
    await story.inbox.end(story.batch, Ending.ANSWERED)
    await story.channel.withdraw(posting)
    assert await story.read(after and f"{story.inbox_id}.{after}") == [(EventKind.WITHDRAWN, "")]
    assert [event.kind for event in await story.events.since(1, story.inbox_id, 0)] == [EventKind.WITHDRAWN]


async def test_an_answer_that_was_begun_again_is_told_from_there_on(story):
    _, reply = await write_in_two_tries(story)
    await reply.finish(ANSWER)
    told = [(EventKind.RESTART, ""), (EventKind.TEXT, "28 "), (EventKind.TEXT, "days"), (EventKind.ANSWER, "28 days.")]
    assert await story.read() == [(EventKind.WORKING, ""), *told]
    assert await story.read(f"{story.inbox_id}.1") == told
    assert await story.read(f"{story.inbox_id}.3") == told[2:]


async def test_who_was_taken_over_takes_nothing_back(story):
    old = await story.open()
    await write_in_two_tries(story)
    before = await story.events.since(1, story.inbox_id, 0)
    with pytest.raises(Superseded):
        await story.channel.withdraw(old)
    assert await story.events.since(1, story.inbox_id, 0) == before != []
