"""How Slack brings events to an app: signed requests with their deadline and retries, or envelopes over sockets."""

import asyncio
import hashlib
import hmac
import json
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import aiohttp
from aiohttp import web

from tests.platform.slack_state import Json, State

MAX_SOCKETS = 10


@dataclass(frozen=True)
class Ack:
    """How one delivery went."""

    kind: str  # event, command, interaction
    event_id: str
    attempt: int  # 0 is the first
    ok: bool
    seconds: float
    status: int = 0  # of HTTP; 0: nobody answered in time, or a socket did
    body: Any = None  # JSON or text that came with the acknowledgement
    reason: str = ""  # of the retry that follows
    final: bool = False  # the app asked for no retry


@dataclass
class Rules:
    """What a test may change about delivery."""

    signing_secret: str
    request_url: str = ""
    ack_s: float = 3.0
    retry_delays_s: tuple[float, ...] = (0.0, 60.0, 300.0)
    time_scale: float = 1.0  # of waiting between retries and before a socket's end
    signature_age_s: float = 0.0  # by the app's clock, which a moved server's clock must not disturb
    lost_acks: int = 0  # so many first acknowledgements of every event are lost on the way


def sign(secret: str, body: bytes, timestamp: int) -> str:
    """Sign a raw body. docs.slack.dev/authentication/verifying-requests-from-slack"""
    base = b"v0:" + str(timestamp).encode() + b":" + body
    return "v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()


@dataclass(eq=False)
class Socket:
    """One open connection of Socket Mode."""

    wire: web.WebSocketResponse
    frozen: bool = False  # it is open, and nothing comes through: not even a pong
    pings: int = 0


