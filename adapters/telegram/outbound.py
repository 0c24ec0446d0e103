"""From an Answer to the messages that Telegram takes: text, buttons, files."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from adapters.telegram import limits
from adapters.telegram.buttons import Action, data_of
from adapters.telegram.markup import plain, runs, to_html
from adapters.telegram.runs import Run, Text, escape, write
from core import wording
from core.documents import Citation
from core.domain import Answer, File, Origin

_LINKED = ("http://", "https://")
_NOTHING = Text("…", "…")
_LABEL = 40  # characters of a button that a telephone shows in one line
_MOST_SHOWN = 10  # sources with a button of their own
_RATED = (Origin.DOCUMENTS, Origin.OPEN_CHAT)
_FINAL = (Origin.COMMAND, Origin.SMALL_TALK, Origin.PERSON, Origin.STOPPED)


@dataclass(frozen=True, slots=True)
class Button:
    """A button below a message; what it says goes back to us when it is pressed."""

    text: str
    data: str


Rows = tuple[tuple[Button, ...], ...]


@dataclass(frozen=True, slots=True)
class Part:
    """One message."""

    html: str
    plain: str  # to be sent where the HTML is refused
    rows: Rows = ()
    file: File | None = None  # sent as a document; then there is no text


def render(answer: Answer, outbox_id: int, *, limit: int = limits.TEXT) -> list[Part]:
    """Write ANSWER as messages of at most LIMIT UTF-16 units, the buttons below the last one; there is at least one.

    A file follows as a message of its own.
    """
    texts = write(_whole(answer), limit) or [_NOTHING]
    parts = [Part(text.html, text.plain) for text in texts]
    parts[-1] = Part(texts[-1].html, texts[-1].plain, _rows(answer, outbox_id))
    return [*parts, Part("", "", file=answer.file)] if answer.file is not None else parts


def render_growing(markdown: str, *, limit: int = limits.TEXT) -> list[Part]:
    """Write what there is of an answer while it grows: all its messages but the last one are full."""
    return [Part(text.html, text.plain) for text in to_html(markdown, limit) or [_NOTHING]]


def stop_row(outbox_id: int, language: str = "en") -> Rows:
    """Make the button that stops an answer under way."""
    return ((Button(wording.say(wording.STOP_ANSWER, language), data_of(Action.STOP, outbox_id)),),)


def passage(answer: Answer, number: int, *, limit: int = limits.TEXT) -> list[Part]:
    """Write the passage behind source NUMBER of ANSWER; where there is none, that it is gone."""
    cited = next((citation for citation in answer.citations if citation.number == number), None)
    if cited is None:
        gone = wording.say(wording.SOURCE_GONE, answer.language)
        return [Part(escape(gone), gone)]
    said = [
        Run(f"[{number}] {_line(cited.label)}", ("b",)),
        Run("\n"),
        Run(cited.quote.strip() or "…", ("blockquote",)),
    ]
    return [Part(text.html, text.plain) for text in write(said, limit)] or [Part(_NOTHING.html, _NOTHING.plain)]


def alert(text: str) -> str:
    """Cut TEXT to what answerCallbackQuery shows."""
    shown = plain(text)
    return shown if len(shown) <= limits.CALLBACK_ANSWER else shown[: limits.CALLBACK_ANSWER - 1].rstrip() + "…"


def keyboard(rows: Rows) -> dict[str, Any]:
    """Write ROWS as the Bot API's reply_markup."""
    return {
        "inline_keyboard": [[{"text": button.text, "callback_data": button.data} for button in row] for row in rows]
    }


def _whole(answer: Answer) -> list[Run]:
    """Put everything the answer says below one another."""
    blocks = [runs(answer.text), _sources(answer), _ticket(answer), _notice(answer)]
    whole: list[Run] = []
    for block in blocks:
        whole += [Run("\n\n"), *block] if whole and block else block
    return whole


def _sources(answer: Answer) -> list[Run]:
    """List the sources that have an address, and those for which there is no button left."""
    beside = {citation.number for citation in _shown(answer)}
    listed = [citation for citation in answer.citations if citation.number not in beside]
    if not listed:
        return []
    lines = [Run(wording.say(wording.SOURCES, answer.language), ("b",))]
    for citation in listed:
        marks = (f"a:{citation.source}",) if _has_address(citation) else ()
        lines += [Run(f"\n[{citation.number}] "), Run(_line(citation.label) or str(citation.number), marks)]
    return lines


def _ticket(answer: Answer) -> list[Run]:
    """Name the ticket where the text does not; a person's words name their own."""
    number = answer.ticket_number
    if number is None or str(number) in answer.text or answer.origin is Origin.PERSON:
        return []
    return [Run(wording.handed_over(number, answer.language))]


def _notice(answer: Answer) -> list[Run]:
    return [Run(answer.notice.strip(), ("i",))] if answer.notice.strip() else []


def _has_address(citation: Citation) -> bool:
    return citation.source.lower().startswith(_LINKED)


def _shown(answer: Answer) -> Sequence[Citation]:
    """List the sources that have a button: those without an address."""
    return [citation for citation in answer.citations if not _has_address(citation)][:_MOST_SHOWN]


def _rows(answer: Answer, outbox_id: int) -> Rows:
    shown = [
        (
            Button(
                _short(f"[{citation.number}] {_line(citation.label)}"), data_of(Action.SHOW, outbox_id, citation.number)
            ),
        )
        for citation in _shown(answer)
    ]
    last: list[Button] = []
    if answer.origin in _RATED:
        last += [Button("👍", data_of(Action.UP, outbox_id)), Button("👎", data_of(Action.DOWN, outbox_id))]
    if answer.origin not in _FINAL and answer.ticket_number is None:
        last.append(Button(wording.say(wording.TALK_TO_PERSON, answer.language), data_of(Action.HUMAN, outbox_id)))
    return (*shown, *((tuple(last),) if last else ()))


def _line(text: str) -> str:
    return " ".join(text.split())


def _short(text: str) -> str:
    return text if len(text) <= _LABEL else text[: _LABEL - 1].rstrip() + "…"
