"""Every number that Slack sets is kept, each at its very edge, against a small Slack that refuses what is over it."""

import asyncio
import json
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from uuid import uuid4

import aiohttp
import pytest

from adapters.slack import limits, modals
from adapters.slack.home import Home, Shown, home_view
from adapters.slack.listen import Dispatcher, Listener, is_signed
from adapters.slack.manifest import make_manifest
from adapters.slack.modals import Opened, add_view, channel_view
from adapters.slack.outbound import BODY, message_view, passage_view, reason_view, render
from adapters.slack.parts import Reply
from adapters.slack.socket import Pace, Sockets
from adapters.web.server import make_app, run_server
from core.channels import ChannelSettings
from core.checks import Health
from core.documents import Citation
from core.domain import Answer, File, Origin, Session, Ticket, TicketState
from core.errors import Busy
from core.meter import Unmetered
from core.places import Place, Platform
from tests.platform.slack_answering import body_of, opened
from tests.platform.slack_blocks import check_view, elements_of, texts
from tests.platform.slack_delivery import sign
from tests.platform.slack_server import SlackServer

SECRET = "a signing secret"
SAID = Answer("Full-time employees have 28 days [1].", Origin.DOCUMENTS, None)
WORST = "<&>*_~`:a:@here "  # what grows most on its way to mrkdwn


def cited(count, source="/srv/handbook.md", label="l" * 200):
    return tuple(Citation(n, 1, n, f"{n} {label}", source, 4, "q" * 9_000) for n in range(1, count + 1))


@pytest.fixture
async def desk():
    async with opened() as desk:
        yield desk


# Signatures


@pytest.mark.parametrize(("age_s", "taken"), [(300, True), (-300, True), (301, False), (-301, False)])
def test_a_signature_is_good_for_five_minutes_and_no_second_more(age_s, taken):
    assert is_signed(SECRET, "1700000000", sign(SECRET, b"{}", 1_700_000_000), b"{}", 1_700_000_000 + age_s) is taken


def test_public_signatures_are_judged_as_slacks_own_library_does(shared_data):
    cases = [json.loads(line) for line in (shared_data / "hostile" / "slack_signature.jsonl").read_text().splitlines()]
    assert len(cases) == 10
    for case in cases:
        timestamp, signature = case["timestamp"] or "", case["signature"] or ""
        judged = is_signed(case["signing_secret"], timestamp, signature, case["body"].encode(), float(case["now"]))
        assert judged is case["expect"], case


# Delivery


class Slow:
    """A router that answers as it is told."""

    def __init__(self):
        self.reply, self.events = Reply(), []

    async def event(self, payload, request_id=""):
        self.events.append(payload)
        return self.reply

    command = interaction = event


@pytest.fixture
async def listened():
    """Listen to a small Slack."""
    router = Slow()
    listener = Listener(Dispatcher(router, Unmetered()), SECRET, Unmetered())
    async with (
        SlackServer(signing_secret=SECRET, time_scale=0.0) as slack,
        run_server(make_app(routes=listener.routes(), health=Health({})), "127.0.0.1", 0) as (host, port),
    ):
        slack.rules.request_url = f"http://{host}:{port}/slack/events"
        yield slack, router


async def test_what_nobody_can_read_is_not_brought_again(listened):
    slack, _ = listened
    body, at_s = b"[1, 2]", int(time.time())
    headers = {"X-Slack-Request-Timestamp": str(at_s), "X-Slack-Signature": sign(SECRET, body, at_s)}
    async with (
        aiohttp.ClientSession() as session,
        session.post(slack.rules.request_url, data=body, headers=headers) as answer,
    ):
        assert (answer.status, answer.headers["x-slack-no-retry"]) == (400, "1")


async def test_an_event_that_cannot_be_stored_is_brought_three_times_more(listened):
    slack, router = listened
    router.reply = Reply(503)
    ann = slack.user(slack.workspace(), "ann")
    await slack.say(slack.direct(ann), ann, "A question")
    assert [ack.status for ack in slack.acks] == [503] * (1 + limits.EVENT_RETRIES)
    assert len({payload["event_id"] for payload in router.events}) == 1


# Socket Mode


