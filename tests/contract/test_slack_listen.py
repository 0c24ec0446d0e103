"""Slack over HTTP, against a loopback Slack that signs, waits three seconds and delivers again, and a PostgreSQL."""

import asyncio
import hashlib
import hmac
import json
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from urllib.parse import urlencode

import aiohttp
import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from adapters.postgres.authors import PostgresAuthors
from adapters.postgres.channels import PostgresChannels
from adapters.postgres.inbox import PostgresInbox
from adapters.postgres.pacing import PostgresPacing
from adapters.postgres.uploads import PostgresUploads
from adapters.slack.api import FixedTokens, SlackApi
from adapters.slack.files import TICKET_TYPE, SlackFiles, redeeming
from adapters.slack.listen import BODY_BYTES, Dispatcher, Listener
from adapters.slack.oauth import OneWorkspace
from adapters.slack.outsiders import Outsiders
from adapters.slack.parts import Parts
from adapters.slack.people import People, parse_rule
from adapters.slack.router import Router
from adapters.web.server import make_app, run_server
from bots.settings import Settings
from bots.slack import home_workspaces, make_rule, open_link, open_slack, wrong_settings
from bots.threads import KeptThreads
from bots.wiring import open_frontdesk
from core.accepting import Acceptance
from core.channels import ChannelSettings, Listens
from core.checks import Health
from core.domain import Answer, Origin
from core.errors import StoreUnavailable, UnreadableDocument, UsageError
from core.file_tickets import FileTickets, TicketedUploads
from core.inbox import Kind, Thread
from core.listening import Listening
from core.meter import Counted, Unmetered
from core.pacing import PreferredPacer
from core.places import Place, Platform
from tests.platform.slack_server import SlackServer

SECRET = "a signing secret"
FILE_SECRET = b"a secret for files"


class Figures(Unmetered):
    def __init__(self):
        self.counted = []

    def count(self, what, by=1, **labels):
        self.counted.append((what, labels.get("reason")))


class Instant:
    """Commands that are answered at once."""

    def __init__(self):
        self.messages = []

    async def instant(self, message):
        self.messages.append(message)
        if message.text.startswith(("/help", "/admin")):
            return Answer("**Commands** are here.", Origin.COMMAND, None)
        return None


class Handled:
    def __init__(self, body):
        self.body = body


class Modals:
    """What takes some things before the inbox does."""

    def __init__(self):
        self.kinds, self.slow_s = [], 0.0

    def hears(self, payload, team_id):
        return False

    async def handle(self, kind, payload, team_id):
        self.kinds.append(kind)
        await asyncio.sleep(self.slow_s)
        return Handled({"response_action": "clear"}) if kind == "view_submission" else None


