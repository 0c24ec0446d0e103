"""What a person reads in a `markdown` block or a stream: a reader of Markdown that shares nothing with our own code.

After the CommonMark 0.31 specification, with tables and strikethrough, and without HTML, as Slack renders it.
docs.slack.dev/reference/block-kit/blocks/markdown-block
"""

import html
import re
import unicodedata
from dataclasses import dataclass, field

_FENCE = re.compile(r"( {0,3})(`{3,}|~{3,})(.*)")
_HEADING = re.compile(r" {0,3}#{1,6}(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*")
_RULE = re.compile(r" {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})")
_QUOTE = re.compile(r" {0,3}> ?(.*)")
_ITEM = re.compile(r"( {0,3})([-+*]|[0-9]{1,9}[.)])(?:( +)(.*)|)")
_UNDERLINE = re.compile(r" {0,3}(?:=+|-+)[ \t]*")
_COLUMNS = re.compile(r" {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*")
_DEFINITION = re.compile(
    r" {0,3}\[((?:[^\[\]\\]|\\.)+)\]:[ \t]*(?:<([^<>]*)>|(\S+))(?:[ \t]+(?:\"([^\"]*)\"|'([^']*)'))?[ \t]*"
)
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")
_AUTOLINK = re.compile(r"<([a-zA-Z][a-zA-Z0-9+.-]{1,31}:[^\s<>]*|[\w.!#$%&'*+/=?^`{|}~-]+@[a-zA-Z0-9.-]+)>")
_TARGET = re.compile(
    r"\([ \t\n]*(?:<((?:[^<>\n\\]|\\.)*)>|((?:[^\s()\\]|\\.|\((?:[^\s()\\]|\\.)*\))*))"
    r"(?:[ \t\n]+(?:\"((?:[^\"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)'))?[ \t\n]*\)"
)
_PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
_SCHEMES = ("javascript:", "vbscript:", "file:", "data:")


@dataclass
class Shown:
    """What is read: the text without marks, and what stood out in it."""

    text: str = ""
    code: list[str] = field(default_factory=list)  # blocks, as they are shown
    spans: list[str] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)  # label and address
    styled: list[tuple[str, str]] = field(default_factory=list)  # mark and text
    tables: int = 0


@dataclass
class _Mark:
    """A run of marks that may open or close a style."""

    sign: str
    count: int
    opens: bool
    closes: bool


