"""Measure how fast messages are acknowledged on the HTTP channel, beside a bare handler with one durable insert.

    python -m bench.accept [--rate 100 --seconds 60] [--burst 500] [--database URL]

One run: PostgreSQL (the embedded one unless --database names another), two server processes, this process as the
client over raw sockets. Every message has a thread of its own. Nobody answers: what is measured ends with the 2xx.
"""

import argparse
import asyncio
import itertools
import json
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
from aiohttp import web

from adapters.embedded.postgres import attach
from adapters.postgres.database import open_database
from adapters.postgres.events import PostgresEvents
from adapters.postgres.inbox import PostgresInbox
from adapters.postgres.outbox import PostgresOutbox
from adapters.postgres.uploads import PostgresUploads
from adapters.web.http_channel import HttpChannel, Installation
from adapters.web.server import make_app, run_server
from core.accepting import Acceptance
from core.checks import Health
from core.meter import Unmetered
from migrations.run import prepare

KEY = "bench-key-0123456789"
CONNECTIONS = 32
SLOW_S = 3.0

_BARE = """
create table bench_bare (event_id text primary key, body jsonb not null);
grant insert on bench_bare to {role}
"""

Exchange = Callable[[bytes], Awaitable[int]]


async def serve_channel(url: str) -> None:
    """Serve the HTTP channel until the parent closes this process."""
    async with open_database(url) as database:
        inbox, events = (
            PostgresInbox(database),
            PostgresEvents(database),
        )
        channel = HttpChannel(
            installations={"bench": Installation(1, KEY)},
            acceptance=Acceptance(inbox, Unmetered()),
            inbox=inbox,
            outbox=PostgresOutbox(database),
            events=events,
            notices=events,
            uploads=PostgresUploads(database),
        )
        app = make_app(routes=channel.routes(), health=Health({}))
        async with run_server(app, "127.0.0.1", 0) as (_, port):
            print(port, flush=True)
            await asyncio.to_thread(sys.stdin.read)


async def serve_bare(url: str) -> None:
    """Serve a bare handler: parse JSON, one durable insert, answer."""
    pool = await asyncpg.create_pool(url, min_size=1, max_size=10)

    async def handle(request: web.Request) -> web.Response:
        body = await request.json()
        async with pool.acquire() as connection:
            await connection.execute(
                "insert into bench_bare values ($1, $2) on conflict do nothing", body["event_id"], json.dumps(body)
            )
        return web.json_response({"accepted": True}, status=202)

    app = web.Application()
    app.router.add_post("/http/bench/events", handle)
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
    arguments = ("-m", "bench.accept", "--serve", kind, "--database", url)
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