class Desk:
    """A router with everything real around it but what modals and commands do."""

    def __init__(self, slack, database, owner_url, session, *, waiting_limit=10_000, author_limit=1_000):
        self.slack, self.database, self._owner_url = slack, database, owner_url
        self.figures, self.instant, self.modals = Figures(), Instant(), Modals()
        self.workspace = slack.workspace()
        self.ann, self.bob = slack.user(self.workspace, "ann", admin=True), slack.user(self.workspace, "bob")
        self.channel = slack.channel(self.workspace, "general", self.ann, self.bob)
        tokens = OneWorkspace(FixedTokens(self.workspace.bot_token, session, base_url=slack.api_url), 1)
        pacer = PreferredPacer(PostgresPacing(database))
        self.api = SlackApi(session, tokens, pacer, base_url=slack.api_url)
        self.people = People(self.api, parse_rule("admins"))
        self.uploads = PostgresUploads(database)
        self.channels = PostgresChannels(database)
        inbox = PostgresInbox(database, waiting_limit=waiting_limit, author_limit=author_limit)
        self.acceptance = Acceptance(inbox, self.figures)
        kept = KeptThreads(inbox, PostgresAuthors(database))
        self.renamed = []
        self.router = Router(
            Parts(
                workspaces=tokens,
                acceptance=self,
                listening=Listening(self.channels, kept),
                people=self.people,
                api=self.api,
                meter=self.figures,
                files=FileTickets(self.uploads, TICKET_TYPE),
                file_secret=FILE_SECRET,
                outsiders=Outsiders(self.people),
                interactions=self.modals,
                commands=self.instant,
                files_of=kept.files_of,
                rename=self._rename,
            )
        )
        self.failures = []
        self.dispatcher = Dispatcher(self.router, self.figures)
        files = SlackFiles(session, self.api, self._token_of, api_url=slack.api_url, limit_bytes=1_000)
        self.files = TicketedUploads(self.uploads, TICKET_TYPE, redeeming(files, FILE_SECRET))

    async def _token_of(self, team_id):
        return self.workspace.bot_token

    async def _rename(self, *arguments):
        self.renamed.append(arguments)

    async def accept(self, incoming):
        if self.failures:
            raise self.failures.pop(0)
        return await self.acceptance.accept(incoming)

    async def rows(self):
        """List what the inbox holds, oldest first, as JSON."""
        connection = await asyncpg.connect(self._owner_url)
        try:
            await connection.execute("select set_config('frontdesk.tenant_id', '1', false)")
            found = await connection.fetch("select body from inbox order by inbox_id")
            return [json.loads(row["body"]) for row in found]
        finally:
            await connection.close()

    async def texts(self):
        return [(row["kind"], row["message"]["text"]) for row in await self.rows()]

    async def close(self):
        await self.router.close()
        await self.people.close()


@pytest.fixture
async def desks(database, addresses):
    """Make desks that listen on an address."""
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())

        async def make(**limits):
            slack = await stack.enter_async_context(SlackServer(signing_secret=SECRET, time_scale=0.0))
            desk = Desk(slack, database, addresses.owner, session, **limits)
            listener = Listener(desk.dispatcher, SECRET, desk.figures)
            app = make_app(routes=listener.routes(), health=Health({}))
            host, port = await stack.enter_async_context(run_server(app, "127.0.0.1", 0))
            desk.url, desk.session = f"http://{host}:{port}/slack/events", session
            slack.rules.request_url = desk.url
            stack.push_async_callback(desk.close)
            return desk

        yield make


@pytest.fixture
async def desk(desks):
    return await desks()


def sign(body, at_s, secret=SECRET):
    return "v0=" + hmac.new(secret.encode(), f"v0:{at_s}:".encode() + body, hashlib.sha256).hexdigest()


async def post(desk, body, *, at_s=None, signature=None, timestamp=None, content_type="application/json", **headers):
    at_s = int(time.time()) if at_s is None else at_s
    sent = {"Content-Type": content_type, "X-Slack-Request-Timestamp": timestamp or str(at_s), **headers}
    sent["X-Slack-Signature"] = signature or sign(body, at_s)
    async with desk.session.post(desk.url, data=body, headers=sent) as response:
        return response.status, await response.text()


async def test_the_address_is_verified(desk):
    assert await desk.slack.verify()


@pytest.mark.parametrize("offset_s", [-299, 0, 299])
async def test_what_was_signed_within_five_minutes_is_taken(desk, offset_s):
    assert (await post(desk, b'{"type": "x"}', at_s=int(time.time()) + offset_s))[0] == 200


@pytest.mark.parametrize("offset_s", [-302, 302])
async def test_what_was_signed_longer_ago_is_refused(desk, offset_s):
    assert (await post(desk, b'{"type": "x"}', at_s=int(time.time()) + offset_s))[0] == 401


@pytest.mark.parametrize("timestamp", ["abc", "1e9", "-5", "99999999999999999999"])
async def test_an_odd_timestamp_is_refused_and_no_failure(desk, timestamp):
    assert (await post(desk, b"{}", timestamp=timestamp))[0] == 401


