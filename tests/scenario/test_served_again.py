"""An answer is made once and served again, never to who may not read it and never after its documents have changed."""

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings

from adapters.embedded.extractive import ExtractiveAnswerer
from adapters.postgres.bots import PostgresBots
from adapters.postgres.knowledge import PostgresKnowledge
from adapters.postgres.search import PostgresSearch
from adapters.postgres.sessions import PostgresSessions
from core.domain import Author, BotConfiguration, Message, Mode, Origin
from core.places import EMPLOYEE_PLATFORMS, Place, Platform
from tests.scenario.house import ask_engine, make_engine
from tests.scenario.vacation import QUESTION, save_days, steps


class Counting:
    """An answerer that counts how often it is asked, and can be slow or fail."""

    name = "counting"
    judges = False

    def __init__(self):
        self.asked = 0
        self.delay_s = 0.0
        self.fails = 0

    async def answer(self, request, reply):
        self.asked += 1
        await asyncio.sleep(self.delay_s)
        if self.fails:
            self.fails -= 1
            raise RuntimeError("the process behind the answerer died")
        return await ExtractiveAnswerer(None).answer(request, reply)


class House:
    """Everything one engine needs, and the words to use it."""

    def __init__(self, database, kb):
        self.knowledge, self.sessions = PostgresKnowledge(database), PostgresSessions(database)
        self.bots, self.kb, self.answerer = PostgresBots(database), kb, Counting()
        self.database, self.threads = database, 0
        self.use(PostgresSearch(database))

    def use(self, retriever):
        self.engine = make_engine(self.database, retriever=retriever, answerers=self.choose)

    async def choose(self, bot):
        return self.answerer

    async def save(self, days, source="/time-off.md"):
        await save_days(self.knowledge, self.kb, days, source)

    async def ask(self, text=QUESTION, platform=Platform.CONSOLE, channel="general", thread=None, **more):
        self.threads += 1
        place = Place(platform, channel, thread or f"thread {self.threads}")
        return await ask_engine(self.engine, Message(1, place, Author("u1"), text, **more))


@pytest.fixture
async def house(database, kb):
    made = House(database, kb)
    await made.save(28)
    return made


async def test_the_same_question_is_answered_once(house):
    first = await house.ask()
    again = await house.ask("  how many VACATION days do full-time employees have ")
    assert (first.cached, again.cached) == ("", "exact")
    assert (again.text, again.citations) == (first.text, first.citations)
    assert house.answerer.asked == 1


async def test_what_was_served_again_stands_in_its_own_conversation(house):
    await house.ask()
    again = await house.ask()
    asked, answered = await house.sessions.turns(1, again.session_id)
    assert (asked.text, answered.text) == (QUESTION, again.text)
    assert answered.citations == again.citations


async def test_fifty_who_ask_at_once_are_answered_by_one_answer(house):
    house.answerer.delay_s = 0.2
    answers = await asyncio.gather(*(house.ask() for _ in range(50)))
    assert house.answerer.asked == 1
    assert len({answer.text for answer in answers}) == 1


