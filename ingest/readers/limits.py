"""Bound what a reader takes and returns."""

from collections.abc import Iterable
from typing import Any, cast

from lxml import etree

from core.documents import Block
from core.errors import UnreadableDocument

MOST_CHARS = 5_000_000
MOST_BLOCKS = 200_000


def bounded(blocks: Iterable[Block]) -> tuple[Block, ...]:
    """Collect BLOCKS that hold text; raises UnreadableDocument when there are too many or they are too long."""
    kept: list[Block] = []
    chars = 0
    for block in blocks:
        if not block.text.strip():
            continue
        kept.append(block)
        chars += len(block.text)
        if chars > MOST_CHARS or len(kept) > MOST_BLOCKS:
            raise UnreadableDocument(
                f"it holds more than {MOST_CHARS:,} characters or {MOST_BLOCKS:,} paragraphs; split it"
            )
    return tuple(kept)


def is_out_of_memory(error: etree.XMLSyntaxError) -> bool:
    """Tell a parser that ran out of memory from a document that is damaged."""
    return bool(cast("Any", error).code == etree.ErrorTypes.ERR_NO_MEMORY)
