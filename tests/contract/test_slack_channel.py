"""Answers on their way to Slack: one message each, whatever Slack refuses, loses or ends in between."""

import asyncio
import gc
import json
import logging
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from adapters.postgres.outbox import PostgresOutbox
from adapters.slack.api import FixedTokens, Refusal, SlackApi
from adapters.slack.channel import SlackChannel
from adapters.slack.cutting import cut_all
from adapters.slack.outbound import BODY, cost, reason_view
from adapters.slack.pressed import Pressed
from adapters.slack.sources import Shown
from core.documents import Citation
from core.domain import Answer, File, Origin
from core.errors import Busy, ChannelUnavailable, Rejected, Uncertain
from core.outbox import Cause, Posting, Purpose, Target
from core.pacing import PreferredPacer
from core.parts import split_text
from core.places import Place, Platform
from tests.platform.slack_server import SCOPES, SlackServer

HOSTILE = Path(__file__).parents[2] / ".." / "shared" / "data" / "hostile"
CITED = (Citation(1, 1, 1, "Leave › Days, p. 4", "/srv/leave.pdf", 4, "Full-time employees have 28 days."),)
PIECES = ("Full-time employees ", "have 28 days of ", "paid vacation ", "in a calendar ", "year [1].")
SAID = Answer("".join(PIECES), Origin.DOCUMENTS, None, citations=CITED)
LONG = replace(SAID, text="\n\n".join(f"Paragraph {number}: " + "word " * 100 for number in range(20)))
STREAMS = ("chat.startStream", "chat.appendStream", "chat.stopStream")


@asynccontextmanager
async def opened(database, **options):
    """Open a workspace in which somebody has asked, and the way to it; nobody waits: the time is moved forward."""
    async with SlackServer(time_scale=0.0) as slack, aiohttp.ClientSession() as session:
        workspace = slack.workspace(scopes=options.pop("scopes", SCOPES))
        yield Office(slack, session, workspace, database, options)
        assert slack.early_calls == []


@pytest.fixture
async def office(database):
    async with opened(database) as office:
        yield office


class Office:
    def __init__(self, slack, session, workspace, database, options):
        self.slack, self.workspace = slack, workspace
        self.ann, self.bob = slack.user(workspace, "ann"), slack.user(workspace, "bob")
        self.channel, self.direct = slack.channel(workspace, "general", self.ann, self.bob), slack.direct(self.ann)
        self.tokens = FixedTokens(workspace.bot_token, session, base_url=slack.api_url)
        pacer = PreferredPacer(clock=slack.clock.now, sleep=self.wait)
        self.api = SlackApi(session, self.tokens, pacer, base_url=slack.api_url, timeout_s=2.0)
        self.out = SlackChannel(self.api, clock=slack.clock.now, now=slack.clock.now, **options)
        self.outbox = PostgresOutbox(database)

    async def wait(self, seconds):
        self.slack.clock.advance(seconds)

    async def target(self, channel=None, **more):
        channel = channel or self.channel
        asked = await self.slack.say(channel, self.ann, "How many days?")
        user, team = self.ann.user_id, self.workspace.team_id
        place = Place(Platform.SLACK, channel.channel_id, asked.ts)
        address = {"team": team, "channel": channel.channel_id, "thread_ts": asked.ts, "ts": asked.ts, "user": user}
        address |= {"user_team": team, "channel_type": channel.kind, **more}
        return Target(1, team, place, user, address, asked.ts, "r1")

    async def begin(self, target=None):
        return await self.outbox.open(target or await self.target(), Purpose.ANSWER)

    def posting(self, delivery, outbox=None):
        return Posting(outbox or self.outbox, delivery, self.out.doubt)

    async def again(self, posting):
        """Open the delivery as another worker does."""
        return self.posting(await self.outbox.reopen(1, posting.delivery.outbox_id))

    async def write(self, reply, pieces=PIECES, pause_s=1.0):
        for piece in pieces:
            await reply.write(piece)
            self.slack.clock.advance(pause_s)

    async def answer(self, answer=SAID, target=None, pieces=PIECES):
        """Write and finish an answer; return its posting."""
        posting = self.posting(await self.begin(target))
        reply = self.out.reply(posting)
        await self.write(reply, pieces)
        await reply.finish(answer)
        return posting

    def stands(self, channel=None):
        """List what of ours is to be seen by everybody."""
        bot, place = self.workspace.bot_user_id, (channel or self.channel).channel_id
        found = [m for m in self.slack.state.messages if m.user == bot and m.channel == place]
        return [m for m in found if not m.deleted and not m.ephemeral_to]

    def whispered(self):
        return [m for m in self.slack.state.messages if m.ephemeral_to]

    def called(self, *names):
        return [name for name, _ in self.slack.calls if not names or name in names]

    @property
    def refused(self):
        return [violation.code for violation in self.slack.violations]


def shown(message):
    """Return the Markdown that a person sees in a message, without the buttons."""
    bodies = [block["text"] for block in message.blocks if block["type"] == "markdown"]
    return bodies[0] if bodies else message.text


def one(messages):
    (message,) = messages
    return message


# Titles


async def test_the_session_is_given_its_title_once_the_answer_stands_there(database):
    entitled = []

    async def entitle(target, answer):
        entitled.append((target.message_id, answer.text, [shown(message) for message in office.stands()]))

    async with opened(database, entitle=entitle) as office:
        posting = await office.answer()
    assert entitled == [(posting.delivery.target.message_id, SAID.text, [SAID.text])]


async def test_where_there_are_no_sessions_none_is_given_a_title(database):
    entitled = []

    async def entitle(target, answer):
        entitled.append(answer.text)

    async with opened(database, entitle=entitle) as office:
        office.slack.misbehave("agents.sessions.setStatus", "unknown_method")
        target = await office.target(office.direct)
        await office.out.working(target)
        await office.answer(target=target)
    assert entitled == []


# Streams


async def test_an_answer_is_streamed_and_ends_with_its_sources(office):
    posting = await office.answer()
    message = one(office.stands())
    assert message.text == SAID.text
    assert message.stream.state == "done"
    assert message.stream.recipient_user_id == office.ann.user_id
    assert [block["type"] for block in message.blocks] == ["context", "actions", "context_actions", "actions"]
    assert office.called(*STREAMS)[0] == "chat.startStream"
    assert office.called(*STREAMS)[-1] == "chat.stopStream"
    assert office.called().count("chat.appendStream") >= 2
    assert "chat.update" not in office.called()
    assert posting.message_id(0) == message.ts
    assert office.refused == []
    session = office.slack.state.sessions[office.channel.channel_id, message.thread_ts]
    assert session.history == ["processing", "active"]


