"""Cut an answer into messages while it grows, so that no text to come moves a cut that was made."""

import re
from dataclasses import dataclass

from core.parts import Measure, split_text, whole_before

_FENCE = re.compile(r"^((?:[ \t]|>|(?:[-+*]|[0-9]{1,9}[.)])[ \t]){0,30})(`{3,}(?=[^`\n]*$)|~{3,})([^\n]*)$")
_TABLE = re.compile(r"\|?(?:[ \t]*:?-+:?[ \t]*\|)+(?:[ \t]*:?-+:?[ \t]*)?")
_SMALLEST = 64  # what split_text wants to have room for


@dataclass(frozen=True, slots=True)
class Cut:
    """The first message of a text that one message does not hold."""

    body: str
    taken: int  # characters of the text that stand in it
    opening: str = ""  # what the next message begins with: the line that opens a code block again
    others: tuple[str, ...] = ()  # all messages behind it, where what it cuts in two must be whole to be cut well


def cut(text: str, limit: int, measure: Measure) -> Cut | None:
    """Cut off the first message; None where TEXT fits in one. More text behind TEXT changes nothing of it.

    A message ends with a paragraph in its last quarter, else inside one. A code block that begins in its first quarter
    is closed and opened again, any other is left to the next message. A table and a list within a list are cut as
    core/parts.py does, which wants to see all of them.
    """
    if measure(text.strip("\n")) <= limit:
        return None
    first, *others = split_text(text, limit, measure)
    start = _skip_newlines(text, 0)
    body, opened = _filled(text, first, start, limit, measure)
    end = start + len(body)
    if not text.startswith(body, start):
        found = _cut_in_code(text, body, start, opened)
    else:
        found = None if _is_odd(text, end) or _is_indented(text, end) else Cut(body, end)
    return found or Cut(first, 0, others=tuple(others))


def _filled(text: str, body: str, start: int, limit: int, measure: Measure) -> tuple[str, int]:
    """Add to BODY what fits of a block that it would leave to the next message; return where the last block begins."""
    if not text.startswith(body, start):
        return body, start
    begin = _skip_newlines(text, start + len(body))
    room = limit - measure(text[start:begin])
    quarters = 1 if _FENCE.match(text[begin:].partition("\n")[0]) else 3
    if measure(body) * 4 >= limit * quarters or room < _SMALLEST or _is_odd(text, begin):
        return body, start
    more = split_text(text[begin:], room, measure)[0]
    if text.startswith(more, begin):  # a link that the room is too small for fits into the next message
        more = more[: whole_before(text[begin:], len(more))].rstrip()
    return (text[start:begin] + more, begin) if more else (body, start)


def _is_indented(text: str, place: int) -> bool:
    """Tell whether a line that begins behind PLACE stands within something."""
    begin = _skip_newlines(text, place)
    return (begin > place or text[place - 1 : place] == "\n") and text[begin : begin + 1] in (" ", "\t")


def _is_odd(text: str, place: int) -> bool:
    """Tell whether PLACE lies in a table, or at the beginning of one."""
    begin = text.rfind("\n\n", 0, place) + 1
    end = text.find("\n\n", place)
    lines = text[begin : end if end >= 0 else len(text)].split("\n")
    return any(number and _TABLE.fullmatch(line.strip()) for number, line in enumerate(lines))


def _cut_in_code(text: str, body: str, start: int, opened: int) -> Cut | None:
    """Find how much of TEXT stands in BODY, whose last line closes a code block that goes on; None for an odd one."""
    found = _FENCE.match(text[opened:].partition("\n")[0])
    opening, _, written = body[opened - start :].partition("\n")
    if found is None or found[1] or not body.startswith(text[start:opened]):
        return None
    inside = _skip_newlines(text, text.index("\n", opened) + 1)
    code = written.rpartition("\n")[0]
    return Cut(body, inside + len(code), f"{opening}\n") if text.startswith(code, inside) else None


def _skip_newlines(text: str, place: int) -> int:
    while place < len(text) and text[place] == "\n":
        place += 1
    return place


def cut_all(text: str, limit: int, measure: Measure) -> list[str]:
    """Cut a whole text into messages; an empty one has none."""
    parts = []
    while (found := cut(text, limit, measure)) is not None:
        parts.append(found.body)
        if found.others:
            return [*parts, *found.others]
        text = found.opening + text[found.taken :].lstrip("\n")
    last = text.strip("\n")
    return [*parts, last] if last.strip() else parts


def settled_part(text: str, limit: int, measure: Measure) -> str:
    """Return what of a growing TEXT, which fits in one message, stays in it whatever comes behind it."""
    begin, is_code = _last_block(text)
    held = measure(text[:begin])
    is_odd = text[begin : begin + 1] in ("|", " ", "\t", ">") or _is_odd(text, begin)
    if held * 4 >= limit * (1 if is_code else 3) or (is_odd and held):
        return text[:begin].strip("\n")
    if is_code:
        text = text[: text.rfind("\n") + 1]  # code is cut between lines
    free = limit * 9 // 20  # a cut is made in the second half
    if measure(text) <= free:
        return text.strip("\n")
    found = cut(text + "x" * limit, limit, measure)  # the worst to come: nothing to cut at
    body = found.body if found is not None else ""
    if found is not None and found.opening:
        body = body.rpartition("\n")[0]
    whole = text.strip("\n")
    if body.startswith(whole):
        return whole
    if whole.startswith(body.rstrip("\n")):
        return body.rstrip("\n")
    return max(_at_most(whole, free, measure).rstrip("\n"), text[:begin].strip("\n"), key=len)


def _at_most(text: str, limit: int, measure: Measure) -> str:
    size = 0
    for place, character in enumerate(text):
        size += measure(character)
        if size > limit:
            return text[:place]
    return text


def _last_block(text: str) -> tuple[int, bool]:
    """Find where the block begins that is being written, and whether it is a code block that is open."""
    begin = place = 0
    fence: re.Match[str] | None = None
    is_between = True
    for line in text.splitlines(keepends=True):
        found = _FENCE.match(line.rstrip("\r\n"))
        if fence is not None:
            if found is not None and not found[3].strip() and found[2].startswith(fence[2]):
                fence, is_between = None, True
        elif found is not None:
            begin, fence = place, found
        elif not line.strip():
            is_between = True
        elif is_between:
            begin, is_between = place, False
        place += len(line)
    if fence is not None:
        return begin, True
    return (len(text) if is_between else begin), False
