"""`frontdesk demo`: the sample handbook and a short conversation about it."""

import sys
from importlib import resources
from pathlib import Path

from rich.text import Text

from bots.chat import Printed, author, talk
from bots.cli_knowledge import ingest_sources, report
from bots.console import Console, Conversation, open_console
from bots.screen import run, show
from bots.wiring import Frontdesk
from core.domain import Answer
from ingest.sources import sources

KNOWLEDGE_BASE = "sample-handbook"

# A greeting, a question, a follow-up that needs it, one that the handbook does not answer; then the question again.
CONVERSATION = (
    "Hi there!",
    "How many vacation days does a full-time employee get?",
    "and for part-timers?",
    "Can I bring my dog to the office?",
)


def demonstrate() -> None:
    """Run the demo."""
    run(_demonstrate)


async def _demonstrate(frontdesk: Frontdesk) -> None:
    with resources.as_file(resources.files("bots") / "handbook") as folder:
        await _ingest(frontdesk, folder)
        async with open_console(frontdesk) as console:
            await _converse(console)
        if sys.stdin.isatty():
            show(Text("\nNow you. The handbook is in the knowledge base sample-handbook.", style="bold"))
            await talk(frontdesk, session=None, knowledge_bases=(KNOWLEDGE_BASE,))


async def _ingest(frontdesk: Frontdesk, folder: Path) -> None:
    show(Text("Ingesting the sample handbook", style="bold"))
    found = [source for source in sources([str(folder)]) if source.name.endswith((".md", ".pdf", ".docx"))]
    everything = ("",)  # also what an older checkout left: each source begins with the empty string
    report(await ingest_sources(frontdesk, KNOWLEDGE_BASE, found, (), everything))


async def _converse(console: Console) -> None:
    conversation = _begin(console)
    answers = [await _say(conversation, line) for line in CONVERSATION]
    again = await _say(_begin(console), CONVERSATION[1].lower())
    if again.cached:
        times = answers[1].seconds / again.seconds
        show(Text(f"  asked again, in another conversation: {times:.0f} times as fast", style="dim"))


def _begin(console: Console) -> Conversation:
    return Conversation(console, author(), knowledge_bases=(KNOWLEDGE_BASE,), serves=True)


async def _say(conversation: Conversation, line: str) -> Answer:
    show(Text.assemble("\n", ("you> ", "bold"), line))
    printed = Printed()
    answer = await conversation.say(line, printed.hear)
    printed.end(answer)
    return answer
