"""Cut a document into chunks small enough to embed and to quote."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from core.documents import Block, BlockKind, Chunk, ReadDocument
from core.ranking import context
from core.sentences import ends_sentence, is_heading_line, paragraphs, starts_item

TokenCounter = Callable[[str], int]

_LONGEST_WORD_CHARS = 20
_HEADINGS_IN_A_ROW = 3


@dataclass(frozen=True, slots=True)
class SplitLimits:
    """How large a chunk may be; found by experiment, see bench/offline_retrieval.py."""

    words: int = 120
    tokens: int = 254  # what MiniLM reads of 256, its two special tokens aside; the title counts
    overlap_words: int = 48  # the last sentence is repeated in the next chunk unless it is longer
    section_words: int = 8  # a shorter section shares a chunk with the one after it


@dataclass(frozen=True, slots=True)
class _Unit:
    """What is never cut: a sentence, an item, a row, a code block, a heading."""

    text: str
    kind: BlockKind
    page: int | None
    words: int
    tokens: int
    level: int = 0
    line: int = 0  # units of one line of the running text are joined by a space

    @property
    def is_heading(self) -> bool:
        return self.kind is BlockKind.HEADING or (self.kind is BlockKind.PARAGRAPH and is_heading_line(self.text))


@dataclass(slots=True)
class _Filling:
    """The chunk being filled, and how much it may still take."""

    path: tuple[str, ...]
    words: int
    tokens: int
    units: list[_Unit] = field(default_factory=list)

    def add(self, unit: _Unit) -> None:
        self.units.append(unit)
        self.words -= unit.words
        self.tokens -= unit.tokens

    def fits(self, unit: _Unit) -> bool:
        return not self.units or (unit.words <= self.words and unit.tokens <= self.tokens)

    def last_headings(self) -> list[_Unit]:
        """Find the lines at the end that look like headings of what comes next."""
        start = len(self.units)
        while start > 1 and len(self.units) - start < _HEADINGS_IN_A_ROW and self.units[start - 1].is_heading:
            start -= 1
        return self.units[start:]

    def drop(self, last: Sequence[_Unit]) -> None:
        del self.units[len(self.units) - len(last) :]


def indexed_text(title: str, chunk: Chunk) -> str:
    """Write what is embedded and counted for a chunk: the title, then the text."""
    return f"{context(title)}\n{chunk.text}"


def split(document: ReadDocument, count_tokens: TokenCounter, limits: SplitLimits | None = None) -> list[Chunk]:
    """Cut a document into chunks of whole sentences, items, rows and code blocks.

    A chunk runs over page ends but not over sections unless a section is tiny. It begins with the last sentence
    of the chunk before it. Only what is longer than a chunk is cut, at a line or word. Linear in the text.
    """
    chosen = limits or SplitLimits()
    room = max(chosen.tokens // 2, chosen.tokens - count_tokens(context(document.title)))
    chosen = replace(chosen, tokens=room)
    packer = _Packer(chosen)
    for unit in _join_over_pages(_units(document.blocks, count_tokens, chosen), chosen):
        packer.add(unit)
    return packer.close()


def _units(blocks: Iterable[Block], count_tokens: TokenCounter, limits: SplitLimits) -> Iterator[_Unit]:
    line = 0
    for block in blocks:
        for pieces in _lines(block):
            line += 1
            for text in (part for piece in pieces for part in _cut(piece, count_tokens, limits)):
                yield _Unit(text, block.kind, block.page, len(text.split()), count_tokens(text), block.level, line)


def _lines(block: Block) -> list[list[str]]:
    text = block.text.strip()
    if not text:
        return []
    if block.kind is BlockKind.PARAGRAPH:
        return paragraphs(text)
    if block.kind is BlockKind.CODE:
        return [[text]]
    flat = " ".join(text.split())
    return [[f"- {flat}" if block.kind is BlockKind.ITEM and not starts_item(flat) else flat]]


def _cut(text: str, count_tokens: TokenCounter, limits: SplitLimits) -> list[str]:
    if len(text) <= 1 or _is_small(text, count_tokens, limits):
        return [text]
    return [part for half in _halves(text) for part in _cut(half, count_tokens, limits)]


def _is_small(text: str, count_tokens: TokenCounter, limits: SplitLimits) -> bool:
    if len(text) > _LONGEST_WORD_CHARS * limits.words or len(text.split()) > limits.words:
        return False
    return count_tokens(text) <= limits.tokens


def _halves(text: str) -> list[str]:
    middle = len(text) // 2
    for separator in "\n ":
        at = text.rfind(separator, 1, middle + 1)
        at = text.find(separator, middle, -1) if at < 0 else at
        if at > 0:
            return [half for half in (text[:at].rstrip(), text[at:].strip()) if half]
    return [text[:middle], text[middle:]]


def _join_over_pages(units: Iterable[_Unit], limits: SplitLimits) -> Iterator[_Unit]:
    """Put a sentence that a page end cuts in two together again."""
    held: _Unit | None = None
    lines: dict[int, int] = {}  # what follows a joined sentence goes on in its line
    for each in units:
        unit = replace(each, line=lines.get(each.line, each.line))
        if held and _continues(held, unit, limits):
            lines[unit.line] = held.line
            text, words = f"{held.text} {unit.text}", held.words + unit.words
            held = replace(held, text=text, words=words, tokens=held.tokens + unit.tokens)
            continue
        if held:
            yield held
        held = unit
    if held:
        yield held


def _continues(before: _Unit, unit: _Unit, limits: SplitLimits) -> bool:
    if not before.kind is unit.kind is BlockKind.PARAGRAPH or before.page == unit.page or ends_sentence(before.text):
        return False
    if before.words + unit.words > limits.words or before.tokens + unit.tokens > limits.tokens:
        return False
    return unit.text[0].islower()


class _Packer:
    """Fills chunks with units, section by section."""

    def __init__(self, limits: SplitLimits) -> None:
        self._limits = limits
        self._headings: list[_Unit] = []
        self._filling = self._open([])
        self._chunks: list[Chunk] = []

    def add(self, unit: _Unit) -> None:
        """Put a unit into the open chunk, or into the next one."""
        if unit.kind is BlockKind.HEADING:
            self._enter(unit)
        elif not self._filling.fits(unit):
            self._begin(unit)
        self._filling.add(unit)

    def close(self) -> list[Chunk]:
        """End the open chunk and return all there are."""
        if self._filling.units:
            self._chunks.append(_chunk(self._filling))
            self._filling = self._open([])
        return self._chunks

    def _enter(self, heading: _Unit) -> None:
        """Begin a section: in a new chunk unless the one before is tiny."""
        words = self._limits.words - self._filling.words
        if words >= self._limits.section_words or not self._filling.fits(heading):
            self._begin(heading)
        self._headings = [known for known in self._headings if known.level < heading.level] + [heading]
        if all(unit.is_heading for unit in self._filling.units):
            self._filling.path = self._path()

    def _begin(self, unit: _Unit) -> None:
        """End the open chunk; the next one takes its last heading lines or repeats its last sentence."""
        lines = self._filling.last_headings()
        filling = self._open(lines or self._repeated(unit))
        if filling.fits(unit):
            self._filling.drop(lines)
        else:
            filling = self._open([])
        self.close()
        self._filling = filling

    def _repeated(self, unit: _Unit) -> list[_Unit]:
        if len(self._filling.units) < 2:
            return []
        last = self._filling.units[-1]
        alike = last.kind is unit.kind and unit.kind in {BlockKind.PARAGRAPH, BlockKind.ITEM}
        return [last] if alike and last.words <= self._limits.overlap_words else []

    def _open(self, units: Sequence[_Unit]) -> _Filling:
        filling = _Filling(self._path(), self._limits.words, self._limits.tokens)
        for unit in units:
            filling.add(unit)
        return filling

    def _path(self) -> tuple[str, ...]:
        return tuple(heading.text for heading in self._headings)


def _chunk(filling: _Filling) -> Chunk:
    first, *others = filling.units
    text = first.text
    for before, unit in zip(filling.units, others, strict=False):
        text += _separator(before, unit) + unit.text
    return Chunk(text, filling.path, first.page)


def _separator(before: _Unit, unit: _Unit) -> str:
    """Choose white space at which core.sentences finds the same units again."""
    if before.line == unit.line:
        return "\n" if unit.kind is BlockKind.CODE else " "
    if starts_item(unit.text) or before.kind is unit.kind is BlockKind.CODE:
        return "\n"
    return "\n\n"
