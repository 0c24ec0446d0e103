"""Write table rows as text that can be read without the table."""

import re
from collections.abc import Iterator, Sequence

from core.documents import Block, BlockKind

LONGEST_CELL_CHARS = 10_000
_LONGEST_HEADER_CHARS = 80
_NUMBER = re.compile(r"[\s\d.,:/%$€£+()-]*\d[\s\d.,:/%$€£+()-]*")


def row_text(header: Sequence[str], cells: Sequence[str]) -> str:
    """Join a row as "Header: value; Header: value"; empty cells are left out."""
    parts: list[str] = []
    for index, cell in enumerate(cells):
        value = " ".join(cell.split())[:LONGEST_CELL_CHARS]
        name = " ".join(header[index].split()).rstrip(":") if index < len(header) else ""
        part = f"{name}: {value}" if name and name != value else value
        if value and part not in parts[-1:]:  # a cell over several columns is said once
            parts.append(part)
    return "; ".join(parts)


def table_rows(rows: Sequence[Sequence[str]], *, has_header: bool | None = None) -> Iterator[Block]:
    """Write a table as ROW blocks; HAS_HEADER None lets the first row decide by its looks."""
    filled = [row for row in rows if any(cell.strip() for cell in row)]
    if not filled:
        return
    if has_header is None:
        has_header = looks_like_header(filled)
    header = filled[0] if has_header else ()
    for row in filled[1:] if has_header and len(filled) > 1 else filled:
        yield Block(BlockKind.ROW, row_text(header, row))


def looks_like_header(rows: Sequence[Sequence[str]]) -> bool:
    """Say whether the first row names the columns: short, distinct, without figures, over other rows."""
    first = [cell.strip() for cell in rows[0]]
    if len(rows) < 2 or len(first) < 2:
        return False
    named = [cell for cell in first if cell]
    return (
        len(named) >= len(first) - 1  # the corner may be empty
        and len(set(named)) == len(named)
        and all(len(cell) <= _LONGEST_HEADER_CHARS and not _NUMBER.fullmatch(cell) for cell in named)
    )
