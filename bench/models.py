"""What a streamed answer of 100 chunks costs the client: our OpenAIChat beside raw parsing and the SDK's typed stream.

`python -m bench.models` runs all of them against one loopback server in another process, in turns, and prints CPU
milliseconds per answer: the median of the rounds, and its ratio to raw parsing. The server sends each chunk on its
own, so that the client wakes up for each, as it does with a real model.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import aiohttp
from aiohttp import web
from openai import AsyncOpenAI, DefaultAioHttpClient

from adapters.openai.chat import OpenAIChat, connect
from core.models import ChatMessage, ModelRequest

CHUNKS = 100
ANSWERS = 30  # in each round
ROUNDS = 5
TEXT = "word " * CHUNKS
REQUEST = ModelRequest((ChatMessage("user", "How much is lunch?"),), max_tokens=200)
BODY = {
    "model": "m",
    "messages": [{"role": "user", "content": "How much is lunch?"}],
    "max_tokens": 200,
    "temperature": 0.0,
    "stream": True,
    "stream_options": {"include_usage": True},
}

Ask = Callable[[], Awaitable[str]]


class Page:
    """Collect pieces, as the cheapest writer there is."""

    def __init__(self) -> None:
        self.pieces: list[str] = []

    async def write(self, text: str) -> None:
        """Append a piece."""
        self.pieces.append(text)

    async def restart(self) -> None:
        """Forget the pieces."""
        self.pieces.clear()


def chunk(delta: dict[str, str], finish: str | None = None) -> bytes:
    """Write one chunk as OpenAI does."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    payload = {
        "id": "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG",
        "object": "chat.completion.chunk",
        "created": 1795000000,
        "model": "m-2026",
        "service_tier": "default",
        "system_fingerprint": "fp_06737a9306",
        "choices": [choice],
        "usage": None,
    }
    return f"data: {json.dumps(payload)}\n\n".encode()


async def answer(request: web.Request) -> web.StreamResponse:
    """Stream one answer, each chunk in a packet of its own."""
    await request.read()
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    for _ in range(CHUNKS):
        await response.write(chunk({"content": "word "}))
        await asyncio.sleep(0.0005)
    await response.write(chunk({}, "stop"))
    await response.write(b"data: [DONE]\n\n")
    return response


async def serve() -> None:
    """Serve on a free port and print it; end with standard input."""
    app = web.Application()
    app.router.add_post("/v1/chat/completions", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


async def ask_raw(session: aiohttp.ClientSession, url: str) -> str:
    """Do the least that can be done."""
    async with session.post(url, json=BODY, headers={"authorization": "Bearer x"}) as response:
        chunks = [json.loads(line[6:]) async for line in response.content if line.startswith(b"data: {")]
    return "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)


async def ask_typed(client: AsyncOpenAI) -> str:
    """Read the SDK's own typed events."""
    events = await client.chat.completions.create(**BODY)  # type: ignore[call-overload]  # a plain dict
    return "".join([event.choices[0].delta.content or "" async for event in events])


async def ask_chat(chat: OpenAIChat) -> str:
    """Use what the product uses."""
    return (await chat.complete(REQUEST, Page())).text


async def cpu_ms(ask: Ask) -> float:
    """Measure the CPU time of one answer."""
    begun = time.process_time()
    for _ in range(ANSWERS):
        assert await ask() == TEXT
    return (time.process_time() - begun) / ANSWERS * 1000


async def measure(port: int) -> dict[str, list[float]]:
    """Run every way in turns; one round to warm up does not count."""
    base_url = f"http://127.0.0.1:{port}/v1"
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        session = await enter(aiohttp.ClientSession())
        chat = await enter(connect(base_url=base_url, api_key="x", model="m"))
        plain = await enter(AsyncOpenAI(base_url=base_url, api_key="x"))
        fast = await enter(AsyncOpenAI(base_url=base_url, api_key="x", http_client=DefaultAioHttpClient()))
        ways: dict[str, Ask] = {
            "aiohttp + json": lambda: ask_raw(session, f"{base_url}/chat/completions"),
            "OpenAIChat (aiohttp)": lambda: ask_chat(chat),
            "OpenAIChat (httpx2)": lambda: ask_chat(on_httpx2),
            "SDK typed (aiohttp)": lambda: ask_typed(fast),
            "SDK typed (httpx2)": lambda: ask_typed(plain),
        }
        on_httpx2 = OpenAIChat(plain, "m")
        rounds = [{name: await cpu_ms(ask) for name, ask in ways.items()} for _ in range(ROUNDS + 1)]
    return {name: [measured[name] for measured in rounds[1:]] for name in ways}


def main() -> None:
    """Start the server, measure, print the table."""
    if sys.argv[1:] == ["serve"]:
        asyncio.run(serve())
        return
    command = [sys.executable, "-m", "bench.models", "serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        results = asyncio.run(measure(int(server.stdout.readline())))
        server.communicate()
    floor = statistics.median(results["aiohttp + json"])
    print(f"CPU of one streamed answer of {CHUNKS} chunks, median of {ROUNDS} rounds of {ANSWERS} answers\n")
    print(f"{'way':<22}{'ms':>8}{'range':>16}{'ratio':>8}")
    for name, values in results.items():
        median = statistics.median(values)
        print(f"{name:<22}{median:>8.2f}{min(values):>9.2f}-{max(values):.2f}{median / floor:>9.2f}")


if __name__ == "__main__":
    main()
