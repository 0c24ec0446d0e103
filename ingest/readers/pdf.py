"""Read PDFs that hold text (ISO 32000); scans without text come back empty."""

import io
from collections.abc import Callable, Iterator, Sequence
from math import hypot
from typing import Any, TypeVar

from pypdf import PageObject, PasswordType, PdfReader

from core.documents import ReadDocument
from core.errors import UnreadableDocument
from ingest.readers.limits import MOST_CHARS, bounded
from ingest.readers.names import best_title, sensible_title
from ingest.readers.pdf_lines import Line, drop_running_lines, to_blocks

_T = TypeVar("_T")

_DAMAGED = "it is damaged or not a PDF; open it and save it again as .pdf"


def read(data: bytes, name: str) -> ReadDocument:
    """Read each page's headings, paragraphs and list items; a page that fails alone is left out."""
    reader = attempt(lambda: PdfReader(io.BytesIO(data)))
    if reader is None:
        raise UnreadableDocument(_DAMAGED)
    _decrypt(reader)
    pages: list[list[Line] | None] = list(_pages(reader))
    read_pages = [page for page in pages if page is not None]
    if pages and not read_pages:
        raise UnreadableDocument(_DAMAGED)
    blocks = bounded(to_blocks(drop_running_lines(read_pages)))
    stated = attempt(lambda: str(reader.metadata.title or "") if reader.metadata else "")
    return ReadDocument(best_title(sensible_title(stated), name, blocks), blocks, pages=len(pages))


def attempt(step: Callable[[], _T]) -> _T | None:
    """Do STEP; None where it fails."""
    try:
        return step()
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - on damaged files pypdf raises TypeError, AttributeError and more beside its own
        return None


def _decrypt(reader: PdfReader) -> None:
    if reader.is_encrypted and attempt(lambda: reader.decrypt("")) in {None, PasswordType.NOT_DECRYPTED}:
        raise UnreadableDocument("it is protected by a password; save an unprotected copy")


def _pages(reader: PdfReader) -> "Iterator[list[Line] | None]":
    count = attempt(lambda: len(reader.pages))
    if count is None:
        raise UnreadableDocument(_DAMAGED)
    chars = 0
    for number in range(1, count + 1):
        lines = attempt(lambda number=number: _lines(reader.pages[number - 1], number))  # type: ignore[misc]
        chars += sum(len(line.text) for line in lines or ())
        if chars > 2 * MOST_CHARS:  # the rest cannot make it acceptable again
            raise UnreadableDocument(f"it holds more than {MOST_CHARS:,} characters; split it into smaller files")
        yield lines


def _lines(page: PageObject, number: int) -> list[Line]:
    """Extract a page's lines with the size of their letters and their height on the page."""
    pieces: list[tuple[str, float, float]] = []

    def visit(text: str, cm: Sequence[float], tm: Sequence[float], _font: Any, size: float) -> None:
        # The size on paper: the vertical vector of the text matrix within the current transformation.
        across, up = tm[2] * cm[0] + tm[3] * cm[2], tm[2] * cm[1] + tm[3] * cm[3]
        pieces.append((text, abs(size) * hypot(across, up), tm[4] * cm[1] + tm[5] * cm[3] + cm[5]))

    text = page.extract_text(visitor_text=visit)
    if "".join(piece[0] for piece in pieces) != text:
        return [Line(line.strip(), number) for line in text.split("\n")]
    return list(_join(pieces, number))


def _join(pieces: Sequence[tuple[str, float, float]], number: int) -> Iterator[Line]:
    """Join the pieces of text into lines; a line's size and height are those of most of its letters."""
    texts: list[str] = []
    seen: dict[tuple[float, float], int] = {}
    for text, size, height in [*pieces, ("\n", 0.0, 0.0)]:
        first, *others = text.split("\n")
        for index, part in enumerate([first, *others]):
            if index:
                size_most, height_most = max(seen, key=seen.__getitem__, default=(0.0, 0.0))
                yield Line(" ".join("".join(texts).split()), number, round(size_most, 1), height_most)
                texts, seen = [], {}
            texts.append(part)
            if part.strip():
                seen[size, height] = seen.get((size, height), 0) + len(part.strip())
