"""Read Markdown (CommonMark with tables) and the title of its front matter."""

import re
from collections.abc import Iterator, Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token

from core.documents import Block, BlockKind, ReadDocument
from ingest.readers.charset import decode
from ingest.readers.html import blocks_of
from ingest.readers.limits import bounded
from ingest.readers.names import sensible_title, title_from_name
from ingest.readers.rows import table_rows

_FRONT_MATTER = re.compile(
    r"\A(?:---|\+\+\+)[^\S\n]*\n(?P<fields>.*?\n)??(?:---|\+\+\+|\.\.\.)[^\S\n]*(?:\n|\Z)", re.DOTALL
)
_TITLE_FIELD = re.compile(r"^title\s*[:=]\s*(?P<title>.+)$", re.MULTILINE | re.IGNORECASE)


def read(data: bytes, name: str) -> ReadDocument:
    """Read headings, paragraphs, list items, table rows and code; markup and inline HTML are left out."""
    text = decode(data).replace("\r\n", "\n").replace("\r", "\n")
    title = ""
    if front := _FRONT_MATTER.match(text):
        text = text[front.end() :]
        field = _TITLE_FIELD.search(front["fields"] or "")
        title = sensible_title(field["title"].strip().strip("\"'")) if field else ""
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    blocks = bounded(_blocks(tokens))
    heading = next((block.text for block in blocks if block.kind is BlockKind.HEADING and block.level == 1), "")
    return ReadDocument(title or sensible_title(heading) or title_from_name(name), blocks)


def _blocks(tokens: Sequence[Token]) -> Iterator[Block]:
    inside = [(BlockKind.PARAGRAPH, 0)]  # the innermost heading or list item: its kind and level
    rows: list[list[str]] = []
    for token in tokens:
        match token.type:
            case "heading_open":
                inside.append((BlockKind.HEADING, int(token.tag[1])))
            case "list_item_open":
                inside.append((BlockKind.ITEM, 0))
            case "heading_close" | "list_item_close":
                inside.pop()
            case "tr_open":
                rows.append([])
            case "inline" if rows:
                rows[-1].append(_inline(token))
            case "table_close":
                yield from table_rows(rows, has_header=True)
                rows = []
            case _:
                yield from _block(token, *inside[-1])


def _block(token: Token, kind: BlockKind, level: int) -> Iterator[Block]:
    match token.type:
        case "inline":
            yield Block(kind, _inline(token), level)
        case "fence" | "code_block":
            yield Block(BlockKind.CODE, token.content)
        case "html_block":
            yield from blocks_of(token.content)


def _inline(token: Token) -> str:
    """Write the words of a run of text: of links their text, of images their alternative text."""
    parts = []
    for child in token.children or ():
        match child.type:
            case "text" | "code_inline" | "image":
                parts.append(child.content)
            case "softbreak" | "hardbreak":
                parts.append("\n")
            case "html_inline" if child.content.lower().startswith("<br"):
                parts.append("\n")
    return "".join(parts)
