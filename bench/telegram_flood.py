"""Simulate a flood of questions on Telegram, minutes in seconds, and count the calls that came too early.

    python -m bench.telegram_flood [--minutes 10 --people 120 --groups 10 --processes 3]

The event loop's clock is virtual: where everybody waits, it jumps. Three processes share one store of paces; answers
grow as drafts and edits through the real channel and the real API client, of which only the wire is replaced: by a
Telegram that minds its limits in every stretch of time, and now and then asks a chat or everybody to wait.
"""

import argparse
import asyncio
import random
import selectors
import statistics
from collections import Counter, defaultdict, deque
from collections.abc import Mapping, Sequence
from typing import Any

from adapters.telegram.api import TelegramApi
from adapters.telegram.channel import TelegramChannel
from adapters.telegram.responses import TooMany
from core.domain import Answer, Origin
from core.errors import Busy
from core.outbox import Delivery, Posting, Purpose, Target
from core.pacing import Book, PreferredPacer, Slot, Turn
from core.places import Place, Platform

TOKEN = "123456:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"  # noqa: S105 - nobody's
_COUNTED = ("sendMessage", "sendMessageDraft", "editMessageText")


class VirtualSelector(selectors.SelectSelector):
    """Never wait: where nothing is ready, the time has come."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> Any:
        """Let TIMEOUT pass at once."""
        ready = super().select(0)
        if not ready and timeout is not None:
            self.now_s += max(timeout, 0.0)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on a clock that jumps."""

    def __init__(self) -> None:
        self._virtual = VirtualSelector()
        super().__init__(self._virtual)

    def time(self) -> float:
        """Return the virtual time."""
        return self._virtual.now_s


class Store:
    """What all processes share: the book of the paces."""

    def __init__(self) -> None:
        self._book = Book()

    async def take(self, slots: Sequence[Slot], number: int, most_us: int) -> Turn:
        """Count a call, or plan one."""
        return self._book.take(_now_us(), slots, number, most_us)

    async def hold(self, key: str, for_us: int) -> None:
        """Let no call go out under KEY for FOR_US."""
        self._book.hold(_now_us(), key, for_us)


def _now_us() -> int:
    return int(asyncio.get_running_loop().time() * 1e6)


class StrictTelegram:
    """Count calls and mind the limits."""

    def __init__(self, seed: int) -> None:
        self.calls: Counter[str] = Counter()
        self.too_many = 0  # calls over a limit
        self.early = 0  # calls within the time that a Retry-After asked for
        self.told = 0
        self._random = random.Random(seed)  # noqa: S311 - a simulation
        self._logs: dict[str, deque[int]] = defaultdict(deque)
        self._held: dict[str, int] = {}
        self._message_id = 0

    def take(self, method: str, arguments: Mapping[str, Any]) -> Any:
        """Answer a call; raises what the client raises for a 429."""
        self.calls[method] += 1
        if method not in _COUNTED:
            return True
        now, chat = _now_us(), str(arguments["chat_id"])
        if now < self._held.get(chat, 0):
            self.early += 1
        stretches = [(30, 1.0, "bot"), (1, 1.0, chat), *([(20, 60.0, chat)] if chat.startswith("-") else [])]
        self.too_many += any(self._is_full(count, per_s, key, now) for count, per_s, key in stretches)
        for key in ("bot", chat):
            self._logs[key].append(now)
        if self._random.random() < 0.002:
            seconds = self._random.randint(1, 20)
            self._held[chat] = now + seconds * 1_000_000
            self.told += 1
            raise TooMany(seconds)
        self._message_id += 1
        return {"message_id": self._message_id}

    def _is_full(self, count: int, per_s: float, key: str, now: int) -> bool:
        log = self._logs[key]
        while log and log[0] <= now - 60_000_000:
            log.popleft()
        return sum(at > now - round(per_s * 1e6) for at in log) >= count


