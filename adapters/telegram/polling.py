"""Long polling, for machines that nobody can reach; core.telegram.org/bots/api#getupdates.

Of all processes one polls for a bot. Telegram forgets an update once a higher offset was asked for, so the offset is
raised only after the update was stored; a poller that dies leaves the rest to the next one.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from adapters.telegram.api import Conflicted, Refusal
from adapters.telegram.completed import completed
from adapters.telegram.inbound import ALLOWED_UPDATES, place_of
from adapters.telegram.intake import SECRET_QUERY, Account, Intake
from adapters.telegram.limits import MAX_CONNECTIONS, SECRET_TOKEN, UPDATES_PER_POLL
from core.errors import Busy, ChannelUnavailable, Rejected, StoreUnavailable, UsageError
from core.payloads import integer_at
from core.tracing import new_request_id

POLL_S = 30  # below what most proxies allow a silent connection
LONGEST_PAUSE_S = 5.0  # so long, at most, nobody is heard after Telegram is back
CONFLICT_S = 5.0
IDLE_S = 0.5  # between two polls where the server does not hold them until there is news

Lock = Callable[[str], AbstractAsyncContextManager[asyncio.Event]]
"""Wait until this process alone polls for the bot of that id; the event is set when that is over."""

_log = logging.getLogger(__name__)


class Poller:
    """Poll for one bot while this process holds the lock."""

    def __init__(self, account: Account, intake: Intake, lock: Lock, *, poll_s: int = POLL_S) -> None:
        self._account = account
        self._intake = intake
        self._lock = lock
        self._poll_s = poll_s
        self._failures = 0
        self.is_polling = False

    async def run(self) -> None:
        """Poll until cancelled; whatever Telegram or PostgreSQL answer meanwhile, it goes on."""
        name = self._account.api.name
        while True:
            try:
                async with self._lock(self._account.api.bot_id) as lost:
                    _log.info("polling for the bot %s", name)
                    self.is_polling = True
                    await self._poll_until(lost)
                _log.warning("the lock of the bot %s is lost; another process polls", name)
            except Conflicted as error:
                _log.warning("Somebody else reads the updates of the bot %s; stop the other one. %s", name, error)
                await self._pause(CONFLICT_S)
            except Busy as busy:
                await asyncio.sleep(busy.retry_after_s)
            except (StoreUnavailable, ChannelUnavailable, Rejected, UsageError) as error:
                _log.warning("polling for the bot %s failed: %s", name, error)
                await self._pause(0.5)
            except Exception:  # noqa: BLE001 - the catch-all of a process loop: else the bot is silent for good
                _log.exception("polling for the bot %s broke off; it begins again", name)
                await self._pause(0.5)
            finally:
                self.is_polling = False

    async def _poll_until(self, lost: asyncio.Event) -> None:
        """Poll until the lock is lost; a poll under way then is dropped unread."""
        polling = asyncio.ensure_future(self._poll())
        losing = asyncio.ensure_future(lost.wait())
        try:
            await asyncio.wait({polling, losing}, return_when=asyncio.FIRST_COMPLETED)
            if polling.done():
                polling.result()
        finally:
            losing.cancel()
            polling.cancel()
            await asyncio.gather(polling, losing, return_exceptions=True)

    async def _poll(self) -> None:
        api, offset = self._account.api, None
        await self._delete_webhook()
        while True:
            begun_s = time.monotonic()
            updates = await api.call(
                "getUpdates",
                timeout_s=self._poll_s + 15.0,
                offset=offset,
                timeout=self._poll_s,
                limit=UPDATES_PER_POLL,
                allowed_updates=list(ALLOWED_UPDATES),
            )
            self._failures = 0
            before, offset = offset, await self._take_all(updates if isinstance(updates, list) else [], offset)
            if offset == before and time.monotonic() - begun_s < IDLE_S:
                await asyncio.sleep(IDLE_S)

    async def _delete_webhook(self) -> None:
        """Have no webhook; a server that cannot delete one polls as well, or says so itself."""
        try:
            await self._account.api.call("deleteWebhook")
        except Busy:
            raise
        except Refusal as refusal:
            _log.warning("The webhook of the bot %s is not deleted: %s", self._account.api.name, refusal)
        except ChannelUnavailable:
            return  # getUpdates tells whether all of it is away

    async def _take_all(self, updates: Sequence[Any], offset: int | None) -> int | None:
        """Take UPDATES in, those of one chat in their order, and return the offset that confirms what is stored.

        Raises what keeps an update from being stored, once the others are; then nothing is confirmed.
        """
        if self._account.api.stands_in:
            updates = [completed(update) for update in updates]
        chats: dict[str, list[Mapping[str, Any]]] = {}
        for update in updates:
            place = place_of(update) if isinstance(update, Mapping) else None
            chats.setdefault(place.channel if place else "", []).append(update)
        done = await asyncio.gather(*(self._take_in_order(chat) for chat in chats.values()), return_exceptions=True)
        for failure in done:
            if isinstance(failure, BaseException):
                raise failure
        known = [found for update in updates if (found := _id_of(update)) is not None]
        return max(known) + 1 if known else offset

    async def _take_in_order(self, updates: Sequence[Mapping[str, Any]]) -> None:
        for update in updates:
            await self._intake.take(self._account, update, new_request_id())

    async def _pause(self, least_s: float) -> None:
        """Wait, longer after each failure, and never as long as others that failed at the same moment."""
        self._failures += 1
        longest_s = min(least_s * 2 ** min(self._failures, 8), LONGEST_PAUSE_S)
        await asyncio.sleep(random.uniform(longest_s / 2, longest_s))  # noqa: S311 - spreads, does not protect


def _id_of(update: Any) -> int | None:
    return integer_at(update, "update_id") if isinstance(update, Mapping) else None


async def set_webhook(account: Account, public_url: str, *, connections: int = MAX_CONNECTIONS) -> None:
    """Have updates delivered to PUBLIC_URL; what waits is delivered too. Raises as TelegramApi.call does."""
    if not account.secret or len(account.secret) > SECRET_TOKEN:
        raise UsageError(f"TELEGRAM_SECRET must have 1 to {SECRET_TOKEN} characters of A-Z, a-z, 0-9, _ and -.")
    await account.api.call(
        "setWebhook",
        patience_s=None,
        url=webhook_url(public_url, account),
        secret_token=account.secret,
        allowed_updates=list(ALLOWED_UPDATES),
        max_connections=connections,
    )


def webhook_url(public_url: str, account: Account) -> str:
    """Name the address that updates are delivered to.

    Servers that stand in for Telegram may send no secret but what stands in the address, which proxies log: it is left
    out where the address is one of https, as Telegram wants it.
    """
    url = f"{public_url.rstrip('/')}/telegram/{account.api.name}"
    in_address = account.api.stands_in and url.startswith("http://")
    return f"{url}?{SECRET_QUERY}={account.secret}" if in_address else url


async def keep_webhook(account: Account, public_url: str) -> None:
    """Set the webhook, again and again until Telegram has taken it."""
    pause_s = 1.0
    while True:
        try:
            await set_webhook(account, public_url)
        except (ChannelUnavailable, StoreUnavailable) as error:
            waits_s = error.retry_after_s if isinstance(error, Busy) else random.uniform(pause_s / 2, pause_s)  # noqa: S311
            _log.warning("The webhook of the bot %s is not set yet: %s", account.api.name, error)
            await asyncio.sleep(waits_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
        except Rejected as error:
            _log.error("Telegram does not take the webhook of the bot %s: %s", account.api.name, error)
            return
        else:
            return
