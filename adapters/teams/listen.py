"""The endpoint of the Bot Framework: an activity is believed when its token is, and acknowledged when it is stored.

Teams waits some 15 seconds and then brings the activity again. What can never be stored is acknowledged too; only an
outage of our own is answered with 503. An invoke is answered in its own response.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from aiohttp import web

from adapters.teams.authenticate import Authenticates, Unauthenticated, is_local
from adapters.teams.intake import Intake
from adapters.teams.local import completed
from adapters.teams.manifest import MESSAGES_PATH
from adapters.teams.transport import Transport
from core.errors import ChannelUnavailable, Refused, StoreUnavailable, TooLarge
from core.meter import Counted, Meter, Timed, Unmetered
from core.payloads import parse_object, read_capped, text_at
from core.places import Platform
from core.tracing import request_id

BODY_BYTES = 1024 * 1024
BODY_S = 5.0
DEADLINE_S = 10.0  # of the fifteen seconds
_NOT_THEIRS = "The serviceUrl is not one of the Bot Framework's."
_LOCAL_ONLY = "Authentication is off, so answers go to this machine alone; name one of its addresses as serviceUrl."


class Listener:
    """The route that the Bot Framework calls."""

    def __init__(
        self, authenticator: Authenticates, intake: Intake, transport: Transport, meter: Meter | None = None
    ) -> None:
        self._authenticator = authenticator
        self._intake = intake
        self._transport = transport
        self._meter = meter or Unmetered()

    @property
    def _is_off(self) -> bool:
        return isinstance(self._authenticator, Unauthenticated)

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        return [web.post(MESSAGES_PATH, self._listen)]

    async def _listen(self, request: web.Request) -> web.Response:
        begun_s = time.monotonic()
        headers = request.headers.getall("Authorization", [])
        if (refusal := self._turn_away(request, headers)) is not None:
            return refusal
        body = await _read(request)
        if isinstance(body, web.Response):
            return body
        activity = parse_object(body)
        if activity is None:
            return self._refuse(400, "unreadable", "The body is not an activity.")
        try:
            async with asyncio.timeout(DEADLINE_S):
                response = await self._take(headers, activity)
        except (StoreUnavailable, ChannelUnavailable, TimeoutError):
            return web.Response(status=503, headers={"Retry-After": "1"})
        self._meter.time(Timed.ACKNOWLEDGED, time.monotonic() - begun_s, platform=Platform.TEAMS.value)
        return response

    def _turn_away(self, request: web.Request, headers: Sequence[str]) -> web.Response | None:
        """Refuse by its head what need not be read."""
        if not self._is_off:
            missing = "The request carries no token of the Bot Framework."
            return None if len(headers) == 1 else self._refuse(401, "forged", missing)
        if not is_local(request):
            return self._refuse(403, "forged", "Authentication is off, so only programs of this machine may send here.")
        if request.content_type != "application/json":  # a page may send other types without asking first
            return self._refuse(415, "forged", "Send application/json.")
        return None

    async def _take(self, headers: list[str], activity: dict[str, Any]) -> web.Response:
        try:
            await self._authenticator.authenticate(headers, activity)
        except Refused as error:
            return self._refuse(401, "forged", str(error))
        if not self._transport.may_call(text_at(activity, "serviceUrl")):
            return self._refuse(403, "forged", _LOCAL_ONLY if self._is_off else _NOT_THEIRS)
        if self._is_off:
            activity = completed(activity)
        reply = await self._intake.take(activity, request_id.get())
        return web.Response(status=reply.status) if reply.body is None else web.json_response(reply.body)

    def _refuse(self, status: int, reason: str, said: str) -> web.Response:
        self._meter.count(Counted.REFUSED, platform=Platform.TEAMS.value, tenant="", reason=reason)
        return web.json_response({"error": said}, status=status)


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
        return web.Response(status=408, headers={"Connection": "close"})
