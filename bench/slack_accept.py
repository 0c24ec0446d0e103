"""Measure how fast Slack's events are acknowledged, beside a bare handler with one durable insert.

    python -m bench.slack_accept [--database URL]

One run: PostgreSQL (the embedded one unless --database names another), two server processes, this process as the
client over raw sockets. First signed events as fast as they are taken, in turns with the bare handler; nobody answers.
Then 200 answers of 8 s each under way in the process that listens, and every acknowledgement is timed.
"""

import argparse
import asyncio
import hashlib
import hmac
import itertools
import json
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from adapters.embedded.postgres import attach
from adapters.postgres.authors import PostgresAuthors
from adapters.postgres.channels import PostgresChannels
from adapters.postgres.database import open_database
from adapters.postgres.inbox import PostgresInbox
from adapters.postgres.uploads import PostgresUploads
from adapters.queue.worker import Worker, running
from adapters.slack.files import FileTickets
from adapters.slack.listen import Dispatcher, Listener
from adapters.slack.listening import Listening
from adapters.slack.parts import Parts
from adapters.slack.people import People
from adapters.slack.router import Router
from adapters.web.server import make_app, run_server
from bench.accept import CONNECTIONS, Client, empty, say, serve_bare, timed
from bench.accept import request as bare_request
from bots.slack import KeptThreads
from core.accepting import Acceptance
from core.checks import Health
from core.inbox import Ending, Thread
from core.meter import Unmetered
from core.places import Place, Platform
from migrations.run import prepare

SECRET = "bench-signing-secret"  # noqa: S105 - of nothing but this run
ANSWERS, ANSWER_S = 200, 8.0
SLOWEST_S = 0.1

_BARE = """
drop table if exists bench_bare;
create table bench_bare (event_id text primary key, body jsonb not null);
grant insert on bench_bare to bench_application
"""


@dataclass(frozen=True, slots=True)
class _Token:
    bot_user_id: str = "U0BOT"
    bot_id: str = "B0BOT"
    app_id: str = "A0APP"


class _Workspaces:
    """One workspace that everything comes from."""

    async def of(self, team_id: str) -> _Token:
        """Return who we are."""
        assert team_id == "T0BENCH"
        return _Token()

    async def tenant_of(self, team_id: str) -> int | None:
        """Return the one tenant."""
        return 1 if team_id == "T0BENCH" else None


class _NoSlack:
    """A Web API that nothing here may need."""

    async def call(self, method: str, *, team_id: str, **arguments: Any) -> dict[str, Any]:
        """Refuse to be called."""
        raise AssertionError(f"{method} was called in {team_id} with {list(arguments)}")

    async def respond(self, response_url: str, body: Any) -> None:
        """Refuse to be called."""
        raise AssertionError(f"{response_url} was called with {body}")


async def serve_slack(url: str) -> None:
    """Serve Slack's events, and answer each in ANSWER_S seconds once the parent has written a line."""
    async with open_database(url) as database:
        inbox = PostgresInbox(database, author_limit=1_000_000, waiting_limit=1_000_000)
        parts = Parts(
            workspaces=_Workspaces(),
            acceptance=Acceptance(inbox, Unmetered()),
            listening=Listening(PostgresChannels(database), KeptThreads(inbox, PostgresAuthors(database))),
            people=People(_NoSlack()),
            api=_NoSlack(),
            meter=Unmetered(),
            files=FileTickets(PostgresUploads(database), b"bench"),
        )
        listener = Listener(Dispatcher(Router(parts), Unmetered()), SECRET, Unmetered())
        app = make_app(routes=listener.routes(), health=Health({}))
        async with run_server(app, "127.0.0.1", 0) as (_, port):
            print(port, flush=True)
            if not await asyncio.to_thread(sys.stdin.readline):
                return
            tasks = {"serve_thread": _answering(inbox)}
            async with running(Worker(url, tasks, concurrency=ANSWERS, name="bench")):
                print("working", flush=True)
                await asyncio.to_thread(sys.stdin.read)


def _answering(inbox: PostgresInbox) -> Callable[..., Any]:
    async def answer(tenant_id: int, platform: str, installation: str, channel: str, thread: str) -> None:
        place = Place(Platform(platform), channel, thread)
        while (batch := await inbox.claim(Thread(tenant_id, installation, place))) is not None:
            await asyncio.sleep(ANSWER_S)
            await inbox.end(batch, Ending.ANSWERED)

    return answer