async def test_what_comes_in_one_piece_is_posted_at_once_without_unfurling(office):
    await office.answer(pieces=(SAID.text,))
    (name, arguments) = office.slack.calls[-1]
    assert name == "chat.postMessage"
    assert arguments["unfurl_links"] is False
    assert arguments["unfurl_media"] is False
    assert shown(one(office.stands())) == SAID.text


async def test_pieces_are_gathered_so_that_a_workspace_keeps_within_its_hundred_a_minute(office):
    posting = office.posting(await office.begin())
    reply = office.out.reply(posting)
    for _ in range(200):
        await reply.write("word ")
        office.slack.clock.advance(0.05)
    await reply.finish(replace(SAID, text="word " * 200))
    assert 5 <= office.called().count("chat.appendStream") <= 13
    assert one(office.stands()).text.split() == ["word"] * 200


@pytest.mark.parametrize(
    "code",
    [
        "missing_recipient_user_id",
        "missing_recipient_team_id",
        "invalid_thread_ts",
        "unknown_method",
        "missing_scope",
        "channel_type_not_supported",
        "ratelimited",
        "http_503",
    ],
)
async def test_where_no_stream_can_begin_one_message_is_edited_instead(office, code):
    office.slack.misbehave("chat.startStream", code)
    office.slack.rates.enabled = False
    posting = office.posting(await office.begin())
    reply = office.out.reply(posting)
    await office.write(reply, [f"word{number} " for number in range(30)])
    await reply.finish(SAID)
    assert shown(one(office.stands())) == SAID.text


async def test_edits_keep_three_seconds_apart(office):
    office.slack.misbehave("chat.startStream", "missing_recipient_team_id")
    reply = office.out.reply(office.posting(await office.begin()))
    await office.write(reply, [f"word{number} " for number in range(100)], pause_s=0.2)
    assert office.called("chat.startStream", "chat.postMessage") == ["chat.postMessage"]
    assert 5 <= office.called().count("chat.update") <= 7
    assert shown(one(office.stands())).startswith("word0 word1")
    await reply.finish(SAID)
    assert shown(one(office.stands())) == SAID.text


async def test_what_a_workspace_does_not_have_is_not_asked_of_it_again(office):
    office.slack.misbehave("chat.startStream", "unknown_method")
    await office.answer()
    await office.answer()
    assert "chat.startStream" not in office.called()
    office.slack.clock.advance(700)
    await office.answer()
    assert "chat.startStream" in office.called()
    assert len(office.stands()) == 3


@pytest.mark.parametrize(
    "code",
    [
        "message_not_in_streaming_state",
        "streaming_state_conflict",
        "msg_too_long",
        "lost",
        "reset",
        "http_500",
        "ratelimited",
    ],
)
async def test_a_stream_that_dies_is_gone_on_with_in_edits(office, code):
    office.slack.misbehave("chat.appendStream", code)
    posting = office.posting(await office.begin())
    reply = office.out.reply(posting)
    await office.write(reply, [f"word{number} " for number in range(40)])
    await reply.finish(SAID)
    assert shown(one(office.stands())) == SAID.text


@pytest.mark.parametrize(
    "code", ["message_not_in_streaming_state", "invalid_blocks", "msg_blocks_too_long", "stopped_by_user"]
)
async def test_a_stream_that_cannot_end_well_is_put_right_by_an_edit(office, code):
    office.slack.misbehave("chat.stopStream", code)
    await office.answer()
    message = one(office.stands())
    assert shown(message) == SAID.text
    assert message.blocks[-1]["type"] == "actions"


async def test_a_first_piece_that_nothing_comes_after_is_shown_with_the_working_signal(office):
    posting = office.posting(await office.begin())
    reply = office.out.reply(posting)
    await reply.write("Full-time employees have 28 days of paid ")
    await office.out.working(posting.delivery.target)
    assert office.stands() == []
    office.slack.clock.advance(4)
    await office.out.working(posting.delivery.target)
    assert one(office.stands()).text == "Full-time employees have 28 days of paid "
    office.slack.misbehave("chat.appendStream", "message_not_in_streaming_state")
    await office.write(reply, ["vacation ", "a year."], pause_s=4.0)
    for _ in range(5):
        await office.out.working(posting.delivery.target)
        office.slack.clock.advance(4)
    assert office.called().count("chat.update") == 1
    assert shown(one(office.stands())) == "Full-time employees have 28 days of paid vacation a year."


@pytest.mark.parametrize("pieces", [PIECES[:2], PIECES[:3]])
async def test_an_answer_that_is_broken_off_in_the_middle_of_a_call_is_still_one_message(office, pieces):
    for method in ("chat.startStream", "chat.appendStream"):
        office.slack.api.slow_s[method] = 0.1
    posting = office.posting(await office.begin())
    reply = office.out.reply(posting)
    *before, last = pieces
    await office.write(reply, before)
    writing = asyncio.ensure_future(reply.write(last))
    await asyncio.sleep(0.02)
    writing.cancel()
    await asyncio.wait([writing])
    assert posting.message_id(0) == one(office.stands()).ts
    await reply.finish(SAID)
    assert shown(one(office.stands())) == SAID.text


async def test_a_broken_off_answer_that_another_worker_has_taken_over_leaves_no_error_behind(office, database):
    """What is raised in a call that is let go to its end is read by somebody; else the loop complains of it."""
    complaints = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context["message"]))
    office.slack.api.slow_s["chat.startStream"] = 0.1
    posting = office.posting(await office.begin())
    reply = office.out.reply(posting)
    await reply.write(PIECES[0])
    writing = asyncio.ensure_future(reply.write(PIECES[1]))
    await asyncio.sleep(0.02)
    await office.again(posting)
    writing.cancel()
    await asyncio.wait([writing])
    assert writing.cancelled()
    del writing, reply
    gc.collect()
    await asyncio.sleep(0)
    assert complaints == []


GROWING = {
    "paragraphs": "\n\n".join(f"Paragraph {number}: " + "word, and more. " * 30 for number in range(40)),
    "one list": "\n".join(f"- Item {number}: " + "word " * 20 for number in range(150)),
    "code": "See:\n\n```python\n" + "x = 28  # days\n" * 900 + "```\n\nThat is all.",
}


