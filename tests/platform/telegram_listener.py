"""A webhook that listens to the small Telegram, over a real PostgreSQL; nobody answers what it stores."""

import asyncio
from contextlib import asynccontextmanager

from adapters.postgres.channels import PostgresChannels
from adapters.postgres.earlier import PostgresEarlier
from adapters.postgres.inbox import PostgresInbox
from adapters.postgres.migrated import PostgresMoves
from adapters.postgres.outbox import PostgresOutbox
from adapters.postgres.uploads import PostgresUploads
from adapters.telegram.api import TelegramApi
from adapters.telegram.channel import TelegramChannel
from adapters.telegram.files import TICKET_TYPE
from adapters.telegram.intake import Account, Intake
from adapters.telegram.listen import Webhook
from adapters.telegram.polling import set_webhook
from adapters.telegram.sources import Sources
from adapters.web.server import make_app, run_server
from core.accepting import Acceptance
from core.checks import Health
from core.domain import Answer, Origin
from core.file_tickets import FileTickets
from core.meter import Unmetered
from core.outbox import Posting, Purpose, Target
from core.pacing import PreferredPacer
from core.places import Place, Platform
from tests.platform.telegram_server import TelegramServer

SECRET = "a-secret-of-the-webhook"


class Broken:
    """An acceptance that raises what it is told to, and then takes everything."""

    def __init__(self, acceptance):
        self._acceptance = acceptance
        self.errors = []

    async def accept(self, incoming):
        if self.errors:
            raise self.errors.pop(0)
        return await self._acceptance.accept(incoming)


class Codes:
    """Commands that answer a code at once."""

    async def instant(self, message):
        return Answer(f"heard {message.text.count(' ')} words", Origin.COMMAND, None, private=True)


class Listener:
    def __init__(self, telegram, database, names=("help",)):
        self.telegram, self.database = telegram, database
        self.bots = {name: telegram.add_bot(f"{name}_bot") for name in names}
        self.bot = self.bots[names[0]]
        self.user = telegram.add_user(language="de")
        self.chat = telegram.private(self.bot, self.user)
        self.outbox, self.uploads = PostgresOutbox(database), PostgresUploads(database)
        self.channels = PostgresChannels(database)
        self.inbox = PostgresInbox(database)
        self.acceptance = Broken(Acceptance(self.inbox, Unmetered()))
        pacer = PreferredPacer()
        self.accounts = {
            name: Account(
                TelegramApi(name, bot.token, pacer, base_url=telegram.url), 1, f"{SECRET}-{name}", frozenset()
            )
            for name, bot in self.bots.items()
        }
        self.account = self.accounts[names[0]]
        self.intake = Intake(
            self.acceptance,
            self.channels,
            FileTickets(self.uploads, TICKET_TYPE),
            Sources(self.outbox),
            self.outbox,
            PostgresEarlier(database),
            moves=PostgresMoves(database),
            commands=Codes(),
        )
        self.webhook = Webhook(self.accounts, self.intake)
        self.url = ""

    async def close(self):
        await self.intake.close()
        for account in self.accounts.values():
            await account.api.close()

    async def stored(self):
        """List what was stored, in its order."""
        async with self.database.tenant(1) as connection:
            rows = await connection.fetch("select inbox_id from inbox order by inbox_id")
        return [(await self.inbox.entry(1, row["inbox_id"])).incoming for row in rows]

    async def texts(self):
        return [incoming.message.text for incoming in await self.stored()]

    async def settle(self):
        await self.telegram.updates.settled()
        await asyncio.gather(*self.intake._beside._tasks)

    async def posting(self, chat=None, topic=None):
        """Open a delivery to the person, or to a group and there to a topic."""
        chat = chat or self.chat
        place = Place(Platform.TELEGRAM, str(chat.chat_id), str(topic or ""))
        address = {"chat_id": chat.chat_id, "chat_type": chat.kind, "message_thread_id": topic}
        target = Target(1, self.account.api.bot_id, place, str(self.user.user_id), address)
        return Posting(self.outbox, await self.outbox.open(target, Purpose.ANSWER), TelegramChannel({}).doubt)

    def reply(self, posting):
        return TelegramChannel({self.account.api.bot_id: self.account.api}).reply(posting)

    async def answered(self, answer, chat=None, topic=None):
        """Send ANSWER and return its message."""
        posting = await self.posting(chat, topic)
        await self.outbox.keep(posting.delivery, answer)
        await self.reply(posting).finish(answer)
        return self.telegram.from_bot(chat or self.chat, topic)[-1]

    async def notices(self):
        """List what is to be sent besides answers, in its order."""
        async with self.database.tenant(1) as connection:
            rows = await connection.fetch("select content from outbox where purpose = 'notice' order by outbox_id")
        return [row["content"]["text"] for row in rows]


@asynccontextmanager
async def open_listener(database, names=("help",), server=None):
    async with server or TelegramServer(scale=0.01) as telegram:
        listener = Listener(telegram, database, names)
        app = make_app(routes=listener.webhook.routes(), health=Health({}))
        async with run_server(app, "127.0.0.1", 0) as (host, port):
            listener.url = f"http://{host}:{port}"
            for account in listener.accounts.values():
                await set_webhook(account, listener.url)
            yield listener
            await listener.close()
