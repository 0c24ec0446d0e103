"""Slack over HTTP: what is signed goes through Bolt to our router, and is acknowledged when it is stored.

The signature is checked on the raw body before anything reads it: Bolt reads JSON first, and answers what is none with
500. docs.slack.dev/authentication/verifying-requests-from-slack
"""

import asyncio
import hashlib
import hmac
import logging
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol
from urllib.parse import parse_qsl

from aiohttp import web
from slack_bolt.async_app import AsyncApp, AsyncBoltRequest
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from adapters.slack.limits import SIGNATURE_WINDOW_S
from adapters.slack.parts import Reply
from core.errors import TooLarge, UsageError
from core.meter import Counted, Meter, Timed
from core.payloads import Json, object_at, parse_object, read_capped, text_at
from core.places import Platform
from core.tracing import request_id

PATHS = ("/slack/events", "/slack/commands", "/slack/interactions")
BODY_BYTES = 1024 * 1024
BODY_S = 2.0  # of the three seconds
_ANY = re.compile("")
_TIMESTAMP = re.compile(r"[0-9]{1,12}")
_MOST_FIELDS = 100  # of a form
_BOLT_FAILED = 404, 500  # what Bolt answers by itself, without our router

_log = logging.getLogger(__name__)
# Bolt and the SDK write whole requests, tokens included, to a logger that is set to nothing.
_quiet = logging.getLogger(f"{__name__}.bolt")
_quiet.setLevel(logging.CRITICAL)


class Routes(Protocol):
    """What adapters/slack/router.py does."""

    async def event(self, payload: Json, request_id: str = "") -> Reply:
        """Take an event in."""

    async def command(self, payload: Json, request_id: str = "") -> Reply:
        """Carry out or take in a slash command."""

    async def interaction(self, payload: Json, request_id: str = "") -> Reply:
        """Carry out or take in what was pressed, chosen or sent."""


def is_signed(secret: str, timestamp: str, signature: str, body: bytes, now_s: float) -> bool:
    """Tell whether Slack signed BODY within the last five minutes, comparing in constant time."""
    if not secret or not _TIMESTAMP.fullmatch(timestamp) or abs(now_s - int(timestamp)) > SIGNATURE_WINDOW_S:
        return False
    expected = hmac.digest(secret.encode(), b"v0:" + timestamp.encode() + b":" + body, hashlib.sha256).hex()
    return hmac.compare_digest(f"v0={expected}".encode(), signature.encode("utf-8", "replace"))


def parse_body(body: bytes, content_type: str) -> dict[str, Any] | None:
    """Read an event, a command or an interaction; None for what is none of them."""
    if content_type != "application/x-www-form-urlencoded":
        return parse_object(body)
    try:
        fields = dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError:  # a UnicodeDecodeError is a ValueError
        return None
    return parse_object(fields["payload"]) if "payload" in fields else fields


class Dispatcher:
    """Hand what Slack sends to the router through Bolt, one catch-all listener for each kind."""

    def __init__(self, router: Routes, meter: Meter) -> None:
        self._router = router
        self._meter = meter
        self._app = _make_app(router)

    async def dispatch(self, payload: Json, request_id: str = "") -> Reply:
        """Say how a payload of any shape is answered; what nobody hears is acknowledged, or it would come again."""
        if text_at(payload, "type") == "app_rate_limited":  # no event to Bolt
            return await self._router.event(payload, request_id)
        if object_at(payload, "event"):  # some emulators call its envelope otherwise, and Bolt would not know it
            payload = {**payload, "type": "event_callback"}
        context: dict[str, Any] = {"request_id": request_id}
        try:
            # Not "http": the body has been verified and read.
            request = AsyncBoltRequest(mode="socket_mode", body=dict(payload), context=context)
            response = await self._app.async_dispatch(request)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            return self._unreadable(f"{type(error).__name__} in {text_at(payload, 'type') or 'a payload'}")
        if response.status in _BOLT_FAILED and "reply" not in request.context:
            if "routed" in request.context:  # a defect of ours: Slack tries again, and so may we
                return Reply(500)
            return self._unreadable(f"nothing listens to {text_at(payload, 'type')[:60] or 'it'}")
        reply: Reply = request.context.get("reply") or Reply(response.status)
        return reply

    def _unreadable(self, why: str) -> Reply:
        _log.warning("Slack sent something that cannot be read: %s", why)
        self._meter.count(Counted.REFUSED, platform=Platform.SLACK.value, tenant="", reason="unreadable")
        return Reply()