@pytest.mark.parametrize("streams", [True, False])
@pytest.mark.parametrize("text", GROWING.values(), ids=GROWING)
async def test_a_long_answer_grows_from_message_to_message_and_no_message_shrinks(office, text, streams):
    if not streams:
        office.slack.misbehave("chat.startStream", "unknown_method")
    office.slack.rates.enabled = False
    text = text.strip()
    answer = replace(SAID, text=text)
    posting = office.posting(await office.begin())
    reply = office.out.reply(posting)
    sizes, still, longest_still = {}, 0, 0
    pieces = [text[place : place + 120] for place in range(0, len(text), 120)]
    for piece in pieces:
        await reply.write(piece)
        office.slack.clock.advance(1.0)
        now = {message.ts: len(shown(message)) for message in office.stands()}
        assert all(now[ts] >= size for ts, size in sizes.items())
        still = 0 if sum(now.values()) > sum(sizes.values()) else still + 1
        longest_still, sizes = max(longest_still, still), now
    assert longest_still * 120 <= BODY // 2
    before = len(office.stands())
    await reply.finish(answer)
    messages = office.stands()
    assert before <= len(messages) <= len(split_text(answer.text, BODY, cost))
    assert [shown(message) for message in messages] == cut_all(answer.text, BODY, cost)
    assert all(not message.blocks[1:] for message in messages[:-1])
    assert "context_actions" in [block["type"] for block in messages[-1].blocks]
    assert office.called("chat.delete") == []
    assert (office.called("chat.update") == []) is streams
    session = office.slack.state.sessions.get((office.channel.channel_id, messages[0].thread_ts))
    assert session is None or session.status == "active"


async def test_what_is_taken_back_takes_all_its_messages_along(office):
    posting = office.posting(await office.begin())
    reply = office.out.reply(posting)
    text = GROWING["paragraphs"]
    await office.write(reply, [text[place : place + 500] for place in range(0, 9_000, 500)])
    assert len(office.stands()) >= 2
    await reply.restart()
    office.slack.clock.advance(4)
    await office.out.working(posting.delivery.target)
    await office.write(reply, ["Once ", "more, ", "in one."], pause_s=4.0)
    assert shown(one(office.stands())) == "Once more, in one."
    await reply.finish(SAID)
    assert shown(one(office.stands())) == SAID.text


async def test_a_worker_that_dies_in_the_second_message_leaves_no_third(office):
    text = GROWING["paragraphs"][:9_000]
    posting = office.posting(await office.begin())
    reply = office.out.reply(posting)
    await office.write(reply, [text[place : place + 500] for place in range(0, 4_500, 500)])
    answer = replace(SAID, text=text.strip())
    again = await office.again(posting)
    await office.out.reply(again).finish(answer)
    assert [shown(message) for message in office.stands()] == cut_all(answer.text, BODY, cost)


async def test_an_answer_written_again_after_a_crash_takes_back_nothing_that_stands_there(office):
    text = GROWING["paragraphs"][:9_000]
    pieces = [text[place : place + 500] for place in range(0, 9_000, 500)]
    posting = office.posting(await office.begin())
    await office.write(office.out.reply(posting), pieces[:12])
    await office.outbox.note_partial(posting.delivery, "".join(pieces[:12]))
    before = [shown(message) for message in office.stands()]
    assert len(before) == 2

    again = await office.again(posting)
    reply = office.out.reply(again)
    for number, piece in enumerate(pieces):
        await office.write(reply, [piece], pause_s=4.0)
        first, second = (shown(message) for message in office.stands()[:2])
        assert (first, second) == tuple(before) if number < 11 else first == before[0], number
    answer = replace(SAID, text=text.strip())
    await reply.finish(answer)
    assert [shown(message) for message in office.stands()] == cut_all(answer.text, BODY, cost)


@pytest.mark.parametrize("fault", ["lost", "reset"])
async def test_a_piece_that_may_have_arrived_is_not_shown_twice(office, fault):
    office.slack.misbehave("chat.appendStream", fault)
    await office.answer(pieces=[*PIECES[:4], "", "", "", "", "", "", PIECES[4]])
    assert shown(one(office.stands())) == SAID.text


async def test_a_long_answer_leaves_its_stream_before_it_ends_by_itself(office):
    posting = office.posting(await office.begin())
    reply = office.out.reply(posting)
    await office.write(reply, [f"word{number} " for number in range(40)], pause_s=10.0)
    assert "message_not_in_streaming_state" not in office.refused
    assert office.called().count("chat.update") >= 5
    assert "word39" in shown(one(office.stands()))
    await reply.finish(SAID)
    assert shown(one(office.stands())) == SAID.text


async def test_a_stream_that_ended_while_nothing_came_is_edited(office):
    posting = office.posting(await office.begin())
    reply = office.out.reply(posting)
    await office.write(reply, PIECES[:3])
    office.slack.clock.advance(400)
    await reply.finish(SAID)
    assert shown(one(office.stands())) == SAID.text
    assert "message_not_in_streaming_state" in office.refused


async def test_the_stop_button_ends_what_is_shown_and_the_desk_hears_of_it(database):
    heard = []

    async def on_stop(target):
        heard.append(target.message_id)

    async with opened(database, on_stop=on_stop) as office:
        posting = office.posting(await office.begin())
        reply = office.out.reply(posting)
        await office.write(reply, PIECES[:3])
        message = one(office.stands())
        await office.slack.stop_session(office.channel, office.ann, message.thread_ts)
        before = shown(message)
        await office.write(reply, ["and ", "so ", "on ", "and on"], pause_s=4.0)
        assert shown(message) == before
        assert heard == [posting.delivery.target.message_id]
        stopped = replace(SAID, text="Full-time employees have", origin=Origin.STOPPED, notice="Stopped.")
        await reply.finish(stopped)
        assert shown(one(office.stands())) == stopped.text


async def test_what_is_taken_back_does_not_stay(office):
    posting = office.posting(await office.begin())
    reply = office.out.reply(posting)
    await office.write(reply, ["Nonsense ", "that was ", "begun ", "badly "])
    await reply.restart()
    office.slack.clock.advance(3)
    assert "Nonsense" not in shown(one(office.stands()))
    await office.write(reply)
    await reply.finish(SAID)
    assert shown(one(office.stands())) == SAID.text


async def test_an_answer_that_ends_otherwise_than_it_was_shown_is_edited(office):
    await office.answer(replace(SAID, text="Something else."))
    assert shown(one(office.stands())) == "Something else."


async def test_a_stream_says_no_mention_even_when_it_comes_in_pieces(office):
    text = "Tell <!chan nel> and <!channel> and @everyone here"
    await office.answer(replace(SAID, text=text), pieces=[*text])
    pieces = [arguments["chunks"][0]["text"] for name, arguments in office.slack.calls if name in STREAMS[:2]]
    together = "".join([*pieces, one(office.stands()).text])
    assert "<!channel" not in together
    assert "@everyone" not in together
    assert one(office.stands()).text.replace("\u00ad", "") == text


# Workers that die, answers of Slack that get lost


