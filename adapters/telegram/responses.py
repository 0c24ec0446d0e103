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

from core.payloads import integer_at, object_at, parse_object, retry_after_s, text_at, value_at

UNKNOWN_METHOD = "Not Found"

_NO_METHOD = (HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED)
_REFUSED = (
    HTTPStatus.NOT_ACCEPTABLE,
    HTTPStatus.GONE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)
_MISSING = r"(?:not|un)[ -]?(?:supported|implemented)"
_NAME = r"(?:method|route|endpoint)"
_UNKNOWN = re.compile(
    rf"""{_NAME}(?:[ :]+['"`(]?[\w./-]+['"`)]?)?(?:[ ]is|[ ]was)?[ :]+(?:{_MISSING}|not[ ]found|unknown)"""
    rf"|(?:unknown|no such|{_MISSING}) (?:API )?{_NAME}"
    rf"|(?-i:\b(?:answer|copy|delete|edit|forward|get|send|set)[A-Z]\w*)(?: is| was)?[ :]+{_MISSING}"
    rf"|^\W*{_MISSING}(?: yet)?\W*$",
    re.IGNORECASE,
)
_WORDS = ("description", "message", "error", "detail")
_INTEGER = re.compile(r"-?[0-9]{1,18}")
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
    if status in _NO_METHOD or (status >= HTTPStatus.INTERNAL_SERVER_ERROR and _is_of_call(said)):
        raise BadRequest(UNKNOWN_METHOD)
    if status in _REFUSED:
        raise BadRequest(description or HTTPStatus(status).phrase)
    kept = {"description": description} if description else {}
    return status, json.dumps({**kept, "parameters": _parameters(said)}).encode()


def _is_of_call(said: Mapping[str, Any]) -> bool:
    """Tell whether it is the method that is missing, and not something that the server needs to do it."""
    return any(_UNKNOWN.search(text_at(said, name)) for name in _WORDS)


def _parameters(said: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the one parameter that the library reads of other errors than 429."""
    parameters = object_at(said, "parameters")
    moved, written = integer_at(parameters, "migrate_to_chat_id"), text_at(parameters, "migrate_to_chat_id")
    if moved is None and _INTEGER.fullmatch(written):
        moved = int(written)
    return {} if moved is None else {"migrate_to_chat_id": moved}


def _retry_after_s(said: Mapping[str, Any]) -> float:
    given = value_at(said, "parameters", "retry_after")
    written = _RETRY_AFTER.search(text_at(said, "description"))
    if given is None and written:
        given = written[1]
    return retry_after_s(str(given) if isinstance(given, int | float | str) else "")
