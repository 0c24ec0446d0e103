"""What Telegram, or a proxy before it, refuses once: it costs nobody an answer, and nobody else anything."""

import pytest

from adapters.telegram.api import TelegramApi
from adapters.telegram.outbound import Button, Part
from adapters.telegram.posting import edit_part, send_part
from adapters.telegram.responses import UNKNOWN_METHOD
from core.errors import ChannelUnavailable, Rejected, UsageError
from tests.contract.test_telegram_channel import ANSWER, grow
from tests.contract.test_telegram_stand_ins import MANNERS, PIECES, open_desk
from tests.platform.telegram_stand_in import UNKNOWN

PAGES = pytest.mark.parametrize("page", [UNKNOWN["404 with a page"], UNKNOWN["405"]], ids=["404", "405"])
BUTTONS = ((Button("Stop", "stop:1"),),)
WRITTEN = Part("<b>twenty</b>", "twenty", BUTTONS)


@pytest.fixture
async def desk(database):
    async with open_desk(database) as desk:
        yield desk


def refused(words, status=400):
    return status, {"ok": False, "error_code": status, "description": f"Bad Request: {words}"}


async def answer(desk, chat=None, pieces=PIECES, every_s=2.0):
    reply = desk.channel.reply(await desk.posting(chat))
    await grow(desk, reply, pieces, every_s)
    await reply.finish(ANSWER)


# Drafts


@pytest.mark.parametrize(
    "words", ["message thread not found", "chat not found", "user not found", "drafts are not allowed in this chat"]
)
async def test_a_draft_that_is_refused_for_one_chat_is_sent_to_the_others(desk, words):
    desk.telegram.stray["sendmessagedraft"] = [refused(words)]
    await answer(desk)
    assert (desk.texts(), desk.count("sendmessagedraft")) == (["Twenty days & <nights>."], 1)
    other = desk.telegram.private(desk.bot, desk.telegram.add_user("other"))
    await grow(desk, desk.channel.reply(await desk.posting(other)), PIECES, every_s=2.0)
    assert len(desk.telegram.live_drafts(other)) == 1


@pytest.mark.parametrize("said", [UNKNOWN["405"], refused("drafts are not supported")], ids=["method", "words"])
async def test_a_draft_that_is_refused_for_the_bot_is_tried_again_after_some_minutes(desk, said):
    desk.telegram.stray["sendmessagedraft"] = [said]
    for _ in range(2):
        await answer(desk)
    assert desk.count("sendmessagedraft") == 1
    desk.clock.advance(600.0)
    await grow(desk, desk.channel.reply(await desk.posting()), PIECES)
    assert len(desk.telegram.live_drafts(desk.chat)) == 1


# Methods that are missing for a moment


@MANNERS
async def test_no_server_lacks_what_sends_a_message(desk, unknown):
    desk.telegram.stray["sendmessage"] = [unknown]
    posting = await desk.posting()
    with pytest.raises(ChannelUnavailable, match="sendMessage"):
        await desk.channel.reply(posting).finish(ANSWER)
    await desk.channel.reply(posting).finish(ANSWER)
    assert desk.texts() == ["Twenty days & <nights>."]
    assert posting.doubtful == 0


@PAGES
async def test_no_server_lacks_what_names_the_bot(desk, page):
    desk.telegram.stray["getme"] = [page]
    with pytest.raises(ChannelUnavailable, match="getMe"):
        await desk.api.me()
    assert desk.api.refused == ""
    assert (await desk.api.me()).username == "frontdesk_bot"


async def test_a_token_that_telegram_has_no_address_for_is_a_wrong_one(desk):
    token = f"{desk.api.bot_id}:{'x' * 10}"
    api = TelegramApi("short", token, desk.pacer, base_url=desk.telegram.url)
    desk.telegram.stray["getme"] = [(404, {"ok": False, "error_code": 404, "description": UNKNOWN_METHOD})]
    with pytest.raises(UsageError, match="bot short"):
        await api.me()
    await api.close()


