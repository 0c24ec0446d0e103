"""What Slack wants answered at once: forms, the App Home, tickets, removals; a small Slack and a real PostgreSQL."""

import base64
import json
import os
import socket
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from urllib.parse import parse_qsl
from uuid import uuid4

import aiohttp
import asyncpg
import pytest
from aiohttp import web

from adapters.postgres.administrators import PostgresAdministrators
from adapters.postgres.announcements import PostgresAnnouncements
from adapters.postgres.given import PostgresGivenAnswers
from adapters.postgres.inbox import PostgresInbox
from adapters.postgres.installations import PostgresInstallations, Vault
from adapters.postgres.pacing import PostgresPacing
from adapters.postgres.uploads import PostgresUploads
from adapters.slack.api import SlackApi
from adapters.slack.files import TICKET_TYPE, SlackFiles
from adapters.slack.forms import Means
from adapters.slack.home import FAVOURITE, NEW, Home
from adapters.slack.inbound import Bot
from adapters.slack.interactions import Interactions
from adapters.slack.oauth import InstalledTokens
from adapters.slack.payload import installation_of
from adapters.slack.people import People
from adapters.slack.tickets import (
    CLOSE,
    TAKE,
    TicketChannel,
    TicketThreads,
    read_ticket_channel,
    ticket_buttons,
)
from bots.slack import answers_of
from core.accepting import Acceptance
from core.access import Access
from core.actions import Actions
from core.announcements import AnnouncedTickets, Announcer, announcement
from core.channels import Listens
from core.domain import Answer, DeliveryKey, Exchange, Origin, Role, Ticket, TicketState
from core.errors import Busy, UnreadableDocument, UsageError
from core.file_tickets import FileTickets, read_ticket
from core.inbox import Ending, Kind, Thread
from core.installations import Installed
from core.meter import Unmetered
from core.outbox import Purpose, Target, target_of
from core.pacing import PreferredPacer
from core.places import EMPLOYEE_PLATFORMS, Place, Platform
from core.ticket_work import TicketWork
from tests.platform.slack_server import SlackServer
from tests.scenario.house import Collected, make_tools, save_document

TENANT = 1
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ANNOUNCED = Ticket(
    9, None, TicketState.OPEN, "Where?", "author: Where?", "The documents hold no answer.", "", NOON, NOON
)
SECRET = b"a secret of the tests"


