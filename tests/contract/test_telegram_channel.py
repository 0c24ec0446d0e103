"""The Telegram channel against the loopback Bot API and a real outbox, on a clock of the test's own."""

import asyncio
import logging
from dataclasses import replace

import pytest

from adapters.postgres.outbox import PostgresOutbox
from adapters.telegram.api import Refusal, TelegramApi, bot_id_of, slots_of
from adapters.telegram.channel import TelegramChannel
from adapters.telegram.outbound import Part
from adapters.telegram.posting import edit_part, send_part
from core.domain import Answer, File, Origin
from core.errors import Busy, ChannelUnavailable, Rejected, UsageError
from core.outbox import Posting, Purpose, Settled, Target
from core.pacing import PreferredPacer
from core.places import Place, Platform
from core.working import working
from tests.platform.telegram_server import Clock, TelegramServer

ANSWER = Answer("Twenty *days* & <nights>.", Origin.DOCUMENTS, None)


class Desk:
    """A bot with its channel, a person and a group they are both in."""

    def __init__(self, telegram, clock, outbox):
        self.telegram, self.clock, self.outbox = telegram, clock, outbox
        self.bot = telegram.add_bot()
        self.user = telegram.add_user()
        self.chat = telegram.private(self.bot, self.user)
        self.group = telegram.add_group(self.user, self.bot.user, is_forum=True)
        self.pacer = PreferredPacer(clock=clock.now, sleep=self.sleep)
        self.api = TelegramApi("help", self.bot.token, self.pacer, base_url=telegram.url, clock=clock.now)
        self.channel = TelegramChannel({self.api.bot_id: self.api}, clock=clock.now, sleep=self.sleep)

    async def sleep(self, seconds):
        self.clock.advance(seconds)

    def target(self, chat=None, **address):
        chat = chat or self.chat
        address = {"chat_id": chat.chat_id, "chat_type": chat.kind, **address}
        place = Place(Platform.TELEGRAM, str(chat.chat_id))
        return Target(1, self.api.bot_id, place, str(self.user.user_id), address)

    async def posting(self, chat=None, **address):
        delivery = await self.outbox.open(self.target(chat, **address), Purpose.ANSWER)
        return Posting(self.outbox, delivery, self.channel.doubt)

    async def again(self, posting):
        """Open the delivery as a worker does that takes it over."""
        delivery = await self.outbox.reopen(1, posting.delivery.outbox_id)
        return Posting(self.outbox, delivery, self.channel.doubt)

    def texts(self, chat=None, topic=None):
        return [message.text for message in self.telegram.from_bot(chat or self.chat, topic)]

    def count(self, method):
        return sum(name == method for name, _ in self.telegram.calls)


@pytest.fixture
async def desk(database):
    clock = Clock(manual=True)
    async with TelegramServer(clock=clock) as telegram:
        desk = Desk(telegram, clock, PostgresOutbox(database))
        yield desk
        await desk.api.close()
        assert telegram.early_calls == 0


async def grow(desk, reply, pieces, every_s=1.0):
    for piece in pieces:
        await reply.write(piece)
        desk.clock.advance(every_s)


@pytest.mark.parametrize("where", ["private", "group"])
async def test_what_comes_in_one_piece_is_one_message_at_once(desk, where):
    chat = desk.chat if where == "private" else desk.group
    reply = desk.channel.reply(await desk.posting(chat))
    await reply.write("Twenty days & <nights>.")
    await reply.finish(ANSWER)
    assert [name for name, _ in desk.telegram.calls] == ["sendmessage"]
    assert desk.clock.now() == 0
    assert desk.texts(chat) == ["Twenty days & <nights>."]


async def test_a_first_piece_that_nothing_comes_after_is_shown_in_the_end(desk):
    posting = await desk.posting()
    reply = desk.channel.reply(posting)
    await reply.write("Twenty days ")
    await desk.channel.working(posting.delivery.target)
    assert desk.telegram.live_drafts(desk.chat) == []
    desk.clock.advance(3.0)
    await desk.channel.working(posting.delivery.target)
    (draft,) = desk.telegram.live_drafts(desk.chat)
    assert draft.text == "Twenty days"
    await reply.finish(ANSWER)


