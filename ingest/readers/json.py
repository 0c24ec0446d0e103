"""Read JSON and JSON Lines."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from core.documents import Block, BlockKind, ReadDocument
from core.errors import UnreadableDocument
from ingest.readers.charset import decode
from ingest.readers.limits import bounded
from ingest.readers.names import sensible_title, title_from_name

_DEEPEST = 100
_LONGEST_ROW_CHARS = 1_000
_TITLE_KEYS = ("title", "name")


def read(data: bytes, name: str) -> ReadDocument:
    """Read each record as "path: value; path: value".

    A record is an element of the top list or of a list in the top object, or a nested object.
    """
    text = decode(data)
    document = _parse_lines(text) if name.lower().endswith((".jsonl", ".ndjson")) else _parse(text)
    title = title_from_name(name)
    if isinstance(document, dict):
        titles = (sensible_title(document[key]) for key in _TITLE_KEYS if isinstance(document.get(key), str))
        title = next(filter(None, titles), title)
    return ReadDocument(title, bounded(_rows(document)))


def _parse(text: str) -> Any:
    try:
        # Numbers stay as they are written: 1.10 is not 1.1, and no number is too long.
        return json.loads(text, parse_int=str, parse_float=str, parse_constant=str)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data" and error.lineno > 1:
            return _parse_lines(text)
        raise UnreadableDocument(
            f"it is not valid JSON at line {error.lineno}, column {error.colno}: {error.msg}"
        ) from error
    except RecursionError as error:
        raise _too_deep() from error


def _parse_lines(text: str) -> list[Any]:
    records = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            records.append(json.loads(line, parse_int=str, parse_float=str, parse_constant=str))
        except json.JSONDecodeError as error:
            raise UnreadableDocument(
                f"it is not valid JSON at line {number}, column {error.colno}: {error.msg}"
            ) from error
        except RecursionError as error:
            raise _too_deep() from error
    return records


def _too_deep() -> UnreadableDocument:
    return UnreadableDocument(f"its values are nested deeper than {_DEEPEST} levels; flatten it")


def _rows(document: Any) -> Iterator[Block]:
    for record in _records(document):
        row = ""
        for pair in _pairs(record):
            if row and len(row) + len(pair) > _LONGEST_ROW_CHARS:
                yield Block(BlockKind.ROW, row)
                row = ""
            row = f"{row}; {pair}" if row else pair
        yield Block(BlockKind.ROW, row)


def _records(document: Any) -> Iterator[Any]:
    """Cut the document: list elements one by one, an object's plain values together and its nested ones each alone."""
    if isinstance(document, list):
        yield from document
    elif isinstance(document, dict):
        yield {key: value for key, value in document.items() if not isinstance(value, list | dict)}
        for key, value in document.items():
            if isinstance(value, list):
                yield from ({key: element} for element in value)
            elif isinstance(value, dict):
                yield {key: value}
    else:
        yield document


def _pairs(record: Any) -> Iterator[str]:
    """Walk RECORD in its order, without recursion, and write each plain value with the path to it."""
    waiting: list[tuple[tuple[str, ...], int, Any]] = [((), 0, record)]
    while waiting:
        path, depth, value = waiting.pop()
        if depth > _DEEPEST:
            raise _too_deep()
        if isinstance(value, dict):
            waiting.extend(((*path, key), depth + 1, value[key]) for key in reversed(value))
        elif isinstance(value, list) and not _is_plain(value):
            waiting.extend((path, depth + 1, element) for element in reversed(value))
        elif text := _plain(value):
            yield f"{' '.join('.'.join(path).split())}: {text}" if path else text


def _is_plain(values: Iterable[Any]) -> bool:
    return not any(isinstance(value, list | dict) for value in values)


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(filter(None, map(_plain, value)))
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " ".join(str(value).split())