class Office:
    """Interactions over a database, reached by a small Slack over HTTP."""

    def __init__(self, slack, database, session):
        self.slack, self.database = slack, database
        self.store = PostgresInstallations(database, Vault([base64.urlsafe_b64encode(os.urandom(32)).decode()]))
        self.tokens = InstalledTokens(self.store)
        pacer = PreferredPacer(PostgresPacing(database))
        self.api = SlackApi(session, self.tokens, pacer, base_url=slack.api_url)
        self.inbox, self.uploads = PostgresInbox(database), PostgresUploads(database)
        self.announcements = PostgresAnnouncements(database)
        self.access = Access(PostgresAdministrators(database), {Platform.SLACK})
        self.acceptance = Acceptance(self.inbox, Unmetered())
        self.tools = tools = make_tools(database, self.access)
        self.sessions, self.tickets, self.knowledge = tools.sessions, tools.tickets, tools.knowledge
        self.channels, self.outbox, self.jobs, self.authors = tools.channels, tools.outbox, tools.jobs, tools.authors
        self.actions = Actions(self.tools)
        self.left = []  # what was not ours

    async def open(self):
        workspace = self.workspace = self.slack.workspace("acme")
        self.admin = self.slack.user(workspace, "ada", admin=True)
        self.ben = self.slack.user(workspace, "ben")
        self.general = self.slack.channel(workspace, "general", self.admin, self.ben)
        self.desk = self.slack.channel(workspace, "desk", self.admin)
        await self.store.save(
            Installed(
                TENANT,
                Platform.SLACK,
                workspace.team_id,
                workspace.bot_token,
                bot_user_id=workspace.bot_user_id,
                bot_id=workspace.bot_id,
                app_id=workspace.app_id,
            )
        )
        self.where = TicketChannel(TENANT, workspace.team_id, self.desk.channel_id)
        self.announcer = Announcer(self.announcements, self.where.target)
        self.announced = AnnouncedTickets(self.tickets, self.announcer)
        work = TicketWork(self.tickets, self.sessions, self.authors, self.outbox)
        self.people = People(self.api)
        self.interactions = Interactions(
            Means(
                api=self.api,
                workspaces=self.tokens,
                people=self.people,
                tools=self.tools,
                files=FileTickets(self.uploads, TICKET_TYPE),
                home=Home(self.api, self.tools),
                file_secret=SECRET,
                installations=self.store,
                tickets=TicketThreads(
                    self.where,
                    self.announcements,
                    work,
                    self.acceptance,
                    was_taken=answers_of(self.inbox),
                ),
            )
        )

    async def serve(self, request):
        """Bring what Slack sends to where it belongs."""
        body = await request.read()
        if request.content_type == "application/json":
            kind, payload = "event", json.loads(body)
        else:
            form = dict(parse_qsl(body.decode(), keep_blank_values=True))
            payload = json.loads(form["payload"]) if "payload" in form else form
            kind = payload["type"] if "payload" in form else "command"
        handled = await self.interactions.handle(kind, payload, installation_of(payload))
        if handled is None:
            self.left.append(payload)
        return web.json_response(handled.body) if handled and handled.body is not None else web.Response()

    async def form(self, user, command="/frontdesk", text="kb add", channel=None):
        """Give a command and return the form that opens."""
        ack = await self.slack.command(channel or self.general, user, command, text)
        assert ack.ok
        await self.interactions.settled()
        return self.slack.modals(user)[-1]

    def said_in(self, view):
        return " ".join(block["text"]["text"] for block in view.content["blocks"] if block["type"] == "section")

    async def asked(self, question="Where is the bicycle?", user=None):
        """Have somebody's question opened as a ticket; return it."""
        user = user or self.ben
        place = Place(Platform.SLACK, self.general.channel_id, f"{uuid4().int % 10**9}.000100")
        session = await self.sessions.open(TENANT, place, user.user_id)
        target = Target(TENANT, self.workspace.team_id, place, user.user_id, {"channel": place.channel})
        delivery = await self.outbox.open(target, Purpose.ANSWER)
        key = DeliveryKey(delivery.outbox_id, delivery.claim)
        return await self.announced.open(
            TENANT, session.session_id, question, f"author: {question}", "The documents hold no answer.", delivery=key
        )

    async def post(self, number):
        """Send the announcement of a ticket as the channel of answers does; return the message."""
        async with self.database.tenant(TENANT) as connection:
            outbox_id = await connection.fetchval(
                "select outbox_id from ticket_announcements where number = $1", number
            )
        delivery = await self.outbox.reopen(TENANT, outbox_id)
        content = delivery.content
        section = {"type": "section", "text": {"type": "mrkdwn", "text": content.text[:3000]}}
        said = await self.api.call(
            "chat.postMessage",
            team_id=delivery.target.installation,
            channel=delivery.target.place.channel,
            text=content.text,
            blocks=[section, ticket_buttons(content.ticket_number)],
        )
        await self.outbox.record(delivery, 0, said["ts"])
        await self.slack.settled()
        return next(message for message in self.slack.state.messages if message.ts == said["ts"])

    async def work_at(self, root):
        """Run the commands that wait below an announcement as the desk does, each with the delivery of its receipt."""
        thread = Thread(TENANT, self.workspace.team_id, Place(Platform.SLACK, self.desk.channel_id, root.ts))
        given, replies = PostgresGivenAnswers(self.database), []
        while (batch := await self.inbox.claim(thread)) is not None:
            for entry in batch.entries:
                if entry.incoming.kind is Kind.EDIT and (before := await given.to(entry)) is not None:
                    await given.hand_on(entry, before.outbox_id)
            target = target_of(batch.incoming)
            delivery = await self.outbox.open(target, Purpose.ANSWER, inbox_id=batch.lead.inbox_id)
            message = replace(batch.message, delivery=DeliveryKey(delivery.outbox_id, delivery.claim))
            reply = Collected()
            await self.actions.run(message, reply)
            replies.append(reply.text)
            await self.inbox.end(batch, Ending.ANSWERED)
        return replies

    async def work(self, thread):
        """Run the commands that wait in a thread; return what was said to each."""
        replies = []
        while (batch := await self.inbox.claim(thread)) is not None:
            reply = Collected()
            await self.actions.run(batch.message, reply)
            replies.append(reply.text)
            await self.inbox.end(batch, Ending.ANSWERED)
        return replies

    async def deliveries(self, purpose):
        async with self.database.tenant(TENANT) as connection:
            rows = await connection.fetch("select outbox_id from outbox where purpose = $1 order by 1", purpose.value)
        return [await self.outbox.reopen(TENANT, row["outbox_id"]) for row in rows]