@asynccontextmanager
async def connecting(connections=2, pace=None):
    """Keep connections to a small Slack."""
    async with SlackServer(time_scale=0.0) as slack, aiohttp.ClientSession() as session:
        slack.rates.enabled = False
        taken = Slow()
        where = {"api_url": slack.api_url, "connections": connections, "pace": pace}
        sockets = Sockets(session, slack.app.app_token, Dispatcher(taken, Unmetered()), Unmetered(), **where)
        running = asyncio.create_task(sockets.run())
        try:
            await slack.until(lambda: sockets.connected == connections)
            yield slack, taken
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def test_ten_connections_are_open_and_slack_refuses_none():
    async with connecting(limits.MAX_SOCKETS) as (slack, _):
        assert len(slack.open_sockets()) == 10
        assert slack.violations == []


async def test_an_envelope_that_comes_twice_is_the_same_event():
    """The inbox knows it by its id; a socket says with retry_attempt that it has sent it before."""
    async with connecting() as (slack, taken):
        slack.rules.lost_acks = 2
        ann = slack.user(slack.workspace(), "ann")
        await slack.say(slack.direct(ann), ann, "A question")
        assert len(taken.events) == 3
        assert len({payload["event_id"] for payload in taken.events}) == 1


@pytest.mark.parametrize("reason", ["link_disabled", "too_many_websockets"])
async def test_slack_that_wants_no_connection_is_asked_more_and_more_rarely(reason):
    pace = Pace(ping_s=0.05, retry_s=0.02, longest_retry_s=60.0, leave_s=0.0)  # each lives for longer than a ping
    async with connecting(pace=pace) as (slack, _):
        for _ in range(20):
            await asyncio.sleep(0.07)
            await slack.disconnect(reason)
        assert len([name for name, _ in slack.calls if name == "apps.connections.open"]) <= 20


# Pace


@pytest.mark.parametrize(
    ("method", "count"),
    [
        ("users.list", 45),  # the second tier
        ("usergroups.list", 45),
        ("chat.update", 120),  # the third
        ("conversations.open", 120),
        ("users.info", 230),  # the fourth
        ("chat.postEphemeral", 230),
        ("chat.postMessage", 12),  # one a second in each channel
    ],
)
async def test_calls_keep_to_the_tier_of_their_method(desk, method, count):
    message = await desk.answer(SAID)
    where = {"channel": desk.channel.channel_id, "text": "x", "ts": message.message_id(0), "user": desk.ann.user_id}
    arguments = {
        "users.list": {},
        "usergroups.list": {},
        "users.info": {"user": desk.ann.user_id},
        "conversations.open": {"users": desk.ann.user_id},
    }.get(method, where)
    for _ in range(count):
        await desk.call(method, **arguments)
    assert desk.refused == []


async def test_streams_keep_to_their_tiers(desk):
    target = await desk.target()
    for _ in range(25):
        await desk.answer(SAID, ("Full-time ", "employees ", "have 28 days [1]."), target)
    assert set(desk.refused) <= set()
    assert len(desk.called("chat.startStream")) >= 20


async def test_a_retry_after_is_waited_for_to_the_end(desk):
    where = {"team_id": desk.workspace.team_id, "user": desk.ann.user_id}
    desk.slack.rates.close("users.info", desk.workspace.team_id, 25.0)
    with pytest.raises(Busy):  # this one hears of it
        await desk.api.call("users.info", patience_s=1.0, **where)
    desk.slack.early_calls.clear()
    for _ in range(3):
        with pytest.raises(Busy):
            await desk.api.call("users.info", patience_s=1.0, **where)
    await desk.call("users.info", user=desk.ann.user_id)
    assert desk.slack.early_calls == []
    assert desk.refused == ["ratelimited"]


async def test_reading_back_asks_for_no_more_than_other_peoples_apps_may_have(desk):
    """They get 15 messages of a thread, once a minute: what came before the question is not asked for."""
    desk.workspace.commercial = True
    early = await desk.target()
    for number in range(40):
        await desk.slack.say(desk.channel, desk.ann, f"{number}", thread_ts=early.message_id)
    asked = await desk.slack.say(desk.channel, desk.ann, "A question", thread_ts=early.message_id)
    target = replace(early, message_id=asked.ts, address={**early.address, "ts": asked.ts})
    posted = await desk.answer(SAID, (), target)
    again = desk.posting(target, begun=0)
    await desk.out.reply(again).finish(SAID)
    assert again.message_id(0) == posted.message_id(0)
    assert len(desk.stands()) == 1
    (read,) = desk.called("conversations.replies")
    assert int(read["limit"]) <= 15


