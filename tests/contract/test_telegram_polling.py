"""Long polling: one poller of many, nothing lost and nothing doubled whatever dies."""

import asyncio
import sys
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from adapters.postgres.channels import PostgresChannels
from adapters.postgres.earlier import PostgresEarlier
from adapters.postgres.inbox import PostgresInbox
from adapters.postgres.outbox import PostgresOutbox
from adapters.postgres.polling import hold_polling
from adapters.postgres.uploads import PostgresUploads
from adapters.telegram.api import TelegramApi
from adapters.telegram.files import TICKET_TYPE
from adapters.telegram.intake import Account, Intake
from adapters.telegram.polling import Poller
from adapters.telegram.sources import Sources
from core.accepting import Acceptance
from core.errors import StoreUnavailable
from core.file_tickets import FileTickets
from core.meter import Unmetered
from core.pacing import PreferredPacer
from tests.platform.telegram_server import TelegramServer

UPDATES, CHATS = 200, 20


class Failing:
    """An acceptance that fails for some texts, once each."""

    def __init__(self, acceptance, texts=(), error=None):
        self._acceptance = acceptance
        self._texts = set(texts)
        self._error = error or StoreUnavailable("PostgreSQL does not answer.")

    async def accept(self, incoming):
        if incoming.message.text in self._texts:
            self._texts.discard(incoming.message.text)
            raise self._error
        return await self._acceptance.accept(incoming)


@asynccontextmanager
async def free_for_all(_):
    """Let everybody poll at once."""
    yield asyncio.Event()


class Process:
    """What one process does: a poller of its own, with connections of its own."""

    def __init__(self, telegram, bot, database, lock, failing=(), error=None):
        self.api = TelegramApi("help", bot.token, PreferredPacer(), base_url=telegram.url)
        outbox = PostgresOutbox(database)
        self.intake = Intake(
            Failing(Acceptance(PostgresInbox(database, author_limit=10_000), Unmetered()), failing, error),
            PostgresChannels(database),
            FileTickets(PostgresUploads(database), TICKET_TYPE),
            Sources(outbox),
            outbox,
            PostgresEarlier(database),
        )
        self.poller = Poller(Account(self.api, 1, "secret"), self.intake, lock)
        self.task = asyncio.create_task(self.poller.run())

    async def stop(self):
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task
        await self.intake.close()
        await self.api.close()


@pytest.fixture
async def telegram():
    async with TelegramServer(scale=0.05) as telegram:
        telegram.bot = telegram.add_bot()
        telegram.chats = [telegram.private(telegram.bot, telegram.add_user(f"u{n}")) for n in range(CHATS)]
        yield telegram


async def write(telegram, first=0, last=UPDATES):
    """Write messages to all chats in turn."""
    for number in range(first, last):
        chat = telegram.chats[number % CHATS]
        await telegram.say(chat, chat.user, f"{number}")


async def stored(database):
    async with database.tenant(1) as connection:
        rows = await connection.fetch("select channel, event_id, message_id from inbox order by inbox_id")
    return [(row["channel"], int(row["message_id"])) for row in rows]


async def until_stored(database, count):
    async with asyncio.timeout(30):
        while len(await stored(database)) < count:  # noqa: ASYNC110 - other connections write it
            await asyncio.sleep(0.02)


def in_order(found):
    """Check that each chat's messages are stored once and as they were written."""
    by_chat = {}
    for channel, message_id in found:
        by_chat.setdefault(channel, []).append(message_id)
    return all(numbers == list(range(1, len(numbers) + 1)) for numbers in by_chat.values())


async def test_updates_are_stored_once_and_in_order_and_then_confirmed(telegram, database, addresses):
    await write(telegram)
    process = Process(telegram, telegram.bot, database, partial(hold_polling, addresses.application))
    await until_stored(database, UPDATES)
    await asyncio.sleep(0.1)
    assert telegram.bot.updates == []
    await process.stop()
    assert in_order(await stored(database))
    assert telegram.violations == []


async def test_a_webhook_gives_way_to_polling(telegram, database, addresses):
    telegram.bot.webhook.url = "http://127.0.0.1:9/telegram/help"
    await write(telegram, last=5)
    process = Process(telegram, telegram.bot, database, partial(hold_polling, addresses.application))
    await until_stored(database, 5)
    await process.stop()
    assert telegram.bot.webhook.url == ""


async def test_what_could_not_be_stored_comes_again_and_nothing_twice(telegram, database, addresses):
    await write(telegram)
    failing = [f"{number}" for number in range(0, UPDATES, 37)]
    process = Process(telegram, telegram.bot, database, partial(hold_polling, addresses.application), failing)
    await until_stored(database, UPDATES)
    await process.stop()
    assert in_order(await stored(database))


async def test_what_nobody_thought_of_does_not_end_the_polling(telegram, database, addresses):
    await write(telegram, last=20)
    lock = partial(hold_polling, addresses.application)
    process = Process(telegram, telegram.bot, database, lock, ["7"], RuntimeError("nobody thought of it"))
    await until_stored(database, 20)
    await process.stop()
    assert in_order(await stored(database))


async def test_of_several_processes_one_polls_and_the_next_takes_over(telegram, database, addresses):
    lock = partial(hold_polling, addresses.application)
    processes = [Process(telegram, telegram.bot, database, lock) for _ in range(3)]
    for first in range(0, UPDATES, UPDATES // 3 + 1):
        last = min(first + UPDATES // 3 + 1, UPDATES)
        await write(telegram, first, last)
        await until_stored(database, last)
        if processes[1:]:
            polling = next(process for process in processes if process.poller.is_polling)
            processes.remove(polling)
            await polling.stop()
    for process in processes:
        await process.stop()
    assert in_order(await stored(database))
    assert [violation for violation in telegram.violations if violation.code == 409] == []


async def test_a_second_poller_without_the_lock_is_borne_with(telegram, database):
    processes = [Process(telegram, telegram.bot, database, free_for_all) for _ in range(2)]
    async with asyncio.timeout(30):
        while not any(violation.code == 409 for violation in telegram.violations):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    await write(telegram, last=100)
    await until_stored(database, 100)
    for process in processes:
        await process.stop()
    assert in_order(await stored(database))


HOLD = """
import asyncio, sys
from adapters.postgres.polling import hold_polling

async def main():
    async with hold_polling(sys.argv[1], "7"):
        print("held", flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_the_lock_of_a_process_that_is_killed_is_taken_over(addresses):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLD, addresses.application, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    assert await process.stdout.readline() == b"held\n"
    waiting = asyncio.create_task(_hold_and_let_go(addresses.application, "7"))
    await _hold_and_let_go(addresses.application, "8")
    assert not waiting.done()
    process.kill()
    await process.wait()
    async with asyncio.timeout(30):
        await waiting


async def _hold_and_let_go(url, name):
    async with hold_polling(url, name):
        return


async def test_who_loses_the_connection_hears_that_the_lock_is_lost(addresses, server):
    import asyncpg

    async with hold_polling(addresses.application, "7") as lost:
        connection = await asyncpg.connect(addresses.owner)
        try:
            await connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where application_name = 'frontdesk polling' and datname = current_database()"
            )
        finally:
            await connection.close()
        async with asyncio.timeout(10):
            await lost.wait()
        async with hold_polling(addresses.application, "7") as other:
            assert not other.is_set()


async def test_without_postgresql_nobody_polls():
    with pytest.raises(StoreUnavailable):
        async with hold_polling("postgresql://nobody:nothing@127.0.0.1:9/none", "7"):
            pass
