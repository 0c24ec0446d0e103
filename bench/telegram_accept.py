"""Measure how many updates a second Telegram's webhook accepts, beside a bare handler with one durable insert.

    python -m bench.telegram_accept [--seconds 4 --rounds 3] [--database URL]

One run: PostgreSQL (the embedded one unless --database names another), two server processes, this process as the
client over raw sockets. Every update comes from a chat of its own. Nobody answers: what is measured ends with the 2xx.
"""

import argparse
import asyncio
import itertools
import json
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
from aiohttp import web

from adapters.embedded.postgres import attach
from adapters.postgres.channels import PostgresChannels
from adapters.postgres.database import open_database
from adapters.postgres.earlier import PostgresEarlier
from adapters.postgres.inbox import PostgresInbox
from adapters.postgres.outbox import PostgresOutbox
from adapters.postgres.uploads import PostgresUploads
from adapters.telegram.api import Me, TelegramApi
from adapters.telegram.files import FileTickets
from adapters.telegram.intake import Account, Intake
from adapters.telegram.listen import SECRET_HEADER, Webhook
from adapters.telegram.sources import Sources
from adapters.web.server import make_app, run_server
from bench.accept import CONNECTIONS, Client, empty
from core.accepting import Acceptance
from core.checks import Health
from core.meter import Unmetered
from core.pacing import PreferredPacer
from migrations.run import prepare

SECRET = "bench-secret-0123456789"  # noqa: S105 - of a server that lives for this run
TOKEN = "123456:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"  # noqa: S105 - nobody's

_BARE = """
create table bench_bare (event_id text primary key, body jsonb not null);
grant insert on bench_bare to bench_application
"""


class OwnApi(TelegramApi):
    """A bot that knows who it is: there is no Telegram here to ask."""

    async def me(self) -> Me:
        """Tell who the bot is."""
        return Me(123456, "bench_bot")


async def serve_webhook(url: str) -> None:
    """Serve the webhook until the parent closes this process."""
    async with open_database(url) as database:
        outbox = PostgresOutbox(database)
        intake = Intake(
            Acceptance(PostgresInbox(database), Unmetered()),
            PostgresChannels(database),
            FileTickets(PostgresUploads(database)),
            Sources(outbox),
            outbox,
            PostgresEarlier(database),
        )
        account = Account(OwnApi("bench", TOKEN, PreferredPacer()), 1, SECRET)
        app = make_app(routes=Webhook({"bench": account}, intake).routes(), health=Health({}))
        async with run_server(app, "127.0.0.1", 0) as (_, port):
            print(port, flush=True)
            await asyncio.to_thread(sys.stdin.read)


async def serve_bare(url: str) -> None:
    """Serve a bare handler: parse JSON, one durable insert, answer."""
    pool = await asyncpg.create_pool(url, min_size=1, max_size=10)

    async def handle(request: web.Request) -> web.Response:
        body = await request.json()
        async with pool.acquire() as connection:
            statement = "insert into bench_bare values ($1, $2) on conflict do nothing"
            await connection.execute(statement, str(body["update_id"]), json.dumps(body))
        return web.Response()

    app = web.Application()
    app.router.add_post("/telegram/bench", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()
    await pool.close()


@asynccontextmanager
async def server(kind: str, url: str) -> AsyncIterator[int]:
    """Run one server process and yield its port."""
    arguments = ("-m", "bench.telegram_accept", "--serve", kind, "--database", url)
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    if process.stdout is None or process.stdin is None:
        raise RuntimeError("the server process has no pipes")
    try:
        yield int(await process.stdout.readline())
    finally:
        process.stdin.close()
        await process.wait()


def request(number: int) -> bytes:
    """Write one update, from a chat of its own."""
    user = {"id": 5_000_000 + number, "is_bot": False, "first_name": "Somebody", "language_code": "en"}
    message = {
        "message_id": 1,
        "date": 1_790_000_000,
        "chat": {"id": user["id"], "type": "private", "first_name": "Somebody"},
        "from": user,
        "text": f"How many vacation days do I get when I start in month {number % 12 + 1}?",
    }
    body = json.dumps({"update_id": 100_000_000 + number, "message": message}).encode()
    head = (
        f"POST /telegram/bench HTTP/1.1\r\nHost: bench\r\n{SECRET_HEADER}: {SECRET}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def throughput(port: int, numbers: "itertools.count[int]", seconds: float) -> float:
    """Return the updates a second that CONNECTIONS senders get through, each sending the next when it is answered."""
    client = Client(port)
    end_s = time.perf_counter() + seconds

    async def send() -> int:
        sent = 0
        while time.perf_counter() < end_s:
            await client.send(request(next(numbers)))
            sent += 1
        return sent

    sent = sum(await asyncio.gather(*(send() for _ in range(CONNECTIONS))))
    client.close()
    assert set(client.statuses) == {200}, client.statuses
    return sent / seconds


async def run(owner_url: str, maintenance_url: str, url: str, options: argparse.Namespace) -> None:
    """Prepare the tables and measure."""
    await prepare(maintenance_url, owner_url, url)
    connection = await asyncpg.connect(owner_url)
    await connection.execute("drop table if exists bench_bare;" + _BARE)
    await connection.close()
    numbers, rounds = itertools.count(), []
    async with server("webhook", url) as webhook, server("bare", url) as bare:
        for port in (bare, webhook):
            await throughput(port, numbers, 1.0)
        for _ in range(options.rounds):
            await empty(owner_url)
            plain = await throughput(bare, numbers, options.seconds)
            ours = await throughput(webhook, numbers, options.seconds)
            rounds.append(ours / plain)
            print(f"bare handler {plain:.0f}/s, webhook {ours:.0f}/s, ratio {ours / plain:.2f}")
    print(f"median ratio {statistics.median(rounds):.2f}")


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--database", help="the owner's address of an empty database")
    parser.add_argument("--serve", choices=("webhook", "bare"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run((serve_webhook if options.serve == "webhook" else serve_bare)(options.database))
        return
    with tempfile.TemporaryDirectory(prefix="frontdesk-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with attach(Path(folder)) as attachment:
            owner_url = options.database or attachment.owner_url("bench")
            maintenance_url = options.database or attachment.owner_url("postgres")
            user, _, host = owner_url.partition("://")[2].rpartition("@")
            assert user, "the owner's address names no user"
            url = f"postgresql://bench_application:a-password@{host}"
            asyncio.run(run(owner_url, maintenance_url, url, options))


if __name__ == "__main__":
    main()
