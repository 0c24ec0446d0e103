"""One Redis or Valkey server that may be slow, gone or wiped at any time."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from core.errors import UsageError

T = TypeVar("T")
TIMEOUT_S = 0.1  # of one call in all, connecting included
REST_S = 2.0  # between two looks at a server that does not answer
CONNECTIONS = 16

_log = logging.getLogger(__name__)


class Link:
    """Ask the server, and do without it while it does not answer.

    The first call that fails marks the server as down; from then on calls return at once, and one background task
    looks until the server is back. So an outage costs the calls under way at its start TIMEOUT_S, and nobody else.
    """

    def __init__(self, client: Redis, *, timeout_s: float = TIMEOUT_S, rest_s: float = REST_S) -> None:
        self._client = client
        self._timeout_s = timeout_s
        self._rest_s = rest_s
        self._turns = asyncio.Semaphore(CONNECTIONS)
        self._looking: asyncio.Task[None] | None = None

    @property
    def up(self) -> bool:
        """Tell whether the server answered last time."""
        return self._looking is None

    async def call(self, ask: Callable[[Redis], Awaitable[T]]) -> T | None:
        """Return what ASK gets from the server; None where it gets nothing in time, or an error."""
        async with self._turns:
            # Those who queued behind the call that failed need not find out for themselves.
            return await self._try(ask) if self.up else None

    async def close(self) -> None:
        """Stop looking and close the connections."""
        if self._looking is not None:
            self._looking.cancel()
        await self._client.aclose()

    async def _try(self, ask: Callable[[Redis], Awaitable[T]]) -> T | None:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await ask(self._client)
        except (RedisConnectionError, RedisTimeoutError, OSError) as error:  # asyncio's TimeoutError is an OSError
            self._mark_down(error)
        except RedisError as error:
            _log.warning("Redis refused a command; the cache goes without it: %s", error)
        return None

    def _mark_down(self, error: Exception) -> None:
        if self.up:
            reason = str(error) or type(error).__name__
            _log.warning("Redis does not answer; until it does, every look-up is a miss: %s", reason)
            self._looking = asyncio.create_task(self._look())

    async def _look(self) -> None:
        # The first look is at once: a busy event loop makes calls time out on a server that is well.
        while not await self._answers():  # noqa: ASYNC110  # nothing in this process could set an event
            await asyncio.sleep(self._rest_s)
        self._looking = None
        _log.info("Redis answers again.")

    async def _answers(self) -> bool:
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._client.ping()
        except (RedisError, OSError):
            return False
        return True


@asynccontextmanager
async def open_link(url: str, *, timeout_s: float = TIMEOUT_S, rest_s: float = REST_S) -> AsyncIterator[Link]:
    """Make a link to the server at URL (redis://, rediss:// or unix://), which need not be there yet.

    Raises UsageError where URL is not an address.
    """
    try:
        client = Redis.from_url(
            url,
            # The client's own ten tries would cost 4.6 s a call on a server that refuses.
            retry=Retry(NoBackoff(), 0),
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            max_connections=CONNECTIONS + 1,  # one for the look
        )
    except ValueError as error:
        raise UsageError("REDIS_URL must begin with redis://, rediss:// or unix://.") from error
    link = Link(client, timeout_s=timeout_s, rest_s=rest_s)
    try:
        yield link
    finally:
        await link.close()
