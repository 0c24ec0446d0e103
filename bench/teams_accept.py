"""Measure how fast activities of Teams are acknowledged, beside a bare handler with one durable insert.

    python -m bench.teams_accept [--database URL]

Activities carry signed tokens, of which each is sent by 50 requests, and the same go to both in turns; nobody answers
(bench/acceptance.py). A second figure is for a token a request. This process is the Bot Framework, too.
"""

import argparse
import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import aiohttp
import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa

from adapters.postgres.authors import PostgresAuthors
from adapters.postgres.channels import PostgresChannels
from adapters.postgres.conversations import PostgresConversations
from adapters.postgres.database import open_database
from adapters.postgres.inbox import PostgresInbox
from adapters.postgres.outbox import PostgresOutbox
from adapters.postgres.pacing import PostgresPacing
from adapters.postgres.tickets import PostgresTickets
from adapters.postgres.uploads import PostgresUploads
from adapters.teams.authenticate import Authenticator, KeyRing
from adapters.teams.files import TICKET_TYPE, TeamsFiles
from adapters.teams.intake import Intake, Parts
from adapters.teams.listen import Listener
from adapters.teams.manifest import MESSAGES_PATH
from adapters.teams.references import References
from adapters.teams.sources import Shown
from adapters.teams.tokens import Grant, Tokens
from adapters.teams.transport import Transport
from bench import acceptance
from bench.acceptance import Addresses, Endpoint, Serve, post, question
from bots.threads import KeptThreads
from core.accepting import Acceptance
from core.file_tickets import FileTickets
from core.listening import Listening
from core.meter import Unmetered
from core.pacing import PreferredPacer

APP_ID = "0b0f7d1e-3c55-4a6e-9b5e-0f3c7f1f6a01"
SERVICE_URL = "https://smba.trafficmanager.net/teams/"
ENTRA = "7f9d4c02-9c3d-4a3f-8f3b-2b8f0a4c1d10"
SAME_TOKEN = 50  # requests with one token


class BotFramework:
    """The keys, and tokens signed with them."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.port = 0

    def token(self) -> str:
        """Sign a token."""
        now = int(time.time())
        claims = {
            "iss": "https://api.botframework.com",
            "aud": APP_ID,
            "serviceurl": SERVICE_URL,
            "nbf": now - 60,
            "exp": now + 3_600,
            "jti": str(time.perf_counter_ns()),
        }
        return jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": "bench"})

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Publish the key."""
        app = web.Application()
        app.router.add_get("/metadata", self._metadata)
        app.router.add_get("/keys", self._keys)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.port = runner.addresses[0][1]
        try:
            yield
        finally:
            await runner.cleanup()

    async def _metadata(self, _: web.Request) -> web.Response:
        url = f"http://127.0.0.1:{self.port}/keys"
        return web.json_response({"issuer": "https://api.botframework.com", "jwks_uri": url})

    async def _keys(self, _: web.Request) -> web.Response:
        public = jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        return web.json_response({"keys": [{**public, "kid": "bench", "endorsements": ["msteams"]}]})


class _Granted:
    """A token without a sign-in."""

    async def fetch(self) -> Grant:
        """Return one that is good for an hour."""
        return Grant("token", 3_600)


class _NoPacer(PreferredPacer):
    """A pacer that lets nothing out: no request may leave."""

    async def wait(self, slots: Any, *, most_s: float | None = None) -> float:
        """Hold everything back until the end."""
        await asyncio.Event().wait()
        return most_s or float(len(slots))


async def serve_teams(options: argparse.Namespace) -> None:
    """Serve the endpoint of Teams until the parent closes our input."""
    async with open_database(options.database) as database, aiohttp.ClientSession() as session:
        inbox = PostgresInbox(database, author_limit=1_000_000, waiting_limit=1_000_000)
        tokens = Tokens(_Granted())
        transport = Transport(session, tokens, _NoPacer(PostgresPacing(database)), APP_ID)
        conversations, outbox, uploads = (
            PostgresConversations(database),
            PostgresOutbox(database),
            PostgresUploads(database),
        )
        references = References(conversations)
        parts = Parts(
            acceptance=Acceptance(inbox, Unmetered()),
            listening=Listening(PostgresChannels(database), KeptThreads(inbox, PostgresAuthors(database))),
            files=FileTickets(uploads, TICKET_TYPE),
            file_secret=b"bench",
            shown=Shown(outbox, PostgresTickets(database), TeamsFiles(session), transport, references),
            transport=transport,
            references=references,
            greetings=conversations,
            outbox=outbox,
        )
        intake = Intake(parts, {ENTRA: 1}.get)
        keys = KeyRing(session, f"http://127.0.0.1:{options.keys}/metadata")
        listener = Listener(Authenticator(APP_ID, keys), intake, transport)
        await acceptance.serve_routes(listener.routes())
        await intake.close()


def request(number: int, token: str) -> bytes:
    """Write one message of a personal chat."""
    activity = {
        "type": "message",
        "id": str(1_700_000_000_000 + number),
        "timestamp": "2026-01-01T00:00:00.000Z",
        "channelId": "msteams",
        "serviceUrl": SERVICE_URL,
        "from": {"id": f"29:1user{number % 5000}", "name": "A Person", "aadObjectId": f"aad-{number % 5000}"},
        "conversation": {"conversationType": "personal", "tenantId": ENTRA, "id": f"a:1chat{number % 50}"},
        "recipient": {"id": f"28:{APP_ID}", "name": "Frontdesk"},
        "text": question(number),
        "textFormat": "plain",
        "attachments": [{"contentType": "text/html", "content": "<p>How many vacation days do I get?</p>"}],
        "entities": [{"locale": "en-US", "country": "US", "platform": "Web", "type": "clientInfo"}],
        "channelData": {"tenant": {"id": ENTRA}},
        "locale": "en-US",
    }
    return post("/teams/messages", json.dumps(activity).encode(), {"Authorization": f"Bearer {token}"})


def maker(framework: BotFramework, numbers: "itertools.count[int]", same: int) -> Callable[[], bytes]:
    """Make what writes requests, SAME of them with one token."""
    tokens = [framework.token() for _ in range(max(1, 4_000 // same))]

    def make() -> bytes:
        number = next(numbers)
        return request(number, tokens[number // same % len(tokens)])

    return make


async def measure(addresses: Addresses, _: argparse.Namespace) -> None:
    """Run everything against one database."""
    framework, numbers = BotFramework(), itertools.count()
    async with framework.serving():
        keys = ("--keys", str(framework.port))
        async with acceptance.servers("bench.teams_accept", "teams", addresses.application, *keys) as (served, plain):
            for same in (SAME_TOKEN, 1):
                print(f"with {same} requests a token:")
                write = maker(framework, numbers, same)
                bare, teams = (
                    Endpoint("bare handler", plain.port, write, 200),
                    Endpoint("Teams", served.port, write, 200),
                )
                await acceptance.warm_up(bare, teams)
                await acceptance.compare(bare, teams, addresses.owner)


def main() -> None:
    """Read the arguments and measure."""
    serve_bare = partial(acceptance.serve_bare, path=MESSAGES_PATH, id_name="id", respond=web.Response)
    servers: dict[str, Serve] = {"teams": serve_teams, "bare": serve_bare}
    parser = acceptance.arguments(__doc__, servers)
    parser.add_argument("--keys", type=int, default=0, help=argparse.SUPPRESS)
    acceptance.run(parser.parse_args(), servers, measure)


if __name__ == "__main__":
    main()
