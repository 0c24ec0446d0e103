"""Our answers' Markdown as Slack's mrkdwn, converted once.

mrkdwn has no escape for its marks. Two characters that nobody sees do that work: a zero-width space lets a mark we
mean stand beside a letter, and a soft hyphen on both sides of one that is meant literally keeps it from being a mark,
whether Slack takes the hyphen for a letter or for a space. docs.slack.dev/messaging/formatting-message-text
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from adapters.slack.reading import from_mrkdwn, from_rich_text

__all__ = ["escape", "from_mrkdwn", "from_rich_text", "plain", "to_mrkdwn"]

_PARSER = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
_JOINT = "\u200b"
_GUARD = "\u00ad"
_UNSEEN = _JOINT + _GUARD
_MARKS = {"strong": "*", "em": "_", "s": "~"}
_BULLETS = "•◦▪"
_RULE = "———"
_TABLE_WIDTH = 80  # characters of a line that a code block does not break on a desktop
_LINKED = ("http://", "https://", "mailto:", "tel:")
_NUMERIC_EMOJI = ("100", "1234", "+1", "-1")

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_MARK = re.compile(r"[*_~`]")
_EMOJI = re.compile(r":(?=([\w+'-]{1,100}):)")
_BROADCAST = re.compile(r"(?<!\w)@(?=(?:here|channel|everyone)\b)", re.IGNORECASE)
_BARE_URL = re.compile(r"(?<!\w)https?://[^\s<>|\"`\u00ad\u200b]+", re.IGNORECASE)
_FENCE = re.compile(r"`{3,}")


@dataclass(frozen=True, slots=True)
class _Run:
    """A stretch of text in one style."""

    text: str
    marks: str = ""
    code: bool = False
    url: str = ""


@dataclass(frozen=True, slots=True)
class _Form:
    """What differs between the kinds of output."""

    lines: Callable[[Iterable[_Run]], list[str]]
    code_block: Callable[[str], list[str]]
    bold: str
    named: bool = True  # whether tables are aligned, and where they are too wide each row names its columns


def to_mrkdwn(markdown: str) -> str:
    """Convert MARKDOWN to mrkdwn: what it says literally stays literal, and nothing but its own links becomes one."""
    return _write(markdown, _MRKDWN)


def to_short_mrkdwn(markdown: str) -> str:
    """Convert MARKDOWN to mrkdwn in which tables are neither aligned nor name their columns in each row."""
    return _write(markdown, replace(_MRKDWN, named=False))


def plain(markdown: str) -> str:
    """Convert MARKDOWN to text without markup, for the fields that Slack shows as they are."""
    return _write(markdown, _PLAIN)


def escape(text: str) -> str:
    """Make TEXT, a document's title for example, say in mrkdwn what it says."""
    return "\n".join(_mrkdwn_line([_Run(line)]) for line in _clean(text).split("\n"))


def _write(markdown: str, form: _Form) -> str:
    tree = SyntaxTreeNode(_PARSER.parse(_clean(markdown)))
    return "\n".join(_blocks(tree.children, form, quoted=False)).strip("\n")


def _clean(text: str) -> str:
    sound = text.encode("utf-8", "replace").decode()
    return _CONTROL.sub("", sound.replace("\r\n", "\n").replace("\r", "\n"))


# Blocks


def _blocks(nodes: Sequence[SyntaxTreeNode], form: _Form, *, quoted: bool) -> list[str]:
    lines: list[str] = []
    for node in nodes:
        block = _block(node, form, quoted=quoted)
        lines += ["", *block] if lines and block else block
    return lines


def _block(node: SyntaxTreeNode, form: _Form, *, quoted: bool) -> list[str]:
    if node.type == "hr":
        return [_RULE]
    match node.type:
        case "bullet_list" | "ordered_list":
            return _list(node, form, 0, quoted=quoted)
        case "blockquote":
            inner = _blocks(node.children, form, quoted=True)
            return inner if quoted else [f"> {line}".rstrip() for line in inner]
        case "fence" | "code_block":
            return _code(node.content.rstrip("\n"), form, quoted=quoted)
        case "table":
            return _table(node, form, quoted=quoted)
        case _:
            mark = form.bold if node.type == "heading" else ""
            return form.lines(replace(run, marks=_with(run.marks, mark)) for run in _runs(node.children))