def _make_app(router: Routes) -> AsyncApp:
    """Make the Bolt app: it routes, and does nothing else. Who may speak is known to our router alone."""

    async def authorize(enterprise_id: str | None, team_id: str | None) -> AuthorizeResult:
        return AuthorizeResult(enterprise_id=enterprise_id, team_id=team_id)

    app = AsyncApp(
        name=_quiet.name,  # Bolt sets the level of the logger that has it
        logger=_quiet,
        client=AsyncWebClient(logger=_quiet),
        authorize=authorize,
        process_before_response=True,  # the acknowledgement waits until the row is stored
        request_verification_enabled=False,
        ssl_check_enabled=False,
        url_verification_enabled=False,
        ignoring_self_events_enabled=False,
        ignoring_self_assistant_message_events_enabled=False,
        attaching_function_token_enabled=False,
        attaching_conversation_kwargs_enabled=False,
    )
    app.event(_ANY)(_listener(router.event))
    app.command(_ANY)(_listener(router.command))
    for kind in (app.action, app.view, app.shortcut, app.options):
        kind(_ANY)(_listener(router.interaction))
    return app


def _listener(route: Callable[[Json, str], Awaitable[Reply]]) -> Callable[..., Awaitable[BoltResponse]]:
    async def listen(body: dict[str, Any], context: dict[str, Any]) -> BoltResponse:
        context["routed"] = True
        try:
            reply = await route(body, context["request_id"])
        except Exception:
            # Bolt would write it to its own log, with the whole request.
            _log.exception("%s failed", body.get("type") or "a command")
            raise
        context["reply"] = reply
        return BoltResponse(status=reply.status)

    return listen


class Listener:
    """The routes that Slack calls."""

    def __init__(
        self, dispatcher: Dispatcher, signing_secret: str, meter: Meter, *, now: Callable[[], float] = time.time
    ) -> None:
        """Open the routes; raises UsageError without a secret."""
        if not signing_secret.strip():
            raise UsageError("SLACK_SIGNING_SECRET is not set; copy it from the app's Basic Information page.")
        self._dispatcher = dispatcher
        self._secret = signing_secret
        self._meter = meter
        self._now = now

    def routes(self) -> list[web.RouteDef]:
        """List the routes: one address does for everything, and each kind may have its own."""
        return [web.post(path, self._listen) for path in PATHS]

    async def _listen(self, request: web.Request) -> web.Response:
        begun_s = time.monotonic()
        body = await _read(request)
        if isinstance(body, web.Response):
            return body
        headers = request.headers
        timestamp, signature = headers.get("X-Slack-Request-Timestamp", ""), headers.get("X-Slack-Signature", "")
        if not is_signed(self._secret, timestamp, signature, body, self._now()):
            self._meter.count(Counted.REFUSED, platform=Platform.SLACK.value, tenant="", reason="forged")
            return web.json_response({"error": "The signature is not Slack's, or too old."}, status=401)
        payload = parse_body(body, request.content_type)
        if payload is None:
            self._meter.count(Counted.REFUSED, platform=Platform.SLACK.value, tenant="", reason="unreadable")
            return web.Response(status=400, headers={"x-slack-no-retry": "1"})
        if text_at(payload, "type") == "url_verification":
            return web.json_response({"challenge": text_at(payload, "challenge")})
        if "ssl_check" in payload:
            return web.Response()
        reply = await self._dispatcher.dispatch(payload, request_id.get())
        self._meter.time(Timed.ACKNOWLEDGED, time.monotonic() - begun_s, platform=Platform.SLACK.value)
        return web.Response(status=reply.status) if reply.body is None else web.json_response(reply.body)


async def _read(request: web.Request) -> bytes | web.Response:
    """Read the body within limits of size and time."""
    if (request.content_length or 0) > BODY_BYTES:
        return web.Response(status=413)
    try:
        async with asyncio.timeout(BODY_S):
            return await read_capped(request.content.iter_any(), at_most=BODY_BYTES)
    except TooLarge:
        return web.Response(status=413)
    except (TimeoutError, web.RequestPayloadError):
        request.protocol.keep_alive(False)
        return web.Response(status=400)
