"""How updates reach a bot: kept until fetched, or posted to its webhook in one queue for each chat."""

import asyncio
import random
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.platform.telegram_state import CALLBACK_S, Bot, Clock, Json, Pending

DAY_S = 86_400.0
SLOWEST_S = 60.0
LONGEST_RETRY_AFTER_S = 3600
IDLE_S = 60.0
PRIVATE_MESSAGE_KINDS = ("message", "edited_message")


@dataclass
class Delivery:
    """One attempt to deliver an update to a webhook."""

    update_id: int
    queue: tuple[str, int]
    attempt: int
    status: int  # 0: no response
    begun: float
    ended: float


class Updates:
    """Make, keep and deliver updates."""

    def __init__(self, clock: Clock, scale: float) -> None:
        self.log: list[Delivery] = []
        self.expired: list[int] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self.repeat = 1  # how often each update is posted, as after an acknowledgement that was lost
        self.respond: Any = None  # runs the method in a webhook's response
        self._clock = clock
        self._scale = scale
        self._http: aiohttp.ClientSession | None = None
        self._workers: dict[tuple[int, str, int], asyncio.Task[None]] = {}
        self._slots: dict[int, tuple[int, asyncio.Semaphore]] = {}

    async def open(self) -> None:
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=IDLE_S))

    async def close(self) -> None:
        for task in list(self._workers.values()):
            task.cancel()
        await asyncio.gather(*self._workers.values(), return_exceptions=True)
        if self._http is not None:
            await self._http.close()

    def add(self, bot: Bot, kind: str, payload: Json, queue: tuple[str, int]) -> int | None:
        """Keep an update for BOT; None where it did not ask for this kind."""
        if kind not in bot.allowed:
            return None
        bot.last_update_id += 1
        body = {"update_id": bot.last_update_id, kind: payload}
        expires_at = self._clock.now() + (CALLBACK_S if kind == "callback_query" else DAY_S)
        bot.updates.append(Pending(bot.last_update_id, kind, body, queue, expires_at))
        if bot.poll is not None and not bot.poll.done():
            bot.poll.set_result(None)
        self.deliver(bot)
        return bot.last_update_id

    def living(self, bot: Bot) -> list[Pending]:
        """List what waits and has not expired."""
        now = self._clock.now()
        self.expired += [pending.update_id for pending in bot.updates if pending.expires_at <= now]
        bot.updates = [pending for pending in bot.updates if pending.expires_at > now]
        return bot.updates

    def confirm(self, bot: Bot, offset: int) -> None:
        """Forget what lies before OFFSET; a negative one counts from the end."""
        if offset < 0:
            bot.updates = self.living(bot)[offset:]
        elif offset:
            bot.updates = [pending for pending in self.living(bot) if pending.update_id >= offset]

    def drop(self, bot: Bot) -> None:
        bot.updates.clear()

    def deliver(self, bot: Bot) -> None:
        """Start a worker for each queue that has none."""
        if not bot.webhook.url:
            return
        for pending in bot.updates:
            key = (bot.bot_id, *pending.queue)
            if key not in self._workers:
                task = asyncio.get_running_loop().create_task(self._serve(bot, pending.queue))
                self._workers[key] = task
                task.add_done_callback(lambda _, key=key: self._workers.pop(key, None))

    async def settled(self) -> None:
        """Wait until every queue is empty."""
        while self._workers:
            await asyncio.gather(*self._workers.values(), return_exceptions=True)

    def slot(self, bot: Bot) -> asyncio.Semaphore:
        most = bot.webhook.max_connections
        if self._slots.get(bot.bot_id, (0, None))[0] != most:
            self._slots[bot.bot_id] = (most, asyncio.Semaphore(most))
        return self._slots[bot.bot_id][1]

    async def _serve(self, bot: Bot, queue: tuple[str, int]) -> None:
        while bot.webhook.url:
            pending = next((update for update in self.living(bot) if update.queue == queue), None)
            if pending is None:
                return
            status, retry_after = 0, 0.0
            for _ in range(self.repeat):
                async with self.slot(bot):
                    status, retry_after = await self._attempt(bot, pending)
            if 200 <= status <= 299:
                bot.updates = [update for update in bot.updates if update is not pending]
                continue
            await self._put_off(bot, pending, retry_after)

    async def _put_off(self, bot: Bot, pending: Pending, retry_after: float) -> None:
        """Wait as long as the server does: the first time not at all, then 2, 4, 8 seconds and so on."""
        wait_s = 0.0 if pending.attempts == 1 else min(2.0 ** (pending.attempts - 1), random.uniform(SLOWEST_S, 120.0))
        wait_s = retry_after or wait_s
        if self._clock.now() + wait_s >= pending.expires_at:
            bot.updates = [update for update in bot.updates if update is not pending]
            self.expired.append(pending.update_id)
            return
        await asyncio.sleep(wait_s * self._scale)

    async def _attempt(self, bot: Bot, pending: Pending) -> tuple[int, float]:
        """Post an update once; return the status, 0 without a response, and its Retry-After in seconds."""
        assert self._http is not None
        pending.attempts += 1
        headers = {"X-Telegram-Bot-Api-Secret-Token": bot.webhook.secret} if bot.webhook.secret else {}
        begun = self._clock.now()
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        status, retry_after, said = 0, 0.0, ""
        try:
            async with self._http.post(bot.webhook.url, json=pending.body, headers=headers) as response:
                status, said = response.status, await response.text()
                given = response.headers.get("Retry-After", "")
                retry_after = float(min(int(given), LONGEST_RETRY_AFTER_S)) if given.isdigit() else 0.0
        except (aiohttp.ClientError, TimeoutError) as error:
            self._fail(bot, f"Connection failed: {error}")
        finally:
            self.in_flight -= 1
            attempt = (pending.update_id, pending.queue, pending.attempts, status, begun, self._clock.now())
            self.log.append(Delivery(*attempt))
        if 200 <= status <= 299:
            if said.lstrip().startswith("{") and self.respond is not None:
                await self.respond(bot, said)
        elif status:
            self._fail(bot, f"Wrong response from the webhook: {status}")
        return status, retry_after

    def _fail(self, bot: Bot, description: str) -> None:
        bot.webhook.last_error, bot.webhook.last_error_date = description, self._clock.date()
