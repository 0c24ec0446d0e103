"""What the terminal shows: answers, tables and, for machines, JSON."""

import re
from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from rich.console import Group, RenderableType
from rich.style import Style
from rich.table import Table
from rich.text import Text

from core.documents import Citation, DocumentRecord, EmbedderIdentity, KnowledgeBase, Outcome
from core.domain import Answer, Assignment, BotConfiguration, File, Role, Session, Ticket, TicketState, Turn
from core.errors import Refused
from core.places import Platform

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_MOST_COPIES = 1_000

_OUTCOME_STYLE = {
    Outcome.INDEXED: "green",
    Outcome.UNCHANGED: "dim",
    Outcome.NO_TEXT: "yellow",
    Outcome.REFUSED: "red",
}
_TICKET_STYLE = {TicketState.OPEN: "yellow", TicketState.ANSWERED: "green", TicketState.CLOSED: "dim"}
_SPEAKER = {Role.AUTHOR: "you", Role.ASSISTANT: "frontdesk", Role.PERSON: "a person"}


def plain(text: str) -> str:
    """Make TEXT harmless on a terminal: control characters, in a file's name for example, show as a question mark."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text.encode("utf-8", "replace").decode())


def in_line(text: str) -> str:
    """Make TEXT harmless and write it in one line: what somebody wrote in several messages is one question."""
    return plain(" ".join(text.split()))


def address(citation: Citation) -> str:
    """Write where a source can be opened: its URL, or its file at the right page; empty where it cannot."""
    if citation.source.startswith(("http://", "https://")):
        return citation.source
    path = Path(citation.source)
    if not path.is_absolute():  # a file that came by chat has a name and no address
        return ""
    return path.as_uri() + (f"#page={citation.page}" if citation.page else "")


def sources(citations: Sequence[Citation]) -> list[Text]:
    """List the sources of an answer, one line each, the label a link where the terminal has links."""
    lines = []
    for citation in citations:
        line = Text(f"  [{citation.number}] ", style="dim")
        line.append(plain(citation.label), style=Style(link=plain(address(citation)) or None))
        line.append(f"  {plain(citation.source)}", style="dim")
        lines.append(line)
    return lines


def footer(answer: Answer) -> Text:
    """Say where an answer came from and how long it took."""
    cached = f", kept from before ({answer.cached})" if answer.cached else ""
    parts = [f"{answer.origin.value}{cached}", _duration(answer.seconds)]
    if answer.model:
        parts.append(f"{answer.model}, {answer.usage.input_tokens} + {answer.usage.output_tokens} tokens")
    if answer.ticket_number is not None:
        parts.append(f"ticket {answer.ticket_number}")
    if answer.session_id is not None:
        parts.append(f"session {str(answer.session_id)[:8]}")
    line = Text("  " + " · ".join(parts), style="dim")
    if answer.notice:
        line.append(f"\n  {answer.notice}", style="dim italic")
    return line


def save(file: File, folder: Path) -> Path:
    """Write FILE into FOLDER beside whatever has its name there; return where it is. Raises Refused."""
    name = plain(file.name).replace("/", "_").replace("\\", "_").lstrip(".") or "file"
    stem, suffix = Path(name).stem, Path(name).suffix
    for number in range(1, _MOST_COPIES):
        path = folder / (name if number == 1 else f"{stem}-{number}{suffix}")
        try:
            with path.open("x", encoding="utf-8") as written:
                written.write(file.text)
        except FileExistsError:
            continue
        except OSError as error:
            raise Refused(f"{path} cannot be written ({error.strerror}); go to another folder.") from error
        return path
    raise Refused(f"{folder} holds {_MOST_COPIES} files of this name; remove some.")


def words(text: str) -> Text:
    """Show what somebody wrote, without what would move the cursor."""
    return Text("\n".join(map(plain, text.split("\n"))))


def _duration(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 0.1 else f"{seconds * 1000:.0f} ms"


def answer_text(answer: Answer) -> RenderableType:
    """Show a whole answer."""
    return Group(Text(answer.text), *sources(answer.citations), footer(answer))


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, column in enumerate(columns):
        table.add_column(column, overflow="fold", no_wrap=place == 0 and column not in ("document", "part"))
    return table


def _when(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M")


def _identity(embedder: EmbedderIdentity | None) -> str:
    return f"{embedder.name} ({embedder.dimensions})" if embedder else "none: words only"


def knowledge_bases(found: Sequence[KnowledgeBase]) -> RenderableType:
    """Tabulate knowledge bases."""
    if not found:
        return Text("There is no knowledge base yet; `frontdesk ingest PATH --kb NAME` makes one.")
    table = _table("name", "documents", "chunks", "answers on", "channels", "embedder", "changed")
    for kb in found:
        table.add_row(
            kb.name,
            str(kb.documents),
            str(kb.chunks),
            ", ".join(kb.platforms),
            ", ".join(kb.channels) or "all",
            _identity(kb.embedder),
            _when(kb.updated_at),
        )
    return table


def documents(found: Sequence[DocumentRecord]) -> RenderableType:
    """Tabulate the documents of a knowledge base."""
    table = _table("document", "title", "outcome", "chunks", "kB", "why")
    for document in found:
        table.add_row(
            plain(document.source),
            plain(document.title),
            Text(document.outcome.value, style=_OUTCOME_STYLE[document.outcome]),
            str(document.chunks),
            f"{document.size_bytes / 1000:.0f}",
            plain(document.reason),
        )
    return table


def where(platform: Platform, channel: str) -> str:
    """Name where a bot answers."""
    return f"in {channel} on {platform.value}" if channel else f"on {platform.value}"


def _places(bot: BotConfiguration, assignments: Sequence[Assignment]) -> str:
    places = [where(a.platform, a.channel) for a in assignments if a.bot_name == bot.name]
    return ", ".join([*places, "wherever no other does"] if bot.name == "default" else places) or "nowhere yet"


def bots(found: Sequence[BotConfiguration], assignments: Sequence[Assignment]) -> RenderableType:
    """Tabulate bots."""
    if not found:
        return Text("There is no bot yet, so the settings apply everywhere; `frontdesk bot set NAME` makes one.")
    table = _table("bot", "mode", "knowledge bases", "models", "answers")
    for bot in found:
        table.add_row(
            bot.name,
            bot.mode.value,
            ", ".join(bot.knowledge_bases) or "all",
            ", ".join(bot.models) or "the usual",
            _places(bot, assignments),
        )
    return table


def bot_text(bot: BotConfiguration, assignments: Sequence[Assignment]) -> RenderableType:
    """Show one bot whole."""
    lines = [bots([bot], assignments)]
    numbers = f"temperature {bot.temperature:g} · {bot.max_tokens} tokens an answer · {bot.top_k} passages"
    threshold = "default" if bot.threshold is None else f"{bot.threshold:g}"
    lines.append(Text(f"{numbers} · threshold {threshold} · version {bot.version}", style="dim"))
    if bot.prompt:
        lines += [Text("Prompt:", style="bold"), Text(bot.prompt)]
    return Group(*lines)


def sessions(found: Sequence[Session]) -> RenderableType:
    """Tabulate sessions."""
    if not found:
        return Text("There is no session yet; `frontdesk chat` begins one.")
    table = _table("session", "", "title", "turns", "where", "changed")
    for session in found:
        table.add_row(
            str(session.session_id)[:8],
            "*" if session.favourite else "",
            in_line(session.title) or "(nothing said)",
            str(session.turns),
            session.place.platform.value,
            _when(session.updated_at),
        )
    return table


def turns(found: Sequence[Turn], *, context: bool) -> RenderableType:
    """Show what was said in a session; with CONTEXT also everything retrieved for each answer."""
    lines: list[RenderableType] = []
    for turn in found:
        speaker = Text(f"{_SPEAKER[turn.role]}: ", style="bold")
        lines.append(speaker.append(turn.text, style="not bold"))
        lines += sources(turn.citations)
        if context:
            lines += [
                Text(f"  {passage.score:.3f}  {passage.title}: {passage.text[:100]}", style="dim")
                for passage in turn.context
            ]
    return Group(*lines) if lines else Text("Nothing was said in this session.")


def tickets(found: Sequence[Ticket]) -> RenderableType:
    """Tabulate tickets."""
    if not found:
        return Text("There is no ticket.")
    table = _table("ticket", "state", "question", "reason", "opened")
    for ticket in found:
        table.add_row(
            str(ticket.number),
            Text(ticket.state.value, style=_TICKET_STYLE[ticket.state]),
            in_line(ticket.question),
            in_line(ticket.reason),
            _when(ticket.created_at),
        )
    return table


def ticket_text(ticket: Ticket) -> RenderableType:
    """Show one ticket whole."""
    lines = [
        Text.assemble((f"Ticket {ticket.number} ", "bold"), (ticket.state.value, _TICKET_STYLE[ticket.state])),
        Text(f"Question: {ticket.question}"),
        Text(f"Reason: {ticket.reason}"),
        Text(f"Opened: {_when(ticket.created_at)}"),
        Text("What was said:", style="bold"),
        Text(ticket.transcript),
    ]
    if ticket.answer:
        lines += [Text("Answer:", style="bold"), Text(ticket.answer)]
    return Group(*lines)


def as_json(value: Any) -> Any:
    """Turn our words into what `json.dumps` takes."""
    if is_dataclass(value) and not isinstance(value, type):
        return as_json(asdict(value))
    if isinstance(value, dict):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [as_json(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)  # twelve digits of money pass through a float unharmed
    return str(value) if isinstance(value, (UUID, Path)) else value
