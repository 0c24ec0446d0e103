"""Many updates of Telegram through all of Frontdesk: one answer each, in order in each chat."""

import asyncio
import shutil
import tempfile
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

import pytest

from bots.service import open_service
from tests.platform.house import open_house
from tests.platform.telegram_server import TelegramServer

CHATS, EACH = 20, 2


@pytest.fixture
def folder():
    made = Path(tempfile.mkdtemp(prefix="frontdesk-updates-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


async def write(telegram, chats):
    """Write to all chats in turn; commands, so that no two are answered together."""
    asked = defaultdict(list)
    for number in range(CHATS * EACH):
        chat = chats[number % CHATS]
        said = await telegram.say(chat, chat.user, f"/ask How many days of vacation, number {number}?")
        asked[str(chat.chat_id)].append(said.message_id)
    return asked


async def answered(house):
    """Return which messages of each chat are answered, in the order of the answers."""
    rows = await house.fetch(
        "select channel, message_id, sent -> 0 ->> 'message_id' as below from outbox where settled = 'sent'"
    )
    found = defaultdict(list)
    for row in sorted(rows, key=lambda row: int(row["below"])):
        found[row["channel"]].append(int(row["message_id"]))
    return found


async def until_answered(telegram, chats, house, count):
    async with asyncio.timeout(90):
        while sum(len(telegram.from_bot(chat)) for chat in chats) < count or not await house.is_idle():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def cancel(task):
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["polling", "webhook"])
async def test_each_update_has_one_answer_in_its_order(addresses, folder, mode):
    async with TelegramServer(scale=0.05) as telegram:
        bot = telegram.add_bot()
        chats = [telegram.private(bot, telegram.add_user(f"u{number}")) for number in range(CHATS)]
        settings = {"telegram_bots": {"help": bot.token}, "telegram_api_url": telegram.url, "telegram_mode": mode}
        settings["public_url"] = "http://127.0.0.1:9"
        async with (
            open_house(addresses, folder, settings) as house,
            open_service(house.service.frontdesk.settings, lambda _: None) as other,
        ):
            if mode == "webhook":
                telegram.updates.repeat = 3
                bot.webhook.secret = house.service.background[0].args[0].secret
                bot.webhook.url = f"{house.base_url}/telegram/help"
                asked = await write(telegram, chats)
                telegram.updates.deliver(bot)
            else:
                asked = await write(telegram, chats)
                first, second = (asyncio.create_task(service.background[0]()) for service in (house.service, other))
                await until_some(telegram, chats)
                await cancel(first)
                asked_more = await write(telegram, chats)
                for channel, numbers in asked_more.items():
                    asked[channel] += numbers
            await until_answered(telegram, chats, house, sum(map(len, asked.values())))
            if mode == "polling":
                await cancel(second)
            assert await answered(house) == asked
            assert sum(len(telegram.from_bot(chat)) for chat in chats) == sum(map(len, asked.values()))
            assert telegram.early_calls == 0


async def until_some(telegram, chats):
    async with asyncio.timeout(60):
        while not any(telegram.from_bot(chat) for chat in chats):  # noqa: ASYNC110 - others write them
            await asyncio.sleep(0.02)