@pytest.fixture
async def office(database):
    async with AsyncExitStack() as stack:
        slack = await stack.enter_async_context(SlackServer(time_scale=0.0))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        opened = Office(slack, database, session)
        await opened.open()
        door = socket.create_server(("127.0.0.1", 0))
        app = web.Application()
        app.router.add_post("/slack/events", opened.serve)
        runner = web.AppRunner(app)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.SockSite(runner, door).start()
        slack.rules.request_url = f"http://127.0.0.1:{door.getsockname()[1]}/slack/events"
        yield opened
        await opened.interactions.close()
        await opened.people.close()
        await slack.settled()
        assert [found for found in slack.violations if found.code != "expired_trigger_id"] == []


# Adding documents


@pytest.mark.parametrize(("command", "text"), [("/frontdesk", "kb add"), ("/kb", "add"), ("/frontdesk", "/kb add")])
async def test_an_administrator_adds_files_and_addresses(office, command, text):
    view = await office.form(office.admin, command, text)
    file = office.slack.file(office.admin, "handbook.pdf", b"%PDF-1.4", "application/pdf")
    ack = await office.slack.submit(view, office.admin, files=[file], urls="https://example.com/a", new_kb="handbook")
    assert ack.body["response_action"] == "update"
    job = await office.jobs.job(TENANT, 1)
    assert (job.kb_name, job.total, job.author_id) == ("handbook", 2, office.admin.user_id)
    base = await office.knowledge.knowledge_base(TENANT, "handbook")
    assert base.platforms == EMPLOYEE_PLATFORMS
    assert "Job 1" in office.said_in(view)


async def test_files_are_kept_as_tickets_for_the_worker(office, database):
    view = await office.form(office.admin)
    files = [office.slack.file(office.admin, f"{n}.txt", b"text", "text/plain") for n in range(10)]
    await office.slack.submit(view, office.admin, files=files, new_kb="handbook")
    async with database.tenant(TENANT) as connection:
        rows = await connection.fetch("select name, media_type, data from uploads order by name")
    assert [row["name"] for row in rows] == [f"{n}.txt" for n in range(10)]
    assert {row["media_type"] for row in rows} == {TICKET_TYPE}
    named = {read_ticket(row["data"], TENANT, lambda _: SECRET)[1] for row in rows}
    assert named == {file.file_id for file in files}
    assert not any(name == "files.info" for name, _ in office.slack.calls)


async def test_a_file_given_in_the_form_can_be_fetched_and_one_that_nobody_gave_cannot(office, database):
    given, kept_back = (office.slack.file(office.admin, f"{n}.txt", b"text", "text/plain") for n in range(2))
    await office.slack.submit(await office.form(office.admin), office.admin, files=[given], new_kb="handbook")
    async with aiohttp.ClientSession() as session:
        token_of = partial(fixed, office.workspace.bot_token)
        files = SlackFiles(session, office.api, token_of, api_url=office.slack.api_url)
        fetched = await files.fetch(office.workspace.team_id, given.file_id)
        assert (fetched.name, fetched.data) == ("0.txt", b"text")
        with pytest.raises(UnreadableDocument):
            await files.fetch(office.workspace.team_id, kept_back.file_id)
    assert [office.slack.violations.pop().code] == ["file_not_found"]


async def fixed(token, _team_id):
    return token


async def test_the_outcome_is_told_to_whoever_started_it_in_private(office):
    view = await office.form(office.admin)
    await office.slack.submit(view, office.admin, urls="https://example.com", new_kb="handbook")
    target = (await office.jobs.job(TENANT, 1)).target
    assert target.place == Place(Platform.SLACK, office.slack.direct(office.admin).channel_id)
    assert (target.installation, target.author_id) == (office.workspace.team_id, office.admin.user_id)