async def test_an_answer_that_is_broken_off_while_it_is_shown_leaves_nothing_unrecorded(desk):
    posting = await desk.posting(desk.group)
    reply = desk.channel.reply(posting)
    await reply.write("Twenty ")
    showing = asyncio.create_task(reply.write("days"))
    while not desk.texts(desk.group):  # noqa: ASYNC110 - the server has it, the response is on its way
        await asyncio.sleep(0)
    showing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await showing
    assert [sent.part for sent in posting.delivery.sent] == [0]
    await desk.channel.withdraw(posting)
    assert desk.texts(desk.group) == []


async def test_a_private_answer_grows_as_a_draft_and_ends_as_one_message(desk):
    posting = await desk.posting()
    reply = desk.channel.reply(posting)
    await grow(desk, reply, ["Twenty ", "days ", "and ", "nights"])
    (draft,) = desk.telegram.live_drafts(desk.chat)
    assert draft.text.startswith("Twenty days")
    assert draft.can_stop
    await reply.finish(ANSWER)
    (message,) = desk.telegram.from_bot(desk.chat)
    assert message.text == "Twenty days & <nights>."
    assert not message.previews
    assert message.reply_to is None
    assert desk.telegram.live_drafts(desk.chat) == []
    assert desk.telegram.violations == []


async def test_drafts_are_at_least_a_second_and_a_half_apart_and_back_off(desk):
    reply = desk.channel.reply(await desk.posting())
    await grow(desk, reply, [f"word{n} " for n in range(600)], every_s=0.1)
    assert 5 <= desk.count("sendmessagedraft") <= 16
    assert desk.telegram.flood.refused == 0


async def test_in_a_group_one_message_grows_by_edits_three_seconds_apart(desk):
    question = await desk.telegram.say(desk.group, desk.user, "How long?")
    posting = await desk.posting(desk.group, reply_to=question.message_id)
    reply = desk.channel.reply(posting)
    await grow(desk, reply, [f"word{n} " for n in range(100)], every_s=0.3)
    assert desk.count("sendmessage") == 1
    assert 3 <= desk.count("editmessagetext") <= 10
    await reply.finish(ANSWER)
    (message,) = desk.telegram.from_bot(desk.group)
    assert message.text == "Twenty days & <nights>."
    assert message.reply_to is question
    assert desk.count("sendmessage") == 1
    assert desk.telegram.violations == []


async def test_the_last_edit_in_a_group_is_three_seconds_after_the_one_before(desk):
    reply = desk.channel.reply(await desk.posting(desk.group))
    await grow(desk, reply, ["Twenty ", "days ", "and ", "nights"])
    await reply.write(" and")
    at_s = desk.clock.now()
    assert desk.count("editmessagetext") == 1
    await reply.finish(ANSWER)
    assert desk.clock.now() == at_s + 3.0
    assert desk.count("editmessagetext") == 2


async def test_a_first_edit_need_not_wait(desk):
    reply = desk.channel.reply(await desk.posting(desk.group))
    await grow(desk, reply, ["Twenty ", "days"])
    at_s = desk.clock.now()
    await reply.finish(ANSWER)
    assert desk.clock.now() == at_s


def paragraphs(count):
    return [f"No. {number}: full-time employees have 28 days of paid vacation.\n\n" for number in range(count)]


@pytest.mark.parametrize("where", ["private", "group"])
async def test_a_long_answer_grows_from_message_to_message_and_nothing_shown_goes_away(desk, where):
    chat = desk.chat if where == "private" else desk.group
    reply, seen = desk.channel.reply(await desk.posting(chat)), ""
    for paragraph in paragraphs(200):
        await reply.write(paragraph)
        desk.clock.advance(0.7)
        shown = "\n\n".join([*desk.texts(chat), *(draft.text for draft in desk.telegram.live_drafts(chat))])
        assert shown.startswith(seen.rstrip("…"))
        seen = shown
    assert seen.count("28 days") > 150
    before = desk.texts(chat)
    assert len(before) >= 2
    await reply.finish(replace(ANSWER, text="".join(paragraphs(200))))
    assert "\n\n".join(desk.texts(chat)) == "".join(paragraphs(200)).rstrip()
    assert desk.texts(chat)[0] == before[0]
    rows = [message.markup for message in desk.telegram.from_bot(chat)]
    assert rows[0] is None
    assert desk.telegram.flood.refused == 0
    assert desk.telegram.violations == []


