"""Telegram's webhook over real sockets, from the loopback Bot API into a real PostgreSQL."""

import io
import json
import logging

import aiohttp
import pytest

from adapters.telegram.commands import apply_manifest, make_manifest
from adapters.telegram.files import TICKET_TYPE, TelegramFiles
from adapters.telegram.listen import BODY_BYTES, SECRET_HEADER
from adapters.telegram.polling import keep_webhook
from core.channels import ChannelSettings, Listens
from core.documents import Citation
from core.domain import Answer, Origin
from core.errors import Overloaded, StoreUnavailable, UnreadableDocument
from core.file_tickets import TicketedUploads
from core.inbox import Kind
from core.places import Place, Platform
from tests.platform.telegram_listener import SECRET, open_listener


@pytest.fixture
async def listener(database):
    async with open_listener(database) as listener:
        yield listener


async def post(listener, body=b"{}", name="help", secret=f"{SECRET}-help"):
    async with (
        aiohttp.ClientSession() as client,
        client.post(
            f"{listener.url}/telegram/{name}", data=io.BytesIO(body), headers={SECRET_HEADER: secret}
        ) as response,
    ):
        return response.status


async def test_an_update_is_stored_before_it_is_acknowledged(listener):
    asked = await listener.telegram.say(listener.chat, listener.user, "How long is the vacation?")
    await listener.settle()
    (incoming,) = await listener.stored()
    assert incoming.installation == listener.account.api.bot_id
    assert incoming.message.place == Place(Platform.TELEGRAM, str(listener.chat.chat_id))
    assert (incoming.message_id, incoming.message.text) == (str(asked.message_id), "How long is the vacation?")
    assert [delivery.status for delivery in listener.telegram.deliveries] == [200]
    assert listener.bot.webhook.secret == f"{SECRET}-help"


async def test_the_same_update_again_is_the_same_event(listener):
    listener.telegram.updates.repeat = 3
    for n in range(5):
        await listener.telegram.say(listener.chat, listener.user, f"Question {n}?")
    await listener.settle()
    assert len(listener.telegram.deliveries) == 15
    assert await listener.texts() == [f"Question {n}?" for n in range(5)]


@pytest.mark.parametrize(("name", "secret"), [("help", "wrong"), ("help", ""), ("nobody", SECRET), ("help", "é")])
async def test_without_the_secret_nothing_is_read(listener, name, secret):
    assert await post(listener, b'{"update_id": 1}', name, secret.encode().decode("latin-1")) == 401
    assert await listener.stored() == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"7",
        b"\xff",
        b"{}",
        b'{"update_id": "x"}',
        b'{"update_id": 1, "message": 7}',
        b"[" * 100_000,
        b"x" * (BODY_BYTES + 10),
    ],
)
async def test_what_is_no_update_is_acknowledged_and_logged(listener, body, caplog):
    caplog.set_level(logging.DEBUG)
    assert await post(listener, body) == 200
    assert await listener.stored() == []
    assert "dropped" in caplog.text or "ignored" in caplog.text


async def test_a_malformed_update_holds_nothing_up(listener):
    listener.telegram.send_update(listener.bot, "message", {"chat": {"id": "x"}, "text": []}, listener.chat.chat_id)
    await listener.telegram.say(listener.chat, listener.user, "And this?")
    await listener.settle()
    assert await listener.texts() == ["And this?"]


async def test_without_postgresql_telegram_delivers_again(listener):
    listener.acceptance.errors = [StoreUnavailable("PostgreSQL does not answer.")] * 2
    await listener.telegram.say(listener.chat, listener.user, "Is anybody there?")
    await listener.settle()
    assert [delivery.status for delivery in listener.telegram.deliveries] == [503, 503, 200]
    assert await listener.texts() == ["Is anybody there?"]