async def test_the_scope_is_set_and_kept(office):
    view = await office.form(office.admin)
    await office.slack.submit(
        view, office.admin, urls="https://example.com", new_kb="faq", platforms=["telegram"], channels=["C9"]
    )
    base = await office.knowledge.knowledge_base(TENANT, "faq")
    assert (base.platforms, base.channels) == ((Platform.TELEGRAM,), ("C9",))
    again = await office.form(office.admin)
    await office.slack.submit(again, office.admin, urls="https://example.com/2", kb="faq")
    assert await office.knowledge.knowledge_base(TENANT, "faq") == base


async def test_what_is_wrong_stands_in_the_form_and_nothing_begins(office):
    view = await office.form(office.admin)
    ack = await office.slack.submit(view, office.admin, urls="example.com", new_kb="handbook")
    assert ack.body["response_action"] == "errors"
    assert list(ack.body["errors"]) == ["urls"]
    assert await office.jobs.jobs(TENANT) == []
    assert await office.knowledge.knowledge_bases(TENANT) == []


async def test_others_are_told_that_only_administrators_may(office):
    view = await office.form(office.ben)
    assert "Only administrators" in office.said_in(view)
    assert "submit" not in view.content


async def test_rights_are_looked_at_again_when_a_form_is_submitted(office):
    view = await office.form(office.admin)
    office.admin.admin = False
    office.people._known.clear()
    ack = await office.slack.submit(view, office.admin, urls="https://example.com", new_kb="handbook")
    assert "Only administrators" in ack.body["errors"]["urls"]
    assert await office.jobs.jobs(TENANT) == []


async def test_a_command_that_says_everything_opens_nothing(office):
    for text in ("kb add https://example.com", "kb list", "channel listens=always", "help", "channel reset", "hello"):
        await office.slack.command(office.general, office.admin, "/frontdesk", text)
    await office.interactions.settled()
    assert len(office.left) == 6
    assert office.slack.modals(office.admin) == []


async def test_a_form_opens_in_time_although_slack_is_slow_to_say_who_it_is(office):
    office.slack.api.slow_s["users.info"] = 0.5
    ack = await office.slack.command(office.general, office.admin, "/kb", "add")
    first = await office.slack.until(lambda: office.slack.modals(office.admin))
    assert ack.ok
    assert "One moment" in office.said_in(first[-1])
    await office.interactions.settled()
    assert office.slack.modals(office.admin)[-1].content["callback_id"] == "kb_add"


async def test_a_form_that_comes_too_late_is_told(office):
    office.slack.misbehave("views.open", "expired_trigger_id")
    await office.slack.command(office.general, office.admin, "/kb", "add")
    await office.interactions.settled()
    said = [message.text for message in office.slack.seen(office.general, office.admin)]
    assert any("write the command again" in text for text in said)
    assert not any("write the command again" in m.text for m in office.slack.seen(office.general, office.ben))


# Settings of a channel


async def test_a_channel_is_set_by_a_form(office):
    await office.knowledge.create(TENANT, "handbook", EMPLOYEE_PLATFORMS)
    view = await office.form(office.admin, text="channel")
    ack = await office.slack.submit(view, office.admin, kb=["handbook"], listens="question", threshold="0.8")
    assert ack.body["response_action"] == "update"
    settings = await office.channels.settings(TENANT, Place(Platform.SLACK, office.general.channel_id))
    assert (settings.knowledge_bases, settings.listens, settings.threshold) == (("handbook",), Listens.QUESTION, 0.8)
    again = await office.form(office.admin, "/kb", "channel")
    listens = next(block for block in again.content["blocks"] if block["block_id"] == "listens")
    assert listens["element"]["initial_option"]["value"] == "question"


async def test_a_knowledge_base_removed_meanwhile_is_named(office):
    await office.knowledge.create(TENANT, "handbook", EMPLOYEE_PLATFORMS)
    view = await office.form(office.admin, text="channel")
    await office.knowledge.remove(TENANT, "handbook")
    ack = await office.slack.submit(view, office.admin, kb=["handbook"])
    assert "handbook" in ack.body["errors"]["kb"]


