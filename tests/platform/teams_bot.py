"""Our endpoint of Teams with everything behind it, and the small Teams that calls it."""

import json
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
import asyncpg

from adapters.postgres.authors import PostgresAuthors
from adapters.postgres.channels import PostgresChannels
from adapters.postgres.conversations import PostgresConversations
from adapters.postgres.inbox import PostgresInbox
from adapters.postgres.outbox import PostgresOutbox
from adapters.postgres.tickets import PostgresTickets
from adapters.postgres.uploads import PostgresUploads
from adapters.teams.authenticate import Authenticator, KeyRing
from adapters.teams.files import TICKET_TYPE, TeamsFiles
from adapters.teams.inbound import Scope
from adapters.teams.intake import Intake, Parts
from adapters.teams.listen import Listener
from adapters.teams.outbound import render
from adapters.teams.references import References
from adapters.teams.sources import Shown
from adapters.teams.tokens import Password, Tokens
from adapters.teams.transport import Transport
from adapters.web.server import make_app, run_server
from bots.threads import KeptThreads
from core.accepting import Acceptance
from core.checks import Health
from core.domain import Answer, Origin
from core.file_tickets import FileTickets
from core.listening import Listening
from core.meter import Unmetered
from core.outbox import Posting, Purpose, Target
from core.pacing import PreferredPacer
from core.places import Place, Platform
from tests.platform.teams_server import TeamsServer

FILE_SECRET = b"a secret for files"


class Figures(Unmetered):
    def __init__(self):
        self.counted = []

    def count(self, what, by=1, **labels):
        self.counted.append((what.value, labels.get("reason")))


class Instant:
    """Commands that are answered at once."""

    async def instant(self, message):
        return Answer("You are one now.", Origin.COMMAND, None, private=True) if "admin" in message.text else None


class Bot:
    """Our endpoint with everything behind it, and the small Teams that calls it."""

    def __init__(self, teams, database, session, url):
        self.teams, self.database, self.session, self._url = teams, database, session, url
        self.tenant = teams.tenant()
        self.ann, self.bob = teams.user(self.tenant, "ann"), teams.user(self.tenant, "bob")
        self.chat, self.group = teams.personal(self.ann), teams.group(self.ann, self.bob)
        self.channel = teams.channel(self.ann, self.bob)
        self.figures = Figures()
        self.keys = KeyRing(session, teams.metadata_url)
        grants = Password(session, teams.app_id, teams.secret, teams.token_tenant, teams.url)
        self.tokens = Tokens(grants)
        self.transport = Transport(session, self.tokens, PreferredPacer(), teams.app_id, hosts=(teams.host,))
        self.references = References(PostgresConversations(database))
        self.outbox, self.channels = PostgresOutbox(database), PostgresChannels(database)
        self.files = TeamsFiles(session, hosts=(teams.host,), limit_bytes=1_000)
        self.served = {self.tenant.tenant_id: 1}
        self.inbox = PostgresInbox(database, author_limit=1_000)

    async def serve(self, stack, *, acceptance=None, authenticator=None, port=0):
        known = KeptThreads(self.inbox, PostgresAuthors(self.database))
        uploads = PostgresUploads(self.database)
        parts = Parts(
            acceptance=acceptance or Acceptance(self.inbox, self.figures),
            listening=Listening(self.channels, known),
            files=FileTickets(uploads, TICKET_TYPE),
            file_secret=FILE_SECRET,
            shown=Shown(self.outbox, PostgresTickets(self.database), self.files, self.transport, self.references),
            transport=self.transport,
            references=self.references,
            greetings=PostgresConversations(self.database),
            outbox=self.outbox,
            commands=Instant(),
            meter=self.figures,
            file_hosts=(self.teams.host,),
        )
        intake = Intake(parts, self.served.get)
        stack.push_async_callback(intake.close)
        authenticator = authenticator or Authenticator(self.teams.app_id, self.keys)
        listener = Listener(authenticator, intake, self.transport, self.figures)
        app = make_app(routes=listener.routes(), health=Health({}))
        host, port = await stack.enter_async_context(run_server(app, "127.0.0.1", port))
        self.url = f"http://{host}:{port}/teams/messages"
        self.teams.rules.bot_url = self.url

    async def fetch(self, statement, *values):
        connection = await asyncpg.connect(self._url)
        try:
            await connection.execute("select set_config('frontdesk.tenant_id', '1', false)")
            return [dict(row) for row in await connection.fetch(statement, *values)]
        finally:
            await connection.close()

    async def rows(self):
        found = await self.fetch("select * from inbox order by inbox_id")
        return [{**row, "body": json.loads(row["body"])} for row in found]

    async def notices(self):
        found = await self.fetch("select * from outbox order by outbox_id")
        return [{**row, "content": json.loads(row["content"]), "address": json.loads(row["address"])} for row in found]

    async def answered(self, said, answer, chat=None):
        """Post an answer as a worker does, and return how it looks."""
        chat = chat or self.chat
        (row,) = [row for row in await self.rows() if row["message_id"] == said.activity_id]
        place = Place(Platform.TEAMS, row["channel"], row["thread"])
        address = row["body"]["address"]
        target = Target(1, row["installation"], place, row["author_id"], address, row["message_id"])
        delivery = await self.outbox.open(target, Purpose.ANSWER, inbox_id=row["inbox_id"])
        await self.outbox.keep(delivery, answer)
        posting = Posting(self.outbox, delivery, None)
        for number, part in enumerate(render(answer, Scope(chat.scope))):
            await posting.post(number, lambda _, part=part: self.transport.send(address, part))
        return (
            self.teams.answers(chat, said, user=self.ann)[-1]
            if chat.scope == "channel"
            else (self.teams.answers(chat, user=self.ann)[-1])
        )


@asynccontextmanager
async def open_bot(database, addresses):
    async with AsyncExitStack() as stack:
        teams = await stack.enter_async_context(TeamsServer(ack_s=8.0, time_scale=0.0))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        bot = Bot(teams, database, session, addresses.owner)
        await bot.serve(stack)
        bot.stack = stack
        yield bot
