"""Measure how many updates a second Telegram's webhook accepts, beside a bare handler with one durable insert.

    python -m bench.telegram_accept [--seconds 4 --rounds 3] [--database URL]

Every update comes from a chat of its own, and the bare handler is sent updates too. Nobody answers: what is measured
ends with the 2xx. How: bench/acceptance.py.
"""

import argparse
import itertools
import json
from functools import partial

from aiohttp import web

from adapters.postgres.channels import PostgresChannels
from adapters.postgres.database import open_database
from adapters.postgres.earlier import PostgresEarlier
from adapters.postgres.inbox import PostgresInbox
from adapters.postgres.outbox import PostgresOutbox
from adapters.postgres.uploads import PostgresUploads
from adapters.telegram.api import Me, TelegramApi
from adapters.telegram.files import TICKET_TYPE
from adapters.telegram.intake import Account, Intake
from adapters.telegram.listen import SECRET_HEADER, Webhook
from adapters.telegram.sources import Sources
from bench import acceptance
from bench.acceptance import Addresses, Endpoint, Serve, post, question
from core.accepting import Acceptance
from core.file_tickets import FileTickets
from core.meter import Unmetered
from core.pacing import PreferredPacer

SECRET = "bench-secret-0123456789"  # noqa: S105 - of a server that lives for this run
TOKEN = "123456:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"  # noqa: S105 - nobody's
PATH = "/telegram/bench"


class OwnApi(TelegramApi):
    """A bot that knows who it is: there is no Telegram here to ask."""

    async def me(self) -> Me:
        """Tell who the bot is."""
        return Me(123456, "bench_bot")


async def serve_webhook(options: argparse.Namespace) -> None:
    """Serve the webhook until the parent closes our input."""
    async with open_database(options.database) as database:
        outbox = PostgresOutbox(database)
        intake = Intake(
            Acceptance(PostgresInbox(database), Unmetered()),
            PostgresChannels(database),
            FileTickets(PostgresUploads(database), TICKET_TYPE),
            Sources(outbox),
            outbox,
            PostgresEarlier(database),
        )
        account = Account(OwnApi("bench", TOKEN, PreferredPacer()), 1, SECRET)
        await acceptance.serve_routes(Webhook({"bench": account}, intake).routes())


def request(number: int) -> bytes:
    """Write one update, from a chat of its own."""
    user = {"id": 5_000_000 + number, "is_bot": False, "first_name": "Somebody", "language_code": "en"}
    message = {
        "message_id": 1,
        "date": 1_790_000_000,
        "chat": {"id": user["id"], "type": "private", "first_name": "Somebody"},
        "from": user,
        "text": question(number),
    }
    body = json.dumps({"update_id": 100_000_000 + number, "message": message}).encode()
    return post(PATH, body, {SECRET_HEADER: SECRET})


async def measure(addresses: Addresses, options: argparse.Namespace) -> None:
    """Send updates to both in turns."""
    numbers = itertools.count()

    def write() -> bytes:
        return request(next(numbers))

    async with acceptance.servers("bench.telegram_accept", "webhook", addresses.application) as (served, plain):
        webhook = Endpoint("webhook", served.port, write, 200)
        bare = Endpoint("bare handler", plain.port, write, 200)
        await acceptance.warm_up(bare, webhook)
        await acceptance.compare(bare, webhook, addresses.owner, rounds=options.rounds, seconds=options.seconds)


def main() -> None:
    """Read the arguments and measure."""
    serve_bare = partial(acceptance.serve_bare, path=PATH, id_name="update_id", respond=web.Response)
    servers: dict[str, Serve] = {"webhook": serve_webhook, "bare": serve_bare}
    parser = acceptance.arguments(__doc__, servers)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=3)
    acceptance.run(parser.parse_args(), servers, measure)


if __name__ == "__main__":
    main()
