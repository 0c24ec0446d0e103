"""Read web pages."""

import re
from collections.abc import Iterator

from lxml import etree

from core.documents import Block, BlockKind, ReadDocument
from core.errors import UnreadableDocument
from ingest.readers.charset import decode
from ingest.readers.limits import bounded, is_out_of_memory
from ingest.readers.names import sensible_title, title_from_name
from ingest.readers.rows import table_rows

_STATED_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w:.-]{1,40})", re.IGNORECASE)


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# Not part of what a page says: programs, navigation, forms, and what a browser draws but does not write.
_DROPPED_TAGS = _set(
    "script style template noscript nav footer aside iframe object embed applet svg canvas audio video map "
    "button select option optgroup datalist input textarea dialog menu head"
)
_DROPPED_ROLES = _set("navigation contentinfo complementary search menu menubar dialog alertdialog")
_HIDING_STYLE = re.compile(
    r"display:none|visibility:(?:hidden|collapse)|font-size:0(?:\.0+)?(?:[a-z%]*)(?:;|!|$)|opacity:0(?:\.0+)?(?:;|!|$)"
)
_WHITE = r"(?:white|#fff(?:fff)?|rgb\(255,255,255\))"
_WHITE_TEXT = re.compile(rf"(?:^|;)color:{_WHITE}(?:;|!|$)")
_WHITE_GROUND = re.compile(rf"(?:^|;)background(?:-color)?:{_WHITE}(?:;|!|$)")

_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_BREAKING = _set(
    "address article blockquote body caption center dd details div dl dt fieldset figcaption figure form header hgroup "
    "hr html legend li main ol p section summary table tbody td tfoot th thead tr ul"
)


def read(data: bytes, name: str) -> ReadDocument:
    """Read headings, paragraphs, list items, table rows and code of the part of the page that is its content."""
    stated = _STATED_CHARSET.search(data[:4096])
    text = decode(data, stated[1].decode("ascii", "replace") if stated else None)
    root = _parse(text)
    if root is None:
        return ReadDocument(title_from_name(name), ())
    title = sensible_title(next((_words(element) for element in root.iter("title")), ""))
    _drop_unseen(root)
    content = _content(root)
    blocks = bounded(_blocks(content))
    heading = next((block.text for block in blocks if block.kind is BlockKind.HEADING and block.level == 1), "")
    return ReadDocument(title or sensible_title(heading) or title_from_name(name), blocks)


def _parse(text: str) -> "etree._Element | None":
    # NUL ends a document for libxml2; lone surrogates cannot be encoded.
    encoded = text.replace("\0", "").encode("utf-8", "replace")
    parser = etree.HTMLParser(encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True)
    try:
        return etree.fromstring(encoded, parser)
    except etree.XMLSyntaxError as error:
        if is_out_of_memory(error):
            raise MemoryError from error
        if not encoded.strip() or "empty" in str(error):
            return None
        raise UnreadableDocument("it is too damaged to read as a web page; save it again from the browser") from error


def _drop_unseen(root: "etree._Element") -> None:
    for element in [found for found in root.iter(etree.Element) if _is_unseen(found)]:
        parent = element.getparent()
        if parent is None:
            continue
        if element.tail:
            before = element.getprevious()
            if before is None:
                parent.text = (parent.text or "") + element.tail
            else:
                before.tail = (before.tail or "") + element.tail
        parent.remove(element)


def _is_unseen(element: "etree._Element") -> bool:
    if element.tag in _DROPPED_TAGS or element.get("hidden") is not None or element.get("aria-hidden") == "true":
        return True
    if element.get("role", "").lower() in _DROPPED_ROLES:
        return True
    style = "".join(element.get("style", "").lower().split())
    if not style:
        return False
    return bool(_HIDING_STYLE.search(style) or (_WHITE_TEXT.search(style) and _WHITE_GROUND.search(style)))


def _content(root: "etree._Element") -> "etree._Element":
    """Choose the main or article element where it holds most of the text."""
    whole = _text_chars(root)
    for tag in ("main", "article"):
        candidates = list(root.iter(tag))
        if len(candidates) == 1 and _text_chars(candidates[0]) > 0.5 * whole:
            return candidates[0]
    return root


def _text_chars(element: "etree._Element") -> int:
    return sum(len(text.strip()) for text in element.itertext())