def request(numbers: "itertools.count[int]") -> bytes:
    """Write one request, in a thread of its own."""
    number = next(numbers)
    body = json.dumps(
        {
            "event_id": f"event-{number}",
            "channel": f"channel-{number % 50}",
            "thread": f"thread-{number}",
            "author": {"id": f"author-{number}", "name": "Somebody"},
            "text": f"How many vacation days do I get when I start in month {number % 12 + 1}?",
        }
    ).encode()
    head = (
        f"POST /http/bench/events HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {KEY}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Client:
    """Send requests over connections that are kept open."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self.statuses: Counter[int] = Counter()

    async def send(self, raw: bytes) -> None:
        """Send one request and read its response."""
        reader, writer = await self._connection()
        writer.write(raw)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        self.statuses[int(head.split(b" ", 2)[1])] += 1
        self._idle.append((reader, writer))

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof():
                return reader, writer
        return await asyncio.open_connection("127.0.0.1", self._port)

    def close(self) -> None:
        """Close the connections."""
        for _, writer in self._idle:
            writer.close()
        self._idle.clear()


async def timed(client: Client, raw: bytes) -> float:
    """Return the seconds one request takes, connecting included."""
    begun_s = time.perf_counter()
    await client.send(raw)
    return time.perf_counter() - begun_s


async def steady(port: int, numbers: "itertools.count[int]", rate: int, seconds: float) -> list[float]:
    """Send RATE requests a second whatever the server does, and time each from when it was due."""
    client, loop = Client(port), asyncio.get_running_loop()
    begun_s, tasks = loop.time(), []
    for number in range(int(rate * seconds)):
        due_s = begun_s + number / rate
        await asyncio.sleep(max(0.0, due_s - loop.time()))
        tasks.append(asyncio.create_task(_from(client, request(numbers), due_s)))
    took = await asyncio.gather(*tasks)
    _check(client)
    return list(took)


async def _from(client: Client, raw: bytes, due_s: float) -> float:
    await client.send(raw)
    return asyncio.get_running_loop().time() - due_s


async def burst(port: int, numbers: "itertools.count[int]", count: int) -> list[float]:
    """Send COUNT requests at once, each over a connection of its own."""
    client = Client(port)
    took = await asyncio.gather(*(timed(client, request(numbers)) for _ in range(count)))
    _check(client)
    return list(took)


async def throughput(port: int, numbers: "itertools.count[int]", seconds: float) -> float:
    """Return the requests a second that CONNECTIONS senders get through, each sending the next when it is answered."""
    client = Client(port)
    end_s = time.perf_counter() + seconds

    async def send() -> int:
        sent = 0
        while time.perf_counter() < end_s:
            await client.send(request(numbers))
            sent += 1
        return sent

    sent = sum(await asyncio.gather(*(send() for _ in range(CONNECTIONS))))
    _check(client)
    return sent / seconds


def _check(client: Client) -> None:
    client.close()
    assert set(client.statuses) == {202}, client.statuses


def say(name: str, took: list[float]) -> None:
    """Print percentiles in milliseconds."""
    cuts = statistics.quantiles(took, n=100)
    over = sum(one > SLOW_S for one in took)
    figures = " ".join(f"p{cut} {cuts[cut - 1] * 1000:.1f}" for cut in (50, 95, 99))
    print(f"{name}: {len(took)} messages, {figures}, max {max(took) * 1000:.1f} ms, {over} over {SLOW_S:g} s")


async def empty(owner_url: str) -> None:
    """Drop what waits, as workers would have by now: with thousands of rows waiting, counting them is what is timed."""
    connection = await asyncpg.connect(owner_url)
    await connection.execute("truncate inbox, procrastinate_jobs, bench_bare cascade")
    await connection.close()


async def measure(owner_url: str, url: str, options: argparse.Namespace) -> None:
    """Run everything against one database."""
    numbers = itertools.count()
    async with server("channel", url) as channel, server("bare", url) as bare:
        for port in (bare, channel):
            await throughput(port, numbers, 1.0)
        await empty(owner_url)
        say(
            f"{options.rate}/s for {options.seconds:g} s", await steady(channel, numbers, options.rate, options.seconds)
        )
        say(f"burst of {options.burst}", await burst(channel, numbers, options.burst))
        rounds = []
        for _ in range(3):
            await empty(owner_url)
            rounds.append((await throughput(bare, numbers, 4.0), await throughput(channel, numbers, 4.0)))
    for plain, ours in rounds:
        print(f"bare handler {plain:.0f}/s, HTTP channel {ours:.0f}/s, ratio {ours / plain:.2f}")
    print(f"median ratio {statistics.median(ours / plain for plain, ours in rounds):.2f}")


async def run(owner_url: str, maintenance_url: str, url: str, options: argparse.Namespace) -> None:
    """Prepare the tables and measure."""
    await prepare(maintenance_url, owner_url, url)
    connection = await asyncpg.connect(owner_url)
    await connection.execute("drop table if exists bench_bare;" + _BARE.format(role="bench_application"))
    await connection.close()
    await measure(owner_url, url, options)


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--burst", type=int, default=500)
    parser.add_argument("--database", help="the owner's address of an empty database")
    parser.add_argument("--serve", choices=("channel", "bare"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run((serve_channel if options.serve == "channel" else serve_bare)(options.database))
        return
    with tempfile.TemporaryDirectory(prefix="frontdesk-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with attach(Path(folder)) as attachment:
            owner_url = options.database or attachment.owner_url("bench")
            maintenance_url = options.database or attachment.owner_url("postgres")
            user, _, host = owner_url.partition("://")[2].rpartition("@")
            url = f"postgresql://bench_application:a-password@{host}"
            assert user, "the owner's address names no user"
            asyncio.run(run(owner_url, maintenance_url, url, options))


if __name__ == "__main__":
    main()
