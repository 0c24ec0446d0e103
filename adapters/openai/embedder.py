"""Embed through any server that speaks OpenAI's embeddings API.

https://platform.openai.com/docs/api-reference/embeddings
"""

import asyncio
import base64
import json
from array import array
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray
from openai import APIConnectionError, APIStatusError, APITimeoutError, AsyncOpenAI, OpenAIError, omit

from core.documents import EmbedderIdentity, Vector
from core.errors import ModelUnavailable, UsageError

BATCH_TEXTS = 256
BATCH_CHARACTERS = 200_000  # OpenAI takes 300,000 tokens a request, and a token is seldom less than a character
CONCURRENT_REQUESTS = 4
TIMEOUT_S = 60.0
MAX_RETRIES = 2
OPENAI_URL = "https://api.openai.com/v1"
TOO_LARGE = (413, 422)  # how servers with small batches refuse a larger one
REASONS = {
    401: "refused the key; check OPENAI_API_KEY",
    403: "refused the key; check OPENAI_API_KEY",
    404: "knows no such model; check EMBEDDING_MODEL and OPENAI_BASE_URL",
    429: "is over its rate limit or quota; try again later",
}


class OpenAIEmbedder:
    """Embed in batches, a few at a time.

    Its identity is the model's name and the length of its vectors, not the address: the same model behind
    another gateway gives the same vectors. Whoever puts another model behind an old name must ingest again.
    """

    @classmethod
    @asynccontextmanager
    async def connect(
        cls,
        *,
        model: str,
        base_url: str | None = None,
        api_key: str | None = None,
        dimensions: int | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> AsyncIterator["OpenAIEmbedder"]:
        """Open a client of its own; without ``dimensions``, ask for one vector and keep to its length.

        ``dimensions`` is asked of the server, which must be able to shorten its vectors.
        Raises UsageError when ``base_url`` is no address, and ModelUnavailable when the length has to be asked
        for and the server does not answer.
        """
        # Every value is given, so that the client reads none from the environment by itself.
        url, key = _checked(base_url or OPENAI_URL), api_key or "none"
        client = AsyncOpenAI(base_url=url, api_key=key, max_retries=MAX_RETRIES, timeout=timeout_s)
        async with client:
            if dimensions is None:
                length = await _learn_dimensions(client, model, timeout_s)
                yield cls(client, model, length, timeout_s=timeout_s)
            else:
                yield cls(client, model, dimensions, shorten=True, timeout_s=timeout_s)

    def __init__(
        self, client: AsyncOpenAI, model: str, dimensions: int, *, shorten: bool = False, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._client = client
        self._model = model
        self._dimensions = dimensions
        self._shorten = shorten
        self._timeout_s = timeout_s
        self._slots = asyncio.Semaphore(CONCURRENT_REQUESTS)
        self.identity = EmbedderIdentity(model, dimensions)

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        """Embed each text; unit-length vectors in the order of the texts.

        Raises ModelUnavailable when a request fails, runs out of its time or is answered with nonsense.
        """
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._embed_batch(batch)) for batch in _batches(texts)]
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        return [vector for task in tasks for vector in task.result()]

    def count_tokens(self, text: str) -> int:
        """Estimate the tokens: a quarter of the ASCII characters and every other character."""
        others = sum(not character.isascii() for character in text)
        return others + -(-(len(text) - others) // 4)

    async def _embed_batch(self, texts: Sequence[str]) -> list[Vector]:
        shorten = self._dimensions if self._shorten else None
        try:
            async with self._slots:
                rows = await _request(self._client, self._model, texts, shorten, self._timeout_s)
        except _BatchRefused as refused:
            if len(texts) == 1:
                raise ModelUnavailable(str(refused)) from refused
            half = len(texts) // 2
            return [*await self._embed_batch(texts[:half]), *await self._embed_batch(texts[half:])]
        return [_to_unit_vector(row, self._dimensions, _host(self._client)) for row in rows]


def _checked(base_url: str) -> str:
    try:
        parts = urlsplit(base_url)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise UsageError("OPENAI_BASE_URL is not an address; write it like http://localhost:11434/v1.")
    return base_url


async def _learn_dimensions(client: AsyncOpenAI, model: str, timeout_s: float) -> int:
    try:
        (row,) = await _request(client, model, ["Hello"], None, timeout_s)
    except _BatchRefused as refused:
        raise ModelUnavailable(str(refused)) from refused
    return len(_to_unit_vector(row, row.size, _host(client)))


class _BatchRefused(Exception):
    """The server may take fewer texts at once."""


def _batches(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    start = characters = 0
    for i, text in enumerate(texts):
        characters += len(text)
        if i > start and (i - start == BATCH_TEXTS or characters > BATCH_CHARACTERS):
            yield texts[start:i]
            start, characters = i, len(text)
    if start < len(texts):
        yield texts[start:]


async def _request(
    client: AsyncOpenAI, model: str, texts: Sequence[str], dimensions: int | None, timeout_s: float
) -> list[NDArray[np.float32]]:
    """Send one request; ``timeout_s`` covers it with all its retries, which the client's own timeout does not."""
    try:
        async with asyncio.timeout(timeout_s):
            response = await client.embeddings.with_raw_response.create(
                model=model,
                input=[text or " " for text in texts],  # an empty text is refused
                dimensions=omit if dimensions is None else dimensions,
                encoding_format="base64",  # a third of the time and bytes of decimal numbers
            )
        return _read_rows(json.loads(response.content), len(texts))
    except APIStatusError as error:
        raise _explain(error, _host(client)) from (None if error.status_code in REASONS else error)
    except (TimeoutError, APITimeoutError) as error:
        raise ModelUnavailable(f"{_host(client)} did not embed in time; check that it runs.") from error
    except APIConnectionError as error:
        raise ModelUnavailable(f"{_host(client)} cannot be reached; check OPENAI_BASE_URL.") from error
    except (OpenAIError, ValueError, TypeError, LookupError, ArithmeticError, RecursionError) as error:
        raise ModelUnavailable(
            f"{_host(client)} answered with something that is no embedding; check OPENAI_BASE_URL."
        ) from error


def _explain(error: APIStatusError, host: str) -> ModelUnavailable | _BatchRefused:
    status = error.status_code
    if status in TOO_LARGE:
        return _BatchRefused(f"{host} refused a text as too large ({status}).")
    if reason := REASONS.get(status):
        return ModelUnavailable(f"{host} {reason}.")
    if status >= 500:
        return ModelUnavailable(f"{host} failed ({status}); try again later.")
    return ModelUnavailable(f"{host} refused to embed ({status}); check EMBEDDING_MODEL and EMBEDDING_DIMENSIONS.")


def _host(client: AsyncOpenAI) -> str:
    return client.base_url.host  # never more of the address: it may carry a password


def _read_rows(answer: Any, expected: int) -> list[NDArray[np.float32]]:
    """Read the vectors in the order of the texts; raises ValueError, TypeError or KeyError on any other shape."""
    items = answer["data"]
    if not all(isinstance(item, dict) for item in items):
        raise TypeError("a vector without its envelope")
    rows = {item.get("index", i): _decode(item["embedding"]) for i, item in enumerate(items)}
    if len(items) != expected:
        raise ValueError(f"{len(items)} vectors for {expected} texts")
    return [rows[i] for i in range(expected)]


def _decode(embedding: Any) -> NDArray[np.float32]:
    # Some servers ignore encoding_format and send decimal numbers.
    if isinstance(embedding, str):
        return np.frombuffer(base64.b64decode(embedding, validate=True), "<f4")
    with np.errstate(over="ignore"):  # becomes infinite, which is refused below
        return np.array(embedding, np.float64).astype(np.float32)


def _to_unit_vector(row: NDArray[np.float32], dimensions: int, host: str) -> Vector:
    if row.shape != (dimensions,):
        raise ModelUnavailable(
            f"{host} gave vectors of {row.size} numbers instead of {dimensions}; check EMBEDDING_DIMENSIONS."
        )
    length = float(np.linalg.norm(row.astype(np.float64)))
    if not np.isfinite(length) or length == 0:
        raise ModelUnavailable(f"{host} gave a vector that is not a number; check the model it runs.")
    return array("f", (row / length).astype(np.float32).tobytes())
