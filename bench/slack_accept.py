"""Measure how fast Slack's events are acknowledged, beside a bare handler with one durable insert.

    python -m bench.slack_accept [--database URL]

First signed events as fast as they are taken, the same to both in turns; nobody answers (bench/acceptance.py).
Then 200 answers of 8 s each under way in the process that listens, and every acknowledgement is timed.
"""

import argparse
import asyncio
import hashlib
import hmac
import itertools
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import asyncpg
from aiohttp import web

from adapters.postgres.authors import PostgresAuthors
from adapters.postgres.channels import PostgresChannels
from adapters.postgres.database import open_database
from adapters.postgres.inbox import PostgresInbox
from adapters.postgres.uploads import PostgresUploads
from adapters.queue.worker import Worker, running
from adapters.slack.files import TICKET_TYPE
from adapters.slack.listen import Dispatcher, Listener
from adapters.slack.parts import Parts
from adapters.slack.people import People
from adapters.slack.router import Router
from bench import acceptance
from bench.acceptance import Addresses, Client, Endpoint, Serve, Server, post, question, until_closed
from bots.threads import KeptThreads
from core.accepting import Acceptance
from core.file_tickets import FileTickets
from core.inbox import Ending, Thread
from core.listening import Listening
from core.meter import Unmetered
from core.places import Place, Platform

SECRET = "bench-signing-secret"  # noqa: S105 - of nothing but this run
ANSWERS, ANSWER_S = 200, 8.0
PEOPLE = 500  # of the workspace
PATH = "/slack/events"
SLOWEST_S = 0.1


@dataclass(frozen=True, slots=True)
class _Token:
    team_id: str = "T0BENCH"
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
    """A Web API that nothing here may need, but for the language of a person, which is asked for once."""

    async def call(self, method: str, *, team_id: str, **arguments: Any) -> dict[str, Any]:
        """Tell the language of everybody, and refuse all else."""
        assert method == "users.info", f"{method} was called in {team_id} with {list(arguments)}"
        return {"ok": True, "user": {"id": arguments["user"], "locale": "en-US"}}

    async def respond(self, response_url: str, body: Any) -> None:
        """Refuse to be called."""
        raise AssertionError(f"{response_url} was called with {body}")


async def serve_slack(options: argparse.Namespace) -> None:
    """Serve Slack's events, and answer each in ANSWER_S seconds once the parent has written a line."""
    async with open_database(options.database) as database:
        inbox = PostgresInbox(database, author_limit=1_000_000, waiting_limit=1_000_000)
        parts = Parts(
            workspaces=_Workspaces(),
            acceptance=Acceptance(inbox, Unmetered()),
            listening=Listening(PostgresChannels(database), KeptThreads(inbox, PostgresAuthors(database))),
            people=People(_NoSlack()),
            api=_NoSlack(),
            meter=Unmetered(),
            files=FileTickets(PostgresUploads(database), TICKET_TYPE),
            file_secret=b"bench",
        )
        listener = Listener(Dispatcher(Router(parts), Unmetered()), SECRET, Unmetered())

        async def stay() -> None:
            if not await asyncio.to_thread(sys.stdin.readline):
                return
            tasks = {"serve_thread": _answering(inbox)}
            async with running(Worker(options.database, tasks, concurrency=ANSWERS, name="bench")):
                print("working", flush=True)
                await until_closed()

        await acceptance.serve_routes(listener.routes(), stay)


def _answering(inbox: PostgresInbox) -> Callable[..., Any]:
    async def answer(tenant_id: int, platform: str, installation: str, channel: str, thread: str) -> None:
        place = Place(Platform(platform), channel, thread)
        while (batch := await inbox.claim(Thread(tenant_id, installation, place))) is not None:
            await asyncio.sleep(ANSWER_S)
            await inbox.end(batch, Ending.ANSWERED)

    return answer


def request(number: int) -> bytes:
    """Write one signed event: a direct message, which begins a thread of its own."""
    ts = f"1700000000.{number:06d}"
    event = {
        "type": "message",
        "user": f"U{number % PEOPLE:08d}",
        "text": question(number),
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
    return post(PATH, body, {"X-Slack-Request-Timestamp": str(at_s), "X-Slack-Signature": f"v0={signature}"})


async def begin_to_answer(server: Server) -> None:
    """Let a server process work on what it has taken."""
    assert server.process.stdin is not None
    assert server.process.stdout is not None
    server.process.stdin.write(b"work\n")
    await server.process.stdout.readline()


async def while_answering(slack: Endpoint, owner_url: str) -> list[float]:
    """Bring ANSWERS answers under way and time every acknowledgement, those of the first ones included."""
    client = Client(slack.port)
    took = await _paced(client, slack, ANSWERS, 50)
    connection = await asyncpg.connect(owner_url)
    await connection.execute("select set_config('frontdesk.tenant_id', '1', false)")
    under_way = await connection.fetchval("select count(*) from inbox where state = 'answering'")
    await connection.close()
    print(f"{under_way} answers of {ANSWER_S:g} s under way")
    took += await _paced(client, slack, 100, 50)
    client.close(slack.status)
    return took


async def _paced(client: Client, slack: Endpoint, count: int, rate: int) -> list[float]:
    tasks = []
    for _ in range(count):
        tasks.append(asyncio.create_task(client.time(slack.write())))
        await asyncio.sleep(1 / rate)
    return list(await asyncio.gather(*tasks))


async def measure(addresses: Addresses, _: argparse.Namespace) -> None:
    """Run everything against one database."""
    numbers = itertools.count()
    async with acceptance.servers("bench.slack_accept", "slack", addresses.application) as (served, plain):

        def write() -> bytes:
            return request(next(numbers))

        bare = Endpoint("bare handler", plain.port, write, 200)
        slack = Endpoint("Slack", served.port, write, 200)
        await acceptance.warm_up(bare, slack)
        await acceptance.compare(bare, slack, addresses.owner)
        await acceptance.empty(addresses.owner)
        await begin_to_answer(served)
        took = await while_answering(slack, addresses.owner)
    acceptance.say("acknowledgements meanwhile", took)
    print(f"over {SLOWEST_S * 1000:.0f} ms: {sum(one > SLOWEST_S for one in took)}")


def main() -> None:
    """Read the arguments and measure."""
    serve_bare = partial(acceptance.serve_bare, path=PATH, respond=web.Response)
    servers: dict[str, Serve] = {"slack": serve_slack, "bare": serve_bare}
    acceptance.run(acceptance.arguments(__doc__, servers).parse_args(), servers, measure)


if __name__ == "__main__":
    main()