# Text


LONG_LINK = "[link](https://docs.example/a_b?x=1&y=2) "


@pytest.mark.parametrize("filler", ["word ", WORST, LONG_LINK, "http://a ", ">\n", "- a\n", "| a | b |\n"])
@pytest.mark.parametrize("length", [3_799, 3_800, 3_801, 12_001])
async def test_a_text_of_any_length_is_posted_and_edited(desk, filler, length):
    desk.slack.rates.enabled = False
    long = replace(SAID, text=(filler * length)[:length].strip())
    target = await desk.target()
    posting = await desk.answer(long, (), target)
    await desk.out.reply(posting).finish(long)
    assert desk.refused == []
    written = [*desk.called("chat.postMessage"), *desk.called("chat.update")]
    assert len(written) == 2 * len(desk.stands())
    for arguments in written:
        assert len(arguments["text"]) <= limits.UPDATE_TEXT
        assert sum(map(len, texts(arguments["blocks"]))) <= limits.BLOCKS_TOTAL_TEXT
        assert "markdown_text" not in arguments


async def test_pieces_of_a_stream_are_short_and_are_no_markdown_text_argument(desk):
    words = [f"word{number} " for number in range(2_500)]
    await desk.answer(replace(SAID, text="".join(words)), ["".join(words[at : at + 50]) for at in range(0, 2_500, 50)])
    for name in ("chat.startStream", "chat.appendStream", "chat.stopStream"):
        for arguments in desk.called(name):
            assert "markdown_text" not in arguments
            assert sum(len(chunk["text"]) for chunk in arguments.get("chunks") or ()) <= limits.MARKDOWN_TEXT
    streams = [message.stream for message in desk.stands() if message.stream is not None]
    assert all(sum(len(chunk["text"]) for chunk in stream.chunks) <= BODY for stream in streams)
    assert len(streams) >= 4
    assert "msg_too_long" not in desk.refused
    assert "".join(body_of(message) for message in desk.stands()).split() == "".join(words).split()


# Blocks


@pytest.mark.parametrize("count", [1, 24, 25, 26, 49, 50, 51, 120])
@pytest.mark.parametrize(
    "source", ["/srv/handbook.md", "https://docs.example/" + "x" * 1_900, "https://d.example/?a=&<>|"]
)
@pytest.mark.parametrize("streamed", [True, False])
async def test_the_fullest_message_is_taken_with_its_blocks(desk, count, source, streamed):
    desk.slack.rates.enabled = False
    text = (WORST * 900)[:3_700] if not streamed else "word " * 750
    full = replace(SAID, text=text, citations=cited(count, source, WORST * 20), notice=WORST * 900, ticket_number=None)
    await desk.answer(full, [text[:1_000], text[1_000:]] if streamed else ())
    assert set(desk.refused) <= {"streaming_state_conflict"}
    message = desk.stands()[-1]
    assert len(message.blocks) <= limits.BLOCKS_PER_MESSAGE
    assert sum(map(len, texts(message.blocks))) <= limits.BLOCKS_TOTAL_TEXT
    shown = json.dumps(message.blocks)
    assert all(f"[{number}] " in shown for number in range(1, min(count, 50) + 1))
    for block in message.blocks:
        for element in elements_of(block):
            assert len(element.get("action_id", "")) <= limits.ACTION_ID


def test_a_source_with_the_longest_name_is_a_link_in_one_piece():
    (part,) = render(replace(SAID, citations=cited(9, "https://docs.example/" + "x" * 900, "label " * 600)), 7)
    lines = [block["elements"][0]["text"] for block in part.tail if block["type"] == "context"]
    assert lines
    assert all(text.count("<") == text.count(">") == text.count("|") for text in lines)


