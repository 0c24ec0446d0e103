"""Stories of one person asking, over the real stores; the passages come from documents saved in PostgreSQL."""

from dataclasses import replace

import pytest

from core.domain import Author, Message, Origin, Role
from core.engine import Policy
from core.errors import NotFound, TooLarge, UsageError
from core.escalation import TicketPolicy
from core.places import Place, Platform
from tests.scenario.house import Collected, ask_engine, make_engine, save_document

HANDBOOK = {
    "Time off": [
        "Full-time employees have 28 days of paid vacation in a calendar year.",
        "Part-time employees have vacation in proportion to their contracted hours, rounded up to half a day.",
        "Up to five unused vacation days carry over until the end of March.",
    ],
    "Expenses": [
        "Receipts are handed in within thirty days of the journey.",
        "Lunch is reimbursed up to 18 euro a day when you travel.",
    ],
    "IT help": [
        "A forgotten password is reset at the service desk after showing your badge.",
        "The VPN client is installed on every laptop before it is handed out.",
    ],
}


async def save(knowledge, kb, title, sentences):
    source = f"/handbook/{title}.md"
    await save_document(knowledge, kb, title, *sentences, source=source, content=title.encode())


@pytest.fixture
async def knowledge(knowledge, kb):
    for title, sentences in HANDBOOK.items():
        await save(knowledge, kb, title, sentences)
    return knowledge


@pytest.fixture
def engine(database, knowledge):
    return make_engine(database)


def ask(text, platform=Platform.CONSOLE, thread="t", **more):
    return Message(1, Place(platform, "general", thread), Author("u1"), text, **more)


async def answer(engine, text, **more):
    return await ask_engine(engine, ask(text, **more))


async def test_a_question_is_answered_from_the_documents_with_its_source(engine):
    given = await answer(engine, "How many vacation days do full-time employees have?")
    assert given.origin is Origin.DOCUMENTS
    assert "28 days of paid vacation" in given.text
    assert given.citations[0].label.startswith("Time off")
    assert "[1]" in given.text
    assert given.resolved
    assert given.notice


async def test_a_follow_up_needs_what_was_said_before(engine, sessions):
    await answer(engine, "How many vacation days do full-time employees have?")
    given = await answer(engine, "and for part-timers?")
    assert "proportion to their contracted hours" in given.text
    *_, said = await sessions.turns(1, given.session_id)
    assert said.question == "How many vacation days do full-time employees have? and for part-timers?"


async def test_another_thread_does_not_know_what_was_said_here(engine, sessions):
    await answer(engine, "How many vacation days do full-time employees have?")
    given = await answer(engine, "and for part-timers?", thread="another")
    *_, said = await sessions.turns(1, given.session_id)
    assert said.question == "and for part-timers?"


async def test_small_talk_is_answered_without_a_search_and_never_swallows_a_question(engine, sessions):
    given = await answer(engine, "Hi there!")
    assert given.origin is Origin.SMALL_TALK
    given = await answer(engine, "Hi, up to how much is lunch reimbursed?")
    assert given.origin is Origin.DOCUMENTS
    assert "18 euro" in given.text


async def test_nothing_found_says_so_and_opens_a_ticket_with_what_was_said(engine, tickets):
    await answer(engine, "Up to how much is lunch reimbursed?")
    given = await answer(engine, "Can I bring my dog to the office?")
    assert (given.origin, given.resolved, given.citations) == (Origin.NOTHING_FOUND, False, ())
    assert f"ticket {given.ticket_number}" in given.text
    ticket = await tickets.ticket(1, given.ticket_number)
    assert "dog" in ticket.question
    assert "Up to how much is lunch reimbursed?" in ticket.transcript


async def test_a_follow_up_about_something_else_is_not_answered_with_what_was_carried_over(engine):
    await answer(engine, "How many vacation days do full-time employees have?")
    given = await answer(engine, "and may I bring my dog?")
    assert given.origin is Origin.NOTHING_FOUND


