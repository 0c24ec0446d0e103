"""A worker that kills itself where it is told to: `python -m bench.faults.worker --die-at answered --after 3`."""

import argparse
import asyncio
import os
import signal
from collections.abc import Callable

from bots import logs
from bots.serve import Plan, serve
from bots.settings import load
from core.domain import Answer, Message
from core.engine import Engine
from core.inbox import Interruption
from core.ports import Reply


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def dying_at(step: str, after: int) -> Callable[[str], None]:
    """Make a listener to steps that kills the process the AFTER-th time it hears of STEP."""
    left = after

    def hear(name: str) -> None:
        nonlocal left
        if name == step:
            left -= 1
            if left <= 0:
                _die()

    return hear


def die_on(word: str) -> None:
    """Kill the process whenever a message with WORD is about to be answered."""
    answer = Engine.handle

    async def handle(self: Engine, message: Message, reply: Reply, interruption: Interruption | None = None) -> Answer:
        if word in message.text:
            _die()
        return await answer(self, message, reply, interruption)

    Engine.handle = handle  # type: ignore[method-assign]


def main() -> None:
    """Work until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--die-at", default="")
    parser.add_argument("--after", type=int, default=1)
    parser.add_argument("--die-on", default="")
    parser.add_argument("--concurrency", type=int, default=2)
    options = parser.parse_args()
    settings = load()
    logs.configure(settings.log_level)
    if options.die_on:
        die_on(options.die_on)
    plan = Plan("127.0.0.1", None, events=False, work=True, concurrency=options.concurrency)
    asyncio.run(serve(settings, plan, print, at=dying_at(options.die_at, options.after)))


if __name__ == "__main__":
    main()