def stoppable(desk, chat):
    return [message.markup is not None for message in desk.telegram.from_bot(chat)]


async def test_an_answer_that_grows_can_be_stopped_all_the_time(desk):
    reply = desk.channel.reply(await desk.posting(desk.group))
    seen = []
    for paragraph in paragraphs(200):
        await reply.write(paragraph)
        desk.clock.advance(1.0)
        seen.append(stoppable(desk, desk.group))
    assert all(any(each) for each in seen[1:])
    assert [True, True] in seen  # there is a message to be stopped before the full one can no longer be
    assert stoppable(desk, desk.group)[0] is False
    assert len(seen[-1]) > 2


async def test_what_a_worker_before_has_shown_is_not_taken_away_to_be_written_again(desk):
    first = await desk.posting(desk.group)
    reply = desk.channel.reply(first)
    await grow(desk, reply, paragraphs(120), every_s=1.0)
    await desk.outbox.note_partial(first.delivery, "".join(paragraphs(120)))
    before = desk.texts(desk.group)
    assert len(before) == 2
    again = desk.channel.reply(await desk.again(first))
    for paragraph in paragraphs(119):
        await again.write(paragraph)
        desk.clock.advance(1.0)
        assert desk.texts(desk.group) == before
    for paragraph in paragraphs(200)[119:]:
        await again.write(paragraph)
        desk.clock.advance(4.0)
    now = desk.texts(desk.group)
    assert now[0] == before[0]
    assert len("".join(now)) > len("".join(before))
    await again.finish(ANSWER)
    assert desk.texts(desk.group) == ["Twenty days & <nights>."]


async def test_what_was_taken_back_is_written_from_the_first_message_on(desk):
    reply = desk.channel.reply(await desk.posting(desk.group))
    await grow(desk, reply, paragraphs(120), every_s=1.0)
    assert len(desk.texts(desk.group)) == 2
    await reply.restart()
    await grow(desk, reply, ["Once ", "more: ", "twenty days."], every_s=20.0)
    assert desk.texts(desk.group)[0] == "Once more: twenty days."
    await reply.finish(ANSWER)
    assert desk.texts(desk.group) == ["Twenty days & <nights>."]


async def test_a_command_s_answer_is_not_shown_to_a_group_before_it_is_known_for_whom_it_is(desk):
    reply = desk.channel.reply(await desk.posting(desk.group, command=True))
    await grow(desk, reply, ["Here are ", "all tickets."], every_s=5.0)
    assert desk.texts(desk.group) == []


async def test_where_drafts_are_refused_a_message_grows(desk):
    desk.group.is_forum = False
    posting = await desk.posting(desk.group, chat_type="private")  # the server takes no drafts there
    reply = desk.channel.reply(posting)
    await grow(desk, reply, ["Twenty ", "days"], every_s=5.0)
    await reply.finish(ANSWER)
    assert desk.texts(desk.group) == ["Twenty days & <nights>."]
    assert desk.count("sendmessage") == 1


async def test_a_second_worker_edits_what_the_first_one_posted(desk):
    first = await desk.posting(desk.group)
    reply = desk.channel.reply(first)
    await grow(desk, reply, ["Twenty ", "days"], every_s=5.0)
    second = await desk.again(first)
    await desk.channel.reply(second).finish(ANSWER)
    await desk.channel.reply(second).finish(ANSWER)
    assert desk.texts(desk.group) == ["Twenty days & <nights>."]


async def test_html_that_telegram_cannot_read_is_sent_as_the_plain_text(desk):
    address = desk.target().address
    message_id = await send_part(desk.api, address, Part("<b>twenty", "twenty"))
    assert desk.texts() == ["twenty"]
    await edit_part(desk.api, desk.chat.chat_id, message_id, Part("<i>thirty", "thirty"))
    await edit_part(desk.api, desk.chat.chat_id, message_id, Part("thirty", "thirty"))
    assert desk.texts() == ["thirty"]


