"""Telegram's adapter with servers that stand in for Telegram and know less: people are answered all the same."""

import asyncio
import json
import logging
from contextlib import asynccontextmanager, suppress

import aiohttp
import pytest
from telegram.error import BadRequest

from adapters.postgres.outbox import PostgresOutbox
from adapters.telegram.commands import apply_manifest, make_manifest
from adapters.telegram.completed import completed
from adapters.telegram.polling import IDLE_S, Poller, webhook_url
from adapters.telegram.responses import TooMany, read
from core.places import Place, Platform
from tests.contract.test_telegram_channel import ANSWER, Desk, grow
from tests.platform.telegram_listener import open_listener
from tests.platform.telegram_server import Clock
from tests.platform.telegram_stand_in import UNKNOWN, StandIn

PIECES = ["Twenty ", "days ", "and ", "nights"]
MANNERS = pytest.mark.parametrize("unknown", UNKNOWN.values(), ids=UNKNOWN)


@asynccontextmanager
async def open_desk(database, **stand_in):
    clock = Clock(manual=True)
    async with StandIn(clock=clock, **stand_in) as telegram:
        desk = Desk(telegram, clock, PostgresOutbox(database))
        yield desk
        await desk.api.close()


# Methods that are missing


@MANNERS
async def test_without_drafts_a_private_answer_grows_as_a_message(database, unknown):
    async with open_desk(database, lacks=["sendMessageDraft"], unknown=unknown) as desk:
        reply = desk.channel.reply(await desk.posting())
        await grow(desk, reply, PIECES, every_s=2.0)
        assert desk.texts() == ["Twenty days and nights"]
        await reply.finish(ANSWER)
        assert desk.texts() == ["Twenty days & <nights>."]
        assert (desk.count("sendmessage"), desk.count("sendmessagedraft")) == (1, 1)


@MANNERS
async def test_without_edits_an_answer_is_one_message_in_the_end(database, unknown):
    async with open_desk(database, lacks=["editMessageText"], unknown=unknown) as desk:
        for asked in range(2):
            reply = desk.channel.reply(await desk.posting(desk.group))
            await grow(desk, reply, PIECES, every_s=4.0)
            await reply.finish(ANSWER)
            assert desk.texts(desk.group) == ["Twenty days & <nights>."] * (asked + 1)
        assert desk.count("sendmessage") == 3  # what grew the first time; nothing does the second time


async def test_a_draft_that_the_server_fails_at_is_a_message_and_drafts_are_tried_again_later(database):
    failing = (500, {"message": "Something went wrong"})
    async with open_desk(database, lacks=["sendMessageDraft"], unknown=failing) as desk:
        for _ in range(2):
            reply = desk.channel.reply(await desk.posting())
            await grow(desk, reply, PIECES, every_s=2.0)
            await reply.finish(ANSWER)
        assert desk.texts() == ["Twenty days & <nights>."] * 2
        assert desk.count("sendmessagedraft") == 1
        desk.telegram.lacks.clear()
        desk.clock.advance(60.0)
        await grow(desk, desk.channel.reply(await desk.posting()), PIECES)
        assert len(desk.telegram.live_drafts(desk.chat)) == 1


@MANNERS
async def test_a_manifest_is_applied_as_far_as_the_server_knows_it(database, unknown):
    lacks = ["setMyCommands", "setMyShortDescription"]
    async with open_desk(database, lacks=lacks, unknown=unknown) as desk:
        said = await apply_manifest(desk.api, make_manifest(), [str(desk.user.user_id)])
        assert [next(method for method in lacks if method in sentence) for sentence in said] == lacks
        assert desk.bot.menus[0] == {"type": "commands"}


@pytest.mark.parametrize("result", [{}, True, None, {"message_id": None, "chat": 7}], ids=str)
async def test_a_message_whose_id_is_not_said_is_sent_once(database, result):
    async with open_desk(database, results={"sendMessage": result}) as desk:
        reply = desk.channel.reply(await desk.posting())
        await reply.finish(ANSWER)
        assert desk.texts() == ["Twenty days & <nights>."]


# Updates


