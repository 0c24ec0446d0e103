"""What every route needs: a body that is read within limits, JSON that is JSON, errors as status codes."""

import asyncio
import hmac
import json
import random
import re
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from core.errors import (
    FrontdeskError,
    NotFound,
    Overloaded,
    Refused,
    TooLarge,
    Unavailable,
    UsageError,
)
from core.payloads import read_capped, too_large

BODY_BYTES = 1024 * 1024
BODY_S = 5.0

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_STATUS: tuple[tuple[type[FrontdeskError], int, str], ...] = (
    (NotFound, 404, "not_found"),
    (TooLarge, 413, "too_large"),
    (UsageError, 400, "bad_request"),
    (Overloaded, 429, "overloaded"),
    (Refused, 403, "refused"),
    (Unavailable, 503, "unavailable"),
)
INTERNAL = "Something went wrong here; the log tells more under this request id."


class Unauthorized(Refused):
    """Say that the caller has not shown who it is."""


def request_id_of(headers: Mapping[str, str]) -> str:
    """Take the caller's request id where it is short and plain; else make one."""
    given = headers.get("X-Request-Id", "")
    return given if _REQUEST_ID.fullmatch(given) else f"{random.getrandbits(64):016x}"


def bearer(headers: Mapping[str, str]) -> str:
    """Return the token of an Authorization header; empty where there is none."""
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def same_secret(given: str, expected: str) -> bool:
    """Compare in constant time; an empty secret is never right."""
    same = hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode("utf-8", "replace"))
    return same and bool(expected)


async def read_body(request: web.Request, *, at_most: int = BODY_BYTES, within_s: float = BODY_S) -> bytes:
    """Read the raw body; raises TooLarge before it is read whole, UsageError where it does not come in time."""
    if (request.content_length or 0) > at_most:
        raise too_large(at_most)
    try:
        async with asyncio.timeout(within_s):
            return await read_capped(request.content.iter_any(), at_most=at_most)
    except TimeoutError:
        request.protocol.keep_alive(False)
        raise UsageError(f"The body did not come within {within_s:g} s; send it again.") from None
    except web.RequestPayloadError as error:
        raise UsageError("The body broke off; send it again.") from error


def parse_object(body: bytes) -> dict[str, Any]:
    """Parse a JSON object; raises UsageError for anything else, NaN and names given twice included."""
    try:
        parsed = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:  # a UnicodeDecodeError is a ValueError
        raise UsageError("The body is not JSON; send a JSON object in UTF-8.") from error
    if not isinstance(parsed, dict):
        raise UsageError("The body is not a JSON object; send one.")
    return parsed


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of its members; what one reader takes from the first of two, another takes from the last."""
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name stands twice")
    return made


def error_response(error: FrontdeskError, request_id: str) -> web.Response:
    """Say what went wrong, with a status code that tells the caller whether to try again."""
    if isinstance(error, Unauthorized):
        return _response(401, "unauthorized", str(error), request_id, {"WWW-Authenticate": "Bearer"})
    for kind, status, code in _STATUS:
        if isinstance(error, kind):
            return _response(status, code, _sentence(error), request_id, _retry_after(error))
    return internal_error(request_id)


def _sentence(error: FrontdeskError) -> str:
    """Say what went wrong; what a driver said first may name hosts and tables, and is for the log alone."""
    if isinstance(error, Unavailable | Refused) and error.__cause__ is not None:
        return "This cannot be done right now; try again, and tell the operator the request id where it goes on."
    return str(error)


def internal_error(request_id: str) -> web.Response:
    """Say that the fault is ours, and nothing else."""
    return _response(500, "internal", INTERNAL, request_id, {})


def http_error(error: web.HTTPException, request_id: str) -> web.Response:
    """Say in our form what aiohttp refuses by itself: an unknown path, a method that is not there."""
    kept = {name: value for name, value in error.headers.items() if name in ("Allow", "Location")}
    return _response(error.status, error.reason.lower().replace(" ", "_"), f"{error.reason}.", request_id, kept)


def _retry_after(error: FrontdeskError) -> dict[str, str]:
    if isinstance(error, Overloaded):
        return {"Retry-After": str(max(1, round(error.retry_after_s)))}
    return {"Retry-After": "1"} if isinstance(error, Unavailable) else {}


def _response(status: int, code: str, message: str, request_id: str, headers: Mapping[str, str]) -> web.Response:
    body = {"error": {"code": code, "message": message, "request_id": request_id}}
    return web.json_response(body, status=status, headers=headers)