async def test_a_topic_is_answered_in_the_topic_and_where_it_is_gone_in_the_group(desk):
    topic = desk.telegram.add_topic(desk.group, desk.user)
    await desk.channel.reply(await desk.posting(desk.group, message_thread_id=topic)).finish(ANSWER)
    assert desk.texts(desk.group, topic) == ["Twenty days & <nights>."]
    await desk.channel.reply(await desk.posting(desk.group, message_thread_id=99_999)).finish(ANSWER)
    assert desk.texts(desk.group) == ["Twenty days & <nights>."]


async def test_a_long_answer_comes_in_parts_and_a_shorter_one_takes_the_rest_away(desk):
    posting = await desk.posting()
    long = "\n\n".join(["Full-time employees have 28 days of paid vacation."] * 200)
    await desk.channel.reply(posting).finish(replace(ANSWER, text=long))
    assert len(desk.texts()) == 3
    assert "".join(desk.texts()).count("28 days") == 200
    await desk.channel.reply(await desk.again(posting)).finish(ANSWER)
    assert desk.texts() == ["Twenty days & <nights>."]


async def test_a_file_follows_once(desk):
    posting = await desk.posting()
    answer = replace(ANSWER, origin=Origin.COMMAND, file=File("export.md", "text/markdown", "# All of it"))
    await desk.channel.reply(posting).finish(answer)
    await desk.channel.reply(await desk.again(posting)).finish(answer)
    text, document = desk.telegram.from_bot(desk.chat)
    assert text.text == "Twenty days & <nights>."
    sent = desk.telegram.state.files[document.media["document"]["file_id"]]
    assert (sent.name, sent.data) == ("export.md", b"# All of it")


async def test_a_private_answer_leaves_the_group(desk):
    answer = replace(ANSWER, origin=Origin.COMMAND, private=True)
    posting = await desk.posting(desk.group)
    await desk.channel.reply(posting).finish(answer)
    await desk.channel.reply(await desk.again(posting)).finish(answer)
    assert desk.texts(desk.chat) == ["Twenty days & <nights>."]
    (told,) = desk.texts(desk.group)
    assert "private" in told


async def test_what_was_answered_privately_is_answered_in_the_group_where_the_question_is_edited(desk):
    posting = await desk.posting(desk.group)
    long = "\n\n".join(["Full-time employees have 28 days of paid vacation."] * 100)
    await desk.channel.reply(posting).finish(replace(ANSWER, text=long, private=True))
    assert len(desk.texts(desk.chat)) == 2
    await desk.channel.reply(await desk.again(posting)).finish(replace(ANSWER, private=True))
    assert desk.texts(desk.chat) == ["Twenty days & <nights>."]
    assert len(desk.texts(desk.group)) == 1
    reply = desk.channel.reply(await desk.again(posting))
    await grow(desk, reply, ["Twenty ", "days"], every_s=5.0)
    await reply.finish(ANSWER)
    assert desk.texts(desk.chat) == []
    assert desk.texts(desk.group) == ["Twenty days & <nights>."]


@pytest.mark.parametrize("origin", [Origin.COMMAND, Origin.FAILED])
async def test_later_parts_of_an_album_are_not_told_what_the_first_was_told(desk, origin):
    posting = await desk.posting(follows=True)
    await desk.channel.reply(posting).finish(replace(ANSWER, origin=origin))
    assert len(desk.texts()) == (origin is Origin.FAILED)
    notice = await desk.outbox.open(desk.target(follows=True), Purpose.NOTICE)
    await desk.channel.reply(Posting(desk.outbox, notice, desk.channel.doubt)).finish(
        replace(ANSWER, text="It is done.", origin=Origin.COMMAND)
    )
    assert desk.texts()[-1] == "It is done."


async def test_whoever_never_started_the_bot_is_told_how(desk):
    desk.chat.started = False
    await desk.channel.reply(await desk.posting(desk.group)).finish(replace(ANSWER, private=True))
    (told,) = desk.texts(desk.group)
    assert "https://t.me/frontdesk_bot?start=help" in told
    assert "nights" not in told


async def test_whoever_writes_as_the_group_is_told_how_to_be_answered_alone(desk):
    posting = await desk.posting(desk.group)
    as_the_group = replace(posting.delivery.target, author_id=str(desk.group.chat_id))
    posting.delivery = replace(posting.delivery, target=as_the_group)
    await desk.channel.reply(posting).finish(replace(ANSWER, private=True))
    (told,) = desk.texts(desk.group)
    assert "anonymous" in told
    assert "t.me" not in told


