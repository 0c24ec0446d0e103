"""Make the PDF and DOCX files of the sample handbook from the texts in bench/handbook.

`python -m bench.make_handbook [FOLDER]` writes them to bots/handbook, or to FOLDER. The same text gives the same bytes.
"""

import io
import re
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from docx import Document
from docx.document import Document as DocxDocument
from docx.shared import Pt
from fpdf import FPDF
from fpdf.enums import XPos, YPos
from fpdf.fonts import FontFace, TextStyle

SOURCES = Path(__file__).parent / "handbook"
TARGET = Path(__file__).parents[1] / "bots" / "handbook"
PDFS = ("travel-and-expenses", "security-and-badges", "benefits-and-pension")
DOCXS = ("purchasing", "product-returns", "interns-and-working-students")
COMPANY = "Tallowmere Instruments"
CREATED = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)

ITEM = re.compile(r"(?:-|\d+\.) ")


@dataclass(frozen=True, slots=True)
class Part:
    """One block of a text: a heading, a paragraph, a list or a table."""

    kind: str  # "title", "heading", "paragraph", "bullets", "numbers" or "table"
    rows: tuple[tuple[str, ...], ...]  # one row of one cell, except in lists and tables

    @property
    def text(self) -> str:
        """Give the only cell."""
        return self.rows[0][0]


def read_parts(text: str) -> Iterator[Part]:
    """Read the little Markdown that the texts use: headings, paragraphs, lists and tables."""
    for block in text.strip().split("\n\n"):
        lines = block.splitlines()
        if block.startswith("#"):
            yield Part("heading" if block.startswith("##") else "title", ((block.lstrip("# "),),))
        elif block.startswith("|"):
            rows = (tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines)
            yield Part("table", tuple(row for row in rows if set(row) != {"---"}))
        elif ITEM.match(block):
            kind = "bullets" if block.startswith("- ") else "numbers"
            yield Part(kind, tuple((ITEM.sub("", line, count=1),) for line in lines))
        else:
            yield Part("paragraph", ((block,),))


class HandbookPdf(FPDF):
    """An A5 page with the page number in its footer."""

    def footer(self) -> None:
        """Write the page number; fpdf2 calls this at the end of each page."""
        self.set_y(-12)
        self.set_font("helvetica", size=8)
        self.cell(0, 6, f"{COMPANY} - page {self.page_no()} of {{nb}}", align="C")


def make_pdf(parts: list[Part]) -> bytes:
    """Set PARTS as a PDF with an outline and document properties."""
    pdf = HandbookPdf(format=(148, 210))
    pdf.set_font("helvetica")
    pdf.set_title(parts[0].text)
    pdf.set_author(COMPANY)
    pdf.set_lang("en")
    pdf.set_creation_date(CREATED)
    pdf.set_margins(18, 16)
    pdf.set_auto_page_break(auto=True, margin=18)
    pdf.set_section_title_styles(
        TextStyle("helvetica", "B", 18, b_margin=4), TextStyle("helvetica", "B", 12, t_margin=4, b_margin=1.5)
    )
    pdf.add_page()
    for part in parts:
        set_part(pdf, part)
    return bytes(pdf.output())


def set_part(pdf: HandbookPdf, part: Part) -> None:
    """Set one part at the current place of the page."""
    if part.kind in {"title", "heading"}:
        # A heading must not stand alone at the foot of a page.
        if pdf.will_page_break(30):
            pdf.add_page()
        pdf.start_section(part.text, level=0 if part.kind == "title" else 1)
        return
    pdf.set_font("helvetica", size=10)
    if part.kind == "table":
        with pdf.table(line_height=5.5, text_align="LEFT", headings_style=FontFace(emphasis="BOLD")) as table:
            for cells in part.rows:
                table.row(cells)
    else:
        for number, (line,) in enumerate(part.rows, 1):
            mark = {"bullets": "- ", "numbers": f"{number}. "}.get(part.kind, "")
            pdf.multi_cell(0, 5, mark + line, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    pdf.ln(2.5)


def make_docx(parts: list[Part]) -> bytes:
    """Write PARTS as a Word document with real headings, lists and tables."""
    document = Document()
    document.styles["Normal"].font.size = Pt(10.5)
    properties = document.core_properties
    properties.title, properties.author, properties.comments = parts[0].text, COMPANY, ""
    properties.created = properties.modified = CREATED
    properties.last_modified_by = COMPANY
    for part in parts:
        add_part(document, part)
    buffer = io.BytesIO()
    document.save(buffer)
    return fix_dates(buffer.getvalue())


def add_part(document: DocxDocument, part: Part) -> None:
    """Append one part to DOCUMENT."""
    if part.kind == "table":
        table = document.add_table(rows=0, cols=len(part.rows[0]), style="Table Grid")
        for cells in part.rows:
            for cell, text in zip(table.add_row().cells, cells, strict=True):
                cell.text = text
        document.add_paragraph()
    elif part.kind in {"title", "heading"}:
        document.add_heading(part.text, level=1 if part.kind == "title" else 2)
    else:
        style = {"bullets": "List Bullet", "numbers": "List Number"}.get(part.kind)
        for (line,) in part.rows:
            document.add_paragraph(line, style=style)


def fix_dates(data: bytes) -> bytes:
    """Pack a ZIP file anew with one fixed date."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            entry = zipfile.ZipInfo(name, date_time=CREATED.timetuple()[:6])
            entry.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(entry, old.read(name))
    return buffer.getvalue()


def make_handbook(target: Path = TARGET) -> list[Path]:
    """Write every PDF and DOCX file to TARGET and name them."""
    made = []
    for names, suffix, make in ((PDFS, ".pdf", make_pdf), (DOCXS, ".docx", make_docx)):
        for name in names:
            path = target / f"{name}{suffix}"
            path.write_bytes(make(list(read_parts((SOURCES / f"{name}.md").read_text("utf-8")))))
            made.append(path)
    return made


if __name__ == "__main__":
    for written in make_handbook(*map(Path, sys.argv[1:2])):
        print(f"{written} ({written.stat().st_size:,} bytes)")