async def test_a_private_answer_is_taken_by_its_response_url_five_times_and_then_elsewhere(desk):
    url = desk.slack.response_url(desk.channel, desk.ann)
    target = await desk.target(private=True, response_url=url, thread_ts="")
    await desk.answer(replace(SAID, text="\n\n".join(f"Paragraph {n}: " + "word " * 700 for n in range(8))), (), target)
    used = desk.slack.state.response_urls[url.rpartition("/")[2]].uses
    assert used == limits.RESPONSE_URL_USES - 1  # one is left for a button
    assert len(desk.called("chat.postEphemeral")) == 4
    assert desk.refused == []


@pytest.mark.parametrize(("later_s", "used"), [(29 * 60, 1), (31 * 60, 0)])
async def test_a_response_url_is_used_for_half_an_hour(desk, later_s, used):
    url = desk.slack.response_url(desk.channel, desk.ann)
    target = await desk.target(private=True, response_url=url, thread_ts="")
    target = replace(target, message_id="", address={**target.address, "ts": ""})  # nobody knows when it was asked
    desk.slack.clock.advance(later_s)
    await desk.answer(SAID, (), target)
    assert desk.slack.state.response_urls[url.rpartition("/")[2]].uses == used
    assert [message.ephemeral_to for message in desk.stands()] == [desk.ann.user_id] * used
    assert len(desk.stands(desk.slack.direct(desk.ann))) == 1 - used


async def test_a_file_that_was_sent_can_be_taken_back(desk):
    target = await desk.target(desk.slack.direct(desk.ann))
    posting = await desk.answer(replace(SAID, file=File("export.json", "application/json", "{}")), (), target)
    assert len(desk.slack.state.files) == 1
    await desk.out.withdraw(posting)
    assert desk.slack.state.files == {}
    assert desk.refused == []


# Streams


async def test_where_there_is_no_thread_no_stream_is_asked_for(desk):
    target = await desk.target(thread_ts="")
    target = replace(target, place=Place(Platform.SLACK, desk.channel.channel_id, ""))
    await desk.answer(SAID, ("Full-time ", "employees ", "have 28 days [1]."), target, pause_s=4.0)
    assert desk.called("chat.startStream") == []
    assert desk.refused == []
    assert [body_of(message) for message in desk.stands()] == [SAID.text]


@pytest.mark.parametrize("in_direct", [True, False])
async def test_a_stream_names_its_thread_its_reader_and_their_workspace(desk, in_direct):
    target = await desk.target(desk.slack.direct(desk.ann) if in_direct else None)
    await desk.answer(SAID, ("Full-time ", "employees ", "have 28 days [1]."), target)
    (begun,) = desk.called("chat.startStream")
    named = {"thread_ts": desk.thread_ts, "recipient_user_id": desk.ann.user_id}
    assert begun.items() >= {**named, "recipient_team_id": desk.workspace.team_id}.items()
    assert desk.refused == []


@pytest.mark.parametrize("minutes", [4, 5, 9])
async def test_an_answer_of_many_minutes_leaves_its_stream_before_slack_ends_it(desk, minutes):
    words = [f"word{number} " for number in range(minutes * 12)]
    await desk.answer(replace(SAID, text="".join(words)), words, pause_s=5.0)
    assert "message_not_in_streaming_state" not in desk.refused
    assert "".join(body_of(message) for message in desk.stands()).split() == "".join(words).split()


# Agents


async def test_no_more_than_four_prompts_are_suggested(desk):
    direct = desk.slack.direct(desk.ann)
    prompts = [(f"Title {number}", f"Question {number}") for number in range(9)]
    await Home(desk.api, None, prompts=prompts).suggest(desk.workspace.team_id, direct.channel_id)
    assert len(desk.slack.state.prompts[direct.channel_id]) == limits.SUGGESTED_PROMPTS
    assert desk.refused == []


NOW = datetime(2026, 1, 1, tzinfo=UTC)
PLACE = Place(Platform.SLACK, "D1", "1.1")


def session(title):
    return Session(uuid4(), PLACE, "U1", title, favourite=True, turns=2, created_at=NOW, updated_at=NOW)


def ticket(number, question):
    return Ticket(number, uuid4(), TicketState.OPEN, question, "", "", "", NOW, NOW)