def request(numbers: "itertools.count[int]") -> bytes:
    """Write one signed event: a direct message, which begins a thread of its own."""
    number = next(numbers)
    ts = f"1700000000.{number:06d}"
    event = {
        "type": "message",
        "user": f"U{number:08d}",
        "text": f"How many vacation days do I get when I start in month {number % 12 + 1}?",
        "ts": ts,
        "team": "T0BENCH",
        "channel": f"D{number % 50:08d}",
        "channel_type": "im",
        "event_ts": ts,
        "client_msg_id": f"client-{number}",
    }
    outer = {
        "token": "t",
        "team_id": "T0BENCH",
        "api_app_id": "A0APP",
        "event": event,
        "type": "event_callback",
        "event_id": f"Ev{number:08d}",
        "event_time": 1_700_000_000,
        "authorizations": [{"team_id": "T0BENCH", "user_id": "U0BOT", "is_bot": True}],
    }
    body = json.dumps(outer).encode()
    at_s = int(time.time())
    signature = hmac.digest(SECRET.encode(), f"v0:{at_s}:".encode() + body, hashlib.sha256).hex()
    head = (
        "POST /slack/events HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
        f"X-Slack-Request-Timestamp: {at_s}\r\nX-Slack-Signature: v0={signature}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@dataclass
class Served:
    """A server process."""

    process: asyncio.subprocess.Process
    port: int

    async def work(self) -> None:
        """Let it begin to answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(b"work\n")
        await self.process.stdout.readline()


@asynccontextmanager
async def server(kind: str, url: str) -> AsyncIterator[Served]:
    """Run one server process."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.slack_accept",
        "--serve",
        kind,
        "--database",
        url,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Served(process, int(await process.stdout.readline()))
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


async def while_answering(port: int, numbers: "itertools.count[int]", owner_url: str) -> list[float]:
    """Bring ANSWERS answers under way and time every acknowledgement, those of the first ones included."""
    client = Client(port)
    took = [task async for task in _paced(client, numbers, ANSWERS, 50)]
    connection = await asyncpg.connect(owner_url)
    await connection.execute("select set_config('frontdesk.tenant_id', '1', false)")
    under_way = await connection.fetchval("select count(*) from inbox where state = 'answering'")
    await connection.close()
    print(f"{under_way} answers of {ANSWER_S:g} s under way")
    took += [task async for task in _paced(client, numbers, 100, 50)]
    client.close()
    return took


async def _paced(client: Client, numbers: "itertools.count[int]", count: int, rate: int) -> AsyncIterator[float]:
    tasks = []
    for _ in range(count):
        tasks.append(asyncio.create_task(timed(client, request(numbers))))
        await asyncio.sleep(1 / rate)
    for task in tasks:
        yield await task


async def measure(maintenance_url: str, owner_url: str, url: str) -> None:
    """Run everything against one database."""
    await prepare(maintenance_url, owner_url, url)
    connection = await asyncpg.connect(owner_url)
    await connection.execute(_BARE)
    await connection.close()
    numbers = itertools.count()
    async with server("slack", url) as slack, server("bare", url) as bare:
        rounds = []
        for number in range(4):
            await empty(owner_url)
            plain = await throughput(bare.port, lambda: bare_request(numbers), 4.0 if number else 1.0)
            ours = await throughput(slack.port, lambda: request(numbers), 4.0 if number else 1.0)
            rounds.append((plain, ours))
        for plain, ours in rounds[1:]:  # the first one warms up
            print(f"bare handler {plain:.0f}/s, Slack {ours:.0f}/s, ratio {ours / plain:.2f}")
        print(f"median ratio {statistics.median(ours / plain for plain, ours in rounds[1:]):.2f}")
        await empty(owner_url)
        await slack.work()
        took = await while_answering(slack.port, numbers, owner_url)
    say("acknowledgements meanwhile", took)
    print(f"over {SLOWEST_S * 1000:.0f} ms: {sum(one > SLOWEST_S for one in took)}")


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", help="the owner's address of an empty database")
    parser.add_argument("--serve", choices=("slack", "bare"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run((serve_slack if options.serve == "slack" else serve_bare)(options.database))
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
