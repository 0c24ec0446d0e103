"""PDFs: lines in, blocks out."""

import io
from collections.abc import Callable

import pytest
from fpdf import FPDF
from pypdf import PdfReader, PdfWriter

from core.documents import BlockKind, ReadDocument
from core.errors import UnreadableDocument
from ingest.readers import pdf

LONG = "All travel is booked with the travel desk at least ten days before it begins, and every receipt is kept."


def said(document: ReadDocument) -> list[tuple[str, int, int | None, str]]:
    return [(block.kind.value, block.level, block.page, block.text) for block in document.blocks]


def write(*pages: list[tuple[int, str]], title: str = "") -> bytes:
    """Make a PDF whose pages hold lines of a size in points; an empty line leaves a gap."""
    made = FPDF()
    if title:
        made.set_title(title)
    for lines in pages:
        made.add_page()
        for size, text in lines:
            made.set_font("Helvetica", size=size)
            made.cell(0, size * 0.5, text, new_x="LMARGIN", new_y="NEXT")
    return bytes(made.output())


def encrypted(data: bytes, password: str) -> bytes:
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(data)))
    writer.encrypt(user_password=password, owner_password="owner", algorithm="AES-256")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def test_headings_paragraphs_and_items_are_told_apart() -> None:
    body = LONG.split()
    lines = [
        (24, "Travel policy"),
        (16, "Booking"),
        (11, " ".join(body[:12])),
        (11, " ".join(body[12:])),
        (11, ""),
        (11, "Take with you:"),
        (11, "- your passport"),
        (11, "- your card"),
        (16, "Meals"),
        (11, "They are paid."),
    ]
    assert said(pdf.read(write(lines), "a.pdf")) == [
        ("heading", 1, 1, "Travel policy"),
        ("heading", 2, 1, "Booking"),
        ("paragraph", 0, 1, LONG),
        ("paragraph", 0, 1, "Take with you:"),
        ("item", 0, 1, "- your passport"),
        ("item", 0, 1, "- your card"),
        ("heading", 2, 1, "Meals"),
        ("paragraph", 0, 1, "They are paid."),
    ]


def test_words_cut_by_a_line_end_are_made_whole() -> None:
    lines = [
        "This long-term plan asks every depart-",
        "ment to name one person, and a long-",
        "term goal of its own choosing.",
    ]
    (block,) = pdf.read(write([(11, line) for line in lines]), "a.pdf").blocks
    assert (
        block.text
        == "This long-term plan asks every department to name one person, and a long-term goal of its own choosing."
    )


def test_headers_and_page_numbers_are_left_out_where_they_are_little_text() -> None:
    body = [(11, f"{word} {LONG}"[:95]) for word in ["Sentence"] * 45]
    pages = [[(11, "ACME"), *body, (11, f"{number}")] for number in range(1, 4)]
    blocks = pdf.read(write(*pages), "a.pdf").blocks
    assert {block.page for block in blocks} == {1, 2, 3}
    assert not any("ACME" in block.text or block.text.isdigit() for block in blocks)


def test_a_repeated_line_that_is_much_of_the_text_is_kept() -> None:
    pages = [[(11, "Closed on Sundays"), (11, f"Shop {number} opens at nine.")] for number in range(1, 5)]
    blocks = pdf.read(write(*pages), "a.pdf").blocks
    assert sum("Closed on Sundays" in block.text for block in blocks) == 4


@pytest.mark.parametrize(
    ("stated", "name", "title"),
    [
        ("Benefits 2024", "x.pdf", "Benefits 2024"),
        ("Microsoft Word - draft.docx", "Benefit_Options.pdf", "Benefit Options"),
        ("0000320193-23-000006", "PerksPlus.pdf", "PerksPlus"),
        ("", "scan0001.pdf", "Travel policy"),
        ("", "folder/role-library.pdf", "Role library"),
    ],
)
def test_the_title_is_the_stated_one_unless_it_is_no_title(stated: str, name: str, title: str) -> None:
    data = write([(24, "Travel policy"), (11, LONG)], title=stated)
    assert pdf.read(data, name).title == title


def test_a_page_without_text_is_empty_and_counted(make_page: Callable[..., bytes]) -> None:
    assert pdf.read(make_page(b"0 0 9 9 re f"), "scan.pdf") == ReadDocument("Scan", (), pages=1)


def test_a_document_that_only_its_owner_may_change_is_read() -> None:
    document = pdf.read(encrypted(write([(11, LONG)]), ""), "a.pdf")
    assert [block.text for block in document.blocks] == [LONG]


def test_a_protected_document_is_refused_with_what_to_do() -> None:
    with pytest.raises(UnreadableDocument, match="protected by a password; save an unprotected copy"):
        pdf.read(encrypted(write([(11, LONG)]), "secret"), "a.pdf")


def test_a_page_that_fails_alone_does_not_fail_the_others(make_pdf: Callable[..., bytes]) -> None:
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents %d 0 R/Resources<</Font<</F1 5 0 R>>>>>>"
    good = b"BT /F1 11 Tf (Still readable) Tj ET"
    data = make_pdf(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R 4 0 R]/Count 2>>",
        page % 6,
        page % 7,
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        b"<</Filter/NoSuchFilter/Length 5>>stream\nxxxxx\nendstream",
        b"<</Length %d>>stream\n%s\nendstream" % (len(good), good),
    )
    document = pdf.read(data, "a.pdf")
    assert said(document) == [("paragraph", 0, 2, "Still readable")]
    assert document.pages == 2


@pytest.mark.parametrize("keep", [8, 200, 600])
def test_a_truncated_document_is_refused_or_read_but_never_fails_otherwise(keep: int) -> None:
    data = write([(11, LONG)])[:keep]
    with pytest.raises(UnreadableDocument, match="damaged"):
        pdf.read(data, "a.pdf")


def test_items_begin_anew_at_each_bullet() -> None:
    document = pdf.read(write([(11, "1. First"), (11, "2. Second")]), "a.pdf")
    assert [block.kind for block in document.blocks] == [BlockKind.ITEM, BlockKind.ITEM]
