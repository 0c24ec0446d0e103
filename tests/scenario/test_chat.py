"""`frontdesk chat` and `frontdesk ask` as people use them: a real terminal, real processes, a loopback model."""

import asyncio
import fcntl
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from contextlib import asynccontextmanager, suppress

import asyncpg
import pytest

from bots.console import Conversation, open_console
from bots.settings import Settings
from bots.wiring import open_frontdesk
from core.domain import Author, Origin
from tests.contract.model_server import DONE, STALL, chunk, running_server, stream
from tests.scenario.command_line import FRONTDESK

TIME_OFF = "# Time off\n\nFull-time employees have 28 days of paid vacation in a calendar year.\n"
QUESTION = "How many vacation days do full-time employees have?"
SAID = "Full-time employees have 28 days of paid vacation"
ENDLESS = stream(chunk(f"ANSWERED\n{SAID} [1]."), chunk(" And then"), STALL)
WHOLE = stream(chunk(f"ANSWERED\n{SAID} [1]."), chunk(finish="stop"), DONE)
# A session of its own whose terminal is stdin, with signals as a shell leaves them.
LAUNCH = """
import fcntl, os, signal, sys, termios
signal.signal(signal.SIGINT, signal.SIG_DFL)
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
_STYLE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b\]8;[^\x1b]*\x1b\\")


@pytest.fixture(scope="module")
def frontdesk(frontdesk):
    (frontdesk.folder / "time-off.md").write_text(TIME_OFF)
    frontdesk("ingest", "time-off.md", "--kb", "staff")
    return frontdesk


@pytest.fixture
async def model():
    async with running_server() as server:
        yield server


def with_model(model):
    return {"MODELS": "m", "OPENAI_BASE_URL": model.base_url, "OPENAI_API_KEY": "secret"}


class Terminal:
    """A command in a terminal, and what stands on its screen."""

    def __init__(self, process, master):
        self.process = process
        self._master = master
        self.screen = ""

    def type(self, text):
        os.write(self._master, text.encode())

    async def see(self, words, seconds=60):
        """Wait until WORDS stand on the screen behind what was seen before; return everything up to them."""
        end = time.monotonic() + seconds
        while words not in self.screen:
            assert time.monotonic() < end, f"no {words!r} in {self.screen!r}"
            await asyncio.sleep(0.02)
            with suppress(BlockingIOError, OSError):  # an ended command has closed its end
                self.screen += _STYLE.sub("", os.read(self._master, 65_536).decode(errors="replace"))
        before, _, self.screen = self.screen.partition(words)
        return before

    async def code(self):
        return await asyncio.to_thread(self.process.wait, 30)


@asynccontextmanager
async def terminal(frontdesk, *arguments, **settings):
    """Run a command in a terminal of its own until the block ends."""
    master, slave = pty.openpty()
    fcntl.fcntl(master, fcntl.F_SETFL, os.O_NONBLOCK)
    process = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-c", LAUNCH, FRONTDESK, *arguments],
        cwd=frontdesk.folder,
        env={**frontdesk.environment, **settings, "TERM": "xterm"},
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    try:
        yield Terminal(process, master)
    finally:
        process.kill()
        process.wait()
        os.close(master)


async def fetch(frontdesk, sql):
    connection = await asyncpg.connect(frontdesk.server.owner_url("frontdesk"))
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def until(fact, seconds=60):
    async with asyncio.timeout(seconds):
        while not await fact():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_ctrl_c_stops_the_answer_and_keeps_what_was_written(frontdesk, model):
    model.script = [ENDLESS, WHOLE]
    async with terminal(frontdesk, "chat", **with_model(model)) as chat:
        await chat.see("you> ")
        chat.type(f"{QUESTION}\n")
        await chat.see(f"{SAID} [1].")
        chat.type("\x03")
        await chat.see("Stopped.")
        await chat.see("you> ")
        assert model.hung_up.is_set()
        chat.type("/history\n")
        assert f"{SAID} [1]." in await chat.see("you> ")
        chat.type("And how many days of vacation is that for full-time employees?\n")
        await chat.see(f"{SAID} [1].")
        chat.type("/quit\n")
        assert await chat.code() == 0


async def test_ctrl_c_at_the_prompt_ends_the_conversation(frontdesk):
    async with terminal(frontdesk, "chat") as chat:
        await chat.see("you> ")
        chat.type("\x03")
        assert await chat.code() == 130


async def test_a_second_ctrl_c_ends_a_program_that_nobody_answers(frontdesk):
    answers = "insert into procrastinate_workers (last_heartbeat) values (now() + interval '1 hour') returning id"
    worker = await fetch(frontdesk, answers)
    try:
        async with terminal(frontdesk, "ask", QUESTION) as asked:
            await until(lambda: fetch(frontdesk, "select exists (select from inbox where state = 'waiting')"))
            asked.type("\x03")
            await asyncio.sleep(0.5)
            asked.type("\x03")
            assert await asked.code() == 130
    finally:
        await fetch(frontdesk, f"delete from procrastinate_workers where id = {worker}")
    assert frontdesk("ask", "Hi!").stdout.startswith("Hello")


async def test_a_persons_answer_is_shown_when_it_comes_and_at_the_next_start(frontdesk):
    async with terminal(frontdesk, "chat") as chat:
        await chat.see("you> ")
        chat.type("Can I bring my dog to the office?\n")
        await chat.see("I opened ticket ")
        number = (await chat.see("; a person")).strip()
        await chat.see("session ")
        session = (await chat.see("you> ")).split()[0]
        await asyncio.to_thread(frontdesk, "tickets", "answer", number, "Yes, on Fridays.")
        await chat.see("Yes, on Fridays.")
        chat.type("/quit\n")
        assert await chat.code() == 0
    frontdesk("tickets", "answer", number, "Small dogs only.")
    again = frontdesk("chat", "--session", session, stdin="Thank you!\n").stdout
    assert "Small dogs only." in again
    assert "Small dogs only." not in frontdesk("chat", "--session", session, stdin="Bye!\n").stdout


async def test_a_question_leaves_nothing_undone(frontdesk):
    undone = """
        select array[(select count(*) from inbox where state <> 'ended'),
            (select count(*) from outbox where settled is null), (select count(*) from procrastinate_jobs)]
    """
    before = await fetch(frontdesk, undone)
    answer = json.loads(frontdesk("ask", QUESTION, "--json").stdout)
    assert answer["origin"] == "documents"
    assert await fetch(frontdesk, undone) == before


@pytest.mark.slow
async def test_what_a_killed_command_was_asked_is_answered_by_the_next_worker(frontdesk, model):
    model.script = [ENDLESS]
    question = "How many days of paid vacation are there in a calendar year?"
    asked = frontdesk.start("ask", question, **with_model(model))
    while not model.requests:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    asked.kill()
    asked.communicate()
    waiting = "select count(*) from inbox where state <> 'ended'"
    assert await fetch(frontdesk, waiting) == 1
    async with terminal(frontdesk, "chat") as chat:
        await chat.see("you> ")
        await until(lambda: fetch(frontdesk, f"select ({waiting}) = 0"))
    assert "28 days" in await fetch(frontdesk, "select text from turns order by turn_id desc limit 1")


async def test_where_there_is_a_worker_it_answers(frontdesk, model):
    model.script = [WHOLE]
    worker = frontdesk.start("worker", **with_model(model))
    try:
        assert "Working" in await asyncio.to_thread(worker.stdout.readline)
        asked = "Tell me how many vacation days full-time employees have in a year"
        typed = "Of how many days is the paid vacation of full-time employees?"
        for command, stdin in ((["ask", asked], ""), (["chat"], f"{typed}\n")):
            answered = await asyncio.to_thread(frontdesk, *command, stdin=stdin)
            assert f"{SAID} [1]." in answered.stdout  # which the command, knowing of no model, would not have said
    finally:
        worker.send_signal(signal.SIGTERM)
        await asyncio.to_thread(worker.communicate)


def test_a_file_comes_into_the_folder_beside_the_one_that_is_there(frontdesk, folder):
    frontdesk("chat", stdin=f"{QUESTION}\n/export\n/export\n")
    assert QUESTION in (folder / "frontdesk.md").read_text()
    assert (folder / "frontdesk-2.md").exists()


async def test_a_code_is_stored_nowhere(frontdesk):
    code = re.search(r"\b(?:[a-z]{5}-){5}[a-z]{5}\b", frontdesk("admin", "invite").stdout)[0]
    frontdesk("chat", stdin=f"/admin {code}\n")
    assert await fetch(frontdesk, "select count(*) from administrator_codes where used_at is not null") == 1
    assert await fetch(frontdesk, f"select count(*) from inbox where body::text like '%{code}%'") == 0


async def test_whoever_has_the_terminal_may_ask_as_often_as_they_like(folder):
    settings = Settings(frontdesk_home=folder / "home", author_per_minute=1)
    async with open_frontdesk(settings, lambda _: None) as frontdesk, open_console(frontdesk) as console:
        conversation = Conversation(console, Author("u1"), serves=True)
        answers = [await conversation.say("Hello there!") for _ in range(3)]
        assert [answer.origin for answer in answers] == [Origin.SMALL_TALK] * 3