async def test_too_much_is_acknowledged_and_the_author_told_once(listener):
    listener.acceptance.errors = [Overloaded("Too much is waiting; try again in a minute.", 60.0)] * 3
    for n in range(3):
        await listener.telegram.say(listener.chat, listener.user, f"Question {n}?")
    await listener.settle()
    assert [delivery.status for delivery in listener.telegram.deliveries] == [200] * 3
    assert [message.text for message in listener.telegram.from_bot(listener.chat)] == [
        "Too much is waiting; try again in a minute."
    ]


async def test_each_bot_has_its_own_secret_and_installation(database):
    async with open_listener(database, ("one", "two")) as listener:
        assert await post(listener, name="two", secret=f"{SECRET}-one") == 401
        for bot in listener.bots.values():
            await listener.telegram.say(listener.telegram.private(bot, listener.user), listener.user, "Hello?")
        await listener.settle()
        installations = [incoming.installation for incoming in await listener.stored()]
        assert sorted(installations) == sorted(account.api.bot_id for account in listener.accounts.values())


async def test_in_a_group_only_what_is_for_the_bot_is_stored_unless_its_settings_say_more(listener):
    listener.bot.can_read_all = True
    group = listener.telegram.add_group(listener.user, listener.bot.user)
    await listener.telegram.say(group, listener.user, "Does anybody know?")
    await listener.telegram.say(group, listener.user, "@help_bot do you know?")
    await listener.settle()
    assert await listener.texts() == ["do you know?"]
    place = Place(Platform.TELEGRAM, str(group.chat_id))
    await listener.channels.save(1, place, ChannelSettings(listens=Listens.ALWAYS))
    listener.intake._settings.clear()
    await listener.telegram.say(group, listener.user, "And now?")
    await listener.settle()
    assert await listener.texts() == ["do you know?", "And now?"]


async def test_commands_are_told_from_questions(listener):
    for text in ("/tickets", "/ask How long?", "How long?"):
        await listener.telegram.say(listener.chat, listener.user, text)
    await listener.settle()
    assert ["command" in incoming.address for incoming in await listener.stored()] == [True, False, False]


async def test_a_rating_is_stored_and_its_button_answered_in_the_reader_s_language(listener):
    message = await listener.answered(Answer("Twenty days.", Origin.DOCUMENTS, None))
    query = await listener.telegram.press(message, listener.user, "👍")
    await listener.settle()
    (incoming,) = await listener.stored()
    assert (incoming.kind, incoming.target) == (Kind.FEEDBACK, str(message.message_id))
    assert incoming.detail["rating"] == 1
    assert query.answered is not None
    assert query.answered["text"]


async def test_a_button_that_was_pressed_too_long_ago_still_counts(listener):
    message = await listener.answered(Answer("Twenty days.", Origin.DOCUMENTS, None))
    listener.bot.webhook.url = ""
    await listener.telegram.press(message, listener.user, "👍")
    update = listener.bot.updates[-1].body
    listener.telegram.clock.advance(200)
    assert await post(listener, json.dumps(update).encode()) == 200
    await listener.settle()
    assert [incoming.kind for incoming in await listener.stored()] == [Kind.FEEDBACK]
    assert "query is too old" in listener.telegram.violations[-1].description


@pytest.mark.parametrize("quote", ["Short.", "Full-time employees have 28 days. " * 20])
async def test_a_source_shows_its_passage(listener, quote):
    citation = Citation(1, 1, 1, "Time off", "time-off.md", None, quote)
    message = await listener.answered(Answer("Twenty days [1].", Origin.DOCUMENTS, None, citations=(citation,)))
    query = await listener.telegram.press(message, listener.user, "[1]")
    await listener.settle()
    shown = [query.answered["text"], *(sent.text for sent in listener.telegram.from_bot(listener.chat)[1:])]
    assert any(quote.strip() in text for text in shown)
    assert await listener.stored() == []


