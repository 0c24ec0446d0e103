"""People in Microsoft's local Teams client: what they see of `frontdesk serve`, and what comes of what they press.

Needs Node, Chromium and `npm ci --prefix tests/endtoend`. Pictures of each chat and the logs of all processes are left
in build/endtoend, or in ENDTOEND_PICTURES.
"""

import asyncio
import os
import shutil
import sys
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from aiohttp import web

from adapters.embedded.postgres import attach
from tests.endtoend.playground import Person, missing, running, showing, sitting_at
from tests.platform.house import model_server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing()), reason=missing()),
    pytest.mark.asyncio(loop_scope="module"),
]

FRONTDESK = Path(sys.executable).with_name("frontdesk")
PICTURES = Path(os.environ.get("ENDTOEND_PICTURES") or Path(__file__).parents[2] / "build" / "endtoend")
GREETING = "What would you like to know?"
HUMAN = "I need a person"
WAITS = "A person will answer here."
HANDBOOK = """# Handbook

## Vacation

Full-time employees have 28 days of paid vacation in a calendar year. Ask your manager before you book.

## Parental leave

Parental leave is 14 weeks for each parent. Tell us two months ahead.

## Meals

Lunch is reimbursed up to 18 euro a day when you travel. Keep the receipt.
"""


@dataclass(frozen=True)
class Chat:
    """A chat of the client, and what is asked in it."""

    name: str
    scope: str
    question: str
    answer: tuple[str, str]
    source: str
    thumb: str
    rating: int

    @property
    def is_personal(self):
        return self.scope == "personal"


CHATS = (
    Chat(
        "Personal Chat",
        "personal",
        "How many days of vacation do full-time employees have?",
        ("Full-time employees have 28 days of paid vacation in a calendar year", "Ask your manager first"),
        "Handbook › Vacation",
        "Like",
        1,
    ),
    Chat(
        "Group Chat",
        "groupChat",
        "How long is parental leave?",
        ("Parental leave is 14 weeks for each parent", "Tell us two months ahead"),
        "Handbook › Parental leave",
        "Dislike",
        -1,
    ),
    Chat(
        "My Team - General",
        "channel",
        "How much lunch is reimbursed when I travel?",
        ("Lunch is reimbursed up to 18 euro a day when you travel", "Keep the receipt"),
        "Handbook › Meals",
        "Like",
        1,
    ),
)


@dataclass(frozen=True)
class Desk:
    """Frontdesk as it runs, and a person in front of Teams."""

    person: Person
    model: Any
    folder: Path
    environment: dict[str, str]
    database_url: str

    async def run(self, *arguments):
        """Run a command as whoever runs Frontdesk does."""
        process = await asyncio.create_subprocess_exec(
            FRONTDESK, *arguments, cwd=self.folder, env=self.environment, stdout=asyncio.subprocess.PIPE
        )
        said, _ = await process.communicate()
        assert process.returncode == 0, said
        return said.decode()

    async def wait_for(self, sql, *arguments):
        """Return the first row, as soon as there is one."""
        connection = await asyncpg.connect(self.database_url)
        try:
            async with asyncio.timeout(20):
                while True:
                    if found := await connection.fetchrow(sql, *arguments):
                        return found
                    await asyncio.sleep(0.05)
        finally:
            await connection.close()


@pytest.fixture(scope="module")
def folder():
    made = Path(tempfile.mkdtemp(prefix="frontdesk-endtoend-"))
    made.chmod(0o755)
    (made / "home").mkdir(mode=0o755)
    (made / "handbook.md").write_text(HANDBOOK)
    PICTURES.mkdir(parents=True, exist_ok=True)
    yield made
    for log in made.glob("*.log"):
        shutil.copy(log, PICTURES)
    shutil.rmtree(made, ignore_errors=True)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(folder):
    async with AsyncExitStack() as stack:
        database = stack.enter_context(attach(folder / "home"))
        server = await stack.enter_async_context(model_server.running_server())
        environment = {
            **os.environ,
            "FRONTDESK_HOME": str(folder / "home"),
            "TEAMS_AUTHENTICATION": "off",
            "OPENAI_API_KEY": "secret",
            "OPENAI_BASE_URL": server.base_url,
            "MODELS": "m-2026",
        }
        here = {"cwd": folder, "env": environment}
        ingest = [FRONTDESK, "ingest", "handbook.md", "--kb", "staff"]
        await stack.enter_async_context(running(folder / "ingest.log", "indexed", *ingest, **here))
        serve = [FRONTDESK, "serve", "--host", "127.0.0.1", "--port", "0"]
        found = await stack.enter_async_context(running(folder / "serve.log", r"(http://127\S+)", *serve, **here))
        url = await stack.enter_async_context(showing(folder, f"{found[1]}/teams/messages"))
        person = await stack.enter_async_context(sitting_at(url, folder))
        yield Desk(person, server, folder, environment, database.owner_url("frontdesk"))