@pytest.mark.parametrize("body", [b"", b"no json", b"\xff\xfe", b"[1]", b"{" * 5_000])
async def test_a_body_nobody_signed_is_refused_before_anything_reads_it(desk, body):
    assert (await post(desk, body, signature="v0=00"))[0] == 401
    assert (await post(desk, body, signature=sign(body, int(time.time()), "another secret")))[0] == 401
    assert (Counted.REFUSED, "forged") in desk.figures.counted


async def test_a_signed_body_that_is_none_is_refused_for_good(desk):
    assert (await post(desk, b"[1, 2]"))[0] == 400


async def test_a_body_over_the_cap_is_not_read(desk):
    async def pieces():
        for _ in range(BODY_BYTES // 65_536 + 1):
            yield b"x" * 65_536

    async with desk.session.post(desk.url, data=pieces()) as response:
        assert response.status == 413


async def test_a_body_that_does_not_come_holds_nobody_up(desk):
    reader, writer = await asyncio.open_connection("127.0.0.1", int(desk.url.split(":")[2].partition("/")[0]))
    writer.write(b"POST /slack/events HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")
    assert (await reader.readline()).split()[1] == b"400"
    writer.close()
    await writer.wait_closed()


async def test_a_listener_without_a_secret_is_none():
    with pytest.raises(UsageError):
        Listener(None, " ", Unmetered())


async def test_a_mention_that_comes_as_two_events_is_one_question(desk):
    await desk.slack.say(desk.channel, desk.ann, f"{desk.slack.mention(desk.workspace)} How long is it?")
    assert await desk.texts() == [("message", "How long is it?")]
    assert desk.slack.violations == []


async def test_what_slack_delivers_four_times_is_stored_once(desk):
    desk.slack.rules.lost_acks = 3
    await desk.slack.say(desk.channel, desk.ann, f"{desk.slack.mention(desk.workspace)} How long is it?")
    assert len(desk.slack.acks) == 8
    assert await desk.texts() == [("message", "How long is it?")]


async def test_what_is_not_stored_comes_again(desk):
    desk.failures = [StoreUnavailable("PostgreSQL is away.")]
    await desk.slack.say(desk.slack.direct(desk.ann), desk.ann, "How long is it?")
    assert [ack.status for ack in desk.slack.acks] == [503, 200]
    assert await desk.texts() == [("message", "How long is it?")]


async def test_what_nobody_handles_is_acknowledged(desk):
    for kind in ("team_join", "channel_rename", "app_context_changed", "something_new"):
        body = json.dumps({"type": "event_callback", "team_id": "T1", "event": {"type": kind}, "event_id": kind})
        assert (await post(desk, body.encode()))[0] == 200
    assert (await post(desk, b'{"type": "workflow_step_edit"}'))[0] == 200
    assert await desk.rows() == []


@pytest.mark.parametrize("kind", ["event_callback", "event"])
async def test_what_names_neither_its_workspace_nor_itself_is_taken_in_once(desk, kind):
    event = {"type": "message", "channel": "D1", "user": "U1", "text": "How long is it?", "ts": "1.0000012"}
    for _ in range(3):
        assert (await post(desk, json.dumps({"type": kind, "event": event}).encode()))[0] == 200
    rows = await desk.rows()
    assert [row["message"]["text"] for row in rows] == ["How long is it?"]
    assert rows[0]["installation"] == rows[0]["address"]["team"] == desk.workspace.team_id
    form = urlencode({"command": "/ask", "text": "Why?", "channel_id": "C1", "user_id": "U1", "trigger_id": "t1"})
    assert (await post(desk, form.encode(), content_type="application/x-www-form-urlencoded"))[0] == 200
    assert [row["installation"] for row in await desk.rows()] == [desk.workspace.team_id] * 2


async def test_a_workspace_without_the_app_is_acknowledged_and_not_heard(desk):
    event = {"type": "message", "channel_type": "im", "channel": "D1", "user": "U1", "text": "hi", "ts": "1.000001"}
    body = json.dumps({"type": "event_callback", "team_id": "T9", "event": event, "event_id": "Ev1"})
    assert (await post(desk, body.encode()))[0] == 200
    assert await desk.rows() == []


async def test_that_slack_holds_events_back_is_counted(desk):
    body = b'{"type": "app_rate_limited", "team_id": "T1", "minute_rate_limited": 1}'
    assert (await post(desk, body))[0] == 200
    assert (Counted.REFUSED, "overloaded") in desk.figures.counted


async def test_bots_are_not_heard_and_neither_are_we(desk):
    bot = desk.slack.bot(desk.workspace, "other")
    desk.channel.members.add(bot.user_id)
    await desk.slack.say(desk.channel, bot, f"{desk.slack.mention(desk.workspace)} How long?")
    await desk.api.call(
        "chat.postMessage", team_id=desk.workspace.team_id, channel=desk.channel.channel_id, text="An answer?"
    )
    await desk.slack.settled()
    assert await desk.rows() == []


async def test_edits_deletions_and_replies_of_a_question(desk):
    said = await desk.slack.say(desk.channel, desk.ann, f"{desk.slack.mention(desk.workspace)} How long is it?")
    other = await desk.slack.say(desk.channel, desk.bob, "Lunch?")
    await desk.slack.unfurl(said)
    await desk.slack.edit(other, "Lunch at noon?")
    await desk.slack.edit(said, f"{desk.slack.mention(desk.workspace)} How much is it?")
    await desk.slack.unfurl(said)
    await desk.slack.say(desk.channel, desk.bob, "And for me?", thread_ts=said.ts)
    await desk.slack.erase(other)
    await desk.slack.erase(said)
    assert await desk.texts() == [
        ("message", "How long is it?"),
        ("edit", "How much is it?"),
        ("message", "And for me?"),
        ("delete", ""),
    ]


async def test_a_channel_that_always_listens_is_answered_without_a_mention(desk):
    place = Place(Platform.SLACK, desk.channel.channel_id)
    await desk.slack.say(desk.channel, desk.ann, "Nice weather")
    await desk.channels.save(1, place, ChannelSettings(listens=Listens.ALWAYS))
    await desk.slack.say(desk.channel, desk.ann, "Nice weather today")
    assert await desk.texts() == [("message", "Nice weather today")]


async def test_people_keep_their_names_in_a_question(desk):
    mention = desk.slack.mention(desk.workspace)
    await desk.slack.say(desk.channel, desk.ann, f"{mention} is <@{desk.bob.user_id}> on leave?")
    assert await desk.texts() == [("message", "is @bob on leave?")]


async def test_names_that_slack_does_not_say_in_time_delay_nothing(desk):
    desk.slack.api.slow_s["users.info"] = 30.0
    mention = desk.slack.mention(desk.workspace)
    await desk.slack.say(desk.channel, desk.ann, f"{mention} is <@{desk.bob.user_id}> on leave?")
    assert await desk.texts() == [("message", f"is @{desk.bob.user_id} on leave?")]
    assert desk.slack.violations == []


@pytest.mark.parametrize(("name", "expected"), [("ann", True), ("bob", False)])
async def test_slack_says_who_administers_where_it_matters(desk, name, expected):
    user = getattr(desk, name)
    await desk.slack.say(desk.slack.direct(user), user, "hello there")
    await desk.slack.say(desk.slack.direct(user), user, "/kb list")
    assert [row["message"]["administrator"] for row in await desk.rows()] == [None, expected]


# Who reads along


async def outsiders(desk):
    return [row["message"]["outsider"] for row in await desk.rows()]


async def test_employees_are_told_from_guests_and_from_other_organisations(desk):
    mention = desk.slack.mention(desk.workspace)
    guest = desk.slack.user(desk.workspace, "gus", guest=True)
    eve = desk.slack.user(desk.slack.workspace("partner"), "eve")
    shared = desk.slack.channel(desk.workspace, "with-partner", desk.ann, eve, shared=True)
    desk.channel.members.add(guest.user_id)
    await desk.slack.say(desk.channel, desk.ann, f"{mention} one?")
    await desk.slack.say(desk.slack.direct(desk.ann), desk.ann, "two?")
    assert await outsiders(desk) == [False, False]
    await desk.slack.say(desk.channel, guest, f"{mention} three?")
    await desk.slack.say(desk.slack.direct(guest), guest, "four?")
    await desk.slack.say(shared, eve, f"{mention} five?")
    said = await desk.slack.say(shared, desk.ann, f"{mention} six?")
    await desk.slack.edit(said, f"{mention} seven?")
    assert await outsiders(desk) == [False, False, True, True, True, True, True]


async def test_a_command_does_not_say_whether_its_channel_is_shared_so_slack_is_asked_once_in_a_while(desk):
    shared = desk.slack.channel(desk.workspace, "with-partner", desk.ann, shared=True)
    unseen = desk.slack.channel(desk.workspace, "secret", desk.ann, private=True, with_bot=False)
    for channel in (desk.channel, shared, unseen, shared):
        await desk.slack.command(channel, desk.ann, "/ask", "How long is it?")
    assert await outsiders(desk) == [False, True, False, True]
    assert [name for name, _ in desk.slack.calls].count("conversations.info") == 2


async def test_whom_slack_does_not_speak_of_in_time_reads_no_more_than_a_guest(desk):
    desk.slack.api.slow_s["users.info"] = 30.0
    await desk.slack.say(desk.slack.direct(desk.ann), desk.ann, "How long is it?")
    assert await outsiders(desk) == [True]
    assert desk.slack.violations == []


async def test_guests_may_be_let_in_and_a_shared_channel_stays_shared(desk):
    guest = desk.slack.user(desk.workspace, "gus", guest=True)
    shared = desk.slack.channel(desk.workspace, "with-partner", guest, shared=True)
    open_house = Outsiders(desk.people, guests_allowed=True)
    desk.router._parts = replace(desk.router._parts, outsiders=open_house)
    await desk.slack.say(desk.slack.direct(guest), guest, "one?")
    await desk.slack.say(shared, guest, f"{desk.slack.mention(desk.workspace)} two?")
    assert await outsiders(desk) == [False, True]


# Who administers


async def test_the_administrators_of_any_other_workspace_administer_nothing(desk):
    """All workspaces share one tenant, so only the home workspaces' own word counts."""
    other = desk.slack.workspace("partner")
    home, away = desk.workspace.team_id, other.team_id
    eve = desk.slack.user(other, "eve", admin=True)

    class Calls:
        async def call(self, method, *, team_id, **arguments):
            users = (user for user in desk.slack.state.users.values() if user.team_id == team_id)
            return {"user": next(user.shown() for user in users if user.user_id == arguments["user"])}

    async def administers(rule, team_id, user):
        return await People(Calls(), rule).is_administrator(team_id, user.user_id)

    everywhere = parse_rule("admins")
    assert await administers(everywhere, away, eve)
    at_home = parse_rule("admins", {home})
    assert await administers(at_home, home, desk.ann)
    assert not await administers(at_home, away, eve)
    nowhere = parse_rule(f"admins,{home}/{desk.bob.user_id}", ())
    assert not await administers(nowhere, home, desk.ann)
    assert await administers(nowhere, home, desk.bob)
    assert not await administers(nowhere, away, desk.bob)
    by_id = parse_rule(eve.user_id, {home})
    assert not await administers(by_id, away, eve)


@pytest.mark.parametrize(
    ("given", "homes"),
    [
        ({"slack_bot_token": "xoxb-1"}, None),
        ({"slack_client_id": "1.2", "slack_workspaces": "T1"}, {"T1"}),
        ({"slack_client_id": "1.2", "slack_workspaces": "T1,T2"}, set()),
        ({"slack_client_id": "1.2", "slack_workspaces": "*"}, set()),
        ({"slack_client_id": "1.2", "slack_workspaces": "*", "slack_home_workspaces": "T1, T2"}, {"T1", "T2"}),
    ],
)
def test_of_several_workspaces_those_count_that_the_settings_name(given, homes):
    assert home_workspaces(Settings(**given)) == homes
    assert make_rule(Settings(**given)).homes == homes


def test_an_administrator_whom_no_workspace_names_is_said_to_be_none():
    settings = Settings(slack_client_id="1.2", slack_workspaces="*", slack_administrators="U024BE7LH")
    assert any("T.../U..." in said for said in wrong_settings(settings))
    assert make_rule(Settings(slack_client_id="1.2", slack_workspaces="*", slack_administrators="T1AB/U024BE7LH"))


async def test_a_command_is_answered_at_once_or_taken_in_privately(desk):
    ack = await desk.slack.command(desk.channel, desk.bob, "/frontdesk", "help")
    assert ack.body["response_type"] == "ephemeral"
    assert "*Commands*" in ack.body["text"]
    await desk.slack.command(desk.channel, desk.bob, "/frontdesk", "admin bcdfg-code")
    ack = await desk.slack.command(desk.channel, desk.bob, "/ask", "How long is it?")
    assert ack.body["response_type"] == "ephemeral"
    assert ack.body["text"] == "> How long is it?\nLooking it up …"
    (row,) = await desk.rows()
    assert row["message"]["text"] == "/ask How long is it?"
    assert row["address"]["private"] is True
    assert desk.modals.kinds == ["command"] * 3


async def test_a_command_that_cannot_be_stored_says_so(desk):
    desk.failures = [StoreUnavailable("PostgreSQL is away.")]
    ack = await desk.slack.command(desk.channel, desk.bob, "/ask", "How long is it?")
    assert "try again" in ack.body["text"]


async def test_a_modal_that_hangs_does_not_hold_the_acknowledgement(desk):
    desk.modals.slow_s = 60.0
    ack = await desk.slack.command(desk.channel, desk.bob, "/kb", "add")
    assert ack.ok
    assert "too long" in ack.body["text"]


async def test_forms_are_answered_by_whoever_made_them(desk):
    view = {"id": "V1", "type": "modal", "callback_id": "kb_add", "state": {"values": {}}}
    payload = {"type": "view_submission", "team": {"id": desk.workspace.team_id}, "user": {"id": "U1"}, "view": view}
    body = urlencode({"payload": json.dumps(payload)}).encode()
    status, text = await post(desk, body, content_type="application/x-www-form-urlencoded")
    assert (status, json.loads(text)) == (200, {"response_action": "clear"})


async def test_too_much_is_acknowledged_and_its_author_told_where_only_they_see_it(desks):
    desk = await desks(author_limit=1)
    mention = desk.slack.mention(desk.workspace)
    for number in range(3):
        await desk.slack.say(desk.channel, desk.ann, f"{mention} Question {number}?")
    assert len(await desk.rows()) == 1
    assert {ack.status for ack in desk.slack.acks} == {200}
    (word,) = await desk.slack.until(lambda: [m for m in desk.slack.seen(desk.channel, desk.ann) if m.ephemeral_to])
    assert word.ephemeral_to == desk.ann.user_id
    ack = await desk.slack.command(desk.channel, desk.ann, "/ask", "One more?")
    assert ack.body["text"]


async def test_a_title_and_a_stop_of_the_pane_are_heard(desk):
    direct = desk.slack.direct(desk.ann)
    asked = await desk.slack.say(direct, desk.ann, "How long is it?")
    await desk.slack.retitle_session(direct, desk.ann, asked.ts, "Notice periods")
    place = Place(Platform.SLACK, direct.channel_id, asked.ts)
    assert desk.renamed == [(1, desk.workspace.team_id, place, "Notice periods")]
    event = {"type": "agent_session_stopped", "channel": direct.channel_id, "thread_ts": asked.ts}
    event |= {"user": desk.ann.user_id, "streaming_message_ts": []}
    body = {"type": "event_callback", "team_id": desk.workspace.team_id, "event": event, "event_id": "EvStop"}
    assert (await post(desk, json.dumps(body).encode()))[0] == 200
    assert [row["kind"] for row in await desk.rows()] == ["message", Kind.STOP]


# Files


async def ask_with_file(desk, name, content, mimetype):
    file = desk.slack.file(desk.ann, name, content, mimetype)
    await desk.slack.say(desk.slack.direct(desk.ann), desk.ann, "What does it say?", files=[file])
    (row,) = await desk.rows()
    (attachment,) = row["message"]["attachments"]
    assert (attachment["name"], attachment["size_bytes"]) == (name, len(content))
    return file, attachment["upload_id"]


async def test_a_file_is_fetched_when_it_is_read(desk):
    desk.slack.api.slow_s["files.info"] = 4.0  # longer than an acknowledgement may take
    _, upload_id = await ask_with_file(desk, "plan.txt", b"The plan.", "text/plain")
    assert desk.slack.violations == []
    desk.slack.api.slow_s.clear()
    upload = await desk.files.get(1, upload_id)
    assert (upload.name, upload.media_type, upload.data) == ("plan.txt", "text/plain", b"The plan.")


async def test_the_sign_in_page_is_no_file(desk):
    _, upload_id = await ask_with_file(desk, "plan.txt", b"The plan.", "text/plain")
    desk.workspace.scopes.discard("files:read")
    with pytest.raises(UnreadableDocument, match="files:read"):
        await desk.files.get(1, upload_id)


async def test_the_sign_in_page_is_not_taken_for_a_page_somebody_sent(desk):
    file, upload_id = await ask_with_file(desk, "plan.html", b"<p>The plan.</p>", "text/html")
    assert (await desk.files.get(1, upload_id)).data == file.content
    file.url = file.url.replace("/files-pri/", "/elsewhere/")
    with pytest.raises(UnreadableDocument):
        await desk.files.get(1, upload_id)


async def test_a_file_over_the_limit_is_named_with_the_reason(desk):
    file, upload_id = await ask_with_file(desk, "big.txt", b"x" * 1_001, "text/plain")
    with pytest.raises(UnreadableDocument, match="limit"):
        await desk.files.get(1, upload_id)
    assert file.content


async def test_a_file_elsewhere_is_not_fetched_with_our_token(desk):
    file, upload_id = await ask_with_file(desk, "plan.txt", b"The plan.", "text/plain")
    file.url = "http://127.0.0.1:9/files-pri/T1-F1/plan.txt"
    with pytest.raises(UnreadableDocument, match="address"):
        await desk.files.get(1, upload_id)


async def test_a_ticket_that_somebody_uploads_fetches_nothing(desk):
    forged = b'["[1, \\"T1\\", \\"F1\\"]", "00"]'
    upload_id = await desk.files.put(1, "a", "application/vnd.frontdesk.slack-file", forged, limit_bytes=1_000)
    with pytest.raises(UnreadableDocument, match="did not come"):
        await desk.files.get(1, upload_id)


async def test_a_file_delivered_twice_leaves_one_ticket(desk):
    desk.slack.rules.lost_acks = 2
    await ask_with_file(desk, "plan.txt", b"The plan.", "text/plain")
    async with desk.database.tenant(1) as connection:
        assert await connection.fetchval("select count(*) from uploads") == 1


async def test_an_edited_question_keeps_its_file(desk):
    file = desk.slack.file(desk.ann, "plan.txt", b"The plan.", "text/plain")
    said = await desk.slack.say(desk.slack.direct(desk.ann), desk.ann, "What does it say?", files=[file])
    await desk.slack.edit(said, "What does it really say?")
    asked, edited = (row["message"] for row in await desk.rows())
    assert edited["text"] == "What does it really say?"
    assert edited["attachments"] == asked["attachments"] != []


# Everything put together


async def test_the_parts_of_the_settings_hear_what_slack_sends(addresses, home):
    async with AsyncExitStack() as stack:
        slack = await stack.enter_async_context(SlackServer(signing_secret=SECRET, time_scale=0.0))
        workspace = slack.workspace()
        ann = slack.user(workspace, "ann")
        made = Settings(
            frontdesk_home=home,
            database_url=SecretStr(addresses.application),
            slack_bot_token=SecretStr(workspace.bot_token),
            slack_signing_secret=SecretStr(SECRET),
            slack_app_token=SecretStr(slack.app.app_token),
            slack_api_url=slack.api_url,
        )
        assert wrong_settings(made) == []
        frontdesk = await stack.enter_async_context(open_frontdesk(made, lambda _: None))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        inbox = PostgresInbox(frontdesk.database)
        parts = await stack.enter_async_context(
            open_slack(
                made,
                frontdesk.database,
                open_link(made, frontdesk.database, session, PreferredPacer(PostgresPacing(frontdesk.database))),
                acceptance=Acceptance(inbox, Unmetered()),
                inbox=inbox,
                tools=frontdesk.actions._tools,
                commands=frontdesk.actions,
                meter=Unmetered(),
            )
        )
        app = make_app(routes=parts.routes, health=Health({}))
        host, port = await stack.enter_async_context(run_server(app, "127.0.0.1", 0))
        slack.rules.request_url = f"http://{host}:{port}/slack/events"
        asked = await slack.say(slack.direct(ann), ann, "How long is it?")
        slack.rules.request_url = ""
        ((_, look),) = parts.probes
        (run,) = parts.background
        running = asyncio.create_task(run())
        await slack.until(lambda: len(slack.open_sockets()) == 2)
        direct = slack.direct(ann)
        await slack.say(direct, ann, "And for me?", thread_ts=asked.ts)
        assert await look() == {"connections": 2.0}
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        thread = Thread(1, workspace.team_id, Place(Platform.SLACK, direct.channel_id, asked.ts))
        batch = await inbox.claim(thread)
        assert batch.message.text == "How long is it?\nAnd for me?"
        assert slack.violations == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"slack_bot_token": SecretStr("xoxb-1")}, "SLACK_SIGNING_SECRET"),
        ({"slack_client_id": "1.2", "slack_signing_secret": SecretStr("s")}, "SLACK_CLIENT_SECRET"),
        (
            {
                "slack_bot_token": SecretStr("x"),
                "slack_signing_secret": SecretStr("s"),
                "slack_administrators": "the boss",
            },
            "SLACK_ADMINISTRATORS",
        ),
    ],
)
async def test_settings_that_lack_something_are_named(given, said):
    assert any(said in line for line in wrong_settings(Settings(**given)))
    assert wrong_settings(Settings()) == []


# Whatever comes

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = ("type", "event", "team", "user", "channel", "actions", "view", "message", "authorizations", "enterprise")
NAMES += ("command", "payload", "callback_id", "response_urls", "container", "trigger_id", "function_data", "item")
TYPES = st.sampled_from(("event_callback", "block_actions", "view_submission", "shortcut", "block_suggestion"))
PAYLOADS = st.dictionaries(st.sampled_from(NAMES), JSON | TYPES, max_size=8)
EVENTS = st.fixed_dictionaries({"type": st.just("event_callback"), "event": PAYLOADS | JSON}, optional={"team": JSON})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(payload=PAYLOADS | EVENTS)
async def test_no_payload_of_any_shape_is_a_failure(desk, payload):
    desk.slack.rules.ack_s = 10.0
    status, _ = await post(desk, json.dumps(payload).encode())
    assert status in (200, 503)
