"""Read Word documents straight from their XML (ECMA-376 part 1, chapter 17)."""

from collections.abc import Iterator

from lxml import etree

from core.documents import Block, BlockKind, ReadDocument
from ingest.readers.docx_package import Package
from ingest.readers.docx_styles import Style, W, heading_level, is_on, number, read_styles, value
from ingest.readers.limits import bounded
from ingest.readers.names import best_title, sensible_title
from ingest.readers.rows import table_rows

_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_TITLE = "{http://purl.org/dc/elements/1.1/}title"
_WORDS = (f"{W}t", "{http://schemas.openxmlformats.org/officeDocument/2006/math}t")
_INSTEAD = {f"{W}tab": " ", f"{W}br": "\n", f"{W}cr": "\n", f"{W}noBreakHyphen": "-", f"{W}ptab": " "}


def _set(names: str) -> frozenset[str]:
    return frozenset(f"{W}{name}" for name in names.split())


# What was moved away or deleted, readings above words, and properties.
_SKIPPED = _set("del moveFrom rt pPr rPr tblPr trPr tcPr sectPr sdtPr sdtEndPr instrText delText")
_CONTAINERS = _set("sdt sdtContent ins moveTo customXml smartTag body")


def read(data: bytes, name: str) -> ReadDocument:
    """Read headings, paragraphs, list items and table rows; deleted and hidden text and page headers are left out."""
    package = Package(data)
    document = package.document()
    reader = _Reader(read_styles(package.related("styles")), _notes(package))
    blocks = bounded(reader.body(document))
    core = package.core_properties()
    stated = sensible_title(core.findtext(_TITLE)) if core is not None else ""
    return ReadDocument(best_title(stated or sensible_title(reader.title), name, blocks), blocks)


def _notes(package: Package) -> dict[str, "etree._Element"]:
    """Map the id of each footnote and endnote to it."""
    notes: dict[str, etree._Element] = {}
    for kind in ("footnote", "endnote"):
        part = package.related(f"{kind}s")
        for note in () if part is None else part.iterchildren(f"{W}{kind}"):
            if note.get(f"{W}type") is None:  # the others are lines that separate
                notes[f"{kind}{note.get(f'{W}id')}"] = note
    return notes


class _Reader:
    """Turns elements into blocks; knows the styles, the notes and the title found so far."""

    def __init__(self, styles: dict[str, Style], notes: dict[str, "etree._Element"]) -> None:
        self.title = ""
        self._styles = styles
        self._notes = notes
        self._boxes: list[etree._Element] = []  # text boxes met in the paragraph being read
        self._cited: list[str] = []  # notes met in it

    def body(self, document: "etree._Element") -> Iterator[Block]:
        bodies = document.iterchildren(f"{W}body")
        for body in bodies:
            yield from self._children(body)

    def _children(self, container: "etree._Element") -> Iterator[Block]:
        for element in container.iterchildren(etree.Element):
            if element.tag == f"{W}p":
                yield from self._paragraph(element)
            elif element.tag == f"{W}tbl":
                yield from self._table(element)
            elif element.tag in _CONTAINERS and not _is_contents_list(element):
                yield from self._children(element)
            elif element.tag == f"{_MC}AlternateContent":
                yield from self._children(_choice(element))

    def _paragraph(self, paragraph: "etree._Element") -> Iterator[Block]:
        properties = paragraph.find(f"{W}pPr")
        style = self._styles.get(value(properties, "pStyle"), Style())
        self._boxes, self._cited = [], []
        text = "" if style.hidden else "".join(self._texts(paragraph))
        boxes, cited = self._boxes, self._cited
        level = heading_level(properties, style)
        if style.is_title and text.strip():
            self.title = self.title or text.strip()
            level = 1
        if level:
            yield Block(BlockKind.HEADING, " ".join(text.split()), level)
        elif text.strip():
            yield Block(BlockKind.ITEM if _is_item(properties, style) else BlockKind.PARAGRAPH, text)
        for box in boxes:
            yield from self._children(box)
        for note in cited:
            if note in self._notes:
                yield from self._children(self._notes.pop(note))

    def _texts(self, parent: "etree._Element") -> Iterator[str]:
        """Write the words below PARENT in order; text boxes and notes are put aside for after the paragraph."""
        for element in parent.iterchildren(etree.Element):
            tag = element.tag
            if tag in _WORDS:
                yield element.text or ""
            elif tag in _INSTEAD:
                yield _INSTEAD[tag]
            elif tag == f"{W}txbxContent":
                self._boxes.append(element)
            elif tag in {f"{W}footnoteReference", f"{W}endnoteReference"}:
                self._cited.append(f"{tag[len(W) : -len('Reference')]}{element.get(f'{W}id')}")
            elif tag == f"{_MC}AlternateContent":
                yield from self._texts(_choice(element))
            elif tag not in _SKIPPED and not (tag == f"{W}r" and self._is_hidden(element)):
                yield from self._texts(element)

    def _is_hidden(self, run: "etree._Element") -> bool:
        properties = run.find(f"{W}rPr")
        if properties is None:
            return False
        stated = properties.find(f"{W}vanish")
        if stated is not None:
            return is_on(stated)
        return self._styles.get(value(properties, "rStyle"), Style()).hidden

    def _table(self, table: "etree._Element") -> Iterator[Block]:
        rows = list(_descendants(table, "tr"))
        cells = [list(_descendants(row, "tc")) for row in rows]
        if max(map(len, cells), default=0) <= 1:  # a frame around text, not data
            for row in cells:
                for cell in row:
                    yield from self._children(cell)
            return
        marked = bool(rows) and rows[0].find(f"{W}trPr/{W}tblHeader") is not None
        yield from table_rows(list(self._grid(cells)), has_header=marked or None)

    def _grid(self, rows: "list[list[etree._Element]]") -> Iterator[list[str]]:
        """Write the rows; a cell that spans columns or rows is repeated in each."""
        above: list[str] = []
        for row in rows:
            line: list[str] = []
            for cell in row:
                properties = cell.find(f"{W}tcPr")
                merged = properties.find(f"{W}vMerge") if properties is not None else None
                if merged is not None and merged.get(f"{W}val", "continue") == "continue" and len(line) < len(above):
                    text = above[len(line)]
                else:
                    text = " ".join(block.text for block in self._children(cell))
                line += [text] * number(value(properties, "gridSpan"), 1, 100)
            yield line
            above = line


def _descendants(parent: "etree._Element", name: str) -> "Iterator[etree._Element]":
    """Find the rows of a table or the cells of a row, also inside content controls."""
    for element in parent.iterchildren(etree.Element):
        if element.tag == f"{W}{name}":
            if element.find(f"{W}trPr/{W}del") is None:
                yield element
        elif element.tag in _CONTAINERS:
            yield from _descendants(element, name)


def _choice(alternatives: "etree._Element") -> "etree._Element":
    """Choose one of the two forms Word writes of the same thing: the newer one where it holds words."""
    choices = [*alternatives.iterchildren(f"{_MC}Choice"), *alternatives.iterchildren(f"{_MC}Fallback")]
    return next((form for form in choices if next(form.iter(*_WORDS), None) is not None), alternatives)


def _is_contents_list(element: "etree._Element") -> bool:
    gallery = element.find(f"{W}sdtPr/{W}docPartObj/{W}docPartGallery")
    return gallery is not None and gallery.get(f"{W}val") == "Table of Contents"


def _is_item(properties: "etree._Element | None", style: Style) -> bool:
    numbered = properties.find(f"{W}numPr") if properties is not None else None
    return style.is_item if numbered is None else value(numbered, "numId") != "0"
