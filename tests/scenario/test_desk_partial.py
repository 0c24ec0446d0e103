"""Stories of words that were lost on the way: of an answer with its worker, of a question that was too long."""

import asyncio

import pytest

from adapters.postgres.given import PostgresGivenAnswers
from adapters.postgres.inbox import PostgresInbox
from adapters.postgres.outbox import PostgresOutbox
from adapters.postgres.sessions import PostgresSessions
from adapters.postgres.signals import PostgresInterruptions, open_signals
from adapters.postgres.tickets import PostgresTickets
from core.accepting import Acceptance
from core.desk import Desk
from core.domain import Author, Draft, Message, Origin
from core.errors import Superseded
from core.inbox import Ending, Incoming, Kind, Thread
from core.meter import Unmetered
from core.noting import NotingReply
from core.outbox import Doubt, Purpose, Target
from core.places import Place, Platform
from tests.scenario.house import Collected, make_engine, save_document

VACATION = "How many vacation days do full-time employees have?"
PLACE = Place(Platform.API, "general", "t")
THREAD = Thread(1, "ours", PLACE)


class Killed(BaseException):
    """What a kill looks like from inside: nothing that follows is done."""


class Writer:
    """An answerer that writes PIECES; where it DIES, its worker is killed then."""

    name = "writer"
    judges = False

    def __init__(self, *pieces, dies):
        self.pieces = pieces
        self.dies = dies

    async def answer(self, request, reply):
        for piece in self.pieces:
            await reply.write(piece)
        if self.dies:
            raise Killed
        return Draft("".join(self.pieces), resolved=True)


class Endless:
    """An answerer that has nothing to say for as long as it is let."""

    name = "endless"
    judges = False

    async def answer(self, request, reply):
        await asyncio.Event().wait()
        return Draft("", resolved=True)


class Wall:
    """A platform that shows the newest text of an answer."""

    platform = Platform.API
    doubt = Doubt.KEYED

    def __init__(self):
        self.shown = ""
        self.answer = None

    async def working(self, target):
        pass

    def reply(self, posting):
        return _Painter(self)

    async def withdraw(self, posting):
        self.shown = ""


class _Painter:
    def __init__(self, wall):
        self._wall = wall
        self._text = ""

    async def write(self, text):
        self._text += text
        self._wall.shown = self._text

    async def restart(self):
        self._text = ""

    async def finish(self, answer):
        self._wall.shown, self._wall.answer = answer.text, answer


class Office:
    """A desk whose answerer can be changed."""

    def __init__(self, database, signals):
        self.inbox, self.outbox = PostgresInbox(database), PostgresOutbox(database)
        self.sessions, self.wall = PostgresSessions(database), Wall()
        self.acceptance = Acceptance(self.inbox, Unmetered())
        self.answerer = Endless()
        self._desk = Desk(
            inbox=self.inbox,
            outbox=self.outbox,
            interruptions=PostgresInterruptions(signals, database),
            engine=make_engine(database, answerers=self._answerers),
            channels={Platform.API: self.wall},
            sessions=self.sessions,
            tickets=PostgresTickets(database),
            given=PostgresGivenAnswers(database),
            meter=Unmetered(),
            note_every_s=0.0,
        )

    async def _answerers(self, bot):
        return self.answerer

    async def say(self, event_id, text="", kind=Kind.MESSAGE, **more):
        message = Message(1, PLACE, Author("u1"), text)
        incoming = Incoming(message, "ours", event_id, more.pop("message_id", event_id), kind, **more)
        return (await self.acceptance.accept(incoming)).inbox_id

    async def serve(self):
        await self._desk.serve(THREAD)

    async def die_writing(self, *pieces):
        self.answerer = Writer(*pieces, dies=True)
        with pytest.raises(Killed):
            await self.serve()
        self.answerer = Endless()