async def test_a_group_that_was_upgraded_is_answered_where_it_goes_on(desk):
    asked = await desk.telegram.say(desk.group, desk.user, "How long?")
    posting = await desk.posting(desk.group, reply_to=asked.message_id)
    upgraded = desk.telegram.upgrade(desk.group)
    upgraded.last_id = asked.message_id - 1
    assert (await desk.telegram.say(upgraded, desk.user, "Something else.")).message_id == asked.message_id
    reply = desk.channel.reply(posting)
    await grow(desk, reply, ["Twenty ", "days"], every_s=5.0)
    await reply.finish(ANSWER)
    (message,) = desk.telegram.from_bot(upgraded)
    assert (message.text, message.reply_to) == ("Twenty days & <nights>.", None)
    await desk.channel.withdraw(posting)
    assert desk.telegram.from_bot(upgraded) == []


async def test_what_stands_in_a_group_that_was_upgraded_is_sent_again_and_nothing_else_is_changed(desk):
    posting = await desk.posting(desk.group)
    await desk.channel.reply(posting).finish(ANSWER)
    upgraded = desk.telegram.upgrade(desk.group)
    upgraded.last_id = posting.delivery.sent[0].message_id and int(posting.delivery.sent[0].message_id) - 1
    other = await desk.posting(upgraded)
    await desk.channel.reply(other).finish(replace(ANSWER, text="Something else."))
    assert [sent.message_id for sent in other.delivery.sent] == [sent.message_id for sent in posting.delivery.sent]
    await desk.channel.reply(posting).finish(replace(ANSWER, text="Thirty days."))
    assert desk.texts(upgraded) == ["Something else.", "Thirty days."]


async def test_withdrawn_messages_are_deleted_and_old_ones_say_so(desk):
    posting = await desk.posting()
    await desk.channel.reply(posting).finish(ANSWER)
    await desk.channel.withdraw(posting)
    assert desk.texts() == []
    assert posting.delivery.sent == ()
    old = await desk.posting()
    await desk.channel.reply(old).finish(ANSWER)
    desk.clock.advance(49 * 3600)
    await desk.channel.withdraw(old)
    assert desk.texts() == ["This answer was withdrawn."]


async def test_a_retry_after_is_kept_to_the_second_and_for_its_chat_alone(desk):
    desk.telegram.be_busy(desk.bot, 7, desk.chat.chat_id)
    posting = await desk.posting()
    with pytest.raises(Busy) as caught:
        await desk.channel.reply(posting).finish(ANSWER)
    assert caught.value.retry_after_s == 7
    desk.telegram.flood.early_calls = 0  # nobody could know of the first one
    await desk.channel.reply(await desk.posting(desk.group)).finish(ANSWER)
    assert desk.clock.now() < 2
    with pytest.raises(Busy):
        await desk.channel.reply(posting).finish(ANSWER)
    desk.clock.advance(7)
    await desk.channel.reply(posting).finish(ANSWER)
    assert desk.texts() == ["Twenty days & <nights>."]
    assert desk.telegram.early_calls == 0


async def refuse(desk, count, seconds):
    """Let as many new chats be told to wait."""
    for number in range(count):
        chat = desk.telegram.private(desk.bot, desk.telegram.add_user(f"refused {number}"))
        desk.telegram.be_busy(desk.bot, seconds, chat.chat_id)
        with pytest.raises(Busy):
            await desk.channel.reply(await desk.posting(chat)).finish(ANSWER)
    desk.telegram.flood.early_calls = 0  # nobody could know


async def test_two_chats_that_are_told_to_wait_hold_nobody_else(desk):
    await refuse(desk, 2, 60)
    begun_s = desk.clock.now()
    await desk.channel.reply(await desk.posting()).finish(ANSWER)
    assert desk.clock.now() == begun_s
    assert desk.texts() == ["Twenty days & <nights>."]