async def test_when_the_one_who_answers_for_all_fails_another_takes_over(house):
    house.answerer.delay_s, house.answerer.fails = 0.1, 1
    answers = await asyncio.gather(*(house.ask() for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(answer, RuntimeError) for answer in answers) == 1
    assert house.answerer.asked == 2


async def test_a_changed_document_is_answered_from_at_once(house):
    await house.ask()
    await house.save(31)
    assert "31 days" in (await house.ask()).text


async def test_a_removed_document_is_in_no_answer(house):
    await house.ask()
    await house.knowledge.remove_document(1, house.kb.kb_id, "/time-off.md")
    assert (await house.ask()).origin is Origin.NOTHING_FOUND


async def test_a_place_that_may_not_read_is_not_served_what_another_place_was(house):
    await house.ask()
    assert (await house.ask(platform=Platform.TELEGRAM)).origin is Origin.NOTHING_FOUND
    await house.knowledge.set_scope(1, "handbook", [Platform.SLACK], [])
    assert (await house.ask()).origin is Origin.NOTHING_FOUND


class Granting:
    """A retriever that lets a knowledge base be granted right before it searches."""

    def __init__(self, retriever, grant):
        self.readable, self.retriever, self.grant = retriever.readable, retriever, grant

    async def search(self, tenant_id, query):
        await self.grant()
        return await self.retriever.search(tenant_id, query)


async def test_what_is_granted_to_one_place_while_it_asks_is_not_served_to_another(house, database):
    async def grant():
        await house.knowledge.set_scope(1, "board", [Platform.TEAMS, Platform.CONSOLE], [])

    house.kb = await house.knowledge.create(1, "board", [Platform.TEAMS])
    await house.save(99, source="/board.md")
    house.use(Granting(PostgresSearch(database), grant))
    await house.ask()
    assert "99" not in (await house.ask(platform=Platform.SLACK)).text


async def test_an_answer_that_rests_on_what_was_said_before_is_not_shared(house):
    await house.save(30, source="/interns.md")
    await house.ask(thread="mine")
    await house.ask("and for employees?", thread="mine")
    before = house.answerer.asked
    await house.ask("How many vacation days do full-time employees have? and for employees?")
    assert house.answerer.asked == before + 1


async def test_nothing_found_is_not_kept(house):
    assert (await house.ask("May I bring my dog?")).origin is Origin.NOTHING_FOUND
    await house.save("28 (your dog may count them)", source="/dogs.md")
    assert (await house.ask("May I bring my dog?")).cached == ""


async def test_another_bot_answers_for_itself(house):
    await house.ask()
    await house.bots.save(1, BotConfiguration(name="default", prompt="Be brief."))
    assert (await house.ask()).cached == ""


async def test_an_author_narrows_what_a_bot_reads_and_never_widens_it(house):
    await house.bots.save(1, BotConfiguration(name="default", knowledge_bases=("other",)))
    assert (await house.ask()).origin is Origin.NOTHING_FOUND
    assert (await house.ask(knowledge_bases=("handbook",))).origin is Origin.NOTHING_FOUND


async def test_open_mode_without_a_model_still_never_makes_things_up(house):
    answer = await house.ask(thread="open")
    await house.sessions.set_mode(1, answer.session_id, Mode.OPEN)
    assert (await house.ask("May I bring my dog?", thread="open")).origin is Origin.NOTHING_FOUND


async def test_secrets_are_hidden_before_anything_is_kept_and_the_author_is_told(house):
    number = "4111 1111 1111 1111"
    answer = await house.ask(f"My card is {number}. How many vacation days do full-time employees have?")
    said = await house.sessions.turns(1, answer.session_id)
    assert "card number" in answer.notice
    assert all(number not in turn.text + turn.question for turn in said)
    assert number not in (await house.sessions.session(1, answer.session_id)).title


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
@given(happened=steps("ask"))
async def test_no_answer_is_ever_older_than_its_documents(house, happened):
    await house.knowledge.set_scope(1, "handbook", EMPLOYEE_PLATFORMS, [])
    await house.save(28)
    days, readable = 28, True
    for step, value in happened:
        if step == "change":
            await house.save(value)
            days = value
        elif step == "remove" and days is not None:
            await house.knowledge.remove_document(1, house.kb.kb_id, "/time-off.md")
            days = None
        elif step == "withdraw":
            readable = value
            platforms = EMPLOYEE_PLATFORMS if readable else [Platform.SLACK]
            await house.knowledge.set_scope(1, "handbook", platforms, [])
        elif step == "ask":
            answer = await house.ask(value)
            if days is None or not readable:
                assert answer.origin is Origin.NOTHING_FOUND
            else:
                assert f"{days} days" in answer.text
