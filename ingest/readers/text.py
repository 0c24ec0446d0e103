"""Read plain text."""

import re
from collections.abc import Iterator

from core.documents import Block, BlockKind, ReadDocument
from core.sentences import starts_item
from ingest.readers.charset import decode
from ingest.readers.limits import bounded
from ingest.readers.names import title_from_name

_EMPTY_LINES = re.compile(r"\n[^\S\n]*\n\s*")
_UNDERLINE = re.compile(r"(?P<mark>[=\-~*#])(?P=mark){2,}")


def read(data: bytes, name: str) -> ReadDocument:
    """Read paragraphs set apart by empty lines; underlined lines are headings."""
    text = decode(data).replace("\r\n", "\n").replace("\r", "\n")
    blocks = (block for paragraph in _EMPTY_LINES.split(text) for block in _blocks(paragraph))
    return ReadDocument(title_from_name(name), bounded(blocks))


def _blocks(paragraph: str) -> Iterator[Block]:
    lines = paragraph.strip().split("\n")
    if len(lines) > 1 and _UNDERLINE.fullmatch(lines[1].strip()):
        yield Block(BlockKind.HEADING, lines[0], level=1 if lines[1].strip()[0] == "=" else 2)
        lines = lines[2:]
    gathered: list[str] = []
    for line in lines:
        if starts_item(line.lstrip()) and gathered:
            yield _block(gathered)
            gathered = []
        gathered.append(line)
    if gathered:
        yield _block(gathered)


def _block(lines: list[str]) -> Block:
    kind = BlockKind.ITEM if starts_item(lines[0].lstrip()) else BlockKind.PARAGRAPH
    return Block(kind, "\n".join(lines))