def _code(code: str, form: _Form, *, quoted: bool) -> list[str]:
    if not code.strip():
        return []
    if not quoted:
        return form.code_block(code)
    # A quotation ends at the first line without its sign, so no code block fits in one.
    return [line for text in code.split("\n") for line in form.lines([_Run(text, code=True)]) or [""]]


def _list(node: SyntaxTreeNode, form: _Form, depth: int, *, quoted: bool) -> list[str]:
    lines: list[str] = []
    indent = "    " * depth
    number = int(node.attrs.get("start", 1))
    for item in node.children:
        sign = f"{number}." if node.type == "ordered_list" else _BULLETS[min(depth, len(_BULLETS) - 1)]
        lines += _item(item, form, depth, indent + sign + " ", quoted=quoted)
        number += 1
    return lines


def _item(item: SyntaxTreeNode, form: _Form, depth: int, sign: str, *, quoted: bool) -> list[str]:
    lines: list[str] = []
    for child in item.children:
        if child.type in {"bullet_list", "ordered_list"}:
            lines += _list(child, form, depth + 1, quoted=quoted)
        elif child.type in {"fence", "code_block", "blockquote"} and not quoted:
            lines += _block(child, form, quoted=quoted)
        else:
            lines += [" " * len(sign) + line for line in _block(child, form, quoted=quoted)]
    if item.children and item.children[0].type in {"paragraph", "heading"} and lines:
        return [sign + lines[0][len(sign) :], *lines[1:]]
    return [sign.rstrip(), *lines]


