"""Ask a model that fails in every way a hundred times each, and count what people would have read.

    python -m bench.model_faults

Printed per fault: whole answers, honest fallbacks, half answers left standing, the slowest in seconds.
"""

import asyncio
import importlib.util
import statistics
import time
from pathlib import Path
from types import ModuleType

from adapters.embedded.extractive import ExtractiveAnswerer
from adapters.openai.chat import connect
from adapters.openai.retry import Breaker, RetryPolicy
from core import wording
from core.answering import ModelAnswerer
from core.documents import Passage
from core.domain import AnswerRequest

RUNS, AT_ONCE = 100, 10
QUESTION = "Up to how much is lunch reimbursed?"
TEXT = "Lunch is reimbursed up to 18 euro a day when you travel."
WHOLE = "Lunch is reimbursed up to 18 euro [1]."
REQUEST = AnswerRequest(
    QUESTION, QUESTION, (Passage(1, 1, "handbook", "Expenses", "/expenses.md", (), None, TEXT, 3.0, 1.0, None),)
)


def load_server() -> ModuleType:
    """Load the misbehaving server of the contract tests."""
    path = Path(__file__).parents[1] / "tests" / "contract" / "model_server.py"
    spec = importlib.util.spec_from_file_location("model_server", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Page:
    """What a person sees."""

    def __init__(self) -> None:
        self.text = ""

    async def write(self, text: str) -> None:
        """Add a piece."""
        self.text += text

    async def restart(self) -> None:
        """Wipe it."""
        self.text = ""


async def once(server: ModuleType, behaviour: object) -> tuple[str, float]:
    """Ask a server that behaves so every time; tell what stands in the end and after how long."""
    async with server.running_server() as running:
        running.script = [behaviour]
        policy = RetryPolicy(base_s=0.05, cap_s=0.2)
        chat = connect(
            base_url=running.base_url, api_key="secret", model="m", policy=policy, breaker=Breaker(), stall_s=1.0
        )
        async with chat as model:
            page, start = Page(), time.perf_counter()
            draft = await ModelAnswerer(model, ExtractiveAnswerer(None), deadline_s=10.0).answer(REQUEST, page)
    seconds = time.perf_counter() - start
    if page.text != draft.text:
        return "half", seconds
    if draft.failed:
        return ("fallback" if TEXT in page.text and draft.notice == wording.MODEL_SILENT else "half"), seconds
    return ("answer" if page.text == WHOLE else "half"), seconds


async def run() -> None:
    """Go through every fault."""
    server = load_server()
    good = server.stream(
        server.chunk("ANSWERED\nLunch is reimbursed "), server.chunk("up to 18 euro [1]."), server.chunk(finish="stop")
    )
    hangs = server.stream(server.chunk("Lunch"), server.STALL)
    drips = server.stream(*(bytes([byte]) for byte in server.chunk("ANSWERED\nLunch")), pause_s=0.3)
    faults = {"none": good, **server.RETRIED, **server.FINAL, "hangs": hangs, "drips": drips}
    slots = asyncio.Semaphore(AT_ONCE)

    async def limited(behaviour: object) -> tuple[str, float]:
        async with slots:
            return await once(server, behaviour)

    print(f"{'fault':32} {'answers':>8} {'fallbacks':>10} {'halves':>7} {'p50 s':>7} {'slowest':>8}")
    for name, behaviour in faults.items():
        ended = await asyncio.gather(*(limited(behaviour) for _ in range(RUNS)))
        kinds, seconds = [kind for kind, _ in ended], [taken for _, taken in ended]
        widths = {"answer": 8, "fallback": 10, "half": 7}
        counts = " ".join(f"{kinds.count(kind):>{width}}" for kind, width in widths.items())
        print(f"{name:32} {counts} {statistics.median(seconds):7.2f} {max(seconds):8.2f}", flush=True)


if __name__ == "__main__":
    asyncio.run(run())
