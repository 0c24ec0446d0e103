"""A loopback server that speaks OpenAI's embeddings API, with its rules, and misbehaves on command."""

import asyncio
import base64
import hashlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import numpy as np
from aiohttp import web

KEY = "sk-test-5bd1e2c09a"
MODEL = "toy-embedding"
FULL_LENGTH = 64


def vector_of(text: str, dimensions: int = FULL_LENGTH) -> np.ndarray:
    """Give a text its own vector, not of unit length."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    return np.random.default_rng(seed).normal(size=FULL_LENGTH)[:dimensions].astype("<f4") * 3


@dataclass
class EmbeddingServer:
    """What the server is told to do, and what it saw."""

    max_texts: int = 2048
    takes_base64: bool = True
    shortens: bool = True
    failures: list[tuple[int, dict[str, str]]] = field(default_factory=list)  # answered first, one a request
    raw: bytes | None = None  # answered instead of JSON
    delay_s: float = 0.0
    drip: bool = False
    change: Callable[[dict], dict] = lambda answer: answer
    requests: list[dict] = field(default_factory=list)
    statuses: Counter = field(default_factory=Counter)
    busy: int = 0
    busiest: int = 0
    url: str = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)
        try:
            response = await self._respond(request)
        finally:
            self.busy -= 1
        self.statuses[response.status] += 1
        return response

    async def _respond(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.requests.append(body)
        await asyncio.sleep(self.delay_s)
        if self.failures:
            status, headers = self.failures.pop(0)
            return _error(status, headers, echo=request.headers.get("Authorization", ""))
        if self.raw is not None:
            return web.Response(body=self.raw, content_type="text/html")
        if self.drip:
            return await _drip(request)
        return self._check(request, body) or web.json_response(self.change(self._answer(body)))

    def _check(self, request: web.Request, body: dict) -> web.Response | None:
        texts = body["input"]
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return _error(401, {}, echo=request.headers.get("Authorization", ""))
        if body["model"] != MODEL:
            return _error(404, {})
        if "" in texts or not texts or ("dimensions" in body and not self.shortens):
            return _error(400, {})
        return _error(413, {}) if len(texts) > self.max_texts else None

    def _answer(self, body: dict) -> dict:
        data = []
        for i, text in enumerate(body["input"]):
            vector = vector_of(text, body.get("dimensions", FULL_LENGTH))
            coded = self.takes_base64 and body.get("encoding_format") == "base64"
            embedding = base64.b64encode(vector.tobytes()).decode() if coded else vector.tolist()
            data.append({"object": "embedding", "index": i, "embedding": embedding})
        return {"object": "list", "data": data, "model": MODEL, "usage": {"prompt_tokens": 1, "total_tokens": 1}}


def _error(status: int, headers: dict[str, str], echo: str = "") -> web.Response:
    body = {"error": {"message": f"no: {echo}", "type": "error", "code": None}}
    return web.Response(status=status, headers=headers, text=json.dumps(body), content_type="application/json")


async def _drip(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    try:
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.02)
    except ConnectionError:
        return response


@asynccontextmanager
async def running() -> AsyncIterator[EmbeddingServer]:
    server = EmbeddingServer()
    app = web.Application(client_max_size=1 << 26)
    app.router.add_post("/v1/embeddings", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        yield server
    finally:
        await runner.cleanup()