@pytest.mark.parametrize(
    ("policy", "opened", "said"),
    [(TicketPolicy.OFFER, 0, "Would you like a person"), (TicketPolicy.OFF, 0, "I found nothing")],
)
async def test_the_ticket_policy_decides_what_happens_without_an_answer(
    database, knowledge, tickets, policy, opened, said
):
    engine = make_engine(database, policy=Policy(tickets=policy))
    given = await answer(engine, "Can I bring my dog to the office?")
    assert said in given.text
    assert len(await tickets.tickets(1)) == opened


async def test_asking_for_a_person_opens_a_ticket_on_the_last_question(engine, tickets):
    await answer(engine, "Up to how much is lunch reimbursed?")
    given = await answer(engine, "Can I talk to a human please?")
    assert given.origin is Origin.PERSON
    assert (await tickets.ticket(1, given.ticket_number)).question == "Up to how much is lunch reimbursed?"


async def test_a_persons_answer_stands_in_the_session(engine, sessions, tickets):
    given = await answer(engine, "Can I bring my dog to the office?")
    await tickets.answer(1, given.ticket_number, "Yes, on Fridays.")
    last = (await sessions.turns(1, given.session_id))[-1]
    assert (last.role, last.text) == (Role.PERSON, "Yes, on Fridays.")


async def test_customers_on_telegram_never_read_the_employees_handbook(engine):
    given = await answer(engine, "How many vacation days do full-time employees have?", platform=Platform.TELEGRAM)
    assert given.origin is Origin.NOTHING_FOUND


async def test_a_knowledge_base_for_one_channel_is_silent_in_others(engine, knowledge):
    await knowledge.set_scope(1, "handbook", [Platform.SLACK], ["hr"])
    question = "How many vacation days do full-time employees have?"
    assert (await answer(engine, question)).origin is Origin.NOTHING_FOUND
    there = replace(ask(question), place=Place(Platform.SLACK, "hr", "x"))
    assert (await engine.handle(there, Collected())).origin is Origin.DOCUMENTS
    elsewhere = replace(ask(question), place=Place(Platform.SLACK, "random", "x"))
    assert (await engine.handle(elsewhere, Collected())).origin is Origin.NOTHING_FOUND


async def test_a_removed_document_is_gone_from_every_answer_at_once(engine, knowledge):
    question = "How many vacation days do full-time employees have?"
    assert (await answer(engine, question)).origin is Origin.DOCUMENTS
    kb = await knowledge.knowledge_base(1, "handbook")
    await knowledge.remove_document(1, kb.kb_id, "/handbook/Time off.md")
    assert (await answer(engine, question, thread="new")).origin is Origin.NOTHING_FOUND


async def test_a_changed_document_replaces_the_old_one_whole(engine, knowledge):
    kb = await knowledge.knowledge_base(1, "handbook")
    await save(knowledge, kb, "Time off", ["Full-time employees have 31 days of paid vacation in a calendar year."])
    given = await answer(engine, "How many vacation days do full-time employees have?")
    assert "31 days" in given.text
    assert "28 days" not in given.text


@pytest.mark.parametrize(("text", "error"), [("", UsageError), (" \n\t", UsageError), ("x" * 2_000_000, TooLarge)])
async def test_a_bad_question_is_refused_with_a_reason_and_nothing_is_saved(engine, sessions, text, error):
    with pytest.raises(error):
        await engine.handle(ask(text), Collected())
    assert await sessions.sessions(1) == []


async def test_control_characters_and_halves_of_characters_are_dropped_from_a_question(engine, sessions):
    given = await answer(engine, "Up to how much\0 is \x1blunch\x9b reimbursed?\ud800")
    asked, _ = await sessions.turns(1, given.session_id)
    assert asked.text == "Up to how much is lunch reimbursed??"
    assert given.origin is Origin.DOCUMENTS


async def test_an_unknown_session_is_refused(engine):
    with pytest.raises(NotFound):
        await engine.handle(ask("Hello?", session_id="00000000-0000-0000-0000-000000000000"), Collected())


async def test_every_answer_tells_how_long_its_steps_took(engine):
    given = await answer(engine, "Up to how much is lunch reimbursed?")
    assert {"recall", "search", "answer", "save"} <= set(given.steps)
    assert given.seconds >= sum(given.steps.values()) * 0.99
