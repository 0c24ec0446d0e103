"""Answer with a chat model of any server that speaks OpenAI's API.

https://platform.openai.com/docs/api-reference/chat/create

The SDK builds requests and keeps connections; retries are ours, because the SDK's know no deadline, and so is the
reading of the stream, because the SDK's typed events cost several times as much (`python -m bench.models`).
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import openai
from openai import AsyncAPIResponse, AsyncOpenAI, DefaultAioHttpClient
from openai.types.chat import ChatCompletion

from adapters.openai.failures import TOO_LONG, Failure, garbled, late, mapping_connection_errors, refused
from adapters.openai.reading import Pen, Reading, read_error_event
from adapters.openai.retry import Breaker, RetryPolicy
from adapters.openai.sse import Event, EventParser
from core.errors import ModelUnavailable, UsageError
from core.models import Completion, ModelRequest, Writer

MAX_BYTES = 32 << 20  # of one answer; a server that does not stop must not fill our memory
TAIL_S = 1.0  # for the count of tokens and the end of the stream once the text is complete


@dataclass(frozen=True, slots=True)
class Dialect:
    """Which of the optional parameters a server takes."""

    limit: str = "max_tokens"
    temperature: bool = True
    count_tokens: bool = True

    def body(self, model: str, request: ModelRequest) -> dict[str, Any]:
        """Write REQUEST as the server wants it."""
        body: dict[str, Any] = {
            "model": model,
            "messages": [{"role": message.role, "content": message.text} for message in request.messages],
            "stream": True,
            self.limit: request.max_tokens,
        }
        if self.temperature:
            body["temperature"] = request.temperature
        if self.count_tokens:
            body["stream_options"] = {"include_usage": True}
        return body

    def without(self, refusal: openai.APIStatusError) -> "Dialect | None":
        """Avoid the parameter that REFUSAL names; None where it names none that can be avoided."""
        text = refusal.response.text
        if refusal.status_code not in {400, 422} or TOO_LONG.search(text):
            return None
        named = str(refusal.param or text)
        if self.count_tokens and "stream_options" in named:
            return replace(self, count_tokens=False)
        if self.limit == "max_tokens" and "max_tokens" in named:
            return replace(self, limit="max_completion_tokens")
        if self.temperature and "temperature" in named:
            return replace(self, temperature=False)
        return None


class OpenAIChat:
    """One model of one server."""

    def __init__(
        self,
        client: AsyncOpenAI,
        model: str,
        *,
        policy: RetryPolicy | None = None,
        breaker: Breaker | None = None,
        stall_s: float = 15.0,
        connect_s: float = 5.0,
    ) -> None:
        """Give up a try after STALL_S without a byte; share BREAKER between objects for the same model and server."""
        self._client = client.with_options(max_retries=0, timeout=openai.Timeout(stall_s, connect=connect_s))
        self._policy = policy or RetryPolicy()
        self._breaker = breaker or Breaker()
        self._dialect = Dialect()
        self.name = model

    async def complete(self, request: ModelRequest, writer: Writer) -> Completion:
        """Answer REQUEST as core.models.LanguageModel demands."""
        if not self._breaker.admit():
            raise ModelUnavailable(f"The model {self.name} has failed too often and rests; try again in a minute.")
        pen = Pen(writer)
        until = asyncio.get_running_loop().time() + request.deadline_s
        try:
            async with asyncio.timeout_at(until) as deadline:
                return await self._try(request, pen, until)
        except TimeoutError as error:
            if not deadline.expired():
                raise
            self._breaker.fail()
            await pen.discard()
            raise late(self.name).error from error

    async def _try(self, request: ModelRequest, pen: Pen, until: float) -> Completion:
        """Ask until an answer is complete or asking again is no use."""
        failed_tries = 0
        while True:
            try:
                completion = await self._adapt(request, pen)
            except Failure as failure:
                failed_tries += 1
                await pen.discard()
                if not await self._pause(failure, failed_tries, until):
                    raise failure.error from failure
            else:
                self._breaker.succeed()
                return completion

    async def _pause(self, failure: Failure, failed_tries: int, until: float) -> bool:
        """Wait until the next try; False where there is none."""
        if failure.server_failed:
            self._breaker.fail()
        else:
            self._breaker.succeed()
        if not failure.retryable or self._breaker.open:
            return False
        left_s = until - asyncio.get_running_loop().time()
        pause_s = self._policy.pause_s(failed_tries, failure.retry_after_s, left_s)
        if pause_s is None:
            return False
        await asyncio.sleep(pause_s)
        return not self._breaker.open  # other answers may have failed in the meantime

    async def _adapt(self, request: ModelRequest, pen: Pen) -> Completion:
        """Ask once, and again without a parameter that the server refuses by name."""
        dialect = self._dialect
        while True:
            try:
                return await self._ask(request, dialect, pen)
            except openai.APIStatusError as refusal:
                adapted = dialect.without(refusal)
                if adapted is None:
                    raise refused(refusal, self.name) from refusal
                dialect = adapted

    async def _ask(self, request: ModelRequest, dialect: Dialect, pen: Pen) -> Completion:
        reading = Reading(self.name, pen)
        async with AsyncExitStack() as stack:
            with mapping_connection_errors(self.name):
                response = await stack.enter_async_context(
                    self._client.chat.completions.with_streaming_response.create(**dialect.body(self.name, request))
                )
            self._dialect = dialect  # remembered only now that the server took it
            received = await stack.enter_async_context(aclosing(_receive(response, self.name)))
            kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind == "text/event-stream":
                await _read_stream(received, reading)
            elif kind == "application/json":
                await reading.take(b"".join([data async for data in received]), "message")
            else:
                raise garbled(self.name)
            return await reading.complete(request)


async def _receive(response: AsyncAPIResponse[ChatCompletion], name: str) -> AsyncGenerator[bytes, None]:
    """Pass the bytes on; a generator of its own, so that no error of a Writer is taken for one of the connection."""
    size = 0
    with mapping_connection_errors(name):
        async for data in response.iter_bytes():
            size += len(data)
            if size > MAX_BYTES:
                raise garbled(name)
            yield data


async def _read_stream(received: AsyncIterator[bytes], reading: Reading) -> None:
    """Read events to the end of the stream, so that the connection can serve again."""
    parser = EventParser()
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(None) as tail:
            async for data in received:
                for event in parser.feed(data):
                    await _take_event(event, reading)
                if reading.finish_reason and tail.when() is None:
                    tail.reschedule(loop.time() + TAIL_S)
            for event in parser.close():
                await _take_event(event, reading)
    except (TimeoutError, Failure):
        if not reading.finish_reason:
            raise


async def _take_event(event: Event, reading: Reading) -> None:
    if event.name == "error":
        raise read_error_event(event.data, reading.name)
    if event.data.strip() != b"[DONE]":
        await reading.take(event.data, "delta")


@asynccontextmanager
async def connect(
    *,
    base_url: str,
    api_key: str,
    model: str,
    policy: RetryPolicy | None = None,
    breaker: Breaker | None = None,
    stall_s: float = 15.0,
    connect_s: float = 5.0,
) -> AsyncIterator[OpenAIChat]:
    """Open a client for MODEL at BASE_URL and close it at the end; once per process, as opening takes 20 ms.

    An empty API_KEY is for servers that ask for none. Raises UsageError for a key that no header can carry.
    """
    if not (api_key.isascii() and api_key.isprintable()):
        raise UsageError("OPENAI_API_KEY has characters that no key has; paste it again.")
    async with AsyncOpenAI(base_url=base_url, api_key=api_key or "none", http_client=DefaultAioHttpClient()) as client:
        yield OpenAIChat(client, model, policy=policy, breaker=breaker, stall_s=stall_s, connect_s=connect_s)
