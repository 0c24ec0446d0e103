"""Many bots in one process: each serves its own tenant, and one whose token is refused keeps no other from it."""

import shutil
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from pydantic import SecretStr

from bots.service import open_service
from bots.settings import Settings
from bots.telegram import open_bots
from core.checks import PartState
from core.errors import UsageError
from core.pacing import PreferredPacer
from core.places import Platform
from ingest.sources import sources
from tests.platform.contract import until
from tests.platform.house import open_house
from tests.platform.telegram_server import TelegramServer

SECRET = "a-secret-of-the-webhook"
REFUSED = "123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDs00"
QUESTION = "How many vacation days do full-time employees have?"


@pytest.fixture
def folder():
    made = Path(tempfile.mkdtemp(prefix="frontdesk-bots-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
async def telegram():
    async with TelegramServer(scale=0.05) as telegram:
        yield telegram


def settings(telegram, bots, **more):
    return {
        "telegram_bots": bots,
        "telegram_secret": SecretStr(SECRET),
        "telegram_api_url": telegram.url,
        "telegram_mode": "webhook",
        "public_url": "https://help.example.org",
        **more,
    }


def listen(telegram, house, **bots):
    for name, bot in bots.items():
        bot.webhook.url, bot.webhook.secret = f"{house.base_url}/telegram/{name}", SECRET
        telegram.updates.deliver(bot)


@asynccontextmanager
async def as_owner(addresses):
    connection = await asyncpg.connect(addresses.owner)
    yield connection
    await connection.close()


async def settled(house, chats, telegram):
    async def look():
        return all(telegram.from_bot(chat) for chat in chats)

    await until(look)
    await until(house.is_idle)


async def test_bots_of_two_tenants_know_nothing_of_each_other(telegram, addresses, folder):
    async with as_owner(addresses) as owner:
        await owner.execute("insert into tenants (tenant_id, slug, name) values (2, 'other', 'Other')")
    one, two = telegram.add_bot("one_bot"), telegram.add_bot("two_bot")
    person = telegram.add_user()
    chats = [telegram.private(bot, person) for bot in (one, two)]
    named = {"one": one.token, "two@2": two.token}
    told = settings(telegram, named, telegram_administrators=frozenset([str(person.user_id)]))
    async with open_house(addresses, folder, told) as house:
        await fill(house, folder / "theirs", "Full-time employees have 31 vacation days.")
        listen(telegram, house, one=one, two=two)
        for chat in chats:
            await telegram.say(chat, person, QUESTION)
        await settled(house, chats, telegram)
        ours, theirs = (next(asked for asked in house.model.asked if days in asked) for days in ("28 days", "31 vac"))
        assert "31 vac" not in ours
        assert "28 days" not in theirs
        rows = await house.fetch(
            "select tenant_id, installation from inbox union select tenant_id, installation from outbox"
        )
        assert {tuple(row) for row in rows} == {(1, str(one.bot_id)), (2, str(two.bot_id))}
        for chat in chats:
            await telegram.say(chat, person, "/kb list")
        await until(lambda: said(telegram, chats, 2))
        lists = [telegram.from_bot(chat)[-1].text for chat in chats]
        assert "handbook" in lists[0]
        assert "handbook" not in lists[1]
        assert "theirs" not in "".join(lists)  # an administrator of the one tenant is none of the other


async def said(telegram, chats, count):
    return all(len(telegram.from_bot(chat)) >= count for chat in chats)


async def fill(house, made, text):
    frontdesk = house.service.frontdesk
    kb = await frontdesk.knowledge.create(2, "theirs", tuple(Platform))
    made.mkdir()
    (made / "time-off.md").write_text(f"# Time off\n\n{text}\n")
    await frontdesk.ingestion.ingest(2, kb, sources([str(made)]), lambda _: None)


async def test_what_waits_in_any_tenant_is_given_a_job(telegram, addresses, folder):
    async with as_owner(addresses) as owner:
        await owner.execute("insert into tenants (tenant_id, slug, name) values (2, 'other', 'Other')")
    bot = telegram.add_bot()
    chat = telegram.private(bot, telegram.add_user())
    async with open_house(addresses, folder, settings(telegram, {"help@2": bot.token})) as house:
        await house.stop_worker()
        listen(telegram, house, help=bot)
        await telegram.say(chat, chat.user, QUESTION)
        await telegram.updates.settled()
        await house.fetch("delete from procrastinate_jobs")
        await house.fetch("update inbox set received_at = received_at - interval '1 hour'")
        await house.service.sweep()
        ((jobs,),) = await house.fetch("select count(*) from procrastinate_jobs where args->>'tenant_id' = '2'")
        assert jobs == 1
        assert 'tenant="2"' in (await house.service.meter.expose())[0].decode()


async def test_a_tenant_that_is_not_there_is_named(telegram, addresses, folder):
    with pytest.raises(UsageError, match="tenant 7"):
        await start(telegram, addresses, folder, {"help@7": telegram.add_bot().token})


async def start(telegram, addresses, folder, bots):
    made = Settings(
        _env_file=None,
        frontdesk_home=folder,
        database_url=SecretStr(addresses.application),
        **settings(telegram, bots),
    )
    async with open_service(made, lambda _: None):
        pass


async def test_one_refused_token_keeps_no_other_bot_from_its_work(telegram, addresses, folder, caplog):
    bot = telegram.add_bot()
    chat = telegram.private(bot, telegram.add_user())
    async with open_house(addresses, folder, settings(telegram, {"bad": REFUSED, "good": bot.token})) as house:
        assert "The bot bad is left out" in caplog.text
        assert REFUSED not in caplog.text
        assert len(house.service.background) == 1
        listen(telegram, house, good=bot)
        await telegram.say(chat, chat.user, QUESTION)
        await settled(house, [chat], telegram)
        report = await house.service.health().report()
        assert report.parts["telegram"].state is PartState.DOWN
        assert "the token of the bot bad" in caplog.text
        assert report.ready


async def test_without_a_good_bot_frontdesk_serves_what_else_there_is(telegram, addresses, folder):
    other = settings(telegram, {"bad": REFUSED}, http_keys={"app": "k" * 32})
    async with open_house(addresses, folder, other) as house:
        assert house.service.background == ()


async def test_with_nothing_else_to_serve_it_does_not_start(telegram, addresses, folder):
    with pytest.raises(UsageError, match="the token of the bot bad"):
        await start(telegram, addresses, folder, {"bad": REFUSED})


async def test_a_bot_that_cannot_be_asked_yet_is_no_refused_one(telegram):
    away = settings(telegram, {"help": REFUSED}) | {"telegram_api_url": "http://127.0.0.1:9"}
    async with open_bots(Settings(_env_file=None, **away), PreferredPacer()) as bots:
        assert [api.refused for api in bots.values()] == [""]
