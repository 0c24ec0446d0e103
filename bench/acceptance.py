"""What the measurements of acceptance share: the bare handler, the client, the rounds in turns and how figures print.

One run: PostgreSQL (the embedded one unless --database names another), two server processes of the module that
measures, one of them a bare handler with one durable insert, and that module as their client over raw sockets.
"""

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import asyncpg
from aiohttp import web

from adapters.web.server import make_app, run_server
from bench.embedded import embedded_postgres
from core.checks import Health
from migrations.run import prepare

CONNECTIONS = 32
SLOW_S = 3.0
KEY = "bench-key-0123456789"
EVENTS = "/http/bench/events"

_BARE = """
drop table if exists bench_bare;
create table bench_bare (event_id text primary key, body jsonb not null);
grant insert on bench_bare to bench_application
"""

Serve: TypeAlias = Callable[[argparse.Namespace], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class Addresses:
    """One database: of the server's own, as its owner and as the application."""

    maintenance: str
    owner: str
    application: str


@dataclass(frozen=True, slots=True)
class Server:
    """A server process."""

    process: asyncio.subprocess.Process
    port: int


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What requests are sent to: WRITE makes the next one, STATUS is the only one its answer may have."""

    name: str
    port: int
    write: Callable[[], bytes]
    status: int


def post(path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    """Write a request with JSON."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n{lines}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def question(number: int) -> str:
    """Write what is asked in request NUMBER."""
    return f"How many vacation days do I get when I start in month {number % 12 + 1}?"


def write_event(number: int) -> bytes:
    """Write one request of the HTTP channel, in a thread of its own; bare handlers are sent these too."""
    event = {
        "event_id": f"event-{number}",
        "channel": f"channel-{number % 50}",
        "thread": f"thread-{number}",
        "author": {"id": f"author-{number}", "name": "Somebody"},
        "text": question(number),
    }
    return post(EVENTS, json.dumps(event).encode(), {"Authorization": f"Bearer {KEY}"})


async def until_closed() -> None:
    """Wait until the parent closes our input."""
    await asyncio.to_thread(sys.stdin.read)


async def serve_routes(routes: Sequence[web.RouteDef], stay: Callable[[], Awaitable[None]] = until_closed) -> None:
    """Serve ROUTES as Frontdesk does, tell the parent the port, and end when STAY does."""
    app = make_app(routes=routes, health=Health({}))
    async with run_server(app, "127.0.0.1", 0) as (_, port):
        print(port, flush=True)
        await stay()


def _accepted() -> web.Response:
    return web.json_response({"accepted": True}, status=202)


async def serve_bare(
    options: argparse.Namespace,
    *,
    path: str = EVENTS,
    id_name: str = "event_id",
    respond: Callable[[], web.Response] = _accepted,
) -> None:
    """Serve a bare handler: parse JSON, one durable insert, answer."""
    pool = await asyncpg.create_pool(options.database, min_size=1, max_size=10)
    statement = "insert into bench_bare values ($1, $2) on conflict do nothing"

    async def handle(request: web.Request) -> web.Response:
        body = await request.json()
        async with pool.acquire() as connection:
            await connection.execute(statement, str(body[id_name]), json.dumps(body))
        return respond()

    app = web.Application()
    app.router.add_post(path, handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await until_closed()
    await runner.cleanup()
    await pool.close()


@asynccontextmanager
async def server(module: str, kind: str, url: str, *more: str) -> AsyncIterator[Server]:
    """Run MODULE as a server process of one KIND."""
    pipe = asyncio.subprocess.PIPE
    words = ("-m", module, "--serve", kind, "--database", url, *more)
    process = await asyncio.create_subprocess_exec(sys.executable, *words, stdin=pipe, stdout=pipe)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Server(process, int(await process.stdout.readline()))
    finally:
        process.stdin.close()
        await process.wait()


@asynccontextmanager
async def servers(module: str, kind: str, url: str, *more: str) -> AsyncIterator[tuple[Server, Server]]:
    """Run MODULE twice, as a server of KIND and as the bare handler."""
    async with server(module, kind, url, *more) as ours, server(module, "bare", url) as bare:
        yield ours, bare


class Client:
    """Send requests over connections that are kept open."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._statuses: Counter[int] = Counter()

    async def send(self, raw: bytes) -> None:
        """Send one request and read its response."""
        reader, writer = await self._connection()
        writer.write(raw)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        self._statuses[int(head.split(b" ", 2)[1])] += 1
        self._idle.append((reader, writer))

    async def time(self, raw: bytes) -> float:
        """Return the seconds one request takes, connecting included."""
        begun_s = time.perf_counter()
        await self.send(raw)
        return time.perf_counter() - begun_s

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof():
                return reader, writer
        return await asyncio.open_connection("127.0.0.1", self._port)

    def close(self, status: int) -> None:
        """Close the connections, and see that every response had this STATUS."""
        for _, writer in self._idle:
            writer.close()
        self._idle.clear()
        assert set(self._statuses) == {status}, self._statuses


async def throughput(endpoint: Endpoint, seconds: float) -> float:
    """Return the requests a second that CONNECTIONS senders get through, each sending the next when it is answered."""
    client, end_s = Client(endpoint.port), time.perf_counter() + seconds

    async def send() -> int:
        sent = 0
        while time.perf_counter() < end_s:
            await client.send(endpoint.write())
            sent += 1
        return sent

    sent = sum(await asyncio.gather(*(send() for _ in range(CONNECTIONS))))
    client.close(endpoint.status)
    return sent / seconds


async def warm_up(*endpoints: Endpoint) -> None:
    """Let each take requests for a second."""
    for endpoint in endpoints:
        await throughput(endpoint, 1.0)


async def compare(bare: Endpoint, ours: Endpoint, owner_url: str, *, rounds: int = 3, seconds: float = 4.0) -> None:
    """Send to both in turns, and print the requests a second of each round and the median of their ratios."""
    ratios = []
    for _ in range(rounds):
        await empty(owner_url)
        plain, taken = await throughput(bare, seconds), await throughput(ours, seconds)
        ratios.append(taken / plain)
        print(f"{bare.name} {plain:.0f}/s, {ours.name} {taken:.0f}/s, ratio {ratios[-1]:.2f}")
    print(f"median ratio {statistics.median(ratios):.2f}")


def say(name: str, took: list[float]) -> None:
    """Print percentiles in milliseconds."""
    cuts = statistics.quantiles(took, n=100)
    over = sum(one > SLOW_S for one in took)
    figures = " ".join(f"p{cut} {cuts[cut - 1] * 1000:.1f}" for cut in (50, 95, 99))
    print(f"{name}: {len(took)} messages, {figures}, max {max(took) * 1000:.1f} ms, {over} over {SLOW_S:g} s")


async def empty(owner_url: str) -> None:
    """Drop what waits, as workers would have by now: with thousands of rows waiting, counting them is what is timed."""
    await _execute(owner_url, "truncate inbox, procrastinate_jobs, bench_bare cascade")


async def _execute(url: str, statements: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(statements)
    await connection.close()


async def _prepared(
    measure: Callable[[Addresses, argparse.Namespace], Awaitable[None]],
    addresses: Addresses,
    options: argparse.Namespace,
) -> None:
    await prepare(addresses.maintenance, addresses.owner, addresses.application)
    await _execute(addresses.owner, _BARE)
    await measure(addresses, options)


def arguments(description: str | None, servers: Mapping[str, Serve]) -> argparse.ArgumentParser:
    """Make a parser with the arguments that all measurements have."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", help="the owner's address of an empty database")
    parser.add_argument("--serve", choices=tuple(servers), help=argparse.SUPPRESS)
    return parser


def run(
    options: argparse.Namespace,
    servers: Mapping[str, Serve],
    measure: Callable[[Addresses, argparse.Namespace], Awaitable[None]],
) -> None:
    """Be one of the SERVERS where the arguments say so; else prepare a database and MEASURE."""
    if options.serve:
        asyncio.run(servers[options.serve](options))
        return
    with embedded_postgres("frontdesk-bench-") as (_, attachment):
        owner_url = options.database or attachment.owner_url("bench")
        application_url = f"postgresql://bench_application:a-password@{owner_url.rpartition('@')[2]}"
        addresses = Addresses(options.database or attachment.owner_url("postgres"), owner_url, application_url)
        asyncio.run(_prepared(measure, addresses, options))
