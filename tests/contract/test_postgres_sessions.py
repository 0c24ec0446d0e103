"""Sessions, turns and tickets as people use them."""

from decimal import Decimal
from uuid import uuid4

import pytest

from core.documents import Citation, Passage
from core.domain import Exchange, Mode, Origin, Role, TicketState, Usage
from core.errors import NotFound, UsageError
from core.places import Place, Platform

HERE = Place(Platform.CONSOLE, "terminal", "one")
PASSAGE = Passage(7, 3, "handbook", "Travel", "/travel.pdf", ("Meals",), 4, "Lunch is 20.", 1.5, 0.5, 0.5)
CITATION = Citation(1, 3, 7, "Travel › Meals, p. 4", "/travel.pdf", 4, "Lunch is 20.")


async def say(sessions, session, asked="How much is lunch?", answered="20 [1]", **more):
    exchange = Exchange(
        asked, answered, question=asked, origin=Origin.DOCUMENTS, citations=(CITATION,), context=(PASSAGE,), **more
    )
    await sessions.save_exchange(1, session.session_id, exchange)


async def test_a_thread_keeps_its_session_and_another_thread_has_its_own(sessions):
    first = await sessions.open(1, HERE, "U1")
    again = await sessions.open(1, HERE, "U1")
    other = await sessions.open(1, Place(Platform.CONSOLE, "terminal", "two"), "U1")
    assert first.session_id == again.session_id != other.session_id


async def test_a_new_session_in_the_same_thread_leaves_the_old_one_in_the_list(sessions):
    old = await sessions.open(1, HERE, "U1")
    new = await sessions.start(1, HERE, "U1")
    assert (await sessions.open(1, HERE, "U1")).session_id == new.session_id
    assert {s.session_id for s in await sessions.sessions(1)} == {old.session_id, new.session_id}


async def test_what_was_said_comes_back_with_its_sources_and_everything_retrieved(sessions):
    session = await sessions.open(1, HERE, "U1")
    await say(sessions, session)
    asked, answered = await sessions.turns(1, session.session_id)
    assert (asked.role, asked.text) == (Role.AUTHOR, "How much is lunch?")
    assert answered.citations == (CITATION,)
    assert answered.context == (PASSAGE,)
    assert answered.origin is Origin.DOCUMENTS
    assert (await sessions.session(1, session.session_id)).title == "How much is lunch?"


async def test_turns_page_backwards(sessions):
    session = await sessions.open(1, HERE, "U1")
    for number in range(5):
        await say(sessions, session, asked=f"question {number}")
    newest = await sessions.turns(1, session.session_id, limit=4)
    older = await sessions.turns(1, session.session_id, limit=4, before=newest[0].turn_id)
    assert [turn.text for turn in newest if turn.role is Role.AUTHOR] == ["question 3", "question 4"]
    assert [turn.text for turn in older if turn.role is Role.AUTHOR] == ["question 1", "question 2"]


async def test_favourites_come_first_and_titles_change(sessions):
    first = await sessions.open(1, HERE, "U1")
    await sessions.start(1, HERE, "U1")
    await sessions.set_favourite(1, first.session_id, True)
    await sessions.rename(1, first.session_id, "Lunch")
    listed = await sessions.sessions(1, author_id="U1")
    assert (listed[0].title, listed[0].favourite) == ("Lunch", True)
    assert await sessions.sessions(1, author_id="somebody else") == []


async def test_clearing_forgets_the_turns_and_deleting_the_session(sessions):
    session = await sessions.open(1, HERE, "U1")
    await say(sessions, session)
    await sessions.clear(1, session.session_id)
    assert await sessions.turns(1, session.session_id) == []
    await sessions.delete(1, session.session_id)
    with pytest.raises(NotFound):
        await sessions.session(1, session.session_id)


async def test_a_session_is_found_by_the_beginning_of_its_id(sessions):
    session = await sessions.open(1, HERE, "U1")
    assert (await sessions.find(1, str(session.session_id)[:8].upper())).session_id == session.session_id
    with pytest.raises(NotFound, match="sessions list"):
        await sessions.find(1, "zzzz")
    await sessions.start(1, HERE, "U1")
    with pytest.raises(UsageError, match="Several"):
        await sessions.find(1, "")


async def test_what_is_not_there_cannot_be_changed(sessions):
    for change in (
        sessions.rename(1, uuid4(), "x"),
        sessions.set_favourite(1, uuid4(), True),
        sessions.clear(1, uuid4()),
        sessions.set_mode(1, uuid4(), Mode.OPEN),
        sessions.set_language(1, uuid4(), "de"),
        sessions.set_summary(1, uuid4(), "Lunch.", 1),
        sessions.delete(1, uuid4()),
    ):
        with pytest.raises(NotFound):
            await change


