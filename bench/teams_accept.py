"""Measure how fast activities of Teams are acknowledged, beside a bare handler with one durable insert.

    python -m bench.teams_accept [--database URL]

One run: PostgreSQL (the embedded one unless --database names another), two server processes, this process as the
client over raw sockets and as the Bot Framework's keys. Activities carry signed tokens, of which each is sent by 50
requests, and are taken in turns with the bare handler; nobody answers. A second figure is for a token a request.
"""

import argparse
import asyncio
import itertools
import json
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa

from adapters.embedded.postgres import attach
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
from adapters.teams.files import FileTickets, TeamsFiles
from adapters.teams.intake import Intake, Parts
from adapters.teams.listen import Listener
from adapters.teams.listening import Listening
from adapters.teams.references import References
from adapters.teams.sources import Shown
from adapters.teams.tokens import Grant, Tokens
from adapters.teams.transport import Transport
from adapters.web.server import make_app, run_server
from bench.accept import CONNECTIONS, Client, empty, serve_bare
from bench.accept import request as bare_request
from bots.teams import KeptThreads
from core.accepting import Acceptance
from core.checks import Health
from core.meter import Unmetered
from core.pacing import PreferredPacer
from migrations.run import prepare

APP_ID = "0b0f7d1e-3c55-4a6e-9b5e-0f3c7f1f6a01"
SERVICE_URL = "https://smba.trafficmanager.net/teams/"
ENTRA = "7f9d4c02-9c3d-4a3f-8f3b-2b8f0a4c1d10"
SAME_TOKEN = 50  # requests with one token

_BARE = """
drop table if exists bench_bare;
create table bench_bare (event_id text primary key, body jsonb not null);
grant insert on bench_bare to bench_application
"""


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


async def serve_teams(url: str, keys_port: int) -> None:
    """Serve the endpoint of Teams until the parent closes our input."""
    async with open_database(url) as database, aiohttp.ClientSession() as session:
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
            files=FileTickets(uploads, b"bench"),
            shown=Shown(outbox, PostgresTickets(database), TeamsFiles(session), transport, references),
            transport=transport,
            references=references,
            greetings=conversations,
            outbox=outbox,
        )
        intake = Intake(parts, {ENTRA: 1}.get)
        keys = KeyRing(session, f"http://127.0.0.1:{keys_port}/metadata")
        listener = Listener(Authenticator(APP_ID, keys), intake, transport)
        app = make_app(routes=listener.routes(), health=Health({}))
        async with run_server(app, "127.0.0.1", 0) as (_, port):
            print(port, flush=True)
            await asyncio.to_thread(sys.stdin.read)
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
        "text": f"How many vacation days do I get when I start in month {number % 12 + 1}?",
        "textFormat": "plain",
        "attachments": [{"contentType": "text/html", "content": "<p>How many vacation days do I get?</p>"}],
        "entities": [{"locale": "en-US", "country": "US", "platform": "Web", "type": "clientInfo"}],
        "channelData": {"tenant": {"id": ENTRA}},
        "locale": "en-US",
    }
    body = json.dumps(activity).encode()
    head = (
        "POST /teams/messages HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {token}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@asynccontextmanager
async def server(kind: str, url: str, keys_port: int) -> AsyncIterator[int]:
    """Run one server process and yield its port."""
    options = ["--serve", kind, "--database", url, "--keys", str(keys_port)]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.teams_accept",
        *options,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield int(await process.stdout.readline())
    finally:
        process.stdin.close()
        await process.wait()


async def throughput(port: int, make: Callable[[], bytes], seconds: float) -> float:
    """Return the requests a second that CONNECTIONS senders get through."""
    client, end_s = Client(port), time.perf_counter() + seconds

    async def send() -> int:
        sent = 0
        while time.perf_counter() < end_s:
            await client.send(make())
            sent += 1
        return sent

    sent = sum(await asyncio.gather(*(send() for _ in range(CONNECTIONS))))
    client.close()
    assert set(client.statuses) <= {200, 202}, client.statuses
    return sent / seconds


def maker(framework: BotFramework, numbers: "itertools.count[int]", same: int) -> Callable[[], bytes]:
    """Make what writes requests, SAME of them with one token."""
    tokens = [framework.token() for _ in range(max(1, 4_000 // same))]

    def make() -> bytes:
        number = next(numbers)
        return request(number, tokens[number // same % len(tokens)])

    return make


async def measure(maintenance_url: str, owner_url: str, url: str) -> None:
    """Run everything against one database."""
    await prepare(maintenance_url, owner_url, url)
    connection = await asyncpg.connect(owner_url)
    await connection.execute(_BARE)
    await connection.close()
    framework, numbers = BotFramework(), itertools.count()
    async with framework.serving(), server("teams", url, framework.port) as teams, server("bare", url, 0) as bare:
        for same in (SAME_TOKEN, 1):
            make = maker(framework, numbers, same)
            rounds = []
            for number in range(4):
                await empty(owner_url)
                seconds = 4.0 if number else 1.0
                plain = await throughput(bare, lambda: bare_request(numbers), seconds)
                rounds.append((plain, await throughput(teams, make, seconds)))
            for plain, ours in rounds[1:]:  # the first one warms up
                print(f"bare handler {plain:.0f}/s, Teams {ours:.0f}/s, ratio {ours / plain:.2f}")
            ratio = statistics.median(ours / plain for plain, ours in rounds[1:])
            print(f"median ratio {ratio:.2f} with {same} requests a token")


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", help="the owner's address of an empty database")
    parser.add_argument("--serve", choices=("teams", "bare"), help=argparse.SUPPRESS)
    parser.add_argument("--keys", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(
            serve_teams(options.database, options.keys) if options.serve == "teams" else serve_bare(options.database)
        )
        return
    with tempfile.TemporaryDirectory(prefix="frontdesk-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with attach(Path(folder)) as attachment:
            owner_url = options.database or attachment.owner_url("bench")
            maintenance_url = options.database or attachment.owner_url("postgres")
            host = owner_url.rpartition("@")[2]
            asyncio.run(measure(maintenance_url, owner_url, f"postgresql://bench_application:a-password@{host}"))


if __name__ == "__main__":
    main()