async def test_where_three_are_refused_at_once_all_wait_for_a_moment_and_then_go_on(desk):
    await refuse(desk, 3, 60)
    calls, begun_s = len(desk.telegram.calls), desk.clock.now()
    await desk.channel.reply(await desk.posting()).finish(ANSWER)
    assert 1.0 <= desk.clock.now() - begun_s <= 2.0
    assert len(desk.telegram.calls) == calls + 1
    await desk.channel.reply(await desk.posting(desk.group)).finish(ANSWER)
    assert desk.clock.now() - begun_s <= 2.1


async def test_a_limit_of_a_method_holds_no_chat(desk):
    await desk.pacer.hold(slots_of(desk.api.bot_id, "setMyCommands")[-1].key, 60.0)
    with pytest.raises(Busy):
        await desk.api.call("setMyCommands", commands=[])
    await desk.channel.reply(await desk.posting()).finish(ANSWER)
    assert desk.texts() == ["Twenty days & <nights>."]


async def test_a_post_in_doubt_is_made_again_and_counted(desk):
    desk.telegram.drop_responses(1)
    posting = await desk.posting()
    await desk.channel.reply(posting).finish(ANSWER)
    assert desk.texts() == ["Twenty days & <nights>."] * 2
    assert posting.doubtful == 1


async def test_an_outage_is_no_doubt(desk):
    posting = await desk.posting()
    desk.telegram.be_out(1)
    with pytest.raises(ChannelUnavailable):
        await desk.channel.reply(posting).finish(ANSWER)
    await desk.channel.reply(posting).finish(ANSWER)
    assert desk.texts() == ["Twenty days & <nights>."]
    assert posting.doubtful == 0


async def test_whoever_blocked_the_bot_gets_nothing_for_good(desk):
    desk.chat.blocked = True
    posting = await desk.posting()
    with pytest.raises(Rejected, match="blocked"):
        await desk.channel.reply(posting).finish(ANSWER)
    await desk.outbox.settle(posting.delivery, Settled.FAILED)


async def test_typing_is_shown_and_costs_no_turn(desk):
    for _ in range(5):
        await desk.channel.working(desk.target())
    assert desk.chat.actions == ["typing"] * 5
    assert desk.telegram.flood.counted == 0


async def test_what_is_answered_at_once_needs_no_sign(desk):
    asleep, awake = asyncio.Event(), asyncio.Event()

    async def sleep(_):
        asleep.set()
        await awake.wait()

    channel = TelegramChannel({desk.api.bot_id: desk.api}, sleep=sleep)
    async with working(channel, desk.target()):
        await asleep.wait()
    assert desk.chat.actions == []


async def test_a_bot_that_is_not_in_the_settings_is_named(desk):
    target = replace(desk.target(), installation="4711")
    with pytest.raises(ChannelUnavailable, match="TELEGRAM_BOTS"):
        await desk.channel.working(target)


async def test_methods_the_library_does_not_know_can_be_called(desk):
    rich = {"markdown": "# Twenty days"}
    sent = await desk.api.call("sendRichMessage", chat_id=desk.chat.chat_id, rich_message=rich)
    assert sent["rich_message"] == rich
    with pytest.raises(Refusal, match="Not Found"):
        await desk.api.call("sendNonsense", chat_id=desk.chat.chat_id)


async def test_a_wrong_token_is_named_by_its_bot_and_never_shown(desk, caplog):
    caplog.set_level(logging.DEBUG)
    token = "123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDs00"
    api = TelegramApi("other", token, desk.pacer, base_url=desk.telegram.url)
    away = TelegramApi("away", token, desk.pacer, base_url="http://127.0.0.1:9")
    with pytest.raises(UsageError, match="bot other") as refused:
        await api.me()
    with pytest.raises(ChannelUnavailable) as unreachable:
        await away.me()
    for error in (refused.value, unreachable.value):
        assert token not in str(error)
        assert error.__cause__ is None
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith("aiohttp")]
    assert token not in "\n".join(ours)
    await api.close()
    await away.close()


@pytest.mark.parametrize("token", ["", "abc", "12:", ":AAHdqTcvCH1vGWJxfSeofSAs0K5", "x1:AAHdqTcvCH1vGWJxfSeofSAs0K5"])
def test_what_is_no_token_is_refused(token):
    with pytest.raises(UsageError):
        bot_id_of(token)
