"""Long answers in parts that a platform takes: cut between paragraphs, never inside a link or an open code block."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

Measure = Callable[[str], int]
"""How a platform counts a text; it must add up: that of two texts joined is the sum of both."""

_FENCE = re.compile(r"^((?:[ \t]|>|(?:[-+*]|[0-9]{1,9}[.)])[ \t]){0,30})(`{3,}(?=[^`\n]*$)|~{3,})([^\n]*)$")
_FENCE_END = re.compile(r"^[ \t>]{0,30}(`{3,}|~{3,})[ \t]*$")
_NESTED = re.compile(r"( +)(?:[-+*]|[0-9]{1,9}[.)]) ")
_TABLE = re.compile(r"[ \t]*\|?(?:[ \t]*:?-+:?[ \t]*\|)+(?:[ \t]*:?-+:?[ \t]*)?")  # the line below a table's head
_SHORTEST_LIMIT = 64
_LONGEST_LANGUAGE = 20

# Combining marks, joiners and the colours of skin: part of the character before them.
_JOINING = r"\u0300-\u036f\u20d0-\u20ff\ufe00-\ufe0f\u200c\u200d\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f"

# What must stay in one piece where it fits a part at all: links, code, addresses, and a word with its combining marks.
_TOKEN = re.compile(
    r"!?\[(?:[^\[\]\\]|\\.|\[(?:[^\[\]\\]|\\.){0,300}\]){0,600}\]"
    r"\((?:[^()\s]|\([^()\s]{0,300}\)){0,2000}(?:\s\"[^\"\n]{0,300}\")?\)"
    r"|``(?!`)[^\n]{1,300}?(?<!`)``(?!`)|`(?!`)[^`\n]{1,300}`(?!`)|`{1,300}"
    r"|<[^<>\s]{1,2000}>"
    r"|[a-zA-Z][a-zA-Z0-9+.-]{1,20}://(?:[^\s<>\[\]()]|\([^\s<>\[\]()]{0,300}\)){1,2000}"
    r"|\s{1,200}"
    rf"|[\w'’{_JOINING}-]{{1,200}}"
    rf"|[^\w\s](?:\u200d[^\w\s]|[{_JOINING}]){{0,16}}"
)
_JOINS = re.compile(f"[{_JOINING}]")
_SENTENCE_END = re.compile(r"[.!?…。！？][\"'”’)\]]{0,3}$")


@dataclass(frozen=True, slots=True)
class _Block:
    """A paragraph, or a whole fenced code block, with the empty lines behind it."""

    text: str
    fence: re.Match[str] | None = None  # the line that opens it


def utf16_units(text: str) -> int:
    """Count UTF-16 code units, as Telegram and JavaScript do."""
    return len(text) + sum(character > "\uffff" for character in text)


def utf8_bytes(text: str) -> int:
    """Count the bytes of UTF-8."""
    return len(text.encode("utf-8", "surrogatepass"))


def split_text(markdown: str, limit: int, measure: Measure = len) -> list[str]:
    """Cut MARKDOWN into parts of at most LIMIT by MEASURE; an empty text has no parts.

    A code block that is cut is closed and opened again. Raises ValueError for a limit below 64, which leaves no room.
    """
    if limit < _SHORTEST_LIMIT:
        raise ValueError(f"A part needs room for {_SHORTEST_LIMIT} characters.")
    if measure(markdown.strip("\n")) <= limit:
        return [markdown.strip("\n")] if markdown.strip() else []
    parts: list[str] = []
    current = ""
    for block in _blocks(markdown):
        if _fits(current + block.text, limit, measure):
            current += block.text
            continue
        parts.append(current)
        *whole, current = [block.text] if _fits(block.text, limit, measure) else _cut(block, limit, measure)
        parts.extend(whole)
    parts.append(current)
    return [_outdented(part.strip("\n")) for part in parts if part.strip()]


def whole_before(text: str, end: int) -> int:
    """Return where the link, the code or the word of TEXT begins that END cuts in two; END where it cuts none."""
    for token in _TOKEN.finditer(text):
        if token.end() >= end:
            return end if token.end() == end else min(token.start(), end)
    return end


def _outdented(part: str) -> str:
    """Begin a part that was cut out of a list at the left: four spaces before an item would make it code."""
    nested = _NESTED.match(part)
    if nested is None:
        return part
    begun = re.match(rf"(?:{nested[1]}[^\n]*\n?)+", part)
    run = begun[0] if begun else ""
    return re.sub(rf"^{nested[1]}", "", run, flags=re.MULTILINE) + part[len(run) :]


def _fits(text: str, limit: int, measure: Measure) -> bool:
    return measure(text.strip("\n")) <= limit


def _blocks(markdown: str) -> Iterator[_Block]:
    """Take a text apart; the blocks joined are the text."""
    lines = markdown.splitlines(keepends=True)
    start = 0
    while start < len(lines):
        fence = _FENCE.match(lines[start].rstrip("\r\n"))
        end = _end_of_code(lines, start, fence) if fence else _end_of_paragraph(lines, start)
        while end < len(lines) and not lines[end].strip():
            end += 1
        text = "".join(lines[start:end])
        yield _Block(text, fence)
        start = end


def _end_of_code(lines: list[str], start: int, fence: re.Match[str]) -> int:
    for index in range(start + 1, len(lines)):
        if _closes(lines[index], fence):
            return index + 1
    return len(lines)


def _closes(line: str, fence: re.Match[str]) -> bool:
    found = _FENCE_END.match(line.rstrip("\r\n"))
    return found is not None and found[1].startswith(fence[2])


def _end_of_paragraph(lines: list[str], start: int) -> int:
    end = start + 1
    while end < len(lines) and lines[end].strip() and not _FENCE.match(lines[end].rstrip("\r\n")):
        end += 1
    return end


def _cut(block: _Block, limit: int, measure: Measure) -> list[str]:
    """Cut a block that is longer than a part."""
    fence = block.fence
    if fence is None and (table := _cut_table(block.text.splitlines(keepends=True), limit, measure)):
        return table
    if fence is None or 2 * measure(fence[1] + fence[2]) + _LONGEST_LANGUAGE + 2 > limit // 2:
        return _pack(_TOKEN.findall(block.text), limit, measure)
    inside = block.text.splitlines(keepends=True)[1:]
    if inside and _closes(block.text.rstrip().splitlines()[-1], fence):
        while not inside.pop().strip():  # the empty lines behind the fence, then the line that closes it
            pass
    room = limit - 2 * measure(fence[1] + fence[2]) - _LONGEST_LANGUAGE - 2
    pieces = [piece.strip("\n") for piece in _pack(inside, room, measure)]
    return [_fenced(piece, fence, again=number > 0) for number, piece in enumerate(filter(None, pieces))]


def _cut_table(lines: list[str], limit: int, measure: Measure) -> list[str]:
    """Cut a paragraph that ends in a table, whose head stands over each piece; nothing where it ends in none."""
    below = next((number for number, line in enumerate(lines) if number and _TABLE.fullmatch(line.strip())), 0)
    head = "".join(lines[below - 1 : below + 1])
    if not below or measure(head) > limit // 2:
        return []
    before = _pack(_TOKEN.findall("".join(lines[: below - 1])), limit, measure) if below > 1 else []
    rows = _pack(lines[below + 1 :], limit - measure(head) - 1, measure)
    return [*before, *(f"{head}{piece.strip(chr(10))}\n" for piece in rows if piece.strip())]


def _fenced(code: str, fence: re.Match[str], *, again: bool) -> str:
    """Put a fence around a piece of code; one that is opened AGAIN stands in no list, so it is not indented."""
    language = fence[3].split()[0][:_LONGEST_LANGUAGE] if fence[3].split() else ""
    inner = re.sub(r"[^\s>]", " ", fence[1])
    if not again:
        return f"{fence[1]}{fence[2]}{language}\n{code}\n{inner}{fence[2]}\n\n"
    if ">" not in inner:
        code, inner = re.sub(rf"^[ \t]{{0,{len(inner)}}}", "", code, flags=re.MULTILINE), ""
    return f"{inner}{fence[2]}{language}\n{code}\n{inner}{fence[2]}\n\n"


def _pack(tokens: list[str], room: int, measure: Measure) -> list[str]:
    """Join tokens to texts of at most ROOM, each cut at the best place in its second half."""
    texts: list[str] = []
    held: list[str] = []
    size = 0
    for token in (piece for whole in tokens for piece in _pieces(whole, room, measure)):
        if size + measure(token) > room:
            cut = _best_cut(held, room, measure)
            texts.append("".join(held[:cut]))
            held = held[cut:]
            size = measure("".join(held))
        held.append(token)
        size += measure(token)
    return [*texts, "".join(held)]


def _pieces(token: str, room: int, measure: Measure) -> Iterator[str]:
    """Cut a token that is longer than ROOM between characters, but not before one that joins the one before."""
    while measure(token) > room:
        end, size = 0, 0
        while size + measure(token[end]) <= room:
            size += measure(token[end])
            end += 1
        back = end
        while back > end // 2 and _JOINS.match(token[back]):
            back -= 1
        end = back if back > end // 2 else end
        yield token[:end]
        token = token[end:]
    yield token


def _best_cut(held: list[str], room: int, measure: Measure) -> int:
    """Choose how many of the tokens to keep: up to a line's end, a sentence's, a space, else all of them."""
    best, best_rank, size = len(held), -1, 0
    for index, token in enumerate(held):
        size += measure(token)
        rank = _rank(held, index)
        if size * 2 >= room and rank >= max(best_rank, 0):
            best, best_rank = index + 1, rank
    return best


def _rank(held: list[str], index: int) -> int:
    """Judge a cut behind a token: 2 after a line, 1 after a sentence, 0 after a space, -1 elsewhere."""
    token = held[index]
    if token.endswith("\n"):
        return 2
    if not token.isspace():
        return -1
    return 1 if _SENTENCE_END.search("".join(held[max(0, index - 3) : index])) else 0
