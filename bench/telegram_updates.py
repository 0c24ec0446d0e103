"""Send 1,000 updates through whole processes and count what became of them: one answer each, in order in each chat.

    python -m bench.telegram_updates [--updates 1000 --chats 100 --mode polling|webhook]

One run: the small Bot API server of tests/platform, an embedded PostgreSQL and two `frontdesk serve` processes. In
polling mode one of them, which polls, is killed half-way, and what it had not confirmed is delivered again; in webhook
mode every update is delivered twice. Each message is a command that asks, so that no two are answered together.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import DEVNULL, Popen, run
from typing import Any

import asyncpg

from adapters.embedded.postgres import attach
from tests.platform.telegram_server import TelegramServer

PORTS = (18_131, 18_132)
TIME_OFF = "# Time off\n\nFull-time employees have 28 days of paid vacation in a calendar year.\n"
PATIENCE_S = 600.0

_ANSWERED = """
select channel, message_id, sent -> 0 ->> 'message_id' as below from outbox
where settled = 'sent' and purpose = 'answer'
"""


def frontdesk(*arguments: str) -> list[str]:
    """Write a command of Frontdesk."""
    return [sys.executable, "-m", "bots", *arguments]


@contextmanager
def serving(port: int, environment: dict[str, str]) -> Iterator["Popen[bytes]"]:
    """Run a process that listens and works until the block ends."""
    process = Popen(frontdesk("serve", "--port", str(port)), env=environment, stdout=DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def measure(folder: Path, owner_url: str, options: argparse.Namespace) -> None:
    """Write to all chats in turn, wait until all is answered, and count."""
    async with TelegramServer(scale=0.1) as telegram:
        bot = telegram.add_bot()
        environment = prepare(folder, telegram.url, bot.token, options.mode)
        people = [telegram.add_user(f"u{number}") for number in range(options.chats)]
        chats = [telegram.private(bot, person) for person in people]
        telegram.updates.repeat = 2 if options.mode == "webhook" else 1
        with ExitStack() as stack:
            processes = [stack.enter_context(serving(port, environment)) for port in PORTS]
            begun_s = time.perf_counter()
            asked: dict[str, list[int]] = defaultdict(list)
            for number in range(options.updates):
                chat, person = chats[number % len(chats)], people[number % len(chats)]
                said = await telegram.say(chat, person, f"/ask How many days of vacation are there, for no. {number}?")
                asked[str(chat.chat_id)].append(said.message_id)
            killed = options.mode == "webhook"
            while (answered := answers(telegram, chats)) < options.updates:
                if not killed and answered >= options.updates // 4:
                    processes[0].kill()
                    killed = True
                if time.perf_counter() - begun_s > PATIENCE_S:
                    break
                await asyncio.sleep(0.1)
            took_s = time.perf_counter() - begun_s
            await asyncio.sleep(3.0)  # for answers too many
            print(f"{options.mode}: {options.updates} updates to {len(chats)} chats, {took_s:.0f} s")
            print(f"answers seen {answers(telegram, chats)}, in order and one each: {await in_order(owner_url, asked)}")
            print(
                f"deliveries {len(telegram.deliveries)}, early calls {telegram.early_calls}, "
                f"refused {telegram.flood.refused}"
            )


def prepare(folder: Path, url: str, token: str, mode: str) -> dict[str, str]:
    """Ingest a document and return the environment of the processes."""
    environment = {
        **os.environ,
        "FRONTDESK_HOME": str(folder),
        "TELEGRAM_BOTS": f"help={token}",
        "TELEGRAM_API_URL": url,
        "TELEGRAM_MODE": mode,
        "PUBLIC_URL": f"http://127.0.0.1:{PORTS[1]}",
        "AUTHOR_PER_MINUTE": "100000",
        "LOG_LEVEL": "error",
        "WORKER_CONCURRENCY": "16",  # most of them wait for their turn in a chat
    }
    (folder / "time-off.md").write_text(TIME_OFF)
    for arguments in (
        ["ingest", str(folder / "time-off.md"), "--kb", "staff"],
        ["kb", "scope", "staff", "--platform", "telegram"],
    ):
        run(frontdesk(*arguments), env=environment, check=True, stdout=DEVNULL)
    return environment


def answers(telegram: TelegramServer, chats: list[Any]) -> int:
    """Count what people see."""
    return sum(len(telegram.from_bot(chat)) for chat in chats)


async def in_order(owner_url: str, asked: dict[str, list[int]]) -> bool:
    """Tell whether each question of each chat has one answer, below that of the question before it."""
    connection = await asyncpg.connect(owner_url)
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
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="frontdesk-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        with attach(folder) as attachment:
            asyncio.run(measure(folder, attachment.owner_url("frontdesk"), options))


if __name__ == "__main__":
    main()
