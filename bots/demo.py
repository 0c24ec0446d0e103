"""`frontdesk demo`: the sample handbook and a short conversation about it."""

import sys
from importlib import resources
from pathlib import Path

from rich.text import Text

from adapters.console import outbound
from bots.chat import Printed, choose_session, message, talk
from bots.cli_knowledge import ingest_sources, report
from bots.screen import out, run, show
from bots.wiring import Frontdesk
from core.domain import Answer, Session
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
        await _converse(frontdesk)
        if sys.stdin.isatty():
            show(Text("\nNow you. The handbook is in the knowledge base sample-handbook.", style="bold"))
            await talk(frontdesk, session=None, knowledge_bases=(KNOWLEDGE_BASE,))


async def _ingest(frontdesk: Frontdesk, folder: Path) -> None:
    show(Text("Ingesting the sample handbook", style="bold"))
    found = [source for source in sources([str(folder)]) if source.name.endswith((".md", ".pdf", ".docx"))]
    everything = ("",)  # also what an older checkout left: each source begins with the empty string
    report(await ingest_sources(frontdesk, KNOWLEDGE_BASE, found, (), everything))


async def _converse(frontdesk: Frontdesk) -> None:
    session = await choose_session(frontdesk, None)
    answers = [await _say(frontdesk, session, line) for line in CONVERSATION]
    again = await _say(frontdesk, await choose_session(frontdesk, None), CONVERSATION[1].lower())
    if again.cached:
        times = answers[1].seconds / again.seconds
        show(Text(f"  asked again, in another conversation: {times:.0f} times as fast", style="dim"))


async def _say(frontdesk: Frontdesk, session: Session, line: str) -> Answer:
    show(Text.assemble("\n", ("you> ", "bold"), line))
    answer = await frontdesk.engine.handle(message(frontdesk, session, line, (KNOWLEDGE_BASE,)), Printed())
    out.print()
    for source in outbound.sources(answer.citations):
        show(source)
    show(outbound.footer(answer))
    return answer