class Dying(PostgresOutbox):
    """The outbox of a worker that dies where Slack has accepted a post, before it is noted."""

    async def record(self, delivery, part, message_id):
        raise asyncio.CancelledError


@pytest.mark.parametrize("written", range(len(PIECES) + 1))
async def test_a_worker_that_dies_anywhere_in_a_stream_leaves_one_message(office, written):
    posting = office.posting(await office.begin())
    await office.write(office.out.reply(posting), PIECES[:written])
    after = await office.again(posting)
    reply = office.out.reply(after)
    await office.write(reply, ["Once ", "more: "], pause_s=4.0)
    assert len(office.stands()) <= 1
    await reply.finish(SAID)
    assert shown(one(office.stands())) == SAID.text


@pytest.mark.parametrize("pieces", [PIECES[:3], ()])
async def test_a_worker_that_dies_before_it_notes_its_message_leaves_one(office, pieces, database):
    posting = office.posting(await office.begin(), Dying(database))
    reply = office.out.reply(posting)
    with pytest.raises(asyncio.CancelledError):
        await (office.write(reply, pieces) if pieces else reply.finish(SAID))
    assert len(office.stands()) == 1
    after = await office.again(posting)
    assert after.delivery.begun == 0
    reply = office.out.reply(after)
    await office.write(reply)
    await reply.finish(SAID)
    assert shown(one(office.stands())) == SAID.text
    assert after.doubtful == 1


async def test_a_worker_that_dies_after_the_end_of_the_stream_leaves_one_message(office):
    posting = await office.answer()
    await office.out.reply(await office.again(posting)).finish(SAID)
    assert shown(one(office.stands())) == SAID.text
    assert office.called("chat.startStream", "chat.postMessage") == ["chat.startStream"]


@pytest.mark.parametrize("fault", ["lost", "unreadable"])
@pytest.mark.parametrize("pieces", [PIECES, (SAID.text,)])
async def test_a_post_whose_answer_is_lost_is_found_again(office, pieces, fault):
    office.slack.misbehave("chat.startStream", fault)
    office.slack.misbehave("chat.postMessage", fault)
    posting = await office.answer(pieces=pieces)
    assert shown(one(office.stands())) == SAID.text
    assert posting.doubtful >= 1


async def test_where_the_thread_cannot_be_read_a_double_is_better_than_silence(office):
    office.slack.misbehave("chat.postMessage", "lost")
    office.slack.misbehave("conversations.replies", "missing_scope")
    await office.answer(pieces=(SAID.text,))
    assert [shown(message) for message in office.stands()] == [SAID.text] * 2


async def test_somebody_elses_stream_in_the_thread_is_left_alone(office, database):
    target = await office.target()
    first = await office.answer(target=target)
    posting = office.posting(await office.outbox.open(target, Purpose.ANSWER), Dying(database))
    with pytest.raises(asyncio.CancelledError):
        await office.out.reply(posting).finish(replace(SAID, text="Two."))
    await office.out.reply(await office.again(posting)).finish(replace(SAID, text="Two."))
    assert [shown(message) for message in office.stands()] == [SAID.text, "Two."]
    assert first.message_id(0) == office.stands()[0].ts


@pytest.mark.parametrize("method", ["chat.startStream", "chat.postMessage"])
async def test_a_busy_slack_is_let_be_for_as_long_as_it_says(office, method):
    office.slack.misbehave(method, "ratelimited")
    posting = office.posting(await office.begin())
    reply = office.out.reply(posting)
    if method == "chat.postMessage":
        with pytest.raises(Busy):
            await reply.finish(SAID)
        with pytest.raises(Busy):
            await office.api.call(method, team_id=office.workspace.team_id, patience_s=0.0, channel="C", text="x")
        office.slack.clock.advance(1.1)
    await office.write(reply)
    await reply.finish(SAID)
    assert shown(one(office.stands())) == SAID.text


# Edits, parts, withdrawal


async def test_an_edited_answer_has_more_or_fewer_messages_than_before(office):
    posting = await office.answer(LONG, pieces=())
    assert len(office.stands()) == 3
    await office.out.reply(await office.again(posting)).finish(SAID)
    assert shown(one(office.stands())) == SAID.text
    await office.out.reply(await office.again(posting)).finish(LONG)
    assert len(office.stands()) == 3
    assert "".join(shown(message) for message in office.stands()).count("Paragraph") == 20
    assert all(not message.blocks[1:] for message in office.stands()[:-1])
    await office.out.reply(await office.again(posting)).finish(LONG)
    assert len(office.stands()) == 3


@pytest.mark.parametrize("code", ["message_not_found", "cant_update_message", "edit_window_closed"])
async def test_what_cannot_be_edited_any_more_is_posted_anew(office, code):
    posting = await office.answer(pieces=())
    if code == "message_not_found":
        one(office.stands()).deleted = True
    else:
        office.slack.misbehave("chat.update", code)
    await office.out.reply(await office.again(posting)).finish(replace(SAID, text="New."))
    assert shown(one(office.stands())) == "New."


async def test_blocks_that_are_refused_leave_the_text_with_its_sources(office):
    for method in ("chat.postMessage", "chat.update"):
        office.slack.misbehave(method, "invalid_blocks")
    posting = await office.answer(pieces=())
    assert one(office.stands()).blocks == []
    assert one(office.stands()).text == f"{SAID.text}\n\n[1] Leave › Days, p. 4"
    await office.out.reply(await office.again(posting)).finish(replace(SAID, text="New."))
    assert one(office.stands()).text.startswith("New.")


@pytest.mark.parametrize("answer", [SAID, LONG])
@pytest.mark.parametrize("pieces", [PIECES, ()])
async def test_a_withdrawn_answer_leaves_nothing(office, answer, pieces):
    posting = await office.answer(answer, pieces=pieces)
    after = await office.again(posting)
    office.stands()[0].deleted = True
    await office.out.withdraw(after)
    assert office.stands() == []
    assert after.delivery.sent == ()


async def test_a_stream_under_way_is_withdrawn(office):
    posting = office.posting(await office.begin())
    await office.write(office.out.reply(posting), PIECES[:3])
    office.slack.misbehave("chat.delete", "streaming_state_conflict")
    await office.out.withdraw(await office.again(posting))
    assert office.stands() == []


async def test_what_was_posted_and_not_noted_is_withdrawn_too(office, database):
    posting = office.posting(await office.begin(), Dying(database))
    with pytest.raises(asyncio.CancelledError):
        await office.out.reply(posting).finish(SAID)
    await office.out.withdraw(await office.again(posting))
    assert office.stands() == []