@pytest.fixture
async def office(database, addresses, knowledge):
    kb = await knowledge.create(1, "handbook", (Platform.API,))
    await save_document(knowledge, kb, "Time off", "Full-time employees have 28 days of vacation.", source="/off.md")
    async with open_signals(addresses.application) as signals:
        yield Office(database, signals)


async def test_a_stop_after_a_crash_keeps_what_was_shown_without_marks_that_name_nothing(office):
    asked = await office.say("q1", VACATION)
    await office.die_writing("They have 28 days [1]", " a year, and")
    assert office.wall.shown == "They have 28 days [1] a year, and"
    await office.say("s1", kind=Kind.STOP, target="q1")
    await office.serve()
    assert office.wall.shown == "They have 28 days a year, and"
    assert office.wall.answer.origin is Origin.STOPPED
    assert (await office.inbox.entry(1, asked)).ending is Ending.STOPPED
    kept = await office.outbox.of_entry(1, asked)
    assert kept.content == office.wall.answer


@pytest.mark.parametrize("dies", [True, False], ids=["not answered", "answered"])
async def test_what_was_shown_for_other_words_is_not_kept_for_the_new_ones(office, dies):
    await office.say("q1", VACATION)
    if dies:
        await office.die_writing("They have 28 days")
    else:
        office.answerer = Writer("They have", " 28 days", dies=False)
        await office.serve()
    edited = await office.say("e1", "How many days of vacation do they have?", Kind.EDIT, message_id="q1", revision=1)
    await office.die_writing()
    await office.say("s1", kind=Kind.STOP, target="q1")
    await office.serve()
    assert (await office.inbox.entry(1, edited)).ending is Ending.STOPPED
    assert (await office.outbox.of_entry(1, edited)).content.text == office.wall.shown == ""


async def test_a_reply_that_was_taken_over_ends_with_its_next_word(office):
    asked = await office.say("q1", VACATION)
    target = Target(1, "ours", PLACE, "u1")
    old = await office.outbox.open(target, Purpose.ANSWER, inbox_id=asked)
    new = await office.outbox.open(target, Purpose.ANSWER, inbox_id=asked)
    await NotingReply(Collected(), office.outbox, new, every_s=0.0).write("28 days")
    with pytest.raises(Superseded):
        await NotingReply(Collected(), office.outbox, old, every_s=0.0).write("15 days")
    assert (await office.outbox.of_entry(1, asked)).partial == "28 days"


async def test_what_begins_again_is_noted_anew_and_never_oftener_than_it_is_told(office):
    asked = await office.say("q1", VACATION)
    delivery = await office.outbox.open(Target(1, "ours", PLACE, "u1"), Purpose.ANSWER, inbox_id=asked)
    now_s = 0.0
    reply = NotingReply(Collected(), office.outbox, delivery, every_s=1.0, clock=lambda: now_s)
    noted = []
    for now_s, text in ((0.9, "15"), (1.0, " days"), (1.9, " a year"), (2.0, "")):  # noqa: B007 - the clock reads it
        await reply.write(text)
        noted.append((await office.outbox.of_entry(1, asked)).partial)
    assert noted == ["", "15 days", "15 days", "15 days a year"]
    await reply.restart()
    now_s = 3.0
    await reply.write("28")
    assert (await office.outbox.of_entry(1, asked)).partial == "28"


async def test_a_note_that_cannot_be_kept_does_not_end_the_answer(office):
    asked = await office.say("q1", VACATION)
    delivery = await office.outbox.open(Target(1, "ours", PLACE, "u1"), Purpose.ANSWER, inbox_id=asked)
    shown = Collected()
    reply = NotingReply(shown, office.outbox, delivery, every_s=0.0)
    await reply.write("28\x00")  # PostgreSQL keeps no such character
    assert shown.text == "28\x00"


async def test_a_text_that_was_cut_on_its_way_in_is_refused_by_the_length_it_had(office):
    await office.say("q1", "word " * 10_000)
    await office.serve()
    assert office.wall.shown.startswith("The question has 50,000 characters and the limit is 8,000")
