"""The sample handbook: its files say what their sources say, and its questions point at the right places."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from docx import Document
from docx.table import Table
from pypdf import PdfReader
from pypdf.generic import Destination

from bench.make_handbook import COMPANY, DOCXS, PDFS, SOURCES, TARGET, make_handbook, read_parts

QUESTIONS = json.loads((TARGET / "questions.json").read_text(encoding="utf-8"))
DOCUMENTS = sorted(path for path in TARGET.iterdir() if path.suffix in {".md", ".pdf", ".docx"})
POINTERS = [*QUESTIONS["answerable"], *QUESTIONS["follow_ups"]]


def squeeze(text: str) -> str:
    """Make every run of white space one blank."""
    return " ".join(text.split())


def read_pdf_pages(path: Path) -> list[str]:
    """Extract the text of each page without the footer."""
    footer = re.compile(rf"{COMPANY} - page \d+ of \d+")
    return [squeeze(footer.sub("", page.extract_text())) for page in PdfReader(path).pages]


def read_docx_lines(path: Path) -> Iterator[str]:
    """Read paragraphs and table rows in the order of the document."""
    for block in Document(str(path)).iter_inner_content():
        if isinstance(block, Table):
            yield from (" ".join(cell.text for cell in row.cells) for row in block.rows)
        else:
            yield block.text


def read_text(path: Path, page: int | None = None) -> str:
    """Read a handbook file as one line of text."""
    if path.suffix == ".pdf":
        pages = read_pdf_pages(path)
        return squeeze(" ".join(pages if page is None else pages[page - 1 : page]))
    if path.suffix == ".docx":
        return squeeze(" ".join(read_docx_lines(path)))
    return squeeze(path.read_text(encoding="utf-8"))


def read_source_words(name: str) -> list[str]:
    """Read the words of a source in their order, without its marks."""
    parts = read_parts((SOURCES / f"{name}.md").read_text(encoding="utf-8"))
    return [word for part in parts for row in part.rows for cell in row for word in cell.split()]


@pytest.mark.parametrize("name", PDFS)
def test_a_pdf_says_every_word_of_its_source_in_order(name: str) -> None:
    words = [word for word in read_text(TARGET / f"{name}.pdf").split() if word != "-"]
    assert words == read_source_words(name)


@pytest.mark.parametrize("name", DOCXS)
def test_a_docx_says_every_word_of_its_source_in_order(name: str) -> None:
    assert read_text(TARGET / f"{name}.docx").split() == read_source_words(name)


@pytest.mark.parametrize("name", PDFS)
def test_a_pdf_has_pages_a_title_and_an_outline_of_its_headings(name: str) -> None:
    pdf = PdfReader(TARGET / f"{name}.pdf")
    title, *rest = read_parts((SOURCES / f"{name}.md").read_text(encoding="utf-8"))
    headings = [part.text for part in rest if part.kind == "heading"]
    top, below = pdf.outline
    assert pdf.metadata is not None
    assert isinstance(top, Destination)
    assert isinstance(below, list)
    assert pdf.metadata.title == top.title == title.text
    assert [entry.title for entry in below if isinstance(entry, Destination)] == headings
    assert len(pdf.pages) >= 3
    for number, page in enumerate(pdf.pages, 1):
        assert f"page {number} of {len(pdf.pages)}" in page.extract_text()


@pytest.mark.parametrize("name", DOCXS)
def test_a_docx_has_real_headings_lists_and_a_table(name: str) -> None:
    document = Document(str(TARGET / f"{name}.docx"))
    styles = {paragraph.style.name for paragraph in document.paragraphs if paragraph.style}
    assert {"Heading 1", "Heading 2", "Normal"} <= styles
    assert len(document.tables) == 1
    assert document.core_properties.title == document.paragraphs[0].text


def test_every_kind_of_list_is_used() -> None:
    styles = {p.style.name for name in DOCXS for p in Document(str(TARGET / f"{name}.docx")).paragraphs if p.style}
    assert {"List Bullet", "List Number"} <= styles


def test_the_same_sources_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    for one, other in zip(make_handbook(first), make_handbook(second), strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_the_shipped_files_are_the_ones_the_sources_give(tmp_path: Path) -> None:
    made = make_handbook(tmp_path)
    assert {path.name for path in made} == {path.name for path in DOCUMENTS if path.suffix != ".md"}
    for path in made:
        assert read_text(path) == read_text(TARGET / path.name)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_a_document_is_short_enough_to_read_and_to_ship(path: Path) -> None:
    assert 300 <= len(read_text(path).split()) <= 900
    assert path.stat().st_size < 60_000


@pytest.mark.parametrize("pointer", POINTERS, ids=lambda pointer: pointer.get("follow_up") or pointer["question"])
def test_a_question_points_at_the_sentence_that_answers_it(pointer: dict[str, str | int]) -> None:
    path, page = TARGET / str(pointer["file"]), pointer["page"]
    assert (page is not None) == (path.suffix == ".pdf")
    assert str(pointer["evidence"]) in read_text(path, int(page) if page else None)


def test_every_document_answers_a_question() -> None:
    assert {pointer["file"] for pointer in POINTERS} == {path.name for path in DOCUMENTS}


UNANSWERED = (
    r"\b(dogs?|cats?|pets?|animals?|menus?|cafeterias?|canteens?|park|parking|dress|gym|fitness|company cars?"
    r"|chief executive|party|parties|share price)\b"
)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_nothing_is_said_about_what_the_handbook_cannot_answer(path: Path) -> None:
    assert re.findall(UNANSWERED, read_text(path), re.IGNORECASE) == []


def test_the_word_list_covers_every_unanswerable_question() -> None:
    assert len(QUESTIONS["unanswerable"]) >= 8
    assert [q for q in QUESTIONS["unanswerable"] if not re.search(UNANSWERED, q, re.IGNORECASE)] == []