async def test_a_message_that_slack_lets_nobody_delete_is_said(office):
    posting = await office.answer(pieces=())
    office.slack.misbehave("chat.delete", "cant_delete_message", "cant_delete_message")
    with pytest.raises(Rejected):
        await office.out.withdraw(posting)


# For one person's eyes


async def private_target(office, **more):
    url = office.slack.response_url(office.channel, office.ann)
    target = await office.target(private=True, response_url=url, thread_ts="", ts="", **more)
    return replace(target, place=Place(Platform.SLACK, office.channel.channel_id, f"private:{office.ann.user_id}"))


async def test_a_slash_command_is_answered_to_its_author_alone_and_once(office):
    posting = await office.answer(target=await private_target(office))
    message = one(office.whispered())
    assert message.ephemeral_to == office.ann.user_id
    assert shown(message) == SAID.text
    assert "share" in json.dumps(message.blocks)
    await office.out.reply(await office.again(posting)).finish(SAID)
    assert len(office.whispered()) == 1
    assert office.stands() == []
    await office.out.reply(await office.again(posting)).finish(replace(SAID, text="New."))
    assert [shown(message) for message in office.whispered()] == [SAID.text, "New."]
    await office.out.withdraw(await office.again(posting))


async def test_more_parts_than_a_response_url_has_uses_come_all_the_same(office):
    very_long = replace(SAID, text="\n\n".join(f"Paragraph {number}: " + "word " * 100 for number in range(60)))
    await office.answer(very_long, target=await private_target(office))
    assert len(office.whispered()) == 9
    assert "".join(shown(message) for message in office.whispered()).count("Paragraph") == 60
    assert office.refused == []


async def test_where_its_response_url_is_used_up_a_command_is_answered_in_the_channel_unseen(office):
    target = await private_target(office)
    office.slack.state.response_urls[target.address["response_url"].rpartition("/")[2]].uses = 5
    await office.answer(target=target)
    assert one(office.whispered()).ephemeral_to == office.ann.user_id
    assert "chat.postEphemeral" in office.called()


def above(message):
    """Return what stands above an answer."""
    return "\n".join(e["text"] for b in message.blocks[:2] if b["type"] == "context" for e in b["elements"])


@pytest.mark.parametrize("knows_when", [True, False])
async def test_a_command_that_is_answered_late_is_answered_where_its_author_finds_it(database, knows_when):
    async def question_of(delivery):
        return "How many days\ndo I <have>?"

    async with opened(database, question_of=question_of) as office:
        at = {"at": office.slack.clock.now()} if knows_when else {}
        target = await private_target(office, **at)
        office.slack.clock.advance(601 if knows_when else 1_801)
        office.ann.active = False
        posting = await office.answer(target=target)
        message = one(office.stands(office.direct))
        assert shown(message) == SAID.text
        assert above(message) == f"You asked in <#{office.channel.channel_id}>:\n> How many days do I &lt;have&gt;?"
        assert message.text.startswith(f"You asked in <#{office.channel.channel_id}>:")
        await office.out.reply(await office.again(posting)).finish(replace(SAID, text="New."))
        assert shown(one(office.stands(office.direct))) == "New."
        await office.out.withdraw(await office.again(posting))
        assert office.stands(office.direct) == office.stands() == office.whispered() == []
        assert set(office.refused) <= {"expired_url"}


@pytest.mark.parametrize("purpose", [Purpose.PERSON, Purpose.NOTICE])
async def test_what_nobody_waits_for_is_not_shown_to_whoever_looks_at_this_moment(office, purpose):
    """Slack forgets a message for one person's eyes where that person is away; hours later most are."""
    office.ann.active = False
    said = Answer("A person answered ticket 9:\n\nIn the **yard**.", Origin.PERSON, None, ticket_number=9)
    posting = office.posting(await office.outbox.open(await private_target(office), purpose))
    await office.out.reply(posting).finish(said)
    message = one(office.stands(office.direct))
    assert shown(message) == "In the **yard**."
    place = f"<#{office.channel.channel_id}>"
    where = f"You asked in {place}:" if purpose is Purpose.PERSON else place
    assert above(message) == f"{where}\nA person answered ticket 9:"
    assert office.refused == []


async def test_what_is_private_and_late_is_taken_from_the_channel(office):
    posting = office.posting(await office.begin())
    reply = office.out.reply(posting)
    await office.write(reply)
    office.slack.clock.advance(601)
    office.ann.active = False
    await reply.finish(replace(SAID, private=True))
    assert office.stands() == []
    assert shown(one(office.stands(office.direct))) == SAID.text
    await office.out.reply(await office.again(posting)).finish(replace(SAID, text="New.", private=True))
    assert shown(one(office.stands(office.direct))) == "New."


async def test_where_no_conversation_can_be_opened_its_author_is_written_to_by_their_id(database):
    async with opened(database, scopes=SCOPES - {"im:write"}) as office:
        office.ann.active = False
        posting = office.posting(await office.outbox.open(await private_target(office), Purpose.PERSON))
        await office.out.reply(posting).finish(SAID)
        assert shown(one(office.stands(office.direct))) == SAID.text


async def test_where_the_app_is_not_in_the_channel_a_command_is_answered_directly(office):
    elsewhere = office.slack.channel(office.workspace, "elsewhere", office.ann, with_bot=False)
    target = await private_target(office)
    address = {**target.address, "channel": elsewhere.channel_id, "response_url": ""}
    await office.answer(target=replace(target, address=address))
    assert shown(one(office.stands(office.direct))) == SAID.text
    assert office.whispered() == []


async def test_a_command_in_a_channel_is_answered_unseen_and_in_a_direct_message_as_any(office):
    command = Answer("Your sessions: 1, 2", Origin.COMMAND, None, private=True)
    await office.answer(command, pieces=(command.text,))
    assert office.stands() == []
    assert one(office.whispered()).text == command.text
    assert one(office.whispered()).thread_ts == ""
    await office.answer(command, await office.target(office.direct), pieces=(command.text,))
    assert shown(one(office.stands(office.direct))) == command.text


async def test_what_turns_out_to_be_private_is_taken_from_the_channel(office):
    await office.answer(replace(SAID, private=True))
    assert office.stands() == []
    assert shown(one(office.whispered())) == SAID.text


async def test_a_file_goes_to_its_author_only_and_once(office):
    export = Answer(
        "Here it is.", Origin.COMMAND, None, private=True, file=File("export.json", "application/json", "{}")
    )
    posting = await office.answer(export, pieces=())
    await office.out.reply(await office.again(posting)).finish(export)
    (file,) = office.slack.state.files.values()
    assert file.content == b"{}"
    assert file.channels == {office.direct.channel_id}
    assert len(office.stands(office.direct)) == 1
    await office.answer(export, await office.target(office.direct), pieces=())
    assert one([m for m in office.stands(office.direct) if m.files and m.thread_ts])


