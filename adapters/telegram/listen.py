"""The webhook: an update is stored before Telegram hears so; core.telegram.org/bots/api#setwebhook.

Telegram delivers one update of a chat at a time and the same one again until it hears a 2xx. So whatever can be
stored is, whatever never can be is acknowledged too, and only an outage of our own is answered with an error.
"""

import asyncio
import hmac
import time
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from adapters.telegram.intake import SECRET_QUERY, Account, Intake
from core.errors import ChannelUnavailable, StoreUnavailable, TooLarge, UsageError
from core.meter import Counted, Meter, Timed, Unmetered
from core.payloads import parse_object, read_capped
from core.places import Platform
from core.tracing import request_id

SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - the name of the header
BODY_BYTES = 1024 * 1024
BODY_S = 5.0
_NOBODY = "0" * 64
_TOO_LARGE = "its body is too large"


class Webhook:
    """Serve the webhooks of all bots."""

    def __init__(self, accounts: Mapping[str, Account], intake: Intake, meter: Meter | None = None) -> None:
        self._accounts = accounts  # by the names of the settings
        self._intake = intake
        self._meter = meter or Unmetered()

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        return [web.post("/telegram/{bot}", self._take)]

    async def _take(self, request: web.Request) -> web.Response:
        begun_s = time.monotonic()
        account = self._who(request)
        if account is None:
            return web.json_response({"error": "The secret token is not that of this bot."}, status=401)
        try:
            body = await self._read(request)
            if body is None:
                return web.Response(status=408, headers={"Connection": "close"})
            await self._intake.take(account, parse(body), request_id.get())
        except UsageError as error:
            self._intake.refuse(account, str(error))
        except (StoreUnavailable, ChannelUnavailable):
            return web.Response(status=503, headers={"Retry-After": "1"})
        self._meter.time(Timed.ACKNOWLEDGED, time.monotonic() - begun_s, platform=Platform.TELEGRAM.value)
        return web.Response()

    def _who(self, request: web.Request) -> Account | None:
        """Name the bot; one that is not there and a wrong secret look the same."""
        account = self._accounts.get(request.match_info["bot"])
        given = request.headers.get(SECRET_HEADER, "")
        if account is not None and account.api.stands_in:
            given = given or request.query.get(SECRET_QUERY, "")
        right = hmac.compare_digest(
            given.encode("utf-8", "replace"), (account.secret if account else _NOBODY).encode("utf-8", "replace")
        )
        if account is not None and account.secret and right:
            return account
        self._meter.count(Counted.REFUSED, platform=Platform.TELEGRAM.value, tenant="", reason="forged")
        return None

    async def _read(self, request: web.Request) -> bytes | None:
        """Read the body; None where it does not come in time. Raises UsageError where it is too large."""
        try:
            async with asyncio.timeout(BODY_S):
                return await read_capped(request.content.iter_any(), at_most=BODY_BYTES)
        except TooLarge:
            raise UsageError(_TOO_LARGE) from None
        except (TimeoutError, web.RequestPayloadError):
            request.protocol.keep_alive(False)
            return None


def parse(body: bytes) -> dict[str, Any]:
    """Parse an update; raises UsageError for what is none."""
    parsed = parse_object(body)
    if parsed is None:
        raise UsageError("its body is no JSON object")
    return parsed