@dataclass
class Sockets:
    """The connections of the app and what is on its way over them."""

    state: State
    app_id: str
    open: list[Socket] = field(default_factory=list)
    tickets: set[str] = field(default_factory=set)
    asked_for: bool = False  # whether the app ever wanted one: from then on events wait for one to open
    sent: list[tuple[Socket, Json]] = field(default_factory=list)
    _waiting: dict[str, asyncio.Future[Json]] = field(default_factory=dict)
    _turn: int = 0

    def ticket(self, base_url: str) -> str:
        ticket = self.state.identifier("ticket")
        self.tickets.add(ticket)
        self.asked_for = True
        return f"{base_url.replace('http', 'ws', 1)}/link/?ticket={ticket}&app_id={self.app_id}"

    async def serve(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("ticket") not in self.tickets:
            return web.Response(status=401)
        self.tickets.discard(request.query["ticket"])
        wire = web.WebSocketResponse(autoping=False)
        await wire.prepare(request)
        socket = Socket(wire)
        if len(self.open) >= MAX_SOCKETS:
            self.state.violate("socket", "too_many_websockets")
            await wire.send_json({"type": "disconnect", "reason": "too_many_websockets"})
            await wire.close()
            return wire
        self.open.append(socket)
        try:
            count = {"num_connections": len(self.open), "connection_info": {"app_id": self.app_id}}
            await wire.send_json({"type": "hello", "debug_info": {"host": "loopback"}, **count})
            async for message in wire:
                await self._receive(socket, message)
        finally:
            if socket in self.open:
                self.open.remove(socket)
        return wire

    async def _receive(self, socket: Socket, message: aiohttp.WSMessage) -> None:
        if message.type is aiohttp.WSMsgType.PING:
            socket.pings += 1
            if not socket.frozen:
                await socket.wire.pong(message.data)
        elif message.type is aiohttp.WSMsgType.TEXT and not socket.frozen:
            acknowledged = json.loads(message.data)
            waiting = self._waiting.get(acknowledged.get("envelope_id", ""))
            if waiting is None:
                self.state.violate("socket", "unknown_envelope", str(message.data))
            elif not waiting.done():
                waiting.set_result(acknowledged)

    async def deliver(self, envelope: Json, ack_s: float) -> Json | None:
        """Send an envelope over any open connection; return its acknowledgement, None where none came in time."""
        deadline = time.monotonic() + ack_s
        while not self.open:
            if time.monotonic() > deadline:
                return None
            await asyncio.sleep(0.01)
        self._turn += 1
        socket = self.open[self._turn % len(self.open)]
        waiting: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self._waiting[envelope["envelope_id"]] = waiting
        self.sent.append((socket, envelope))
        try:
            if not socket.frozen:
                await socket.wire.send_json(envelope)
            async with asyncio.timeout_at(asyncio.get_running_loop().time() + deadline - time.monotonic()):
                return await waiting
        except (TimeoutError, ConnectionError):
            return None

    async def disconnect(self, reason: str, notice_s: float) -> None:
        """Announce the end of every connection and end it NOTICE_S later."""
        ending = list(self.open)
        for socket in ending:
            await socket.wire.send_json({"type": "disconnect", "reason": reason, "debug_info": {}})
        await asyncio.sleep(notice_s)
        for socket in ending:
            await socket.wire.close()

    def drop(self) -> None:
        """Cut every connection without a word."""
        for socket in self.open:
            transport = socket.wire._req.transport if socket.wire._req else None
            if transport is not None:
                transport.abort()


@dataclass
class Delivery:
    """Bring things to the app and note how it took them."""

    state: State
    rules: Rules
    sockets: Sockets
    session: aiohttp.ClientSession
    acks: list[Ack] = field(default_factory=list)

    async def event(self, payload: Json) -> list[Ack]:
        """Deliver an event, again where it is not acknowledged."""
        acks: list[Ack] = []
        lost = self.rules.lost_acks
        delays = (0.0, *self.rules.retry_delays_s)
        for attempt, delay_s in enumerate(delays):
            await asyncio.sleep(delay_s * self.rules.time_scale)
            ack = await self._event_once(payload, attempt, acks[-1].reason if acks else "")
            acks.append(ack)
            self._note(ack)
            if ack.final or (ack.ok and attempt >= lost):
                break
        return acks

    def _note(self, ack: Ack) -> None:
        self.acks.append(ack)
        if not ack.ok:
            self.state.violate(f"delivery of {ack.kind}", ack.reason, str(ack.status))

    async def _event_once(self, payload: Json, attempt: int, reason: str) -> Ack:
        named = ("event", str(payload.get("event_id", "")), attempt)
        if not self.rules.request_url:
            again: Json = {"retry_attempt": attempt, "retry_reason": reason}
            return await self._by_socket(named, "events_api", payload, **again)
        headers = {"x-slack-retry-num": str(attempt), "x-slack-retry-reason": reason} if attempt else {}
        headers["Content-Type"] = "application/json"
        return await self._by_http(named, json.dumps(payload).encode(), headers)

    async def once(self, kind: str, payload: Json) -> Ack:
        """Deliver a command or an interaction, which Slack never repeats."""
        named = (kind, self.state.identifier(kind), 0)
        if not self.rules.request_url:
            envelope = "slash_commands" if kind == "command" else "interactive"
            ack = await self._by_socket(named, envelope, payload)
        else:
            form = payload if kind == "command" else {"payload": json.dumps(payload)}
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            ack = await self._by_http(named, urlencode(form).encode(), headers)
        self._note(ack)
        return ack

    async def _by_socket(self, named: tuple[str, str, int], kind: str, payload: Json, **more: Any) -> Ack:
        envelope = {"envelope_id": self.state.identifier("envelope"), "type": kind, "payload": payload, **more}
        envelope["accepts_response_payload"] = kind != "events_api"
        started = time.monotonic()
        answer = await self.sockets.deliver(envelope, self.rules.ack_s)
        seconds = time.monotonic() - started
        reason = "timeout" if answer is None else "timeout" if self.rules.lost_acks > named[2] else ""
        return Ack(*named, ok=answer is not None, seconds=seconds, body=(answer or {}).get("payload"), reason=reason)

    async def _by_http(self, named: tuple[str, str, int], body: bytes, headers: dict[str, str]) -> Ack:
        timestamp = int(time.time() - self.rules.signature_age_s)
        signature = sign(self.rules.signing_secret, body, timestamp)
        signed = {**headers, "X-Slack-Request-Timestamp": str(timestamp), "X-Slack-Signature": signature}
        started, limit = time.monotonic(), aiohttp.ClientTimeout(total=self.rules.ack_s)
        url = self.rules.request_url
        try:
            async with self.session.post(url, data=body, headers=signed, timeout=limit, allow_redirects=False) as reply:
                text = await reply.text()
                ok, final = 200 <= reply.status < 300, reply.headers.get("x-slack-no-retry") == "1"
                reason = "http_error" if not ok else "http_timeout" if self.rules.lost_acks > named[2] else ""
                taken: Json = {
                    "status": reply.status,
                    "body": parsed(text),
                    "reason": reason,
                    "final": final and not ok,
                }
                return Ack(*named, ok=ok, seconds=time.monotonic() - started, **taken)
        except TimeoutError:
            return Ack(*named, ok=False, seconds=time.monotonic() - started, reason="http_timeout")
        except aiohttp.ClientError:
            return Ack(*named, ok=False, seconds=time.monotonic() - started, reason="connection_failed")


def parsed(text: str) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text