async def test_a_file_that_the_app_may_not_send_is_said_to_be_missing(database):
    async with opened(database, scopes=SCOPES - {"files:write"}) as office:
        export = Answer("Here it is.", Origin.COMMAND, None, file=File("export.json", "application/json", "{}"))
        await office.answer(export, pieces=())
        assert "I could not send you the file" in json.dumps(one(office.stands()).blocks)


# The working signal


async def test_an_agents_session_is_processing_until_its_answer_is_there(office):
    target = await office.target(office.direct)
    for _ in range(5):
        await office.out.working(target)
        office.slack.clock.advance(4)
    session = office.slack.state.sessions[office.direct.channel_id, target.message_id]
    assert session.history == ["processing"]
    await office.answer(target=target, pieces=())
    assert session.history == ["processing", "active"]


async def test_a_thread_in_a_channel_shows_a_status_that_ends_by_itself(office):
    target = await office.target()
    for _ in range(30):
        await office.out.working(target)
        office.slack.clock.advance(4)
    assert office.called().count("assistant.threads.setStatus") == 2
    assert office.slack.state.statuses == {(office.channel.channel_id, target.message_id): "is looking it up …"}


async def test_without_the_scope_nothing_is_signalled_and_nothing_asked_again(database):
    async with opened(database, scopes=SCOPES - {"assistant:write"}) as office:
        for _ in range(3):
            target = await office.target(office.direct)
            posting = office.posting(await office.begin(target))
            reply = office.out.reply(posting)
            for _ in range(40):
                await office.out.working(target)
                office.slack.clock.advance(4)
            await reply.finish(SAID)
        assert office.refused == ["missing_scope"] * 2
        assert [shown(message) for message in office.stands(office.direct)] == [SAID.text] * 3


async def test_a_private_question_is_signalled_to_nobody(office):
    await office.out.working(await private_target(office))
    assert office.called() == []


# Buttons


@pytest.fixture
def buttons(office):
    return Shown(office.api, office.outbox)


def pressed(office, what, value, *, channel=None, user=None, url="", trigger=None):
    channel, user = channel or office.channel, user or office.ann
    place = Place(Platform.SLACK, channel.channel_id, "1.1")
    address = {"team": office.workspace.team_id, "response_url": url}
    return Pressed(what, value, place, "1.2", user.user_id, trigger or office.slack.trigger(user), address)


async def kept(office, answer=SAID, target=None):
    posting = await office.answer(answer, target, pieces=())
    await office.outbox.keep(posting.delivery, answer)
    return posting.delivery.outbox_id


async def test_a_source_without_an_address_shows_its_passage_and_page(office, buttons):
    outbox_id = await kept(office)
    await buttons.show(pressed(office, "passage", f"{outbox_id}:1"), 1)
    view = one(office.slack.modals(office.ann)).content
    assert CITED[0].quote in json.dumps(view, ensure_ascii=False)
    assert "Page 4" in json.dumps(view)
    reason = reason_view({"channel": "C", "ts": "1.2"}, "en")
    await office.api.call(
        "views.open", team_id=office.workspace.team_id, trigger_id=office.slack.trigger(office.ann), view=reason
    )
    claims = await office.outbox.of_id(1, outbox_id)
    assert claims.claim == 1


@pytest.mark.parametrize("why", ["no such source", "no such answer", "another tenant", "another channel", "nonsense"])
async def test_a_source_that_is_not_to_be_seen_here_shows_nothing(office, buttons, why):
    outbox_id = await kept(office)
    value = {"no such source": f"{outbox_id}:2", "no such answer": "999:1", "nonsense": "x"}.get(why, f"{outbox_id}:1")
    elsewhere = office.slack.channel(office.workspace, "elsewhere", office.bob)
    place = {"channel": elsewhere} if why == "another channel" else {}
    await buttons.show(pressed(office, "passage", value, user=office.bob, **place), 2 if why == "another tenant" else 1)
    view = one(office.slack.modals(office.bob)).content
    assert "no longer there" in json.dumps(view)


async def test_an_old_trigger_opens_nothing(office, buttons):
    outbox_id = await kept(office)
    trigger = office.slack.trigger(office.ann)
    office.slack.clock.advance(4)
    with pytest.raises(Refusal, match="expired_trigger_id"):
        await buttons.show(pressed(office, "passage", f"{outbox_id}:1", trigger=trigger), 1)


async def test_a_private_answer_is_shared_by_its_author_and_by_nobody_else(office, buttons):
    outbox_id = await kept(office, target=await private_target(office))
    await buttons.show(pressed(office, "share", str(outbox_id), user=office.bob), 1)
    assert await office.outbox.of_id(1, outbox_id + 1) is None
    url = office.slack.response_url(office.channel, office.ann, one(office.whispered()))
    await buttons.show(pressed(office, "share", str(outbox_id), url=url), 1)
    posting = office.posting(await office.outbox.reopen(1, outbox_id + 1))
    await office.out.reply(posting).finish(posting.delivery.content)
    message = one(office.stands())
    assert shown(message) == SAID.text
    assert f"Shared by <@{office.ann.user_id}>" in json.dumps(message.blocks)
    assert one(office.whispered()).text == "The answer is in the channel now."


async def test_a_private_answer_that_is_shared_by_many_presses_at_once_is_shared_once(office):
    async def question_of(delivery):
        return "How many *days*\ndo I have?"

    outbox_id = await kept(office, target=await private_target(office))
    buttons = Shown(office.api, office.outbox, question_of=question_of)
    await asyncio.gather(*(buttons.show(pressed(office, "share", str(outbox_id)), 1) for _ in range(5)))
    shared = await office.outbox.caused(1, Cause(outbox_id, "share"))
    assert shared.content.text == f"> How many *days* do I have?\n\n{SAID.text}"
    assert await office.outbox.of_id(1, shared.outbox_id + 1) is None


async def test_what_rests_on_what_only_its_author_may_read_is_not_shared(office, buttons):
    outbox_id = await kept(office, replace(SAID, personal=True), target=await private_target(office))
    await buttons.show(pressed(office, "share", str(outbox_id)), 1)
    assert await office.outbox.of_id(1, outbox_id + 1) is None


async def test_what_only_its_author_may_read_is_not_shared(office):
    async def never(_):
        return False

    outbox_id = await kept(office, target=await private_target(office))
    await Shown(office.api, office.outbox, may_share=never).show(pressed(office, "share", str(outbox_id)), 1)
    assert await office.outbox.of_id(1, outbox_id + 1) is None


# The Web API


