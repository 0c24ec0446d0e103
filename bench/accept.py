"""Measure how fast messages are acknowledged on the HTTP channel, beside a bare handler with one durable insert.

    python -m bench.accept [--rate 100 --seconds 60] [--burst 500] [--database URL]

Every message has a thread of its own. Nobody answers: what is measured ends with the 2xx. How: bench/acceptance.py.
"""

import argparse
import asyncio
import itertools

from adapters.postgres.database import open_database
from adapters.postgres.events import PostgresEvents
from adapters.postgres.inbox import PostgresInbox
from adapters.postgres.outbox import PostgresOutbox
from adapters.postgres.uploads import PostgresUploads
from adapters.web.http_channel import HttpChannel, Installation
from bench import acceptance
from bench.acceptance import KEY, Addresses, Client, Endpoint
from core.accepting import Acceptance
from core.meter import Unmetered


async def serve_channel(options: argparse.Namespace) -> None:
    """Serve the HTTP channel until the parent closes our input."""
    async with open_database(options.database) as database:
        inbox, events = PostgresInbox(database), PostgresEvents(database)
        channel = HttpChannel(
            installations={"bench": Installation(1, KEY)},
            acceptance=Acceptance(inbox, Unmetered()),
            inbox=inbox,
            outbox=PostgresOutbox(database),
            events=events,
            notices=events,
            uploads=PostgresUploads(database),
        )
        await acceptance.serve_routes(channel.routes())


async def steady(channel: Endpoint, rate: int, seconds: float) -> list[float]:
    """Send RATE requests a second whatever the server does, and time each from when it was due."""
    client, loop = Client(channel.port), asyncio.get_running_loop()
    begun_s, tasks = loop.time(), []
    for number in range(int(rate * seconds)):
        due_s = begun_s + number / rate
        await asyncio.sleep(max(0.0, due_s - loop.time()))
        tasks.append(asyncio.create_task(_from(client, channel.write(), due_s)))
    took = await asyncio.gather(*tasks)
    client.close(channel.status)
    return list(took)


async def _from(client: Client, raw: bytes, due_s: float) -> float:
    await client.send(raw)
    return asyncio.get_running_loop().time() - due_s


async def burst(channel: Endpoint, count: int) -> list[float]:
    """Send COUNT requests at once, each over a connection of its own."""
    client = Client(channel.port)
    took = await asyncio.gather(*(client.time(channel.write()) for _ in range(count)))
    client.close(channel.status)
    return list(took)


async def measure(addresses: Addresses, options: argparse.Namespace) -> None:
    """Run everything against one database."""
    numbers = itertools.count()

    def write() -> bytes:
        return acceptance.write_event(next(numbers))

    async with acceptance.servers("bench.accept", "channel", addresses.application) as (served, plain):
        channel = Endpoint("HTTP channel", served.port, write, 202)
        bare = Endpoint("bare handler", plain.port, write, 202)
        await acceptance.warm_up(bare, channel)
        await acceptance.empty(addresses.owner)
        took = await steady(channel, options.rate, options.seconds)
        acceptance.say(f"{options.rate}/s for {options.seconds:g} s", took)
        acceptance.say(f"burst of {options.burst}", await burst(channel, options.burst))
        await acceptance.compare(bare, channel, addresses.owner)


def main() -> None:
    """Read the arguments and measure."""
    servers = {"channel": serve_channel, "bare": acceptance.serve_bare}
    parser = acceptance.arguments(__doc__, servers)
    parser.add_argument("--rate", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--burst", type=int, default=500)
    acceptance.run(parser.parse_args(), servers, measure)


if __name__ == "__main__":
    main()
