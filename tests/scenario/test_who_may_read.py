"""Stories of documents that only some may read: a person's own in a channel, a guest's, and those of one channel."""

import pytest

from core.domain import Attachment, Author, Message, Origin
from core.places import Place, Platform
from tests.scenario.house import Collected, make_engine, save_document

EVERYWHERE = (Platform.SLACK,)


@pytest.fixture
async def engine(database, knowledge):
    await add(knowledge, "handbook", (), "Employees have 28 days of paid vacation in a calendar year.")
    await add(knowledge, "salaries", ("U-boss",), "The salary band of engineers goes from 60 to 90 thousand euro.")
    await add(knowledge, "partners", ("C-shared",), "Partners reach the service desk at extension 4711.")
    return make_engine(database)


async def add(knowledge, name, channels, sentence):
    base = await knowledge.create(1, name, EVERYWHERE)
    await knowledge.set_scope(1, name, EVERYWHERE, channels)
    await save_document(knowledge, base, name.title(), sentence, source=f"/{name}.md", content=name.encode())


async def ask(engine, text, author="U-any", channel="C1", **more):
    reply = Collected()
    message = Message(1, Place(Platform.SLACK, channel, f"{author}-{text[:9]}"), Author(author), text, **more)
    return await engine.handle(message, reply), reply.text


SALARY, VACATION, DESK = "What is the salary band of engineers?", "How many vacation days?", "What is the service desk?"


async def test_what_only_the_asker_may_read_is_answered_in_a_channel_to_them_alone(engine):
    answer, shown = await ask(engine, SALARY, "U-boss")
    assert "90 thousand" in answer.text
    assert (answer.private, answer.personal, shown) == (True, True, "")
    assert "You alone see this" in answer.notice
    answer, shown = await ask(engine, SALARY)
    assert answer.origin is Origin.NOTHING_FOUND
    assert "90" not in shown


async def test_what_was_answered_to_one_is_told_to_nobody_later(engine, sessions, tickets):
    thread = Place(Platform.SLACK, "C1", "1.0")

    async def say(text, author):
        return await engine.handle(Message(1, thread, Author(author), text), Collected())

    first = await say(SALARY, "U-boss")
    assert "90 thousand" in first.text
    await say("human", "U-any")
    turns = await sessions.turns(1, first.session_id, limit=10)
    assert not any("90 thousand" in turn.text or turn.citations for turn in turns)
    assert "(I have answered the author alone.)" in [turn.text for turn in turns]
    (ticket,) = await tickets.tickets(1)
    assert "90 thousand" not in ticket.transcript


async def test_in_a_conversation_of_ones_own_it_is_an_answer_like_any_other(engine):
    answer, shown = await ask(engine, SALARY, "U-boss", channel="D1", direct=True)
    assert "90 thousand" in shown
    assert (answer.private, answer.personal) == (False, False)


async def test_what_all_may_read_comes_before_what_the_asker_alone_may(engine):
    answer, shown = await ask(engine, VACATION, "U-boss")
    assert "28 days" in shown
    assert not answer.private


async def test_an_answer_for_one_is_served_to_nobody_from_the_cache(engine):
    for _ in range(2):
        await ask(engine, SALARY, "U-boss")
    answer, _ = await ask(engine, SALARY)
    assert (answer.origin, answer.cached) == (Origin.NOTHING_FOUND, "")


async def test_an_outsider_reads_what_is_granted_to_the_channel_by_name(engine):
    answer, shown = await ask(engine, DESK, channel="C-shared", outsider=True)
    assert "4711" in shown
    for channel in ("C1", "C-shared"):
        answer, shown = await ask(engine, VACATION, channel=channel, outsider=True)
        assert answer.origin is Origin.NOTHING_FOUND
        assert "28" not in shown


async def test_a_file_that_cannot_be_read_opens_no_ticket(engine, tickets):
    files = (Attachment("plan.exe", "application/octet-stream", 10),)
    answer, _ = await ask(engine, "What is in this plan of ours?", attachments=files)
    assert answer.origin is Origin.NOTHING_FOUND
    assert answer.ticket_number is None
    assert await tickets.tickets(1) == []
