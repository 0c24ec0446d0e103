"""Numbered sources: marks in a text, and what they stand for."""

import re
from collections.abc import Sequence

from core.documents import Citation, Passage
from core.ports import Reply

_MARK = re.compile(r"([ \t]*)\[(\d{1,3})\]")
_BEGUN = re.compile(r"[ \t]*(?:\[\d{0,3})?$")


def label(passage: Passage) -> str:
    """Name where a passage stands: "Travel policy › Meals, p. 4"."""
    path = [heading for heading in passage.heading_path if heading.casefold() != passage.title.casefold()]
    place = " › ".join([passage.title, *path])
    return f"{place}, p. {passage.page}" if passage.page else place


class Marks:
    """Renumber the marks of a text by their first use, piece by piece; a mark without a passage is dropped."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self._passages = passages
        self._numbers: dict[tuple[str, str], int] = {}  # source and label -> the number people see
        self._cited: list[Passage] = []  # the first passage of each number
        self._held = ""

    def feed(self, piece: str) -> str:
        """Return what of the text so far can be shown; the beginning of a mark is held back."""
        text = self._held + piece
        begun = _BEGUN.search(text)
        cut = begun.start() if begun else len(text)
        self._held = text[cut:]
        return _MARK.sub(self._renumber, text[:cut])

    def finish(self) -> str:
        """Return what was held back."""
        text, self._held = self._held, ""
        return _MARK.sub(self._renumber, text)

    def citations(self) -> tuple[Citation, ...]:
        """List what was cited so far, in the order of the numbers."""
        return tuple(_citation(number, passage) for number, passage in enumerate(self._cited, 1))

    def _renumber(self, match: re.Match[str]) -> str:
        asked = int(match[2])
        if not 1 <= asked <= len(self._passages):
            return ""
        passage = self._passages[asked - 1]
        place = (passage.source, label(passage))  # two passages of one place are one source to a reader
        if place not in self._numbers:
            self._cited.append(passage)
            self._numbers[place] = len(self._cited)
        return f"{match[1]}[{self._numbers[place]}]"


class CitingReply:
    """A Reply whose marks are renumbered on their way to another."""

    def __init__(self, reply: Reply, passages: Sequence[Passage]) -> None:
        self._reply = reply
        self._passages = passages
        self._marks = Marks(passages)

    async def restart(self) -> None:
        """Begin again, with the numbers too."""
        self._marks = Marks(self._passages)
        await self._reply.restart()

    async def write(self, text: str) -> None:
        """Pass on what can be shown."""
        if shown := self._marks.feed(text):
            await self._reply.write(shown)

    def citations(self) -> tuple[Citation, ...]:
        """List what was cited so far."""
        return self._marks.citations()

    async def finish(self) -> None:
        """Pass on the rest."""
        if rest := self._marks.finish():
            await self._reply.write(rest)


def cite(text: str, passages: Sequence[Passage]) -> tuple[str, tuple[Citation, ...]]:
    """Renumber the marks of a whole text and list what they cite."""
    marks = Marks(passages)
    return marks.feed(text) + marks.finish(), marks.citations()


def _citation(number: int, passage: Passage) -> Citation:
    return Citation(
        number=number,
        document_id=passage.document_id,
        chunk_id=passage.chunk_id,
        label=label(passage),
        source=passage.source,
        page=passage.page,
        quote=passage.text,
    )
