"""Send 1,000 updates through whole processes and count what became of them: one answer each, in order in each chat.

    python -m bench.telegram_updates [--updates 1000 --chats 100 --mode polling|webhook]

One run: the small Bot API server of tests/platform, an embedded PostgreSQL and two `frontdesk serve` processes. In
polling mode one of them, which polls, is killed half-way, and what it had not confirmed is delivered again; in webhook
mode every update is delivered twice. Each message is a command that asks, so that no two are answered together.
"""

import argparse
import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from bench.faults.house import House, Running, free_port, house
from core.places import Platform
from tests.platform.telegram_server import TelegramServer

PATIENCE_S = 600.0

_ANSWERED = """
select channel, message_id, sent -> 0 ->> 'message_id' as below from outbox
where settled = 'sent' and purpose = 'answer'
"""


async def measure(options: argparse.Namespace) -> None:
    """Write to all chats in turn, wait until all is answered, and count."""
    async with TelegramServer(scale=0.1) as telegram:
        bot = telegram.add_bot()
        people = [telegram.add_user(f"u{number}") for number in range(options.chats)]
        chats = [telegram.private(bot, person) for person in people]
        webhook = options.mode == "webhook"
        telegram.updates.repeat = 2 if webhook else 1
        port = free_port()
        with house(Platform.TELEGRAM, **settings(telegram.url, bot.token, options.mode, port)) as made:
            served = [made.frontdesk("serve", "--port", str(one)) for one in (made.port, port)]
            begun_s = time.perf_counter()
            asked = await ask(telegram, chats, people, options.updates)
            await all_answered(lambda: answers(telegram, chats), options.updates, None if webhook else served[0])
            took_s = time.perf_counter() - begun_s
            await asyncio.sleep(3.0)  # for answers too many
            ordered = await in_order(made, asked)
    print(f"{options.mode}: {options.updates} updates to {len(chats)} chats, {took_s:.0f} s")
    print(f"answers seen {answers(telegram, chats)}, in order and one each: {ordered}")
    print(
        f"deliveries {len(telegram.deliveries)}, early calls {telegram.early_calls}, refused {telegram.flood.refused}"
    )


def settings(url: str, token: str, mode: str, port: int) -> dict[str, str]:
    """Return the settings of the processes, of which the one at PORT is told of updates by webhook."""
    return {
        "TELEGRAM_BOTS": f"help={token}",
        "TELEGRAM_API_URL": url,
        "TELEGRAM_MODE": mode,
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "LOG_LEVEL": "error",
        "WORKER_CONCURRENCY": "16",  # most of them wait for their turn in a chat
    }


async def ask(telegram: TelegramServer, chats: list[Any], people: list[Any], count: int) -> dict[str, list[int]]:
    """Send COUNT questions, and return the ids of each chat's."""
    asked: dict[str, list[int]] = defaultdict(list)
    for number in range(count):
        chat, person = chats[number % len(chats)], people[number % len(chats)]
        said = await telegram.say(chat, person, f"/ask How many days of vacation are there, for no. {number}?")
        asked[str(chat.chat_id)].append(said.message_id)
    return asked


async def all_answered(seen: Callable[[], int], count: int, doomed: Running | None) -> None:
    """Wait until COUNT answers are seen, for at most PATIENCE_S, and kill the DOOMED process on the way."""
    end_s = time.perf_counter() + PATIENCE_S
    while seen() < count and time.perf_counter() < end_s:
        if doomed is not None and doomed.alive and seen() >= count // 4:
            doomed.kill()
        await asyncio.sleep(0.1)


def answers(telegram: TelegramServer, chats: list[Any]) -> int:
    """Count what people see."""
    return sum(len(telegram.from_bot(chat)) for chat in chats)


async def in_order(made: House, asked: dict[str, list[int]]) -> bool:
    """Tell whether each question of each chat has one answer, below that of the question before it."""
    connection = await made.owner()
    try:
        await connection.execute("select set_config('frontdesk.tenant_id', '1', false)")
        rows = await connection.fetch(_ANSWERED)
    finally:
        await connection.close()
    answered: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for row in rows:
        answered[row["channel"]].append((int(row["below"]), int(row["message_id"])))
    return {chat: [asked_id for _, asked_id in sorted(found)] for chat, found in answered.items()} == asked


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--updates", type=int, default=1_000)
    parser.add_argument("--chats", type=int, default=100)
    parser.add_argument("--mode", choices=("polling", "webhook"), default="polling")
    asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