@pytest.mark.parametrize(
    ("fault", "post", "edit"),
    [
        ("lost", Uncertain, ChannelUnavailable),
        ("reset", Uncertain, ChannelUnavailable),
        ("http_500", Uncertain, ChannelUnavailable),
        ("http_504", Uncertain, ChannelUnavailable),
        ("http_503", ChannelUnavailable, ChannelUnavailable),
        ("http_200", Uncertain, ChannelUnavailable),
        ("http_302", ChannelUnavailable, ChannelUnavailable),
        ("fatal_error", Uncertain, ChannelUnavailable),
        ("service_unavailable", ChannelUnavailable, ChannelUnavailable),
        ("ratelimited", Busy, Busy),
        ("channel_not_found", Refusal, Refusal),
        ("token_revoked", Refusal, Refusal),
    ],
)
async def test_each_way_to_fail_is_told_apart(office, fault, post, edit):
    posting = await office.answer(pieces=())
    where = {"team_id": office.workspace.team_id, "channel": office.channel.channel_id, "text": "x"}
    for method, expected, more in (
        ("chat.postMessage", post, {}),
        ("chat.update", edit, {"ts": posting.message_id(0)}),
    ):
        office.slack.misbehave(method, fault)
        with pytest.raises(expected) as error:
            await office.api.call(method, **where, **more)
        assert type(error.value) is expected
    office.slack.clock.advance(2)


# Emulators that stand in for Slack: they have less than it, and say so in their own ways


@pytest.mark.parametrize("fault", ["unknown_method", "http_404", "http_405", "http_501", "nameless"])
async def test_without_streams_an_answer_grows_in_edits(office, fault):
    office.slack.misbehave("chat.startStream", *[fault] * 9)
    posting = office.posting(await office.begin())
    reply = office.out.reply(posting)
    await office.write(reply, PIECES[:3], pause_s=4.0)
    assert "Full-time employees have" in shown(one(office.stands()))
    await reply.finish(SAID)
    assert shown(one(office.stands())) == SAID.text
    assert "chat.update" in office.called()
    assert "chat.stopStream" not in office.called()


async def test_without_streams_of_which_a_server_says_so_in_no_way_the_answer_comes_once(office):
    office.slack.misbehave("chat.startStream", *["http_200"] * 99)
    posting = office.posting(await office.begin())
    reply = office.out.reply(posting)
    await office.write(reply, PIECES, pause_s=6.0)
    await reply.finish(SAID)
    assert shown(one(office.stands())) == SAID.text
    assert office.called("chat.postMessage", "chat.startStream") == ["chat.postMessage"]


@pytest.mark.parametrize("fault", ["unknown_method", "http_404"])
async def test_where_nothing_can_be_edited_an_answer_is_posted_anew_and_the_next_one_once(office, fault):
    office.slack.misbehave("chat.startStream", *[fault] * 9)
    office.slack.misbehave("chat.update", *[fault] * 9)
    for _ in range(2):
        posting = office.posting(await office.begin())
        reply = office.out.reply(posting)
        await office.write(reply, PIECES, pause_s=4.0)
        await reply.finish(SAID)
    assert [shown(message) for message in office.stands()] == [SAID.text] * 2
    assert office.called("chat.postMessage") == ["chat.postMessage"] * 3


@pytest.mark.parametrize("pieces", [(), PIECES])
async def test_a_post_of_which_nothing_is_said_but_that_it_was_made_is_not_made_again(office, pieces):
    office.slack.misbehave("chat.startStream", *["http_404"] * 9)
    office.slack.misbehave("chat.postMessage", "nameless")
    posting = await office.answer(pieces=pieces)
    assert len(office.stands()) <= 1
    assert posting.message_id(0)
    before = office.called("chat.postMessage")
    await office.out.withdraw(await office.again(posting))
    assert office.called("chat.postMessage") == before


@pytest.mark.parametrize("pieces", [(SAID.text,), PIECES[:3]])
async def test_where_messages_have_no_ids_later_answers_are_shown_once_when_they_are_whole(office, pieces):
    office.slack.misbehave("chat.startStream", *["http_404"] * 9)
    office.slack.misbehave("chat.postMessage", *["unnamed"] * 9)
    await office.answer(pieces=pieces)
    before = len(office.stands())
    await office.answer(pieces=PIECES)
    assert [shown(message) for message in office.stands()[before:]] == [SAID.text]


@pytest.mark.parametrize("method", ["agents.sessions.setStatus", "assistant.threads.setStatus"])
async def test_without_sessions_and_statuses_nothing_is_signalled_and_the_answer_comes(office, method):
    for each in ("agents.sessions.setStatus", "assistant.threads.setStatus", "agents.sessions.rename"):
        office.slack.misbehave(each, *["http_404"] * 9)
    target = await office.target(office.direct)
    await office.out.working(target)
    await office.answer(target=target)
    assert shown(one(office.stands(office.direct))) == SAID.text
    assert method not in office.called()


async def test_a_message_that_names_no_bot_is_found_again_by_its_user(office, database):
    posting = office.posting(await office.begin(), Dying(database))
    with pytest.raises(asyncio.CancelledError):
        await office.out.reply(posting).finish(SAID)
    one(office.stands()).bot_id = ""
    await office.out.reply(await office.again(posting)).finish(SAID)
    assert office.called("chat.postMessage") == ["chat.postMessage"]


def said(body, status=200, **headers):
    return lambda: web.Response(body=body, status=status, headers=headers)


OKAY = b'{"ok": true, "team_id": "T1", "user_id": "U1"}'


@asynccontextmanager
async def answering(reply):
    """Serve a Web API that answers everything alike."""
    bodies = []

    async def handle(request):
        bodies.append((request.content_type, dict(await request.post())))
        return reply()

    app = web.Application()
    app.router.add_post("/api/{method}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    url = f"http://{host}:{port}/api/"
    try:
        async with aiohttp.ClientSession() as session:
            tokens = FixedTokens("xoxb-1", session, base_url=url)
            yield tokens, SlackApi(session, tokens, PreferredPacer(), base_url=url), bodies
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "text/html", "application/octet-stream"])
async def test_an_answer_is_read_whatever_it_is_called(kind):
    async with answering(said(OKAY, **{"Content-Type": kind})) as (tokens, api, bodies):
        assert (await tokens.own()).team_id == "T1"
        assert await api.call("chat.postMessage", team_id="T1", channel="C1", text="x") == json.loads(OKAY)
        assert len(bodies) == 2