class SimulatedApi(TelegramApi):
    """The API client with nothing but the wire replaced."""

    def __init__(self, telegram: StrictTelegram, pacer: PreferredPacer) -> None:
        super().__init__("bench", TOKEN, pacer, clock=asyncio.get_running_loop().time)
        self._telegram = telegram

    async def _send(self, method: str, arguments: Mapping[str, Any], timeout_s: float) -> Any:  # noqa: ARG002
        try:
            return self._telegram.take(method, arguments)
        except TooMany as error:
            raise error from None


class Notes:
    """An outbox that keeps nothing."""

    async def begin(self, delivery: Delivery, part: int) -> None:
        """Note nothing."""

    async def record(self, delivery: Delivery, part: int, message_id: str) -> None:
        """Note nothing."""

    async def forget(self, delivery: Delivery, part: int) -> None:
        """Note nothing."""


async def converse(channel: TelegramChannel, chat_id: int, end_s: float, took: dict[int, list[float]]) -> None:
    """Ask and be answered, again and again, until END_S."""
    loop, rng, outbox_id = asyncio.get_running_loop(), random.Random(chat_id), 0  # noqa: S311
    while loop.time() < end_s:
        outbox_id += 1
        place, kind = Place(Platform.TELEGRAM, str(chat_id)), "private" if chat_id > 0 else "supergroup"
        target = Target(1, "123456", place, "1", {"chat_id": chat_id, "chat_type": kind})
        notes: Any = Notes()
        posting = Posting(notes, Delivery(outbox_id, 1, target, Purpose.ANSWER), channel.doubt)
        reply = channel.reply(posting)
        for number in range(rng.randint(20, 120)):  # pieces of an answer, ten a second
            await reply.write(f"word{number} ")
            await asyncio.sleep(0.1)
        begun_s = loop.time()
        while True:
            try:
                await reply.finish(Answer("The whole answer.", Origin.DOCUMENTS, None))
                break
            except Busy as busy:
                await asyncio.sleep(busy.retry_after_s)
        took[chat_id].append(loop.time() - begun_s)
        await asyncio.sleep(rng.uniform(0.0, 3.0))


async def simulate(options: argparse.Namespace) -> None:
    """Run the flood and print what came of it."""
    loop, telegram, store = asyncio.get_running_loop(), StrictTelegram(options.seed), Store()
    pacers = [PreferredPacer(store, clock=loop.time) for _ in range(options.processes)]
    channels = [TelegramChannel({"123456": SimulatedApi(telegram, pacer)}, clock=loop.time) for pacer in pacers]
    chats = [*range(1, options.people + 1), *range(-options.groups, 0)]
    took: dict[int, list[float]] = {chat: [] for chat in chats}
    end_s = options.minutes * 60.0
    await asyncio.gather(*(converse(channels[n % len(channels)], chat, end_s, took) for n, chat in enumerate(chats)))
    waits = [wait for each in took.values() for wait in each]
    people = [len(each) for chat, each in took.items() if chat > 0]
    cuts = statistics.quantiles(waits, n=100)
    print(
        f"{options.minutes} simulated minutes, {options.people} people, {options.groups} groups: {dict(telegram.calls)}"
    )
    print(
        f"over a limit {telegram.too_many}, within a Retry-After {telegram.early} (told to wait {telegram.told} times)"
    )
    print(f"answers {len(waits)}, for each person {min(people)} to {max(people)}")
    print(f"wait for the final message: p50 {cuts[49]:.2f} s, p99 {cuts[98]:.2f} s, longest {max(waits):.1f} s")
    assert telegram.too_many == telegram.early == 0


def main() -> None:
    """Read the arguments and simulate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=10)
    parser.add_argument("--people", type=int, default=120)
    parser.add_argument("--groups", type=int, default=10)
    parser.add_argument("--processes", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    loop = VirtualLoop()
    try:
        loop.run_until_complete(simulate(parser.parse_args()))
    finally:
        loop.close()


if __name__ == "__main__":
    main()