async def test_closing_a_form_changes_nothing(office):
    view = await office.form(office.admin, text="channel")
    await office.slack.close_view(view, office.admin)
    assert await office.channels.list(TENANT) == []


# The App Home and the agent pane


async def test_the_home_shows_ones_own_things_alone(office):
    for name, platforms in (("handbook", EMPLOYEE_PLATFORMS), ("customers only", (Platform.TELEGRAM,))):
        kb = await office.knowledge.create(TENANT, name, platforms)
        await save_document(office.knowledge, kb, "Bicycles", "They stand in the yard.", source=f"{name}.md")
    await office.knowledge.create(TENANT, "nothing was added", EMPLOYEE_PLATFORMS)
    await office.asked("Where is Ben's bicycle?", office.ben)
    await office.asked("Where is Ada's bicycle?", office.admin)
    await office.slack.open_home(office.ben)
    await office.interactions.settled()
    shown = json.dumps(office.slack.home(office.ben).content)
    assert "Ben's bicycle" in shown.replace("\\u00ad", "")
    assert "Ada's" not in shown
    assert "handbook" in shown
    assert "customers" not in shown
    assert "nothing was added" not in shown


async def test_favourites_and_a_new_conversation_from_the_home(office):
    place = Place(Platform.SLACK, office.general.channel_id, "1.000100")
    session = await office.sessions.open(TENANT, place, office.ben.user_id)
    said = Exchange(asked="A question?", answered="An answer.", question="A question?", origin=Origin.DOCUMENTS)
    await office.sessions.save_exchange(TENANT, session.session_id, said)
    await office.slack.open_home(office.ben)
    await office.interactions.settled()
    button = f"{FAVOURITE}:{session.session_id}"
    await office.slack.press(office.slack.home(office.ben), office.ben, button)
    await office.interactions.settled()
    assert (await office.sessions.session(TENANT, session.session_id)).favourite
    assert "★" in json.dumps(office.slack.home(office.ben).content, ensure_ascii=False)
    await office.slack.press(office.slack.home(office.ben), office.ben, NEW)
    await office.interactions.settled()
    kept = await office.sessions.sessions(TENANT, author_id=office.ben.user_id)
    assert {session.place.channel for session in kept} == {place.channel, office.slack.direct(office.ben).channel_id}


async def test_nobody_changes_somebody_elses_session_from_the_home(office):
    session = await office.sessions.open(TENANT, Place(Platform.SLACK, "C1", "1.1"), office.ben.user_id)
    home = Home(office.api, office.tools)
    action = {"action_id": FAVOURITE, "value": f"{session.session_id}:1"}
    assert await home.press(TENANT, office.admin.user_id, action, "")
    assert not (await office.sessions.session(TENANT, session.session_id)).favourite


async def test_the_pane_suggests_prompts(office):
    await office.slack.open_home(office.ben, tab="messages")
    await office.interactions.settled()
    prompts = office.slack.state.prompts[office.slack.direct(office.ben).channel_id]
    assert 1 <= len(prompts) <= 4


async def test_a_session_gets_its_title_in_the_pane_once(office):
    direct = office.slack.direct(office.ben)
    message = await office.slack.say(direct, office.ben, "How many holidays?")
    place = Place(Platform.SLACK, direct.channel_id, message.ts)
    where = {"channel_id": place.channel, "thread_ts": place.thread}
    await office.api.call("agents.sessions.setStatus", team_id=office.workspace.team_id, **where, status="processing")
    session = await office.sessions.open(TENANT, place, office.ben.user_id)
    said = Exchange(asked="How many holidays?", answered="28.", question="How many holidays?", origin=Origin.DOCUMENTS)
    await office.sessions.save_exchange(TENANT, session.session_id, said)
    target = Target(TENANT, office.workspace.team_id, place, office.ben.user_id)
    await Home(office.api, office.tools).entitle(target, Answer("28.", Origin.DOCUMENTS, session.session_id))
    kept = await office.sessions.session(TENANT, session.session_id)
    assert kept.title
    assert office.slack.state.sessions[place.channel, place.thread].title == kept.title


# Tickets


async def test_a_new_ticket_is_announced_once_whoever_looks(office):
    ticket = await office.asked()
    for _ in range(3):
        await office.announcer.announce()
    notices = await office.deliveries(Purpose.NOTICE)
    assert [notice.content.ticket_number for notice in notices] == [ticket.number]
    assert notices[0].target.place.channel == office.desk.channel_id
    assert "> Where is the bicycle?" in notices[0].content.text