async def test_structures_are_sent_in_a_form_which_every_method_reads():
    async with answering(said(OKAY)) as (_, api, bodies):
        blocks, text = [{"type": "divider"}], "ä \ud83d"
        await api.call("chat.postMessage", team_id="T1", channel="C1", text=text, blocks=blocks, unfurl_links=False)
    kind, form = bodies[-1]
    assert kind == "application/x-www-form-urlencoded"
    assert form == {"channel": "C1", "text": "ä ?", "blocks": '[{"type": "divider"}]', "unfurl_links": "false"}


@pytest.mark.parametrize("body", [b'{"message": "Not Found"}', b"<html>no</html>", b"", b"[1]", b'{"error": {}}'])
@pytest.mark.parametrize("status", [404, 405, 501])
async def test_a_method_that_is_not_there_is_refused_and_one_that_must_be_there_is_awaited(status, body):
    async with answering(said(OKAY)) as (tokens, _, _):
        await tokens.own()
        async with answering(said(body, status)) as (others, away, _):
            away.tokens = tokens
            with pytest.raises(Refusal, match=r"chat\.startStream: unknown_method"):
                await away.call("chat.startStream", team_id="T1", channel="C1")
            with pytest.raises(ChannelUnavailable):
                await away.call("chat.postMessage", team_id="T1", channel="C1", text="x")
            with pytest.raises(ChannelUnavailable):
                await others.own()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["chat.postMessage", "chat.update", "auth.test"])
async def test_no_redirect_carries_a_message_to_somebody_else(method, status):
    async with answering(said(OKAY)) as (tokens, _, bodies):
        await tokens.own()
        del bodies[:]
        elsewhere = f"{tokens._client.base_url}{method}"
        moved = said(b'{"ok": false, "error": "moved"}', status, Location=elsewhere)
        async with answering(moved) as (_, away, asked):
            away.tokens = tokens
            with pytest.raises(ChannelUnavailable) as error:
                await away.call(method, team_id="T1", channel="C1", text="x")
    assert not isinstance(error.value, Uncertain)
    assert (len(asked), bodies) == (1, [])


@pytest.mark.parametrize("body", [b"<html>a page</html>", b"", b"[1]", b'{"message": "x"}', b'{"error": {}}'])
@pytest.mark.parametrize("status", [200, 202, 204])
async def test_what_is_made_and_answered_by_nothing_that_can_be_read_is_in_doubt(body, status):
    async with answering(said(OKAY)) as (tokens, _, _):
        await tokens.own()
        async with answering(said(body, status)) as (_, away, _):
            away.tokens = tokens
            for method in ("chat.postMessage", "chat.startStream", "files.completeUploadExternal"):
                with pytest.raises(Uncertain):
                    await away.call(method, team_id="T1", channel="C1")
            with pytest.raises(ChannelUnavailable) as error:
                await away.call("chat.update", team_id="T1", channel="C1")
    assert not isinstance(error.value, Uncertain)


async def test_what_slack_says_it_has_not_done_is_in_no_doubt():
    async with answering(said(OKAY)) as (tokens, _, _):
        await tokens.own()
        async with answering(said(b'{"ok": false}')) as (_, away, _):
            away.tokens = tokens
            with pytest.raises(ChannelUnavailable) as error:
                await away.call("chat.postMessage", team_id="T1", channel="C1", text="x")
    assert not isinstance(error.value, Uncertain)


@pytest.mark.parametrize("body", [b'{"ok": true}', b'{"ok": true, "team_id": 5, "user_id": "U1"}'])
async def test_a_server_that_does_not_say_whose_the_token_is_is_no_slack(body):
    async with answering(said(body)) as (tokens, _, _):
        with pytest.raises(ChannelUnavailable, match="SLACK_API_URL"):
            await tokens.own()


async def test_nothing_is_posted_twice_behind_our_back(office):
    office.slack.misbehave("chat.postMessage", "lost")
    where = {"team_id": office.workspace.team_id, "channel": office.channel.channel_id}
    with pytest.raises(Uncertain):
        await office.api.call("chat.postMessage", text="x", **where)
    assert len(office.stands()) == 1


async def test_a_slack_that_cannot_be_reached_or_is_too_slow_is_away(office):
    office.slack.api.slow_s["users.info"] = 5.0
    with pytest.raises(ChannelUnavailable, match="did not answer"):
        await office.api.call("users.info", team_id=office.workspace.team_id, user="U1")
    async with aiohttp.ClientSession() as session:
        tokens = FixedTokens("xoxb-1", session, base_url="http://127.0.0.1:9/api/")
        with pytest.raises(ChannelUnavailable, match="cannot be reached"):
            await tokens.own()


async def test_a_missing_scope_is_named(database):
    async with opened(database, scopes={"chat:write"}) as office:
        with pytest.raises(Refusal, match="add the scope users:read") as error:
            await office.api.call("users.info", team_id=office.workspace.team_id, user=office.ann.user_id)
        assert error.value.needed == "users:read"


async def test_one_look_tells_who_the_app_is(office):
    team = office.workspace.team_id
    tokens = await asyncio.gather(*(office.tokens.of(team) for _ in range(5)))
    assert office.called() == ["auth.test"]
    assert {(token.bot_user_id, token.bot_id) for token in tokens} == {
        (office.workspace.bot_user_id, office.workspace.bot_id)
    }
    assert office.workspace.bot_token not in repr(tokens)
    with pytest.raises(Rejected, match="not installed"):
        await office.tokens.of("T0OTHER")


async def test_no_secret_and_no_answer_reaches_a_log_or_an_address(office, caplog):
    caplog.set_level(logging.DEBUG)
    office.slack.misbehave("chat.postMessage", "invalid_blocks", "lost")
    secret = replace(SAID, text="a very secret sentence")
    await office.answer(secret, pieces=(secret.text,))
    await office.api.call("users.info", team_id=office.workspace.team_id, user=office.ann.user_id)
    written = caplog.text
    assert "chat.postMessage" in written
    for hidden in ("very secret", office.workspace.bot_token, office.ann.user_id, "?"):
        assert hidden not in written


# What others found hard


@pytest.mark.parametrize(("name", "key"), [("slack_mrkdwn.jsonl", "input"), ("naughty_strings.jsonl", "text")])
async def test_hostile_texts_are_all_shown_with_their_formatting(office, name, key):
    path = HOSTILE / name
    if not path.is_file():
        pytest.skip(f"the public data sets are not at {HOSTILE}")
    written = [json.loads(line)[key] for line in path.read_text("utf-8").splitlines()]
    target = await office.target()
    for text in written:
        await office.answer(Answer(text, Origin.DOCUMENTS, None), target, pieces=())
    messages = office.stands()
    assert len(messages) >= len(written)
    assert sum(bool(message.blocks) for message in messages) >= 0.99 * len(messages)
    assert office.refused == []