async def test_what_an_answer_cost_comes_back_with_it(sessions):
    session = await sessions.open(1, HERE, "U1")
    cost = Decimal("0.000123")
    await say(sessions, session, usage=Usage(900, 80), model="large", cost=cost, currency="EUR", private=True)
    await say(sessions, session)
    asked, answered, _, free = await sessions.turns(1, session.session_id)
    assert (answered.usage, answered.model, answered.private) == (Usage(900, 80), "large", True)
    assert (answered.cost, answered.currency) == (cost, "EUR")
    assert (asked.usage, asked.model, asked.cost, asked.private) == (Usage(), "", None, True)
    assert (free.usage, free.model, free.cost, free.currency, free.private) == (Usage(), "", None, "", False)


async def test_a_session_remembers_its_mode_its_language_and_its_summary(sessions):
    session = await sessions.open(1, HERE, "U1")
    assert (session.mode, session.language, session.summary) == (None, "", "")
    await sessions.set_mode(1, session.session_id, Mode.OPEN)
    await sessions.set_language(1, session.session_id, "de")
    await sessions.set_summary(1, session.session_id, "Lunch is 20.", 7)
    kept = await sessions.open(1, HERE, "U1")
    assert (kept.mode, kept.language) == (Mode.OPEN, "de")
    assert (kept.summary, kept.summarised_turn_id) == ("Lunch is 20.", 7)
    await sessions.set_mode(1, session.session_id, None)
    assert (await sessions.session(1, session.session_id)).mode is None


async def test_an_older_summary_does_not_replace_a_newer_one(sessions):
    session = await sessions.open(1, HERE, "U1")
    for summary, turn_id in (("to the ninth", 9), ("to the fifth", 5)):
        await sessions.set_summary(1, session.session_id, summary, turn_id)
    kept = await sessions.session(1, session.session_id)
    assert (kept.summary, kept.summarised_turn_id) == ("to the ninth", 9)


async def test_clearing_forgets_the_summary_also_one_that_comes_too_late(sessions):
    session = await sessions.open(1, HERE, "U1")
    await say(sessions, session)
    said = await sessions.turns(1, session.session_id)
    await sessions.set_summary(1, session.session_id, "Lunch.", said[0].turn_id)
    await sessions.clear(1, session.session_id)
    await sessions.set_summary(1, session.session_id, "Lunch is 20.", said[1].turn_id)
    assert (await sessions.session(1, session.session_id)).summary == ""
    await say(sessions, session)
    newest = (await sessions.turns(1, session.session_id))[-1]
    await sessions.set_summary(1, session.session_id, "Lunch again.", newest.turn_id)
    assert (await sessions.session(1, session.session_id)).summary == "Lunch again."


async def test_tickets_count_up_and_the_same_open_question_keeps_its_ticket(sessions, tickets):
    session = await sessions.open(1, HERE, "U1")
    first = await tickets.open(1, session.session_id, "Dogs?", "author: Dogs?", "nothing found")
    same = await tickets.open(1, session.session_id, "Dogs?", "author: Dogs?", "nothing found")
    second = await tickets.open(1, session.session_id, "Cats?", "author: Cats?", "nothing found")
    assert (first.number, same.number, second.number) == (1, 1, 2)


async def test_a_persons_answer_reaches_the_session(sessions, tickets):
    session = await sessions.open(1, HERE, "U1")
    ticket = await tickets.open(1, session.session_id, "Dogs?", "author: Dogs?", "nothing found")
    answered = await tickets.answer(1, ticket.number, "On Fridays.")
    assert (answered.state, answered.answer) == (TicketState.ANSWERED, "On Fridays.")
    (turn,) = await sessions.turns(1, session.session_id)
    assert (turn.role, turn.text, turn.question) == (Role.PERSON, "On Fridays.", "Dogs?")
    assert (await tickets.answer(1, ticket.number, "Only small ones.")).answer == "On Fridays.\n\nOnly small ones."
    assert len(await sessions.turns(1, session.session_id)) == 2


async def test_a_closed_ticket_takes_no_answer_and_outlives_its_session(sessions, tickets):
    session = await sessions.open(1, HERE, "U1")
    ticket = await tickets.open(1, session.session_id, "Dogs?", "author: Dogs?", "nothing found")
    await tickets.close(1, ticket.number)
    await sessions.delete(1, session.session_id)
    kept = await tickets.ticket(1, ticket.number)
    assert (kept.state, kept.session_id, kept.transcript) == (TicketState.CLOSED, None, "author: Dogs?")
    with pytest.raises(UsageError, match="closed"):
        await tickets.answer(1, ticket.number, "Too late.")
    with pytest.raises(NotFound):
        await tickets.ticket(1, 99)
    assert await tickets.tickets(1, state=TicketState.OPEN) == []