async def test_a_ticket_that_a_dead_worker_left_unannounced_is_found_by_the_sweep(office):
    session = await office.sessions.open(TENANT, Place(Platform.SLACK, "C1", "1.1"), office.ben.user_id)
    ticket = await office.tickets.open(TENANT, session.session_id, "Where?", "author: Where?", "A reason.")
    assert await office.deliveries(Purpose.NOTICE) == []
    await office.announcer.announce()
    assert [notice.content.ticket_number for notice in await office.deliveries(Purpose.NOTICE)] == [ticket.number]


async def test_a_reply_to_the_announcement_reaches_the_asker_once(office):
    ticket = await office.asked()
    root = await office.post(ticket.number)
    office.slack.rules.lost_acks = 2  # Slack brings it three times
    reply = await office.slack.say(office.desk, office.admin, "It stands in the *yard*.", thread_ts=root.ts)
    thread = Thread(TENANT, office.workspace.team_id, Place(Platform.SLACK, office.desk.channel_id, root.ts))
    receipts = await office.work(thread)
    sent = await office.deliveries(Purpose.PERSON)
    assert len(sent) == len(receipts) == 1
    assert "It stands in the **yard**." in sent[0].content.text
    assert sent[0].target.place.channel == office.general.channel_id
    assert sent[0].target.author_id == office.ben.user_id
    assert "on its way" in receipts[0]
    assert reply.ts not in {message.thread_ts for message in office.slack.state.messages}
    assert (await office.tickets.ticket(TENANT, ticket.number)).state is TicketState.ANSWERED


async def test_people_mentioned_in_an_answer_are_named_to_the_asker(office):
    ticket = await office.asked()
    root = await office.post(ticket.number)
    await office.slack.say(office.desk, office.admin, f"Ask <@{office.ben.user_id}> for the key.", thread_ts=root.ts)
    await office.work(Thread(TENANT, office.workspace.team_id, Place(Platform.SLACK, office.desk.channel_id, root.ts)))
    (sent,) = await office.deliveries(Purpose.PERSON)
    assert f"Ask @{office.ben.name} for the key." in sent.content.text


async def test_the_formatting_of_an_answer_is_kept(office):
    root = await office.post((await office.asked()).number)
    said = "*Now*: see <https://a.example/form|the form>, 2*3 and `x`."
    await office.slack.say(office.desk, office.admin, said, thread_ts=root.ts)
    await office.work_at(root)
    (sent,) = await office.deliveries(Purpose.PERSON)
    assert sent.content.text.endswith("**Now**: see [the form](https://a.example/form), 2\\*3 and `x`.")


async def test_an_answer_that_is_edited_or_deleted_is_so_where_it_was_brought(office):
    """Every reply has one delivery, whatever becomes of it: the asker sees no second answer below the first."""
    ticket = await office.asked()
    root = await office.post(ticket.number)
    first = await office.slack.say(office.desk, office.admin, "In the yard.", thread_ts=root.ts)
    other = await office.slack.say(office.desk, office.admin, "It is red.", thread_ts=root.ts)
    await office.work_at(root)
    await office.slack.edit(first, "In the *cellar*.")
    await office.work_at(root)
    kept = await office.tickets.ticket(TENANT, ticket.number)
    assert kept.answer == "In the **cellar**.\n\nIt is red."
    said = [sent.content.text.partition("\n\n")[2] for sent in await office.deliveries(Purpose.PERSON)]
    assert said == ["In the **cellar**.", "It is red."]
    await office.slack.erase(first)
    await office.work_at(root)
    said = [sent.content.text.partition("\n\n")[2] for sent in await office.deliveries(Purpose.PERSON)]
    assert said == ["This answer was withdrawn.", "It is red."]
    turns = await office.sessions.turns(TENANT, ticket.session_id)
    assert [turn.text for turn in turns if turn.role is Role.PERSON] == said
    assert other.text == "It is red."