def read_markdown(text: str) -> Shown:
    """Read a whole text."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd").expandtabs(4).split("\n")
    reader = _Reader(Shown(), _definitions(lines))
    reader.blocks(lines)
    return reader.shown


def _definitions(lines: list[str]) -> dict[str, tuple[str, str]]:
    """Find the address and the title of each name."""
    found: dict[str, tuple[str, str]] = {}
    for line in lines:
        if match := _DEFINITION.fullmatch(line):
            url = _plain(match[2] if match[2] is not None else match[3])
            found.setdefault(_name(match[1]), (url, match[4] or match[5] or ""))
    return found


def _name(label: str) -> str:
    return " ".join(label.split()).casefold()


def _plain(text: str) -> str:
    """Take the backslashes and the entities out of an address."""
    return re.sub(rf"\\([{re.escape(_PUNCTUATION)}])", r"\1", _ENTITY.sub(lambda found: html.unescape(found[0]), text))


def _begins_block(line: str, *, in_paragraph: bool = True) -> bool:
    item = _ITEM.fullmatch(line)
    if item and in_paragraph:  # an empty item, and a list that does not begin with 1, interrupt no paragraph
        item = item if item[4] and (not item[2][0].isdigit() or item[2][:-1] == "1") else None
    fence = _FENCE.fullmatch(line)
    fenced = fence and not (fence[2][0] == "`" and "`" in fence[3])
    return bool(fenced or _HEADING.fullmatch(line) or _RULE.fullmatch(line) or _QUOTE.fullmatch(line) or item)


class _Reader:
    def __init__(self, shown: Shown, definitions: dict[str, tuple[str, str]]) -> None:
        self.shown = shown
        self.definitions = definitions

    def say(self, text: str) -> None:
        self.shown.text += text + "\n"

    def blocks(self, lines: list[str]) -> None:
        at = 0
        while at < len(lines):
            line = lines[at]
            if not line.strip():
                at += 1
            elif line.startswith("    "):
                at = self.indented(lines, at)
            elif (fence := _FENCE.fullmatch(line)) and not (fence[2][0] == "`" and "`" in fence[3]):
                at = self.fenced(lines, at, fence)
            elif heading := _HEADING.fullmatch(line):
                self.inline((heading[1] or "").rstrip("#") if set(heading[1] or "") == {"#"} else heading[1] or "")
                at += 1
            elif _RULE.fullmatch(line):
                at += 1
            elif _QUOTE.fullmatch(line):
                at = self.quoted(lines, at)
            elif item := _ITEM.fullmatch(line):
                at = self.item(lines, at, item)
            else:
                at = self.paragraph(lines, at)

    def code(self, lines: list[str]) -> int:
        self.shown.code.append("\n".join(lines))
        self.say("\n".join(lines))
        return 0

    def indented(self, lines: list[str], at: int) -> int:
        end = at
        while end < len(lines) and (lines[end].startswith("    ") or not lines[end].strip()):
            end += 1
        self.code([line[4:] for line in "\n".join(lines[at:end]).rstrip().split("\n")])
        return end

    def fenced(self, lines: list[str], at: int, fence: re.Match[str]) -> int:
        closing = re.compile(rf" {{0,3}}{re.escape(fence[2][0])}{{{len(fence[2])},}}[ \t]*")
        end = next((n for n in range(at + 1, len(lines)) if closing.fullmatch(lines[n])), len(lines))
        indent = re.compile(rf" {{0,{len(fence[1])}}}")
        self.code([indent.sub("", line, count=1) for line in lines[at + 1 : end]])
        return end + 1

    def contained(self, lines: list[str], at: int, cut: re.Pattern[str], first: str) -> int:
        """Read the lines inside a quotation or an item, those that lazily go on with its paragraph included."""
        inside, end, open_fence = [first], at + 1, False
        while end < len(lines):
            line = lines[end]
            open_fence = _fence_is_open(inside)
            if found := cut.fullmatch(line):
                inside.append(found[1])
            elif not open_fence and _goes_on(inside, line):
                inside.append("\\" + line.lstrip() if _UNDERLINE.fullmatch(line) else line.lstrip())
            elif not line.strip() and cut.pattern.startswith(" {") and not _QUOTE.fullmatch(lines[at]):
                inside.append("")
            else:
                break
            end += 1
        self.blocks(inside)
        return end

    def quoted(self, lines: list[str], at: int) -> int:
        first = _QUOTE.fullmatch(lines[at])
        assert first
        return self.contained(lines, at, _QUOTE, first[1])

    def item(self, lines: list[str], at: int, item: re.Match[str]) -> int:
        space, content = item[3] or " ", item[4] or ""
        width = len(item[1]) + len(item[2]) + (len(space) if len(space) <= 4 and content else 1)
        first = " " * (len(space) - 1) + content if len(space) > 4 else content
        if not content and at + 1 < len(lines) and not lines[at + 1].strip():
            return at + 1
        return self.contained(lines, at, re.compile(rf" {{{width}}}(.*)"), first)

    def paragraph(self, lines: list[str], at: int) -> int:
        if _DEFINITION.fullmatch(lines[at]):
            return at + 1
        end = at + 1
        if end < len(lines) and _COLUMNS.fullmatch(lines[end]) and self.is_table(lines[at], lines[end]):
            return self.table(lines, at)
        while end < len(lines) and lines[end].strip() and not _begins_block(lines[end]):
            if _UNDERLINE.fullmatch(lines[end]):
                break
            end += 1
        self.inline("\n".join(line.lstrip() for line in lines[at:end]).rstrip())
        underlined = end < len(lines) and _UNDERLINE.fullmatch(lines[end])
        return end + 1 if underlined else end

    def is_table(self, head: str, columns: str) -> bool:
        return "|" in head + columns and len(_cells(head)) == len(_cells(columns))

    def table(self, lines: list[str], at: int) -> int:
        self.shown.tables += 1
        width, end = len(_cells(lines[at])), at
        while end < len(lines) and lines[end].strip() and (end < at + 2 or not _begins_block(lines[end])):
            if end != at + 1:
                for cell in _cells(lines[end])[:width]:
                    self.inline(cell)
            end += 1
        return end

    def inline(self, text: str) -> None:
        self.say(_Line(self, text).read())


def _goes_on(inside: list[str], line: str) -> bool:
    """Tell whether LINE lazily goes on with the paragraph that INSIDE ends with."""
    if not inside[-1].strip() or not line.strip() or _begins_block(line, in_paragraph=False):
        return False
    last = inside[-1]
    while found := _QUOTE.fullmatch(last) or _ITEM.fullmatch(last):
        last = found[found.lastindex or 0] if found.re is _QUOTE else found[4] or ""
    return bool(last.strip()) and not _HEADING.fullmatch(last) and not _RULE.fullmatch(last)


def _fence_is_open(lines: list[str]) -> bool:
    opened = ""
    for line in lines:
        found = _FENCE.fullmatch(
            re.sub(r"^(?: {0,3}(?:>|[-+*]|[0-9]{1,9}[.)]) ?)*", "", line) if not opened else line.strip()
        )
        if found and not opened and not (found[2][0] == "`" and "`" in found[3]):
            opened = found[2]
        elif found and opened and found[2].startswith(opened) and not found[3].strip():
            opened = ""
    return bool(opened)


def _cells(row: str) -> list[str]:
    bare = re.sub(r"^\||(?<!\\)\|$", "", row.strip())
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", bare)]


class _Line:
    """Read the text of one paragraph."""

    def __init__(self, reader: _Reader, text: str) -> None:
        self.reader, self.shown, self.written = reader, reader.shown, text
        self.pieces: list[str | _Mark] = []
        self.brackets: list[tuple[int, int, bool]] = []  # piece, place in the text, whether it is an image's
        self.at = 0

    def read(self) -> str:
        while self.at < len(self.written):
            self.step()
        return self.styled(0)

    def step(self) -> None:
        sign, rest = self.written[self.at], self.written[self.at :]
        if sign == "\\" and rest[1:2] and rest[1] in _PUNCTUATION:
            self.put(rest[1], 2)
        elif sign == "\\" and rest[1:2] == "\n":
            self.put("\n", 2)
        elif sign == "`":
            self.span(rest)
        elif sign == "<" and (found := _AUTOLINK.match(rest)):
            self.shown.links.append((found[1], found[1]))
            self.put(found[1], len(found[0]))
        elif sign == "&" and (found := _ENTITY.match(rest)):
            self.put(html.unescape(found[0]) if html.unescape(found[0]) != found[0] else found[0], len(found[0]))
        elif sign == "[" or rest.startswith("!["):
            self.brackets.append((len(self.pieces), self.at + 1 + (sign == "!"), sign == "!"))
            self.put("![" if sign == "!" else "[", 1 + (sign == "!"))
        elif sign == "]" and self.brackets:
            self.close_bracket()
        elif sign in "*_~":
            self.mark(sign, rest)
        else:
            self.put(sign, 1)

    def put(self, text: str, length: int) -> None:
        self.pieces.append(text)
        self.at += length

    def span(self, rest: str) -> None:
        run = re.match("`+", rest)
        assert run
        closing = re.compile(rf"(?<!`){run[0]}(?!`)").search(rest, len(run[0]))
        if closing is None:
            self.put(run[0], len(run[0]))
            return
        code = rest[len(run[0]) : closing.start()].replace("\n", " ")
        if code.startswith(" ") and code.endswith(" ") and code.strip():
            code = code[1:-1]
        self.shown.spans.append(code)
        self.put(code, closing.end())

    def close_bracket(self) -> None:
        piece, begun, image = self.brackets.pop()
        rest, label = self.written[self.at + 1 :], self.written[begun : self.at]
        url, title, length = self.target(rest, label)
        if url is None or url.strip().lower().startswith(_SCHEMES):
            self.put("]", 1)
            return
        shown = self.styled(piece + 1)
        del self.pieces[piece:]
        label = shown if shown.strip() else title or url  # nobody could press a link of no length
        self.shown.links.append((label, url))
        self.put(label, 1 + length)
        if not image:  # no link inside a link
            self.brackets = [bracket for bracket in self.brackets if bracket[2]]

    def target(self, rest: str, label: str) -> tuple[str | None, str, int]:
        """Read where a link goes, its title, and the length of what says so behind its label."""
        if found := _TARGET.match(rest):
            return _plain(found[1] if found[1] is not None else found[2]), found[3] or found[4] or "", len(found[0])
        known = self.reader.definitions
        named = re.match(r"\[((?:[^\[\]\\]|\\.)*)\]", rest)
        if named and (place := known.get(_name(named[1] or label))):
            return *place, len(named[0])
        return *known.get(_name(label), (None, "")), 0

    def mark(self, sign: str, rest: str) -> None:
        run = re.match(re.escape(sign) + "+", rest)
        assert run
        before = self.written[self.at - 1] if self.at else " "
        after = self.written[self.at + len(run[0])] if self.at + len(run[0]) < len(self.written) else " "
        left = not after.isspace() and (not _is_sign(after) or before.isspace() or _is_sign(before))
        right = not before.isspace() and (not _is_sign(before) or after.isspace() or _is_sign(after))
        opens = left and (sign != "_" or not right or _is_sign(before))
        closes = right and (sign != "_" or not left or _is_sign(after))
        self.pieces.append(_Mark(sign, len(run[0]), opens, closes))
        self.at += len(run[0])

    def styled(self, start: int) -> str:
        """Pair the marks behind START and return the text."""
        held: list[str | _Mark] = self.pieces[start:]
        at = 0
        while at < len(held):
            mark = held[at]
            if isinstance(mark, _Mark) and mark.closes and (opening := _opening(held, at)) is not None:
                at = self.pair(held, opening, at)
            else:
                at += 1
        return "".join(piece if isinstance(piece, str) else piece.sign * piece.count for piece in held)

    def pair(self, held: list[str | _Mark], opening: int, closing: int) -> int:
        """Take a pair of marks out; return where to go on."""
        first, last = held[opening], held[closing]
        assert isinstance(first, _Mark)
        assert isinstance(last, _Mark)
        used = 2 if min(first.count, last.count) >= 2 else 1
        inner = "".join(p if isinstance(p, str) else p.sign * p.count for p in held[opening + 1 : closing])
        self.shown.styled.append((first.sign * used, inner))
        first.count -= used
        last.count -= used
        held[opening + 1 : closing] = [inner]
        return opening + 2 if last.count else opening + 3


def _opening(held: list[str | _Mark], closing: int) -> int | None:
    last = held[closing]
    assert isinstance(last, _Mark)
    for at in range(closing - 1, -1, -1):
        first = held[at]
        if not isinstance(first, _Mark) or first.sign != last.sign or not first.opens or not first.count:
            continue
        if not last.count or (last.sign == "~" and not first.count == last.count == 2):
            continue
        odd = (first.closes or last.opens) and (first.count + last.count) % 3 == 0
        if not odd or (first.count % 3 == 0 and last.count % 3 == 0):
            return at
    return None


def _is_sign(character: str) -> bool:
    return unicodedata.category(character)[0] in "PS"
