"""Answers sent to an application of the organisation's own: it is called, signed as Standard Webhooks has it.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import aiohttp

from core.errors import Busy, ChannelUnavailable, Rejected, Uncertain, UsageError
from core.meter import Meter, Timed, Unmetered
from core.payloads import retry_after_s
from core.places import Platform

LONGEST_RESPONSE = 64 * 1024
_LONGEST_MESSAGE_ID = 200
_SHORTEST_SECRET = 24  # bytes


@dataclass(frozen=True, slots=True)
class Callback:
    """Where one installation hears its answers."""

    url: str
    secret: str = field(repr=False)  # whsec_ and base64, as Standard Webhooks writes it
    limit: int = 4_000  # characters of one message

    def __post_init__(self) -> None:
        if not self.url.startswith(("https://", "http://")):
            raise UsageError("A callback's address must begin with https:// (or http:// within one's own network).")
        if len(key_of(self.secret)) < _SHORTEST_SECRET:
            raise UsageError(f"A callback's secret must be whsec_ and base64 of at least {_SHORTEST_SECRET} bytes.")


def key_of(secret: str) -> bytes:
    """Return the bytes of a secret; none where it cannot be read."""
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        return b""


def sign(secret: str, webhook_id: str, timestamp: int, body: bytes) -> str:
    """Sign a body: v1 and the base64 of HMAC-SHA256 over id, timestamp and body with dots between them."""
    signed = b".".join((webhook_id.encode(), str(timestamp).encode(), body))
    return "v1," + base64.b64encode(hmac.digest(key_of(secret), signed, hashlib.sha256)).decode("ascii")


class CallbackClient:
    """Call the applications; every error is one of ours."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        meter: Meter | None = None,
        timeout_s: float = 5.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._session = session
        self._meter = meter or Unmetered()
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, connect=timeout_s / 2)
        self._now = now

    async def post(self, callback: Callback, key: str, body: Mapping[str, Any]) -> str:
        """Post a message under an idempotency key and return the application's id of it; raises Uncertain too."""
        given = await self._call("POST", callback, "", {"type": "message.created", **body}, key)
        message_id = given.get("id")
        if not isinstance(message_id, str | int) or not 0 < len(str(message_id)) <= _LONGEST_MESSAGE_ID:
            raise Rejected("The callback's response to a new message holds no id; it must be a short text.")
        return str(message_id)

    async def edit(self, callback: Callback, message_id: str, body: Mapping[str, Any]) -> None:
        """Put another text in place of a message."""
        await self._call("PUT", callback, message_id, {"type": "message.updated", "id": message_id, **body})

    async def delete(self, callback: Callback, message_id: str, body: Mapping[str, Any]) -> None:
        """Delete a message; one that is gone already is deleted."""
        await self._call("DELETE", callback, message_id, {"type": "message.deleted", "id": message_id, **body})

    async def _call(
        self, method: str, callback: Callback, message_id: str, body: Mapping[str, Any], key: str = ""
    ) -> dict[str, Any]:
        raw = json.dumps(body, default=str).encode()
        url = f"{callback.url.rstrip('/')}/messages" + (f"/{quote(message_id, safe='')}" if message_id else "")
        begun_s = time.monotonic()
        try:
            async with (
                _mapped(repeatable=method != "POST"),
                self._session.request(
                    method,
                    url,
                    data=raw,
                    headers=self._headers(callback, raw, key),
                    timeout=self._timeout,
                    allow_redirects=False,  # a redirect would carry the signature to somebody else
                ) as response,
            ):
                _check(response, gone_is_done=method == "DELETE")
                return _parse(await _read(response)) if method == "POST" else {}
        finally:
            self._meter.time(Timed.SEND, time.monotonic() - begun_s, platform=Platform.API.value)

    def _headers(self, callback: Callback, raw: bytes, key: str) -> dict[str, str]:
        webhook_id, timestamp = key or f"msg_{secrets.token_hex(12)}", int(self._now())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "frontdesk",
            "webhook-id": webhook_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(callback.secret, webhook_id, timestamp, raw),
        }
        return {**headers, "Idempotency-Key": key} if key else headers


@asynccontextmanager
async def _mapped(*, repeatable: bool) -> AsyncIterator[None]:
    """Turn aiohttp's errors into ours; what may have been accepted and must not be done twice is uncertain."""
    try:
        yield
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as error:
        raise ChannelUnavailable("The callback cannot be reached; check its address and its server.") from error
    except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:  # noqa: UP041 - its own name for readers
        if repeatable:
            raise ChannelUnavailable("The callback did not answer; it is tried again.") from error
        raise Uncertain("The callback did not answer, so it may have the message or not.") from error


def _check(response: aiohttp.ClientResponse, *, gone_is_done: bool) -> None:
    status = response.status
    if 200 <= status < 300 or (gone_is_done and status in (404, 410)):
        return
    if status == 429:
        raise Busy("The callback wants us to wait.", retry_after_s(response.headers.get("Retry-After", "")))
    if status >= 500 or status == 408:
        raise ChannelUnavailable(f"The callback answered with {status}; it is tried again.")
    raise Rejected(f"The callback refused the message with {status}; its log tells why.")


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """Read what a callback answers, as far as anybody needs it."""
    read = bytearray()
    async for piece in response.content.iter_any():
        read += piece
        if len(read) > LONGEST_RESPONSE:
            raise Rejected("The callback's response is too long; it must be a small JSON object.")
    return bytes(read)


def _parse(raw: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Rejected("The callback's response is not JSON; it must be a JSON object with an id.") from error
    return parsed if isinstance(parsed, dict) else {}