async def test_what_was_no_answer_is_not_withdrawn_when_it_is_deleted(office):
    root = await office.post((await office.asked()).number)
    mention = office.slack.mention(office.workspace)
    aside = await office.slack.say(office.desk, office.admin, f"{mention} what is this?", thread_ts=root.ts)
    aside.text = "what is this?"
    await office.slack.erase(aside)
    assert await office.work_at(root) == []
    assert await office.deliveries(Purpose.PERSON) == []


@pytest.mark.parametrize("text", ["See the plan.", ""])
async def test_whoever_answers_with_a_file_is_told_that_it_stays(office, text):
    root = await office.post((await office.asked()).number)
    file = office.slack.file(office.admin, "plan.pdf", b"%PDF-1.4", "application/pdf")
    await office.slack.say(office.desk, office.admin, text, thread_ts=root.ts, files=[file])
    await office.interactions.settled()
    (word,) = [message for message in office.slack.seen(office.desk, office.admin) if message.ephemeral_to]
    assert "Files are not passed on" in word.text
    assert (word.ephemeral_to, word.thread_ts) == (office.admin.user_id, root.ts)
    assert len(await office.work_at(root)) == (1 if text else 0)


async def test_those_who_answer_read_the_question_and_not_the_wish_for_a_person(office):
    said = "author: How many days?\nassistant: 28.\nauthor: human"
    wished = replace(ANNOUNCED, question="How many days?", transcript=said, reason="The author asked for a person.")
    text = announcement(wished).text
    assert text.startswith("**Ticket 9**: The author asked for a person.\n\n> How many days?\n\n")
    assert "> author: How many days?\n> assistant: 28." in text
    assert "human" not in text
    alone = replace(wished, question="The author asked for a person.", transcript="author: human")
    assert ">" not in announcement(alone).text


async def test_an_answer_that_finds_too_much_waiting_is_brought_again(office, database):
    ticket = await office.asked()
    root = await office.post(ticket.number)
    full = Acceptance(PostgresInbox(database, waiting_limit=0), Unmetered())
    work = TicketWork(office.tickets, office.sessions, office.authors, office.outbox)
    threads = TicketThreads(office.where, office.announcements, work, full)
    team_id, channel = office.workspace.team_id, office.desk.channel_id
    event = {"type": "message", "channel": channel, "channel_type": "channel", "thread_ts": root.ts, "text": "Yes."}
    event |= {"user": office.admin.user_id, "user_team": team_id, "ts": "1900000000.000100"}
    payload = {"type": "event_callback", "event_id": "Ev1", "team_id": team_id, "event": event}
    with pytest.raises(Busy):
        await threads.reply(payload, Bot(office.workspace.bot_user_id))
    assert await office.interactions.handle("event", payload, team_id) is not None
    assert len(await office.work(Thread(TENANT, team_id, Place(Platform.SLACK, channel, root.ts)))) == 1


async def test_what_is_no_answer_of_a_person_of_ours_answers_nothing(office):
    ticket = await office.asked()
    root = await office.post(ticket.number)
    other = office.slack.workspace("partner")
    stranger = office.slack.user(other, "eve")
    robot = office.slack.bot(office.workspace, "robot")
    mention = office.slack.mention(office.workspace)
    await office.slack.say(office.desk, office.admin, "Lunch, anybody?")
    await office.slack.say(office.desk, office.admin, f"{mention} what is this?", thread_ts=root.ts)
    await office.slack.say(office.desk, robot, "I am a robot.", thread_ts=root.ts)
    await office.slack.say(office.desk, stranger, "I am a stranger.", thread_ts=root.ts)
    await office.slack.say(office.general, office.ben, "Elsewhere.", thread_ts=root.ts)
    thread = Thread(TENANT, office.workspace.team_id, Place(Platform.SLACK, office.desk.channel_id, root.ts))
    assert await office.work(thread) == []
    assert await office.deliveries(Purpose.PERSON) == []


