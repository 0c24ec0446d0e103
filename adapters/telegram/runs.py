"""Stretches of text with their marks, cut into parts that a message holds and written as Telegram's HTML.

Runs are cut first and written then, so that no cut can break a tag. What remains when Telegram has read the HTML is the
text of the runs, which is also what the limit counts. core.telegram.org/bots/api#formatting-options
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from adapters.telegram import limits
from core.parts import utf8_bytes, utf16_units

_TAGS = limits.ENTITIES - 8  # formatted stretches of a part; the rest is written plainly
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SHOWN = re.compile(
    r"[^\s\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    r"\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
_CUTS = (re.compile(r"\n\n+"), re.compile(r"\n"), re.compile(r"[.!?…。！？][\"'”’)\]]{0,3}\s"), re.compile(r"\s"))
_JOINING = re.compile("[\u0300-\u036f\u20d0-\u20ff\ufe00-\ufe0f\u200c\u200d\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]")


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of text and its marks, the outermost first: b, i, s, code, blockquote, pre, pre:LANGUAGE, a:URL."""

    text: str
    marks: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Tell whether it is better not cut: a link, a piece of code in a line."""
        return any(mark == "code" or mark.startswith("a:") for mark in self.marks)


@dataclass(frozen=True, slots=True)
class Text:
    """What one message says."""

    html: str
    plain: str  # the same without markup, for when the HTML is refused


def escape(text: str) -> str:
    """Make TEXT say in HTML what it says."""
    return clean(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def clean(text: str) -> str:
    """Return TEXT in sound Unicode, with plain line ends and without control characters."""
    sound = text.encode("utf-8", "replace").decode()
    return _CONTROL.sub("", sound.replace("\r\n", "\n").replace("\r", "\n"))


def write(found: Sequence[Run], limit: int = limits.TEXT) -> list[Text]:
    """Write runs as messages of at most LIMIT UTF-16 units."""
    texts: list[Text] = []
    waiting = list(reversed(_cut_all(stripped(found), limit)))
    while waiting:
        part = stripped(waiting.pop())
        if not _SHOWN.search("".join(run.text for run in part)):
            continue
        html = _html(part)
        if utf8_bytes(html) > limits.RAW_TEXT_BYTES:
            waiting.extend(reversed(_halved(part)))
        else:
            texts.append(Text(html, _plain(part, limit)))
    return texts


def _halved(part: Sequence[Run]) -> list[list[Run]]:
    """Cut a part whose markup is too long for the server; of a text that cannot be cut, the words remain."""
    units = sum(utf16_units(run.text) for run in part)
    return _cut_all(part, units // 2) if units > 3 else [[replace(run, marks=()) for run in part]]


# Cutting


def stripped(found: Sequence[Run]) -> list[Run]:
    """Drop the empty lines around, which Telegram drops too, and the spaces behind."""
    kept = [run for run in found if run.text]
    while kept and not kept[-1].text.rstrip():
        kept.pop()
    while kept and not kept[0].text.strip("\n"):
        kept.pop(0)
    if kept:
        kept[-1] = replace(kept[-1], text=kept[-1].text.rstrip())
        kept[0] = replace(kept[0], text=kept[0].text.lstrip("\n"))
    return kept


def _cut_all(found: Sequence[Run], limit: int) -> list[list[Run]]:
    """Cut runs into parts of at most LIMIT UTF-16 units."""
    text = "".join(run.text for run in found)
    cuts, start = [0], 0
    closed = _closed(found)
    while utf16_units(text[start : start + limit + 1]) > limit:
        start += _best(text[start : start + limit + 1], limit, [place - start for place in closed if place > start])
        cuts.append(start)
    return [_between(found, begin, end) for begin, end in pairwise([*cuts, len(text)])]


def _closed(found: Sequence[Run]) -> list[int]:
    """List the places inside links and code in a line, where no cut should be."""
    places: list[int] = []
    at = 0
    for run in found:
        if run.whole and len(run.text) <= 300:
            places += range(at + 1, at + len(run.text))
        at += len(run.text)
    return places


def _best(text: str, limit: int, closed: Sequence[int]) -> int:
    """Choose how many characters of TEXT stay in a part: up to a paragraph, a line, a sentence, a space, else all."""
    most = min(len(text), limit)
    while utf16_units(text[:most]) > limit:
        most -= 1
    shut = {place for place in closed if place <= most}
    for pattern in _CUTS:
        ends = [found.end() for found in pattern.finditer(text, 0, most) if found.end() > most // 2]
        best = next((end for end in reversed(ends) if end not in shut), 0)
        if best:
            return best
    end = most
    while end > most // 2 and (end in shut or _JOINING.match(text, end) or _JOINING.match(text, end - 1)):
        end -= 1
    return max(end if end > most // 2 else most, 1)


def _between(found: Sequence[Run], begin: int, end: int) -> list[Run]:
    part, at = [], 0
    for run in found:
        text = run.text[max(begin - at, 0) : max(end - at, 0)]
        part += [replace(run, text=text)] if text else []
        at += len(run.text)
    return part


# Writing


def _html(part: Sequence[Run]) -> str:
    written: list[str] = []
    opened: tuple[str, ...] = ()
    tags = 0
    for run in part:
        marks = run.marks if tags + len(run.marks) <= _TAGS else ()
        same = 0
        while same < min(len(opened), len(marks)) and opened[same] == marks[same]:
            same += 1
        written += [_closing(mark) for mark in reversed(opened[same:])]
        written += [_opening(mark) for mark in marks[same:]]
        tags += len(marks) - same
        opened = marks
        written.append(escape(run.text))
    return "".join([*written, *(_closing(mark) for mark in reversed(opened))])


def _opening(mark: str) -> str:
    name, _, value = mark.partition(":")
    value = escape(value).replace('"', "&quot;")
    if name == "a":
        return f'<a href="{value}">'
    return f'<pre><code class="language-{value}">' if name == "pre" and value else f"<{name}>"


def _closing(mark: str) -> str:
    name, _, value = mark.partition(":")
    return "</code></pre>" if name == "pre" and value else f"</{name}>"


def _plain(part: Sequence[Run], limit: int) -> str:
    """Write a part without markup, with the addresses of its links where they fit."""
    bare = "".join(run.text for run in part)
    links = [next((mark[2:] for mark in run.marks if mark.startswith("a:")), "") for run in part]
    behind = [*links[1:], ""]
    shown = "".join(
        run.text + (f" ({link})" if link and link not in (after, run.text) else "")
        for run, link, after in zip(part, links, behind, strict=True)
    )
    return shown if utf16_units(shown) <= limit else bare