async def test_the_title_of_a_session_is_cut_to_what_slack_shows(desk):
    target = await desk.target(desk.slack.direct(desk.ann))
    where = {"channel_id": target.place.channel, "thread_ts": target.place.thread}
    await desk.call("agents.sessions.setStatus", status="processing", **where)

    class Sessions:
        async def session(self, tenant_id, session_id):
            return session("t" * 900)

    home = Home(desk.api, SimpleNamespace(sessions=Sessions()))
    await home.entitle(target, replace(SAID, session_id=uuid4()))
    title = desk.slack.state.sessions[target.place.channel, target.place.thread].title
    assert title == "t" * limits.SESSION_TITLE
    assert desk.refused == []


# Views


@pytest.mark.parametrize("words", ["x", WORST * 60, "word " * 200, "w" * 900, "<" * 900, "\n" * 900])
@pytest.mark.parametrize(("bases", "tickets"), [(0, 0), (1, 1), (30, 10), (60, 20)])
def test_the_home_keeps_to_the_limits_of_views(words, bases, tickets):
    shown = Shown(
        [session(words) for _ in range(10)],
        [ticket(number, words) for number in range(tickets)],
        [f"{number} {words}" for number in range(bases)],
    )
    view = check_view(home_view(shown, "D0123456789"), "home")
    assert len(view["blocks"]) <= limits.BLOCKS_PER_VIEW


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 300])
@pytest.mark.parametrize("length", [1, 75, 76, 150, 151, 3_001])
def test_the_forms_keep_to_the_limits_of_selects(count, length):
    names = [f"{number:03}".rjust(length, "n")[-length:] if length > 3 else f"{number:03}" for number in range(count)]
    opened_by = Opened("U" * 11, "C" * 11, "D" * 11)
    settings = ChannelSettings(tuple(names[:1]))
    for view in (add_view(opened_by, names, "k" * 60), channel_view(opened_by, settings, names)):
        selects = [e for block in check_view(view, "modal")["blocks"] for e in elements_of(block) if "options" in e]
        assert all(len(element["options"]) <= limits.SELECT_OPTIONS for element in selects)


@pytest.mark.parametrize("length", [1, 24, 25, 2_999, 3_000, 3_001, 90_000])
def test_what_is_said_in_a_view_keeps_to_its_limits(length):
    for text in ("w" * length, (WORST * length)[:length]):
        check_view(modals.message_view("t" * length, text), "modal")
        check_view(message_view(text, "de"), "modal")


@pytest.mark.parametrize("length", [1, 2_999, 3_000, 3_001, 9_000, 600_000])
def test_a_passage_of_any_length_keeps_to_the_limits_of_views(length):
    source = Citation(10**20, 1, 1, "l" * 5_000, "/srv/x", 10**9, ("word " * length)[:length])
    view = check_view(passage_view(source, "de"), "modal")
    assert len(view["blocks"]) <= limits.BLOCKS_PER_VIEW


def test_what_a_form_remembers_fits():
    rated = dict.fromkeys(("channel", "thread_ts", "ts", "message"), "x" * 255)
    assert len(check_view(reason_view(rated, "fr"), "modal")["private_metadata"]) <= limits.VIEW_METADATA


# The manifest. docs.slack.dev/reference/app-manifest; the official schema is not committed


@pytest.mark.parametrize("form", [{}, {"url": "https://help.example.org"}, {"prefix": "/" + "a" * 31}])
def test_the_manifest_keeps_to_its_numbers(form):
    made = make_manifest(**form)
    display, features = made["display_information"], made["features"]
    assert len(display["name"]) <= 35
    assert len(display["description"]) <= 140
    assert 175 <= len(display["long_description"]) <= 4_000
    assert 1 <= len(features["slash_commands"]) <= 50
    assert all(len(command["command"]) <= 32 for command in features["slash_commands"])
    assert len(features["shortcuts"]) <= 10
    assert all(len(shortcut["name"]) <= 24 for shortcut in features["shortcuts"])
    assert len(features["agent_view"]["suggested_prompts"]) <= limits.SUGGESTED_PROMPTS
    assert len(features["agent_view"]["agent_description"]) <= 300
    assert len(made["settings"]["event_subscriptions"]["bot_events"]) <= 100
