"""Make paragraphs, items and headings of the lines of a PDF's pages."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from core.documents import Block, BlockKind
from core.sentences import starts_item

_HYPHENATED = re.compile(r"[^\W\d_]+-[^\W\d_]+")
_WORD_BEFORE = re.compile(r"(?<![\w-])[^\W\d_]+-$")
_WORD_AFTER = re.compile(r"[^\W\d_]+")
_LEADER = re.compile(r"(?:\. ?){4}")  # the dots of a table of contents
_FIGURES = re.compile(r"\d+")
_LONGEST_HEADING_CHARS = 120
_LARGER = 1.15  # how much larger than body text a heading's letters are
_MOST_LEVELS = 4
_FULL = 0.75  # of the usual length: a shorter line ends its paragraph
_WIDE_GAP = 1.4  # of the usual gap between lines: a wider one ends a paragraph
_RUNNING_SHARE = 0.6  # of the pages: a first or last line on so many is a running header or footer
_MOST_DROPPED = 0.005  # of all characters: running lines beyond that are more likely content


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a page."""

    text: str
    page: int
    size: float = 0.0  # of its letters in points; 0 where it is not known
    height: float = 0.0  # above the page's lower edge in points


def drop_running_lines(pages: Sequence[Sequence[Line]]) -> list[Line]:
    """Leave out headers and footers that stand on most pages, page numbers aside, unless that is a lot of text."""
    edges = [_edges(page) for page in pages]
    seen = Counter(key for page in edges for key in {_key(line) for line in page})
    least = max(3, _RUNNING_SHARE * len(pages))
    running = [{id(line) for line in page if seen[_key(line)] >= least} for page in edges]
    total = sum(len(line.text) for page in pages for line in page)
    dropped = sum(len(line.text) for page, ids in zip(pages, running, strict=True) for line in page if id(line) in ids)
    if dropped > _MOST_DROPPED * total:
        return [line for page in pages for line in page]
    return [line for page, ids in zip(pages, running, strict=True) for line in page if id(line) not in ids]


def _edges(page: Sequence[Line]) -> list[Line]:
    filled = [line for line in page if line.text]
    return [*filled[:1], *filled[1:][-1:]]


def _key(line: Line) -> str:
    return _FIGURES.sub("0", line.text)


def to_blocks(lines: Sequence[Line]) -> Iterator[Block]:
    """Join wrapped lines, tell headings by the size of their letters and items by their bullets."""
    look = _Look(lines)
    gathered: list[Line] = []
    for line in lines:
        if gathered and not look.continues(gathered, line):
            yield look.block(gathered)
            gathered = []
        if line.text:
            gathered.append(line)
    if gathered:
        yield look.block(gathered)


class _Look:
    """What is usual in one document: letter size, line length, gap between lines, and the sizes of its headings."""

    def __init__(self, lines: Sequence[Line]) -> None:
        chars: Counter[float] = Counter()
        for line in lines:
            chars[line.size] += len(line.text)
        self._body_size = max(chars, key=chars.__getitem__, default=0.0)
        body = [line for line in lines if line.size == self._body_size and line.text]
        lengths = sorted(len(line.text) for line in body)
        self._length = lengths[int(0.9 * len(lengths))] if lengths else 0
        gaps = [a.height - b.height for a, b in pairwise(body) if a.page == b.page and a.height > b.height]
        self._gap = median(gaps) if gaps else 0.0
        self._hyphenated = {word.lower() for line in lines for word in _HYPHENATED.findall(line.text)}
        larger = (line.size for line in lines if self._is_heading(line))
        sizes = sorted({round(size) for size in larger}, reverse=True)
        self._levels = {size: min(level, _MOST_LEVELS) for level, size in enumerate(sizes, 1)}

    def _is_heading(self, line: Line) -> bool:
        return (
            0 < self._body_size * _LARGER <= line.size
            and len(line.text) <= _LONGEST_HEADING_CHARS
            and sum(character.isalpha() for character in line.text) > len(line.text) / 2
        )

    def continues(self, before: Sequence[Line], line: Line) -> bool:
        """Say whether LINE goes on with what the lines BEFORE it began."""
        last = before[-1]
        if not line.text or line.page != last.page:
            return False
        gap = last.height - line.height
        if self._is_heading(last) or self._is_heading(line):
            same = self._is_heading(last) and self._is_heading(line) and line.size == last.size
            return same and 0 < gap <= _WIDE_GAP * last.size
        if starts_item(line.text) or _LEADER.search(last.text) or (self._gap > 0 and gap > _WIDE_GAP * self._gap):
            return False
        return line.text[0].islower() or len(last.text) >= _FULL * self._length

    def block(self, lines: Sequence[Line]) -> Block:
        """Make one block of lines that belong together."""
        text = _unwrap([line.text for line in lines], self._hyphenated)
        page = lines[0].page
        if self._is_heading(lines[0]):
            return Block(BlockKind.HEADING, text, self._levels[round(lines[0].size)], page)
        return Block(BlockKind.ITEM if starts_item(text) else BlockKind.PARAGRAPH, text, page=page)


def _unwrap(lines: Sequence[str], hyphenated: Collection[str]) -> str:
    """Join lines with spaces; a word cut by a line end is made whole, with its hyphen where HYPHENATED knows it so."""
    joined = lines[0]
    for line in lines[1:]:
        before, after = _WORD_BEFORE.search(joined[-50:]), _WORD_AFTER.match(line)
        if before and after and after[0][0].islower():
            keep = f"{before[0]}{after[0]}".lower() in hyphenated
            joined = f"{joined if keep else joined[:-1]}{line}"
        else:
            joined = f"{joined} {line}"
    return joined