async def test_guests_of_a_shared_channel_neither_answer_nor_press(office):
    ticket = await office.asked()
    root = await office.post(ticket.number)
    team_id, guest = office.workspace.team_id, office.slack.user(office.slack.workspace("partner"), "eve")
    event = {"type": "message", "channel": office.desk.channel_id, "channel_type": "channel", "thread_ts": root.ts}
    event |= {"user": guest.user_id, "user_team": guest.team_id, "ts": "1900000000.000100", "text": "I am a guest."}
    said = {"type": "event_callback", "event_id": "Ev1", "team_id": team_id, "event": event}
    assert await office.interactions.handle("event", said, team_id) is None
    assert [office.slack.violations.pop().code] == ["user_not_found"]  # no channel of the small Slack is shared
    event |= {"user": office.admin.user_id, "user_team": team_id, "ts": "1900000000.000200", "text": "I am not."}
    assert await office.interactions.handle("event", {**said, "event_id": "Ev2"}, team_id) is not None
    pressed = {
        "type": "block_actions",
        "user": {"id": guest.user_id, "team_id": guest.team_id},
        "container": {"channel_id": office.desk.channel_id, "message_ts": root.ts},
        "actions": [{"action_id": CLOSE, "value": str(ticket.number)}],
    }
    assert await office.interactions.handle("block_actions", pressed, team_id) is None
    assert (await office.tickets.ticket(TENANT, ticket.number)).state is TicketState.OPEN
    thread = Thread(TENANT, team_id, Place(Platform.SLACK, office.desk.channel_id, root.ts))
    assert len(await office.work(thread)) == 1


async def test_taking_over_and_closing_by_button(office):
    ticket = await office.asked()
    message = await office.post(ticket.number)
    await office.slack.press(message, office.admin, TAKE)
    await office.interactions.settled()
    assert (await office.sessions.session(TENANT, ticket.session_id)).taken_over
    shown = json.dumps(message.blocks)
    assert TAKE not in shown
    assert f"<@{office.admin.user_id}> took over" in shown
    await office.slack.press(message, office.admin, CLOSE)
    await office.interactions.settled()
    assert (await office.tickets.ticket(TENANT, ticket.number)).state is TicketState.CLOSED
    assert not (await office.sessions.session(TENANT, ticket.session_id)).taken_over
    assert CLOSE not in json.dumps(message.blocks)


async def test_the_authors_words_while_a_person_answers_stand_below_the_announcement(office):
    ticket = await office.asked()
    root = await office.post(ticket.number)
    assert await office.announced.note(TENANT, ticket.session_id, "It is urgent.\nVery.") == ticket.number
    notice = (await office.deliveries(Purpose.NOTICE))[-1]
    assert notice.target.place == Place(Platform.SLACK, office.desk.channel_id, root.ts)
    assert notice.content.text == "> It is urgent.\n> Very."


@pytest.mark.parametrize(
    ("text", "known", "expected"),
    [("C024BE91L", ["T1"], ("T1", "C024BE91L")), ("T024BE7LD/C024BE91L", [], ("T024BE7LD", "C024BE91L"))],
)
def test_the_channel_of_tickets_is_read(text, known, expected):
    assert read_ticket_channel(text, known) == expected


@pytest.mark.parametrize(("text", "known"), [("#desk", ["T1"]), ("C024BE91L", ["T1", "T2"]), ("C024BE91L", [])])
def test_an_impossible_channel_of_tickets_is_refused(text, known):
    with pytest.raises(UsageError, match="SLACK_TICKET_CHANNEL"):
        read_ticket_channel(text, known)


# Removals


async def test_uninstalling_erases_the_token_and_ends_its_use(office, addresses):
    await office.tokens.of(office.workspace.team_id)
    await office.slack.uninstall(office.workspace)
    assert await office.tokens.tenant_of(office.workspace.team_id) is None
    connection = await asyncpg.connect(addresses.owner)
    assert await connection.fetchval("select secret from installations") is None
    await connection.close()


async def test_a_persons_token_that_is_revoked_is_none_of_ours(office):
    payload = {"event": {"type": "tokens_revoked", "tokens": {"oauth": ["U1"], "bot": []}}, "event_time": 2**31}
    assert await office.interactions.handle("event", payload, office.workspace.team_id) is not None
    assert await office.tokens.tenant_of(office.workspace.team_id) == TENANT


async def test_a_workspace_that_is_nobodys_gets_nothing(office):
    stranger = office.slack.user(office.slack.workspace("partner"), "eve", admin=True)
    channel = office.slack.channel(office.slack.state.workspaces[stranger.team_id], "c", stranger)
    await office.slack.command(channel, stranger, "/kb", "add")
    await office.interactions.settled()
    assert office.slack.modals(stranger) == []