def _words(element: "etree._Element") -> str:
    """Write all the words of an element on one line; words of neighbouring blocks are kept apart."""
    parts = []
    for event, inner in etree.iterwalk(element, events=("start", "end")):
        apart = " " if inner.tag in _BREAKING or inner.tag in _HEADINGS or inner.tag in {"br", "pre"} else ""
        if event == "start":
            parts += [apart, _opening(inner)]
        elif inner is not element:
            parts += [apart, inner.tail or ""]
    return " ".join("".join(parts).split())


def blocks_of(markup: str) -> Iterator[Block]:
    """Read a piece of HTML, as found inside other formats."""
    root = _parse(markup)
    if root is not None:
        _drop_unseen(root)
        yield from _blocks(root)


def _blocks(content: "etree._Element") -> Iterator[Block]:
    run = _Run()
    walk = etree.iterwalk(content, events=("start", "end"))
    for event, element in walk:
        if event == "end":
            yield from run.close(element.tag)
            if element is not content:
                run.texts.append(element.tail or "")
        elif element.tag == "pre" or (element.tag == "table" and _is_data(element)):
            yield from run.flush()
            yield from _code(element) if element.tag == "pre" else _table(element)
            walk.skip_subtree()
        else:
            yield from run.open(element)
    yield from run.flush()


class _Run:
    """Text gathered since the last block ended, and what kind of block it will be."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._kind = BlockKind.PARAGRAPH
        self._level = 0
        self._open_items = 0

    def flush(self) -> Iterator[Block]:
        text = " ".join("".join(self.texts).split())
        self.texts.clear()
        if text:
            yield Block(self._kind, text, self._level)

    def open(self, element: "etree._Element") -> Iterator[Block]:
        if element.tag in _BREAKING or element.tag in _HEADINGS:
            yield from self.flush()
        if element.tag in _HEADINGS:
            self._kind, self._level = BlockKind.HEADING, _HEADINGS[element.tag]
        elif element.tag == "li":
            self._open_items += 1
            self._kind, self._level = BlockKind.ITEM, 0
        self.texts.append(_opening(element))

    def close(self, tag: str) -> Iterator[Block]:
        if tag not in _BREAKING and tag not in _HEADINGS:
            return
        yield from self.flush()
        self._open_items -= tag == "li"
        if tag in _HEADINGS or tag == "li":
            self._kind, self._level = (BlockKind.ITEM if self._open_items else BlockKind.PARAGRAPH), 0


def _opening(element: "etree._Element") -> str:
    """Write what stands before an element's first child."""
    if element.tag == "br":
        return " "
    return element.get("alt", "") if element.tag == "img" else element.text or ""


def _code(element: "etree._Element") -> Iterator[Block]:
    for line_break in element.iter("br"):
        line_break.tail = "\n" + (line_break.tail or "")
    yield Block(BlockKind.CODE, "".join(map(str, element.itertext())).strip("\n"))


def _is_data(table: "etree._Element") -> bool:
    """Tell a table of data from one that only lays out a page."""
    laid_out = next(table.iterdescendants("table", *_HEADINGS), None) is not None
    return not laid_out and table.get("role") not in {"presentation", "none"}


def _table(table: "etree._Element") -> Iterator[Block]:
    for caption in table.iter("caption"):
        yield Block(BlockKind.PARAGRAPH, _words(caption))
    rows = [row for row in table.iter("tr") if len(row)]
    if rows:
        marked = all(cell.tag == "th" for cell in rows[0]) or next(rows[0].iterancestors(), table).tag == "thead"
        yield from table_rows(list(_grid(rows)), has_header=marked or None)


def _grid(rows: "list[etree._Element]") -> Iterator[list[str]]:
    """Write the rows with cells that span several rows or columns repeated in each."""
    hanging: dict[int, tuple[int, str]] = {}  # by column: how many more rows the cell above reaches, and its text
    for row in rows:
        line: list[str] = []
        for cell in row.iterchildren("td", "th"):
            _hang(line, hanging)
            text, below = _words(cell), _span(cell, "rowspan") - 1
            for _ in range(_span(cell, "colspan")):
                if below:
                    hanging[len(line)] = (below, text)
                line.append(text)
        _hang(line, hanging)
        yield line


def _hang(line: list[str], hanging: dict[int, tuple[int, str]]) -> None:
    while len(line) in hanging:
        below, text = hanging.pop(len(line))
        if below > 1:
            hanging[len(line)] = (below - 1, text)
        line.append(text)


def _span(cell: "etree._Element", attribute: str) -> int:
    stated = cell.get(attribute, "1")
    return min(max(int(stated), 1), 100) if stated.isascii() and stated.isdigit() and len(stated) < 6 else 1