@asynccontextmanager
async def polling(listener):
    @asynccontextmanager
    async def alone(_):
        yield asyncio.Event()

    task = asyncio.create_task(Poller(listener.account, listener.intake, alone).run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until_stored(listener, count):
    async with asyncio.timeout(20):
        while len(await listener.stored()) < count:  # noqa: ASYNC110 - other connections write it
            await asyncio.sleep(0.02)


@MANNERS
async def test_a_server_that_deletes_no_webhook_is_polled(database, unknown):
    server = StandIn(scale=0.01, lacks=["deleteWebhook"], unknown=unknown)
    async with open_listener(database, server=server) as listener:
        listener.bot.webhook.url = ""
        async with polling(listener):
            await server.say(listener.chat, listener.user, "How long?")
            await until_stored(listener, 1)


async def test_a_server_that_holds_no_poll_is_not_asked_all_the_time(database):
    server = StandIn(scale=0.0)
    async with open_listener(database, server=server) as listener:
        listener.bot.webhook.url = ""
        async with polling(listener), server.polls:
            await asyncio.wait_for(server.polls.wait_for(lambda: server.polled), 20)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(server.polls.wait_for(lambda: server.polled > 1), IDLE_S / 2)


@pytest.fixture
async def listener(database):
    me = {"id": 666, "first_name": "Test", "username": "TestNameBot"}
    async with open_listener(database, server=StandIn(scale=0.01, results={"getMe": me})) as listener:
        yield listener


async def hear(listener, **payload):
    await listener.intake.take(listener.account, {"update_id": 1, **payload})
    return await listener.stored()


def message(text="How long?", **fields):
    return {
        "message_id": 1,
        "date": 100,
        "chat": {"id": 5, "type": "private"},
        "from": {"id": 5},
        "text": text,
        **fields,
    }


async def test_a_bot_that_the_server_gives_another_id_is_the_one_of_its_token(listener):
    (incoming,) = await hear(listener, message=message())
    assert incoming.installation == listener.account.api.bot_id != "666"


@pytest.mark.parametrize("text", ["@testnamebot How long?", "How long, @TestNameBot?", "/ask@TestNameBot How long?"])
async def test_a_mention_counts_where_the_server_writes_no_entities(listener, text):
    group = {"id": -5, "type": "group"}
    await hear(
        listener, message=message(text.replace("TestNameBot", "OtherBot").replace("testnamebot", "x"), chat=group)
    )
    (incoming,) = await hear(listener, message=message(text, message_id=2, chat=group))
    assert "How long" in incoming.message.text


async def test_a_reply_to_the_bot_counts_under_the_id_the_server_gives_it(listener):
    ours = {"message_id": 7, "from": {"id": 666, "is_bot": True}, "chat": {"id": -5}}
    assert await hear(listener, message=message(chat={"id": -5, "type": "group"}, reply_to_message=ours))


async def test_numbers_in_quotation_marks_and_what_is_missing_are_plain_enough(listener):
    written = {"message_id": "1", "date": "100", "chat": {"id": "5"}, "text": "How long?"}
    (incoming,) = await hear(listener, message=written, update_id="1")
    assert incoming.message.place == Place(Platform.TELEGRAM, "5")
    assert (incoming.message.author.author_id, incoming.message_id, incoming.message.direct) == ("5", "1", True)


async def test_a_server_that_counts_from_one_again_is_heard(listener):
    for date in (100, 100, 200):
        await hear(listener, message=message(f"Asked at {date}?", date=date))
    assert await listener.texts() == ["Asked at 100?", "Asked at 200?"]


async def test_an_edit_is_newer_than_its_message_there_too(listener):
    await hear(listener, message=message())
    edited = message("How short?", edit_date=100)
    first, second = await hear(listener, update_id=2, edited_message=edited)
    assert first.revision < second.revision


@pytest.mark.parametrize("levels", [10, 400])
def test_a_deep_update_is_looked_through_as_far_as_it_means_something(levels):
    deep = {"id": "1"}
    for _ in range(levels):
        deep = {"chat": deep}
    assert completed({"update_id": "3", "message": deep})["update_id"] == 3


def test_what_telegram_writes_stays_as_it_is():
    update = {
        "update_id": 3,
        "callback_query": {"id": "77", "from": {"id": 5}, "data": "12", "chat_instance": "99"},
        "message": message("@a_bot", entities=[{"type": "mention", "offset": 0, "length": 6}]),
    }
    assert completed(update) == update


@pytest.mark.parametrize("ours", [True, False])
async def test_a_button_without_its_message_is_that_of_the_answer_in_its_chat(listener, ours):
    sent = await listener.answered(ANSWER)
    rows = [button["callback_data"] for row in sent.markup["inline_keyboard"] for button in row]
    chat_id = listener.chat.chat_id if ours else 6
    query = {"id": "8", "from": {"id": listener.user.user_id}, "message": {"chat": {"id": chat_id}}, "data": rows[0]}
    stored = await hear(listener, callback_query=query)
    assert [incoming.target for incoming in stored] == [str(sent.message_id)] * ours


# The webhook


@pytest.mark.parametrize(("right", "status"), [(True, 200), (False, 401)])
async def test_a_server_that_sends_no_secret_is_known_by_the_address_it_was_given(listener, right, status):
    url = listener.bot.webhook.url if right else f"{listener.url}/telegram/help?secret=wrong"
    async with aiohttp.ClientSession() as client, client.post(url, json={"update_id": 1, "message": message()}) as said:
        assert said.status == status
    assert len(await listener.stored()) == int(right)


async def test_telegram_itself_and_what_proxies_log_get_an_address_without_a_secret(listener):
    url = listener.bot.webhook.url
    assert "secret" not in webhook_url("https://desk.example.com", listener.account)
    listener.account.api.stands_in = False
    assert "secret" not in webhook_url("http://desk.example.com", listener.account)
    async with aiohttp.ClientSession() as client, client.post(url, json={"update_id": 1, "message": message()}) as said:
        assert said.status == 401


# Responses


async def test_a_file_that_looks_like_a_response_is_a_file(database):
    written = b'{"ok": false, "error_code": 404}'
    async with open_desk(database) as desk:
        file = desk.telegram.state.add_file("said.json", "application/json", written)
        found = await desk.api.call("getFile", file_id=file.file_id)
        assert await desk.api.download(found["file_path"]) == written


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, {"ok": True, "result": [1]}, (200, {"ok": True, "result": [1]})),
        (200, {"message": "sent"}, (200, {"ok": True, "result": None})),
        (200, {"ok": False, "result": []}, (400, {"parameters": {}})),
        (200, {"ok": False, "error_code": 403, "description": "no"}, (403, {"description": "no", "parameters": {}})),
        (400, {"description": 7, "parameters": [1]}, (400, {"parameters": {}})),
        (400, {"parameters": {"migrate_to_chat_id": -9}}, (400, {"parameters": {"migrate_to_chat_id": -9}})),
        (400, {"parameters": {"migrate_to_chat_id": "-9"}}, (400, {"parameters": {"migrate_to_chat_id": -9}})),
        (400, {"parameters": {"migrate_to_chat_id": "-x"}}, (400, {"parameters": {}})),
        (400, {"parameters": {"migrate_to_chat_id": True}}, (400, {"parameters": {}})),
        (404, "no such thing", (404, {"parameters": {}})),
        (502, "<html>", (502, {"parameters": {}})),
    ],
)
def test_a_response_is_read_as_telegram_would_write_it(status, body, expected):
    code, said = read(status, json.dumps(body).encode())
    assert (code, json.loads(said)) == expected


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        ({"parameters": {"retry_after": 7}}, 7.0),
        ({"parameters": {"retry_after": "7"}}, 7.0),
        ({"description": "Too Many Requests: retry after 7"}, 7.0),
        ({"parameters": {"retry_after": []}}, 1.0),
        ({"parameters": {"retry_after": -3}}, 0.0),
        ({"parameters": {"retry_after": 1e300}}, 3600.0),
        ({"parameters": {"retry_after": 10**12}}, 3600.0),
        ({"parameters": {"retry_after": float("inf")}}, 3600.0),
        ({"parameters": {"retry_after": float("nan")}}, 1.0),
        ({"description": f"Too Many Requests: retry after {'9' * 400}"}, 3600.0),
        ("slow down", 1.0),
    ],
)
def test_a_429_says_how_long_to_wait_or_a_second(body, seconds):
    with pytest.raises(TooMany) as waits:
        read(429, json.dumps(body).encode())
    assert waits.value.retry_after_s == seconds