@PAGES
async def test_an_edit_that_is_missing_once_is_tried_again_after_a_minute(desk, page):
    desk.telegram.stray["editmessagetext"] = [page]
    await grow(desk, desk.channel.reply(await desk.posting(desk.group)), PIECES, every_s=4.0)
    assert desk.count("editmessagetext") == 1
    desk.clock.advance(60.0)
    await grow(desk, desk.channel.reply(await desk.posting(desk.group)), PIECES, every_s=4.0)
    assert desk.count("editmessagetext") > 2
    assert desk.texts(desk.group)[-1] == "Twenty days and nights"


async def test_what_worked_after_all_is_no_longer_taken_to_be_missing(desk):
    sent = await send_part(desk.api, desk.target().address, WRITTEN)
    desk.telegram.stray["editmessagetext"] = [UNKNOWN["405"]]
    with pytest.raises(Rejected):
        await edit_part(desk.api, desk.chat.chat_id, sent, Part("thirty", "thirty"))
    assert desk.api.lacks("editMessageText")
    await edit_part(desk.api, desk.chat.chat_id, sent, Part("thirty", "thirty"))
    assert not desk.api.lacks("editMessageText")


@MANNERS
async def test_a_server_without_edits_is_not_asked_again_for_each_piece(database, unknown):
    async with open_desk(database, lacks=["editMessageText"], unknown=unknown) as desk:
        await answer(desk, desk.group, [f"word{number} " for number in range(40)], every_s=4.0)
        assert desk.texts(desk.group) == ["Twenty days & <nights>."]
        assert desk.count("editmessagetext") <= 4  # in 160 s, and the last one


# Messages that are not as Telegram wants them


UNFIT = pytest.mark.parametrize(
    "words",
    [
        "BUTTON_URL_INVALID",
        "BUTTON_DATA_INVALID",
        "message is too long",
        "message text is empty",
        "message to be replied not found",
    ],
)


@UNFIT
@pytest.mark.parametrize("before", [[], [refused("can't parse entities: Unsupported start tag")]], ids=["", "html"])
async def test_a_message_that_is_refused_is_sent_once_more_as_plain_text_alone(desk, words, before):
    asked = await desk.telegram.say(desk.group, desk.user, "How long?")
    desk.telegram.stray["sendmessage"] = [*before, refused(words)]
    address = desk.target(desk.group, reply_to=asked.message_id).address
    await send_part(desk.api, address, WRITTEN, reply=True)
    (message,) = desk.telegram.from_bot(desk.group)
    assert (message.text, message.markup, message.reply_to) == ("twenty", None, None)
    assert desk.count("sendmessage") == 2 + len(before)


@UNFIT
async def test_an_edit_that_is_refused_is_made_once_more_as_plain_text_alone(desk, words):
    sent = await send_part(desk.api, desk.target().address, WRITTEN)
    desk.telegram.stray["editmessagetext"] = [refused(words)]
    await edit_part(desk.api, desk.chat.chat_id, sent, Part("<b>thirty</b>", "thirty", BUTTONS))
    (message,) = desk.telegram.from_bot(desk.chat)
    assert (message.text, message.markup) == ("thirty", None)


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a" + "\N{OPEN BOOK}" * 3_000, "a" + "\N{OPEN BOOK}" * 2_047), ("\u200b \n", "…"), ("", "…")],
    ids=["long", "unseen", "empty"],
)
async def test_what_is_sent_once_more_can_be_sent(desk, text, shown):
    await send_part(desk.api, desk.target().address, Part(text, text))
    assert desk.texts() == [shown]


async def test_a_refusal_of_the_chat_is_not_tried_again(desk):
    desk.telegram.stray["sendmessage"] = [refused("not enough rights to send text messages to the chat")]
    with pytest.raises(Rejected, match="rights"):
        await send_part(desk.api, desk.target().address, WRITTEN)
    assert desk.count("sendmessage") == 1