def _table(node: SyntaxTreeNode, form: _Form, *, quoted: bool) -> list[str]:
    rows = [[_runs(cell.children) for cell in row.children] for part in node.children for row in part.children]
    texts = [["".join(run.text for run in cell).replace("\n", " ") for cell in row] for row in rows]
    widths = [max(len(text) for text in column) for column in zip(*texts, strict=True)]
    linked = any(run.url or _BARE_URL.search(run.text) for row in rows for cell in row for run in cell)
    if linked or quoted or not form.named or sum(widths) + 3 * len(widths) > _TABLE_WIDTH:
        records = rows[1:] or rows if form.named else rows
        return [line for row in records for line in _record(rows[0], row, form)]
    aligned = ["   ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in texts]
    aligned.insert(1, "   ".join("-" * width for width in widths))
    return form.code_block("\n".join(aligned))


def _record(header: Sequence[list[_Run]], row: Sequence[list[_Run]], form: _Form) -> list[str]:
    runs = [_Run(f"{_BULLETS[0]} ")]
    for place, (name, cell) in enumerate(zip(header, row, strict=True)):
        runs += [_Run(" · ")] if place else []
        if form.named:
            runs += [*(replace(run, marks=_with(run.marks, form.bold)) for run in name), _Run(": ")]
        runs += cell
    return form.lines(run if run.text != "\n" else _Run(" ") for run in runs)


# Stretches of text


def _with(marks: str, mark: str) -> str:
    return marks if not mark or mark in marks else "".join(sorted(marks + mark))


def _runs(nodes: Iterable[SyntaxTreeNode], marks: str = "") -> list[_Run]:
    return [run for node in nodes for run in _runs_of(node, marks)]


def _runs_of(node: SyntaxTreeNode, marks: str) -> list[_Run]:
    match node.type:
        case "text":
            return [_Run(node.content, marks)]
        case "softbreak" | "hardbreak":
            return [_Run("\n", marks)]
        case "code_inline":
            return [_Run(node.content, marks, code=True)]
        case "strong" | "em" | "s":
            return _runs(node.children, _with(marks, _MARKS[node.type]))
        case "link" | "image":
            return [_link(node, marks)]
        case _:
            return _runs(node.children, marks)


def _link(node: SyntaxTreeNode, marks: str) -> _Run:
    inner = [run for run in _runs(node.children) if run.text]
    url = str(node.attrs.get("href") or node.attrs.get("src") or "")
    common = set("*_~").intersection(*(run.marks for run in inner)) if inner else ()
    for mark in common:
        marks = _with(marks, mark)
    label = " ".join("".join(run.text for run in inner).split()) or str(node.attrs.get("title") or "")
    return _Run(label or url, marks, url=url if url.lower().startswith(_LINKED) else "")


def _split_lines(runs: Iterable[_Run]) -> list[list[_Run]]:
    lines: list[list[_Run]] = [[]]
    for run in runs:
        if run.text == "\n":
            lines.append([])
        else:
            lines[-1].append(run)
    return lines


# Plain


def _plain_lines(runs: Iterable[_Run]) -> list[str]:
    return ["".join(_plain_run(run) for run in line).strip() for line in _split_lines(runs)]


def _plain_run(run: _Run) -> str:
    return f"{run.text} ({run.url})" if run.url and run.url not in {run.text, f"mailto:{run.text}"} else run.text


_PLAIN = _Form(_plain_lines, lambda code: code.split("\n"), bold="")


# mrkdwn


def _mrkdwn_lines(runs: Iterable[_Run]) -> list[str]:
    return [_mrkdwn_line(line) for line in _split_lines(runs)]


def _mrkdwn_line(runs: Iterable[_Run]) -> str:
    groups = [_group(list(group), marks) for marks, group in groupby(runs, key=lambda run: run.marks)]
    line = _join(piece for group in groups for piece in group).rstrip()
    opens_quotation = line.lstrip(" \t" + _UNSEEN).startswith(("&gt;", "＞"))
    return _GUARD + line if opens_quotation else line


def _join(pieces: Iterable[tuple[str, bool]]) -> str:
    """Put pieces in a row, a joint beside each marked one that would touch its neighbour."""
    line, touchy = "", False
    for text, marked in pieces:
        if not text:
            continue
        touching = bool(line) and not line[-1].isspace() and not text[0].isspace()
        line += _JOINT + text if touching and (marked or touchy) else text
        touchy = marked
    return line


def _group(runs: Sequence[_Run], marks: str) -> list[tuple[str, bool]]:
    atoms = [_atom(run) for run in runs]
    body = _join(atoms)
    core = body.strip()
    if not marks or not core.strip(_UNSEEN) or _GUARD in {core[0], core[-1]}:
        return atoms  # a guard may count as a space, and what is said goes before how it looks
    # A mark beside a space is none, so the spaces go outside.
    before, _, after = body.partition(core)
    return [(before + marks + core + marks[::-1] + after, True)]


def _atom(run: _Run) -> tuple[str, bool]:
    if run.url:
        label = "" if run.url == run.text else "|" + _literal(run.text, run.marks)
        return f"<{_url(run.url)}{label}>", False
    if run.code and run.text.strip() and "`" not in run.text:
        before, _, after = run.text.partition(run.text.strip())
        return f"{before}`{_entities(run.text.strip())}`{after}", True
    return _text(run.text, run.marks), False


def _text(text: str, marks: str) -> str:
    written, end = "", 0
    for found in _BARE_URL.finditer(text):
        url = _trimmed(found.group())
        written += _literal(text[end : found.start()], marks) + f"<{_url(url)}>"
        end = found.start() + len(url)
    return written + _literal(text[end:], marks)


def _trimmed(url: str) -> str:
    """Leave the punctuation of the sentence outside a link."""
    closing = ".,;:!?'*]}" + ("" if "(" in url else ")")
    return url.rstrip(closing)


def _url(url: str) -> str:
    encoded = "".join(f"%{ord(c):02X}" if c in '<>| "' else c for c in url)
    return encoded.replace("&", "&amp;")


def _entities(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _literal(text: str, marks: str) -> str:
    text = _EMOJI.sub(_guard_emoji, text)
    text = _BROADCAST.sub("@" + _GUARD, text)
    return _entities(_MARK.sub(lambda found: _guard_mark(found, marks), text))


def _guard_emoji(found: re.Match[str]) -> str:
    name = found.group(1)
    return ":" + _GUARD if name in _NUMERIC_EMOJI or any(c.isalpha() for c in name) else ":"


def _guard_mark(found: re.Match[str], marks: str) -> str:
    mark, text = found.group(), found.string
    before, after = text[max(found.start() - 1, 0) : found.start()], text[found.end() : found.end() + 1]
    inside_word = before.isalnum() and after.isalnum()
    return mark if inside_word and mark != "`" and mark not in marks else _GUARD + mark + _GUARD


def _mrkdwn_code(code: str) -> list[str]:
    unbroken = _FENCE.sub(lambda found: _GUARD.join(found.group()), code)
    return ["```", *_entities(unbroken).split("\n"), "```"]


_MRKDWN = _Form(_mrkdwn_lines, _mrkdwn_code, bold="*")
