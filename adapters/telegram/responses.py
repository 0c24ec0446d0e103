"""Responses of the Bot API, read alike whoever serves it.

Telegram's own keep to core.telegram.org/bots/api#making-requests. Servers that stand in for it answer a method they do
not know with any status, refuse with a 200, leave `result` or `parameters` out, or send a page: all of that is a
refusal or an outage here, and nothing the library stumbles over.
"""

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from telegram.error import BadRequest, TelegramError
from telegram.request import HTTPXRequest

from core.payloads import object_at, parse_object, text_at, value_at

UNKNOWN_METHOD = "Not Found"

_NO_METHOD = (HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED)
_REFUSED = (
    HTTPStatus.NOT_ACCEPTABLE,
    HTTPStatus.GONE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)
_UNKNOWN = re.compile(
    r"(?:not|un)[ -]?(?:supported|implemented)|(?:unknown|no such) method|(?:method|route|endpoint) not found",
    re.IGNORECASE,
)
_RETRY_AFTER = re.compile(r"retry after (\d+(?:\.\d+)?)", re.IGNORECASE)
_NO_RESULT = json.dumps({"ok": True, "result": None}).encode()


class TooMany(TelegramError):
    """Say how long Telegram wants us to wait; the library's own error warns of its future whenever it is made."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__("Too Many Requests")
        self.retry_after_s = retry_after_s


class Request(HTTPXRequest):
    """The library's requests, with the seconds of a 429 as they came."""

    async def do_request(self, url: str, method: str, *arguments: Any, **more: Any) -> tuple[int, bytes]:
        """Send a request and return status and body; raises TooMany, and BadRequest for what no status here says."""
        status, body = await super().do_request(url, method, *arguments, **more)
        is_file = method == "GET" and status <= HTTPStatus.IM_USED  # methods are called by POST
        return (status, body) if is_file else read(status, body)


def read(status: int, body: bytes) -> tuple[int, bytes]:
    """Return STATUS and BODY as Telegram would send them; raises TooMany and BadRequest."""
    said = parse_object(body) if body[:1] in b"{ \r\n\t" else None
    if status <= HTTPStatus.IM_USED:
        if said is None or (said.get("ok") is not False and "result" in said):
            return status, body  # what is no JSON raises in the library
        if said.get("ok") is not False:
            return status, _NO_RESULT
        code = said.get("error_code")
        status = code if isinstance(code, int) and code >= HTTPStatus.BAD_REQUEST else HTTPStatus.BAD_REQUEST
    return _error(status, said or {})


def _error(status: int, said: Mapping[str, Any]) -> tuple[int, bytes]:
    description = text_at(said, "description")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        raise TooMany(_retry_after_s(said))
    if status in _NO_METHOD or (status >= HTTPStatus.INTERNAL_SERVER_ERROR and _UNKNOWN.search(_words(said))):
        raise BadRequest(UNKNOWN_METHOD)
    if status in _REFUSED:
        raise BadRequest(description or HTTPStatus(status).phrase)
    kept = {"description": description} if description else {}
    return status, json.dumps({**kept, "parameters": _parameters(said)}).encode()


def _words(said: Mapping[str, Any]) -> str:
    return " ".join(text_at(said, name) for name in ("description", "message", "error", "detail"))


def _parameters(said: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the one parameter that the library reads of other errors than 429."""
    moved = object_at(said, "parameters").get("migrate_to_chat_id")
    return {"migrate_to_chat_id": moved} if isinstance(moved, int) else {}


def _retry_after_s(said: Mapping[str, Any]) -> float:
    given = value_at(said, "parameters", "retry_after")
    written = _RETRY_AFTER.search(text_at(said, "description"))
    try:
        return max(float(given if given is not None else written[1] if written else 1.0), 0.0)
    except (TypeError, ValueError):
        return 1.0