@pytest.mark.parametrize(
    "words",
    [
        "API method 'sendMessageDraft' is not supported.",
        "Method sendMessageDraft not found",
        "unknown method",
        "No such API method",
        "unsupported endpoint",
        "route not found",
        "sendMessageDraft is not supported",
        "Not Implemented",
        "Not supported yet.",
    ],
)
def test_a_failure_that_names_the_method_says_that_it_is_missing(words):
    with pytest.raises(BadRequest, match="Not Found"):
        read(500, json.dumps({"ok": False, "description": "Oh", "message": words}).encode())


@pytest.mark.parametrize(
    "words",
    [
        "The transaction isolation level is not supported",
        "unsupported media in the cache",
        "operation not supported on socket",
        "the method failed: compression is not supported",
        "parseMode is not supported",
    ],
)
def test_a_failure_of_something_else_is_an_outage(words):
    assert read(500, json.dumps({"description": words}).encode())[0] == 500


@pytest.mark.parametrize("status", [406, 410, 415, 422])
def test_what_a_server_will_not_read_is_not_sent_again(status):
    with pytest.raises(BadRequest):
        read(status, b'{"detail": "no"}')


async def test_no_log_names_the_token(database, caplog):
    caplog.set_level(logging.DEBUG)
    for unknown in UNKNOWN.values():
        async with open_desk(database, lacks=["sendMessageDraft", "editMessageText"], unknown=unknown) as desk:
            reply = desk.channel.reply(await desk.posting())
            await grow(desk, reply, PIECES, every_s=2.0)
            await reply.finish(ANSWER)
            ours = [record.getMessage() for record in caplog.records if record.name != "aiohttp.access"]
            assert not any(desk.bot.token.partition(":")[2] in text for text in ours)
