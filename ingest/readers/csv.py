"""Read comma-, semicolon-, tab- and pipe-separated tables (RFC 4180 and its relatives)."""

import csv
import io
from collections import Counter
from itertools import islice

from core.documents import ReadDocument
from core.errors import UnreadableDocument
from ingest.readers.charset import decode
from ingest.readers.limits import bounded
from ingest.readers.names import title_from_name
from ingest.readers.rows import LONGEST_CELL_CHARS, table_rows

_DELIMITERS = ",;\t|"
_LONGEST_FIELD_CHARS = 10_000_000  # what the parser accepts; a cell is cut to LONGEST_CELL_CHARS after it


def read(data: bytes, name: str) -> ReadDocument:
    """Read each row as "Header: value; Header: value"."""
    text = decode(data)
    first, _, rest = text.partition("\n")
    if first.lower().startswith("sep=") and len(first.strip()) == 5:  # a hint that spreadsheet programs write
        delimiter, text = first.strip()[4], rest
    else:
        delimiter = _delimiter(text)
    csv.field_size_limit(_LONGEST_FIELD_CHARS)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        rows = [[cell[:LONGEST_CELL_CHARS] for cell in row] for row in reader]
    except csv.Error as error:
        raise UnreadableDocument(
            f"line {reader.line_num} is not a valid row: {error}; export the table again"
        ) from error
    return ReadDocument(title_from_name(name), bounded(table_rows(rows)))


def _delimiter(text: str) -> str:
    """Choose the delimiter that cuts the first rows into the same number of columns most often."""
    sample = text[:65_536]
    best, best_score = ",", (0, 0)
    for delimiter in _DELIMITERS:
        try:
            rows = [row for row in islice(csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter), 50) if row]
        except csv.Error:
            continue
        widths = Counter(len(row) for row in rows if len(row) > 1)
        if widths:
            width, count = widths.most_common(1)[0]
            best, best_score = max((best, best_score), (delimiter, (count, width)), key=lambda choice: choice[1])
    return best
