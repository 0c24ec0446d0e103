"""Stories of a conversation with a model of a loopback server: its memory, and its follow-ups rewritten."""

import asyncio
import re
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from adapters.openai.chat import connect
from adapters.openai.retry import RetryPolicy
from core.cost import Tally, parse_prices
from core.domain import Origin, Role, Turn, Usage
from core.memory import recall, summarise, turn_tokens
from core.rewrite import Rewriter
from tests.contract.model_server import COUNT, CUT, DONE, STALL, chunk, error, running_server, stream

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
FIRST = "How many vacation days do I get?"
CARRIED = f"{FIRST} and for part-timers?"
BUDGET = 300


@pytest.fixture
async def server():
    async with running_server() as server:
        yield server


@asynccontextmanager
async def model_of(server):
    policy = RetryPolicy(base_s=0.01, cap_s=0.02)
    async with connect(base_url=server.base_url, api_key="secret", model="m", policy=policy) as model:
        yield model


def says(text, finish="stop"):
    return stream(chunk(text), chunk(finish=finish), COUNT, DONE)


def exchange(turn_id, asked, answered, question=""):
    return [
        Turn(turn_id, Role.AUTHOR, asked, WHEN),
        Turn(turn_id + 1, Role.ASSISTANT, answered, WHEN, question=question or asked, origin=Origin.DOCUMENTS),
    ]


HISTORY = exchange(1, FIRST, "A full-time employee has 28 vacation days [1].")


async def take_notes(request):
    """Answer as a model that notes every rule it is told of, in the notes so far or in the conversation."""
    quoted = (await request.json())["messages"][-1]["content"]
    rules = sorted(set(map(int, re.findall(r"rule (\d+)", quoted))))
    return await says(f"They asked about {', '.join(f'rule {rule}' for rule in rules)}.")(request)


async def test_a_long_conversation_keeps_within_its_budget_and_forgets_no_question(server):
    server.script = [take_notes]
    turns, summary, summarised, tally = [], "", 0, Tally()
    async with model_of(server) as model:
        for rule in range(1, 41):
            answer = f"It says that {'this and that ' * rule}holds [1]."
            turns += exchange(2 * rule - 1, f"What does rule {rule} say?", answer)
            told = recall(turns, summary, summarised, BUDGET)
            assert sum(map(turn_tokens, told.history)) <= BUDGET
            known = f"{told.summary} {' '.join(turn.text for turn in told.history)}"
            assert set(map(int, re.findall(r"rule (\d+)", known))) == set(range(1, rule + 1))
            if told.due:
                summary = await summarise(model, summary, told.pending, "en", tally=tally)
                summarised = told.pending[-1].turn_id
    assert summary.startswith("They asked about rule 1, rule 2,")
    assert 10 <= server.requests <= 14, "a summary is made for every third exchange that falls out"
    assert tally.usage == Usage(21 * server.requests, 5 * server.requests)
    assert tally.cost(parse_prices("m-2026=1/2")) == Decimal(31 * server.requests) / 1_000_000
    body = server.bodies[-1]
    assert (body["max_tokens"], body["temperature"]) == (200, 0.0)
    assert "in English" in body["messages"][0]["content"]
    assert "[1]" not in body["messages"][1]["content"]


async def test_notes_cut_at_their_limit_end_with_a_sentence(server):
    server.script = [says("They asked about leave. They got 28 da", "length")]
    async with model_of(server) as model:
        assert await summarise(model, "", HISTORY, "en") == "They asked about leave."


BROKEN = {
    "refused": error(400),
    "busy": error(503),
    "rubbish": stream(b"data: {rubbish\n\n"),
    "cut": stream(chunk("How"), CUT),
    "empty": says(""),
    "silent": stream(STALL),
}


@pytest.mark.parametrize("behaviour", BROKEN.values(), ids=BROKEN)
async def test_without_an_answer_of_the_model_the_questions_are_the_notes(server, behaviour):
    server.script = [behaviour]
    async with model_of(server) as model:
        noted = await summarise(model, "Before.", HISTORY, "en", deadline_s=0.3)
    assert noted == f"Before.\n- {FIRST}"


async def test_a_follow_up_is_rewritten_by_the_model(server):
    server.script = [says(' "How many vacation days do part-timers get?"\n')]
    tally = Tally()
    async with model_of(server) as model:
        question = await Rewriter(model).stand_alone("and for part-timers?", HISTORY, "de", tally)
    assert question == "How many vacation days do part-timers get?"
    assert tally.by_model == {"m-2026": Usage(21, 5)}
    body = server.bodies[0]
    assert (body["max_tokens"], body["temperature"]) == (120, 0.0)
    assert "in German" in body["messages"][0]["content"]
    assert body["messages"][1]["content"] == (
        f"<conversation>\nauthor: {FIRST}\nassistant: A full-time employee has 28 vacation days.\n</conversation>\n"
        "<message>\nand for part-timers?\n</message>"
    )


@pytest.mark.parametrize(
    ("text", "turns"), [("What is the dress code?", HISTORY), ("and for part-timers?", ()), ("why?", HISTORY[:1])]
)
async def test_the_model_is_not_asked_where_nothing_needs_rewriting(server, text, turns):
    async with model_of(server) as model:
        assert await Rewriter(model).stand_alone(text, turns, "en") == text
    assert server.requests == 0


USELESS = {
    "an answer": says("Part-timers get vacation days in proportion."),
    "an answer with a mark": says("They get 28 vacation days [1]?"),
    "two lines": says("How many vacation days do part-timers get?\nOr interns?"),
    "too long": says(f"How many vacation days {'do they ' * 60}get?"),
    "cut at the limit": says("How many vacation days do part-timers get?", "length"),
    "another number": says("How many of the 31 vacation days do part-timers get?"),
    "something else": says("Would you like some tea?"),
}


@pytest.mark.parametrize("behaviour", [*BROKEN.values(), *USELESS.values()], ids=[*BROKEN, *USELESS])
async def test_terms_are_carried_over_where_the_model_is_no_help(server, behaviour):
    server.script = [behaviour]
    async with model_of(server) as model:
        rewriter = Rewriter(model, deadline_s=0.3)
        assert await rewriter.stand_alone("and for part-timers?", HISTORY, "en") == CARRIED
    assert server.requests >= 1


async def test_a_follow_up_that_loses_its_number_or_name_is_carried_over(server):
    server.script = [says("How many vacation days do I get abroad?")]
    async with model_of(server) as model:
        for text in ("and in Japan?", "and after 10 years?"):
            assert await Rewriter(model).stand_alone(text, HISTORY, "en") == f"{FIRST} {text}"


async def test_only_the_newest_of_a_long_conversation_is_told_to_the_rewriting_model(server):
    server.script = [says("How many vacation days do part-timers get?")]
    turns = [turn for place in range(1, 200, 2) for turn in exchange(place, f"Question {place}?", "word " * 400)]
    async with model_of(server) as model:
        await Rewriter(model).stand_alone("and for part-timers?", [*turns, *HISTORY], "en")
    sent = server.bodies[0]["messages"][1]["content"]
    assert FIRST in sent
    assert "Question 1?" not in sent
    assert len(sent) < 4_000


async def test_stopping_an_answer_stops_its_rewriting(server):
    asked = asyncio.Event()

    async def stall(request):
        asked.set()
        return await stream(chunk("How"), STALL)(request)

    server.script = [stall]
    async with model_of(server) as model:
        task = asyncio.create_task(Rewriter(model).stand_alone("and for part-timers?", HISTORY, "en"))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await server.hung_up.wait()