async def test_a_passage_of_another_answer_is_not_shown(listener):
    citation = Citation(1, 1, 1, "Time off", "time-off.md", None, "A secret.")
    first = await listener.answered(Answer("One [1].", Origin.DOCUMENTS, None, citations=(citation,)))
    await listener.answered(Answer("Two.", Origin.DOCUMENTS, None))
    data = next(row for row in first.markup["inline_keyboard"])[0]["callback_data"]
    query = listener.telegram.send_callback(listener.telegram.from_bot(listener.chat)[-1], listener.user, data)
    unknown = listener.telegram.send_callback(first, listener.user, "drop table")
    await listener.settle()
    assert "secret" not in query.answered["text"]
    assert query.answered["show_alert"]
    assert unknown.answered["show_alert"]


async def test_a_code_is_carried_out_and_not_stored(listener):
    await listener.telegram.say(listener.chat, listener.user, "/admin bcdfg-hjkmn-pqrst-vwxyz-bcdfg-hjkmn")
    await listener.settle()
    assert await listener.stored() == []
    async with listener.database.tenant(1) as connection:
        (row,) = await connection.fetch("select purpose, content from outbox")
    assert (row["purpose"], row["content"]["text"]) == ("notice", "heard 1 words")


def uploads_of(listener):
    files = TelegramFiles({listener.account.api.bot_id: listener.account.api})
    return TicketedUploads(listener.uploads, TICKET_TYPE, files.fetch)


async def test_a_file_is_named_at_once_and_fetched_when_it_is_read(listener):
    file = listener.telegram.state.add_file("cat.txt", "text/plain", b"The cat is called Ambrose.")
    await listener.telegram.say(listener.chat, listener.user, "What is its name?", document=file)
    await listener.settle()
    (incoming,) = await listener.stored()
    (attachment,) = incoming.message.attachments
    assert (attachment.name, attachment.reason) == ("cat.txt", "")
    assert "getfile" not in [name for name, _ in listener.telegram.calls]
    assert (await listener.uploads.get(1, attachment.upload_id)).media_type == TICKET_TYPE
    uploads = uploads_of(listener)
    fetched = await uploads.get(1, attachment.upload_id)
    assert (fetched.name, fetched.data) == ("cat.txt", b"The cat is called Ambrose.")


async def test_a_ticket_that_somebody_else_wrote_fetches_nothing(listener):
    file = listener.telegram.state.add_file("pay.txt", "text/plain", b"Salaries")
    ticket = f'["{listener.account.api.bot_id}", "{file.file_id}", "{"0" * 64}"]'.encode()
    upload_id = await listener.uploads.put(1, "pay.txt", TICKET_TYPE, ticket, limit_bytes=1_000)
    uploads = uploads_of(listener)
    with pytest.raises(UnreadableDocument):
        await uploads.get(1, upload_id)


async def test_the_webhook_is_set_again_until_telegram_takes_it(listener):
    listener.bot.webhook.url = ""
    listener.telegram.be_out(1)
    await keep_webhook(listener.account, listener.url)
    assert listener.bot.webhook.url.startswith(f"{listener.url}/telegram/help")
    assert "message_reaction" in listener.bot.allowed


async def test_a_bot_says_of_itself_what_the_manifest_says(listener):
    manifest, stranger = make_manifest(), listener.telegram.add_user("stranger")
    administrators = [str(listener.user.user_id), str(stranger.user_id)]
    for _ in range(2):
        (unknown,) = await apply_manifest(listener.account.api, manifest, administrators)
        assert str(stranger.user_id) in unknown
    shown = listener.bot.commands
    wanted = {(held["scope"], held["language_code"]): held["commands"] for held in manifest["commands"]}
    assert shown["all_group_chats", "de"] == wanted["all_group_chats", "de"]
    assert shown[f"chat:{listener.chat.chat_id}", "fr"] == wanted["administrator", "fr"]
    assert listener.bot.descriptions["description", "es"] == manifest["descriptions"]["es"]
    assert listener.bot.menus[0] == {"type": "commands"}