def words(*sentences):
    """Cut SENTENCES into what a model streams, with a mark each."""
    return [model_server.chunk(f"{word} ") for sentence in sentences for word in f"{sentence} [1].".split()]


def pausing(first, second, go_on):
    """Stream FIRST, and SECOND when GO_ON is set."""

    async def answer(request):
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        beginning, *rest = words(second)
        await response.write(b"".join([model_server.chunk("ANSWERED\n"), *words(first), beginning]))
        await go_on.wait()
        await response.write(b"".join([*rest, model_server.chunk(finish="stop"), model_server.DONE]))
        return response

    return answer


@pytest.mark.parametrize("chat", CHATS, ids=[chat.scope for chat in CHATS])
async def test_an_answer_is_read_rated_and_handed_to_a_person(desk, chat):
    person, (first, second) = desk.person, chat.answer
    await person.do("open", chat=chat.name)
    await person.read(GREETING)

    go_on = asyncio.Event()
    desk.model.script = [pausing(first, second, go_on)]
    await person.say(chat.question, mention=not chat.is_personal)
    if chat.is_personal:  # where an answer is shown while it is written
        assert second not in await person.read(first, after=chat.question)
    go_on.set()
    answered = await person.read(HUMAN, after=chat.question)
    for part in (first, second, "AI generated", f"[1] {chat.source}"):
        assert part in answered

    assert (await person.do("point", name="1")).count(first) == 2, "the mark shows the passage"
    await person.do("press", name=f"[1] {chat.source}")
    await person.read(first, after=f"[1] {chat.source}")

    reason = f"Because of {chat.scope}"
    assert "Thank you!" in await person.do("rate", thumb=chat.thumb, words=reason)
    rated = await desk.wait_for("select * from feedback where reason = $1", reason)
    assert rated["rating"] == chat.rating

    await person.do("press", name=HUMAN)
    card = await person.read(WAITS, after=chat.question)
    ticket = await desk.wait_for("select * from tickets where question = $1", chat.question)
    assert (ticket["state"], ticket["reason"]) == ("open", "The author asked for a person.")
    assert f"I opened ticket {ticket['number']}" in card
    assert f"Ticket {ticket['number']}\n" in card
    await person.do("picture", path=str(PICTURES / f"teams-{chat.scope}.png"))


async def test_a_persons_answer_arrives_and_its_ticket_is_over(desk):
    person = desk.person
    await person.do("open", chat="Personal Chat")
    desk.model.script = [model_server.stream(model_server.chunk("NOT ANSWERED", "stop"), model_server.DONE)]
    await person.say("May I bring my dog?")
    await person.read("Refresh", after="May I bring my dog?")
    ticket = await desk.wait_for("select * from tickets where question = $1", "May I bring my dog?")

    await desk.run("tickets", "answer", str(ticket["number"]), "Only a small one.")
    answered = await person.read("Only a small one.", after="May I bring my dog?")
    assert f"A person answered ticket {ticket['number']}:" in answered
    await person.do("press", name="Refresh")
    after = await person.read("A person has answered.", after="May I bring my dog?")
    assert WAITS not in after.rpartition("opened ticket")[2].partition("\n")[2], "no card says that it waits"


async def test_commands_and_an_answer_that_is_stopped(desk):
    person = desk.person
    await person.do("open", chat="Personal Chat")
    for command, said in (("/help", "/export [markdown|json]"), ("/kb list", "Only administrators may write /kb list")):
        await person.say(command)
        await person.read(said, after=f"\n{command}\n")

    desk.model.script = [pausing(*CHATS[0].answer, asyncio.Event())]
    await person.say("What about vacation of full-time employees, at length?")
    await person.read(CHATS[0].answer[0], after="at length?")
    await person.say("stop")
    await person.read("Stopped.", after="at length?")
    async with asyncio.timeout(10):
        await desk.model.hung_up.wait()
    await person.do("picture", path=str(PICTURES / "teams-stopped.png"))


async def test_whoever_installs_the_app_is_greeted_and_who_joins_is_not(desk):
    person = desk.person
    await person.do("open", chat="Personal Chat")
    before = (await person.read(GREETING)).count(GREETING)
    for activity in ("Uninstall application", "Install application"):
        await person.do("mock", activity=activity)
    await person.read("Show what I can do")
    await person.do("mock", activity="Add user")
    await person.say("Thank you!")
    await person.read("welcome", after="Thank you!")
    assert (await person.read(GREETING)).count(GREETING) == before + 1
