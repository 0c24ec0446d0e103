"""Measure a question asked again beside the first time it is asked, with a model that takes a second.

    python -m bench.served_again

One run: the embedded PostgreSQL, the sample handbook, and a loopback chat server that answers after one second.
"""

import asyncio
import json
import statistics
import tempfile
import uuid
from pathlib import Path

from aiohttp import web
from pydantic import SecretStr

from bots.settings import Settings
from bots.wiring import Frontdesk, open_frontdesk
from core.domain import Answer, Author, Message
from core.places import EMPLOYEE_PLATFORMS, Place, Platform
from ingest.sources import sources

DELAY_S = 1.0
QUESTION = "How many vacation days does a full-time employee get?"
ANSWER = "ANSWERED\nA full-time employee has 28 vacation days in a calendar year [1]."
REPHRASED = ("how many vacation days does a full-time employee get", "Please tell me: " + QUESTION)
HANDBOOK = Path(__file__).parents[1] / "bots" / "handbook"


async def answer(request: web.Request) -> web.StreamResponse:
    """Wait, then stream the answer as a chat server does."""
    await asyncio.sleep(DELAY_S)
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    for delta, reason in (({"content": ANSWER}, None), ({}, "stop")):
        body = {"model": "slow", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
        await response.write(f"data: {json.dumps(body)}\n\n".encode())
    await response.write(b"data: [DONE]\n\n")
    return response


class Silent:
    """A Reply that nobody reads."""

    async def write(self, text: str) -> None:
        """Wait for the rest."""

    async def restart(self) -> None:
        """Forget nothing: nothing was shown."""


async def ask(frontdesk: Frontdesk, text: str) -> Answer:
    """Ask in a conversation of its own."""
    place = Place(Platform.CONSOLE, "terminal", str(uuid.uuid4()))
    return await frontdesk.engine.handle(Message(1, place, Author("somebody"), text), Silent())


async def measure(frontdesk: Frontdesk) -> None:
    """Ask once, then again and again, and print the ratio."""
    kb = await frontdesk.knowledge.create(1, "handbook", EMPLOYEE_PLATFORMS)
    await frontdesk.ingestion.ingest(1, kb, sources([str(HANDBOOK / "time-off.md")]), lambda _: None)
    first = await ask(frontdesk, QUESTION)
    assert first.model, "the model did not answer"
    for text in (QUESTION, *REPHRASED):
        again = [await ask(frontdesk, text) for _ in range(20)]
        assert all(one.text == first.text for one in again)
        median = statistics.median(one.seconds for one in again)
        print(f"{text!r}: {again[0].cached}, p50 {median * 1000:.1f} ms, {first.seconds / median:.0f} times as fast")


async def run(home: Path) -> None:
    """Start everything and measure."""
    app = web.Application()
    app.router.add_post("/v1/chat/completions", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    settings = Settings(
        frontdesk_home=home,
        openai_base_url=f"http://127.0.0.1:{runner.addresses[0][1]}/v1",
        openai_api_key=SecretStr("loopback"),
        models=("slow",),
    )
    async with open_frontdesk(settings, print) as frontdesk:
        await measure(frontdesk)
    await runner.cleanup()


def main() -> None:
    """Run in a home of its own."""
    with tempfile.TemporaryDirectory(prefix="frontdesk-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        asyncio.run(run(Path(folder)))


if __name__ == "__main__":
    main()
