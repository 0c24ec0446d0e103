"""What goes wrong between us and a chat model, and what to do about each: retry, blame the server, tell a person."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import httpx2
import openai

from adapters.openai.retry import retry_after_s
from core.errors import ModelUnavailable
from core.models import ContextTooLong

# Servers word it differently: OpenAI, vLLM, Mistral, llama.cpp, Anthropic and Gemini behind their compatible doors.
TOO_LONG = re.compile(
    r"context[ _](length|window|size)|prompt is too long|input token count|request too large", re.IGNORECASE
)
TOO_LONG_STATUSES = {400, 413, 422}
RETRYABLE = {408, 409, 429}
ABOUT_THE_REQUEST = {400, 403, 413, 422}  # 403 is how gateways refuse a text
ADVICE = {
    401: "refused the key; check OPENAI_API_KEY",
    403: "refused the request; check what OPENAI_API_KEY may use",
    404: "knows no such model; check its name and OPENAI_BASE_URL",
    429: "is over its rate limit or quota; try again later",
}


@dataclass(eq=False)
class Failure(Exception):
    """One failed try."""

    error: ModelUnavailable  # what the caller is told if this was the last try
    retryable: bool = False
    retry_after_s: float | None = None
    server_failed: bool = True  # False: the server is well and would not answer this request


def garbled(name: str) -> Failure:
    """Describe an answer that is not in the format of the API."""
    return Failure(ModelUnavailable(f"The model {name} sent an answer that cannot be read; check OPENAI_BASE_URL."))


def cut(name: str) -> Failure:
    """Describe an answer that broke off."""
    return Failure(ModelUnavailable(f"The model {name} broke off its answer; try again."), retryable=True)


def late(name: str) -> Failure:
    """Describe an answer that did not come in time."""
    return Failure(ModelUnavailable(f"The model {name} did not answer in time; try again later."))


def filtered(name: str) -> Failure:
    """Describe an answer that the provider withheld."""
    error = ModelUnavailable(f"The provider of the model {name} withheld the answer; ask in other words.")
    return Failure(error, server_failed=False)


def empty(name: str, *, at_limit: bool) -> Failure:
    """Describe an answer without text."""
    advice = "raise the limit of tokens" if at_limit else "ask again"
    return Failure(ModelUnavailable(f"The model {name} wrote nothing; {advice}."), server_failed=False)


def refused(error: openai.APIStatusError, name: str) -> Failure:
    """Describe an answer with an error status."""
    wait_s = retry_after_s(error.response.headers)
    return _by_status(error.status_code, f"{error.code} {error.type} {error.response.text}", wait_s, name)


def reported(error: Any, name: str) -> Failure:
    """Describe an error object in an answer that began with 200; without a status of its own it counts as a 500."""
    code = str(error.get("code")) if isinstance(error, dict) else ""
    status = int(code) if re.fullmatch(r"[45][0-9]{2}", code) else 500
    if status == 500 and TOO_LONG.search(str(error)):
        status = 400
    return _by_status(status, str(error), None, name)


def _by_status(status: int, text: str, wait_s: float | None, name: str) -> Failure:
    if status == 413 or (status in TOO_LONG_STATUSES and TOO_LONG.search(text)):
        error: ModelUnavailable = ContextTooLong(f"The messages are too long for the model {name}; send fewer.")
    elif status >= 500 or status in {408, 409}:
        error = ModelUnavailable(f"The model {name} failed with {status}; try again later.")
    else:
        error = ModelUnavailable(f"The model {name} {ADVICE.get(status, f'refused the request with {status}')}.")
    retryable = (status >= 500 or status in RETRYABLE) and "insufficient_quota" not in text
    return Failure(error, retryable, wait_s, server_failed=status not in ABOUT_THE_REQUEST)


@contextmanager
def mapping_connection_errors(name: str) -> Iterator[None]:
    """Turn what the SDK and its transports raise for a broken or silent connection into a Failure."""
    try:
        yield
    except (openai.APIConnectionError, httpx2.RequestError, aiohttp.ClientError) as error:
        if _timed_out(error):
            raise late(name) from error
        raise cut(name) from error


def _timed_out(error: BaseException | None) -> bool:
    """Look for a timeout at the root: the aiohttp transport reports connections that break as timeouts, too."""
    while error is not None:
        if isinstance(error, TimeoutError):
            return True
        error = error.__cause__
    return False
