"""Slack without an address of our own: Socket Mode, over more than one connection.

Each payload goes to any one of an app's connections, so the next one is open before the last is let go, which the
SDK's own client does the other way round. What is silent is replaced, whether or not somebody noticed.
docs.slack.dev/apis/events-api/using-socket-mode
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient
from yarl import URL

from adapters.slack.api import call_once
from adapters.slack.limits import MAX_SOCKETS
from adapters.slack.listen import Dispatcher, parse_body
from adapters.slack.parts import Reply
from core.errors import Busy, ChannelUnavailable, Rejected, UsageError
from core.meter import Meter, Timed
from core.payloads import Json, object_at, text_at, value_at
from core.places import Platform

CONNECTIONS = 2
_AT_ONCE = 200  # envelopes of one process that are being stored
_REMEMBERED = 1_000  # envelopes whose answer is known still

_log = logging.getLogger(__name__)
_quiet = logging.getLogger(f"{__name__}.sdk")  # where it is set to nothing, the SDK writes whole requests to it
_quiet.setLevel(logging.INFO)


@dataclass(frozen=True, slots=True)
class Pace:
    """How connections are watched, in seconds."""

    ping_s: float = 10.0  # a ping that is not answered within half of it ends the connection
    silent_s: float = 1_800.0  # without an envelope, until a connection is replaced though it answers pings
    connect_s: float = 10.0
    retry_s: float = 1.0  # after the first failure; doubled with each further one
    longest_retry_s: float = 60.0
    leave_s: float = 30.0  # a connection that Slack is about to end is read on for so long
    drain_s: float = 3.0  # for what is being stored when we stop


@dataclass(eq=False)
class _Line:
    """One connection."""

    wire: aiohttp.ClientWebSocketResponse
    heard_at_s: float
    leaving: asyncio.Event = field(default_factory=asyncio.Event)
    greeted: bool = False
    refused: bool = False  # Slack takes no connection of this app


class Sockets:
    """Keep sockets open and hand on what comes over them; an envelope is acknowledged when it is stored."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        app_token: str,
        dispatcher: Dispatcher,
        meter: Meter,
        *,
        api_url: str,
        connections: int = CONNECTIONS,
        pace: Pace | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare the connections; raises UsageError for a token that is none, or a number Slack does not allow."""
        if not app_token.startswith("xapp-"):
            raise UsageError("SLACK_APP_TOKEN does not begin with xapp-; make one with the scope connections:write.")
        if not CONNECTIONS <= connections <= MAX_SOCKETS:
            raise UsageError(f"SLACK_CONNECTIONS must be {CONNECTIONS} to {MAX_SOCKETS}.")
        self._session = session
        self._app_token = app_token
        self._dispatcher = dispatcher
        self._meter = meter
        self._client = AsyncWebClient(base_url=api_url, session=session, retry_handlers=[], logger=_quiet)
        self._secure = URL(api_url).scheme == "https"
        self._count = connections
        self._pace = pace or Pace()
        self._clock = clock
        self._lines: set[_Line] = set()
        self._readers: set[asyncio.Task[None]] = set()
        self._under_way: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._replies: dict[str, asyncio.Future[Reply]] = {}  # by envelope, the oldest first
        self._asking = asyncio.Lock()  # one connection is asked for at a time
        self._not_before_s = float("-inf")  # Slack wants us to wait until then

    @property
    def connected(self) -> int:
        """Count the connections that Slack has greeted."""
        return sum(line.greeted and not line.leaving.is_set() for line in self._lines)

    async def look(self) -> Mapping[str, float]:
        """Say how many connections there are; raises ChannelUnavailable where there is none."""
        if not self.connected:
            raise ChannelUnavailable("No connection to Slack is open; check SLACK_APP_TOKEN and the network.")
        return {"connections": float(self.connected)}

    async def run(self) -> None:
        """Keep the connections until this is cancelled; then take nothing new, and end what was begun."""
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._count):
                    group.create_task(self._keep())
        finally:
            await self._stop()

    async def _keep(self) -> None:
        """Keep one connection: when it is about to end, has ended or is silent, open the next."""
        failures = 0
        while True:
            line = await self._try_to_open()
            if line is not None:
                begun_s = self._clock()
                await self._until_leaving(line)
                failures = 0 if self._clock() - begun_s > self._pace.ping_s and not line.refused else failures + 1
                if line.greeted and not line.refused and failures <= 1:
                    continue
            else:
                failures += 1
            await asyncio.sleep(min(self._pace.retry_s * 2 ** min(failures - 1, 10), self._pace.longest_retry_s))

    async def _until_leaving(self, line: _Line) -> None:
        while not line.leaving.is_set():
            left_s = line.heard_at_s + self._pace.silent_s - self._clock()
            if left_s <= 0:
                _log.info("a connection to Slack has been silent and is replaced")
                line.leaving.set()
                return
            await asyncio.wait({waiting := asyncio.ensure_future(line.leaving.wait())}, timeout=left_s)
            waiting.cancel()

    async def _try_to_open(self) -> _Line | None:
        try:
            async with self._asking:
                await asyncio.sleep(max(0.0, self._not_before_s - self._clock()))
                async with asyncio.timeout(self._pace.connect_s):
                    return await self._open()
        except Busy as busy:
            self._not_before_s = self._clock() + busy.retry_after_s
        except (ChannelUnavailable, Rejected) as error:
            _log.error("Slack gives no connection: %s", error)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            # Its text holds the address, which is a secret until it was used.
            _log.warning("no connection to Slack: %s", type(error).__name__)
        return None

    async def _open(self) -> _Line:
        answer = await call_once(self._client, self._app_token, "apps.connections.open", {})
        url = URL(text_at(answer, "url"))
        if url.scheme != "wss" and (self._secure or url.scheme != "ws"):
            raise ChannelUnavailable("Slack named an address that is not encrypted; check SLACK_API_URL.")
        wire = await self._session.ws_connect(url, heartbeat=self._pace.ping_s)
        line = _Line(wire, self._clock())
        self._lines.add(line)
        _keep_task(self._readers, self._read(line))
        return line

    async def _read(self, line: _Line) -> None:
        """Read a connection to its end; one that is left is closed after a while."""
        closing = asyncio.create_task(self._close_when_left(line))
        try:
            async for message in line.wire:
                if message.type is aiohttp.WSMsgType.TEXT:
                    line.heard_at_s = self._clock()
                    await self._hear(line, message.data)
        except (aiohttp.ClientError, OSError) as error:
            _log.warning("a connection to Slack broke: %s", type(error).__name__)
        finally:
            closing.cancel()
            line.leaving.set()
            self._lines.discard(line)
            await line.wire.close()

    async def _close_when_left(self, line: _Line) -> None:
        await line.leaving.wait()
        await asyncio.sleep(self._pace.leave_s)
        await line.wire.close()

    async def _hear(self, line: _Line, raw: str) -> None:
        envelope = parse_body(raw.encode("utf-8", "replace"), "application/json") or {}
        match text_at(envelope, "type"):
            case "hello":
                line.greeted = True
            case "disconnect":
                line.refused = text_at(envelope, "reason") in ("link_disabled", "too_many_websockets")
                level = logging.ERROR if line.refused else logging.INFO
                _log.log(level, "Slack ends a connection: %s", text_at(envelope, "reason")[:60])
                line.leaving.set()
            case _ if text_at(envelope, "envelope_id"):
                await self._room.acquire()
                _keep_task(self._under_way, self._take(line, envelope)).add_done_callback(
                    lambda _: self._room.release()
                )

    async def _take(self, line: _Line, envelope: Json) -> None:
        """Have an envelope stored and acknowledge it; one that is not, Slack sends again."""
        begun_s = time.monotonic()
        envelope_id = text_at(envelope, "envelope_id")
        if value_at(envelope, "retry_attempt"):
            _log.info("Slack sends an envelope again: %s", text_at(envelope, "retry_reason")[:60])
        try:
            reply = await self._reply_to(envelope_id, object_at(envelope, "payload"))
            if reply.status >= 300:
                return
            told: dict[str, Any] = {"envelope_id": envelope_id}
            if reply.body is not None and value_at(envelope, "accepts_response_payload") is not False:
                told["payload"] = reply.body
            await line.wire.send_json(told)
        except (aiohttp.ClientError, OSError) as error:
            _log.warning("an acknowledgement did not reach Slack: %s", type(error).__name__)
            return
        self._meter.time(Timed.ACKNOWLEDGED, time.monotonic() - begun_s, platform=Platform.SLACK.value)

    async def _reply_to(self, envelope_id: str, payload: Json) -> Reply:
        """Have an envelope handled once, though it comes again before its acknowledgement or over all connections."""
        if (known := self._replies.get(envelope_id)) is not None:
            return await asyncio.shield(known)
        coming = self._replies[envelope_id] = asyncio.get_running_loop().create_future()
        reply = Reply(500)
        try:
            reply = await self._dispatcher.dispatch(payload, envelope_id[:64])
        finally:
            coming.set_result(reply)
            if reply.status >= 300 or len(self._replies) > _REMEMBERED:
                self._replies.pop(envelope_id if reply.status >= 300 else next(iter(self._replies)), None)
        return reply

    async def _stop(self) -> None:
        """Read nothing more, acknowledge what was begun, and hang up."""
        lines = list(self._lines)
        readers = [reader for reader in self._readers if not reader.done()]
        for line in lines:
            line.leaving.set()
        if self._under_way:
            await asyncio.wait(set(self._under_way), timeout=self._pace.drain_s)
        for task in (*readers, *self._under_way):
            task.cancel()
        await asyncio.gather(*readers, *self._under_way, return_exceptions=True)


def _keep_task(tasks: set[asyncio.Task[None]], work: Any) -> asyncio.Task[None]:
    """Start WORK and hold on to it, or it might be collected before its end."""
    task: asyncio.Task[None] = asyncio.create_task(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    return task
