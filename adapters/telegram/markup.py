"""Our answers' Markdown as Telegram's HTML that always parses, in parts that a message holds.

A text is taken apart into runs, each with the marks it is in; runs.py cuts and writes them.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from adapters.telegram import limits
from adapters.telegram.runs import Run, Text, clean, stripped, write

# Entities, indented code, link definitions and underlined headings stay as they are written: people and documents mean
# such characters literally far more often than as Markdown, and nothing may vanish.
_PARSER = (
    MarkdownIt("commonmark", {"html": False})
    .enable(["table", "strikethrough"])
    .disable(["entity", "code", "reference", "lheading", "html_block", "html_inline"])
)
_STYLES = {"strong": "b", "em": "i", "s": "s"}
_BULLETS = "•◦▪"
_RULE = "———"
_TABLE_WIDTH = 36  # characters of a line of code that a telephone does not break
_LINKED = ("http://", "https://")
_DEEPEST = 12  # marks around one run; those inside are dropped

_LANGUAGE = re.compile(r"[^\w+#.-]")


def to_html(markdown: str, limit: int = limits.TEXT) -> list[Text]:
    """Convert MARKDOWN to messages of at most LIMIT UTF-16 units; a text that shows nothing has none."""
    return write(runs(markdown), limit)


def plain(markdown: str) -> str:
    """Convert MARKDOWN to text without markup."""
    return "".join(run.text for run in runs(markdown)).strip()


def runs(markdown: str) -> list[Run]:
    """Take MARKDOWN apart."""
    tree = SyntaxTreeNode(_PARSER.parse(clean(markdown)))
    return stripped(_blocks(tree.children, ()))


# Blocks


def _blocks(nodes: Sequence[SyntaxTreeNode], marks: tuple[str, ...]) -> list[Run]:
    written: list[Run] = []
    for node in nodes:
        block = _block(node, marks)
        if written and block:
            written.append(Run("\n\n", _common(written[-1].marks, block[0].marks)))
        written += block
    return written


def _common(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    """Keep the quotation two blocks share, so that it is one."""
    return tuple(mark for mark in one if mark == "blockquote" and mark in other)


def _block(node: SyntaxTreeNode, marks: tuple[str, ...]) -> list[Run]:
    if node.type == "hr":
        return [Run(_RULE, marks)]
    match node.type:
        case "bullet_list" | "ordered_list":
            return _list(node, marks, 0)
        case "blockquote":
            return _blocks(node.children, marks if "blockquote" in marks else (*marks, "blockquote"))
        case "fence" | "code_block":
            return _code(node, marks)
        case "table":
            return _table(node, marks)
        case _:
            return _inline(node.children, _with(marks, "b") if node.type == "heading" else marks)


def _code(node: SyntaxTreeNode, marks: tuple[str, ...]) -> list[Run]:
    code = node.content.rstrip("\n")
    language = _LANGUAGE.sub("", (node.info.split() or [""])[0])[:40]
    outer = tuple(mark for mark in marks if mark == "blockquote")
    return [Run(code, (*outer, f"pre:{language}" if language else "pre"))] if code.strip() else []


def _list(node: SyntaxTreeNode, marks: tuple[str, ...], depth: int) -> list[Run]:
    written: list[Run] = []
    number = int(node.attrs.get("start", 1))
    for item in node.children:
        sign = f"{number}." if node.type == "ordered_list" else _BULLETS[min(depth, len(_BULLETS) - 1)]
        written += [Run("\n", marks)] if written else []
        written += _item(item, marks, depth, "    " * depth + sign + " ")
        number += 1
    return written


def _item(item: SyntaxTreeNode, marks: tuple[str, ...], depth: int, sign: str) -> list[Run]:
    written = [Run(sign, marks)]
    indent = " " * len(sign)
    for place, child in enumerate(item.children):
        nested = child.type in {"bullet_list", "ordered_list"}
        block = _list(child, marks, depth + 1) if nested else _block(child, marks)
        if place:
            written.append(Run("\n", marks))
        if nested or child.type in {"fence", "code_block", "table"}:
            written += block if place else [Run("\n", marks), *block]
        else:
            written += _indented(block, indent, first=place > 0)
    return written


def _indented(block: list[Run], indent: str, *, first: bool) -> list[Run]:
    """Put INDENT before each line, before the first one where FIRST says so."""
    led = [replace(run, text=run.text.replace("\n", "\n" + indent)) for run in block]
    return [Run(indent, ()), *led] if first and led else led


def _table(node: SyntaxTreeNode, marks: tuple[str, ...]) -> list[Run]:
    rows = [[_inline(cell.children, ()) for cell in row.children] for part in node.children for row in part.children]
    texts = [["".join(run.text for run in cell).replace("\n", " ") for cell in row] for row in rows]
    widths = [max(len(text) for text in column) for column in zip(*texts, strict=True)]
    linked = any(mark.startswith("a:") for row in rows for cell in row for run in cell for mark in run.marks)
    if linked or sum(widths) + 2 * len(widths) > _TABLE_WIDTH:
        return _records(rows, marks)
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in texts]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return [Run("\n".join(lines), (*(mark for mark in marks if mark == "blockquote"), "pre"))]


def _records(rows: Sequence[Sequence[list[Run]]], marks: tuple[str, ...]) -> list[Run]:
    """Write a wide table as one line for each row, each cell with its column's name."""
    written: list[Run] = []
    for row in rows[1:] or rows:
        written.append(Run("\n" * bool(written) + f"{_BULLETS[0]} ", marks))
        for place, (name, cell) in enumerate(zip(rows[0], row, strict=True)):
            written += [Run(" · ", marks)] if place else []
            written += [Run(run.text, _with(marks, "b")) for run in name] if len(rows) > 1 else []
            written += [Run(": ", marks)] if name and len(rows) > 1 else []
            written += [Run(run.text.replace("\n", " "), (*marks, *run.marks)) for run in cell]
    return written


# Stretches of text


def _with(marks: tuple[str, ...], mark: str) -> tuple[str, ...]:
    return marks if mark in marks or len(marks) >= _DEEPEST else (*marks, mark)


def _inline(nodes: Iterable[SyntaxTreeNode], marks: tuple[str, ...]) -> list[Run]:
    return [run for node in nodes for run in _runs_of(node, marks) if run.text]


def _runs_of(node: SyntaxTreeNode, marks: tuple[str, ...]) -> list[Run]:
    match node.type:
        case "text" | "text_special":
            return [Run(node.content, marks)]
        case "softbreak" | "hardbreak":
            return [Run("\n", marks)]
        case "code_inline":
            return [Run(node.content, (*(mark for mark in marks if mark == "blockquote"), "code"))]
        case "strong" | "em" | "s":
            return _inline(node.children, _with(marks, _STYLES[node.type]))
        case "link" | "image":
            return _link(node, marks)
        case _:
            return _inline(node.children, marks)


def _link(node: SyntaxTreeNode, marks: tuple[str, ...]) -> list[Run]:
    url = str(node.attrs.get("href") or node.attrs.get("src") or "")
    label = "".join(run.text for run in _inline(node.children, ()))
    if not url.lower().startswith(_LINKED):
        target = url.removeprefix("mailto:").removeprefix("tel:")
        return [Run(f"{label} ({target})" if target and label not in ("", url, target) else target or label, marks)]
    inner = _inline(node.children, _with(marks, f"a:{url}")) or [Run(url, _with(marks, f"a:{url}"))]
    return [replace(run, marks=(*marks, f"a:{url}")) if "code" in run.marks else run for run in inner]
