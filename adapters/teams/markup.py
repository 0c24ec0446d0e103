"""Our answers' Markdown as the Markdown that Teams shows: no tables, no pictures, no markup but our own.

What an answer says literally stays literal: signs that would be markup are escaped, and "<" and "&" are entities, so
that neither HTML nor a mention comes about.
learn.microsoft.com/microsoftteams/platform/bots/how-to/format-your-bot-messages
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

_PARSER = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
_LINKED = ("http://", "https://", "mailto:", "tel:")
_STYLES = {"strong": "**", "em": "*", "s": "~~"}
_BREAK = "  \n"
_ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
_ENDS = {"th": "   ", "td": "   ", "paragraph": "\n", "heading": "\n", "tr": "\n"}
_TABLE_WIDTH = 60  # characters of a line that a code block does not break

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_BARE_URL = re.compile(r"(?<!\w)https?://[^\s<>|\"`]+", re.IGNORECASE)
_CITED = re.compile(r"\[(\d{1,3})\](?![(:])")
_LINE_MARK = re.compile(r"^(\s*)(#{1,6}(?=\s|$)|[-+](?=\s|$)|=+\s*$|-{2,}\s*$|(\d{1,9})([.)])(?=\s|$))")
_BULLET = re.compile(r"^\s*[*+-]\s", re.MULTILINE)
_UNDERSCORE = re.compile(r"(?<!\w)_|_(?!\w)")
_BEGUN = re.compile(r"\s*(?:\d{1,9}[.)]?|[-+=#]+)\s*")  # a number, a list or a heading of which nothing more has come
_FENCE = re.compile(r"`{3,}")


def to_teams(markdown: str) -> str:
    """Convert MARKDOWN to what a Teams message shows."""
    tree = SyntaxTreeNode(_PARSER.parse(_clean(markdown)))
    return "\n".join(_blocks(tree.children)).strip("\n")


def escape(text: str) -> str:
    """Make TEXT, a document's title for example, say in Markdown what it says."""
    return "\n".join(_line_start(_literal(line.strip())) for line in _clean(text).split("\n"))


def plain(markdown: str) -> str:
    """Convert MARKDOWN to text without markup, for fields that show it as it is."""
    tree = SyntaxTreeNode(_PARSER.parse(_clean(markdown)))
    found = "\n".join(_plain(node) for node in tree.children)
    return re.sub(r"\n{3,}", "\n\n", found).strip()


def grown(shown: str, markdown: str) -> str:
    """Convert as much of an unfinished MARKDOWN as begins with what is SHOWN already; SHOWN where nothing more does.

    A stream may only add: bots/streaming-ux.
    """
    for text in (markdown, _settled(markdown)):
        converted = to_teams(text)
        if converted.startswith(shown) and len(converted) > len(shown) and not _is_open(text):
            return converted
    return shown


def _is_open(markdown: str) -> bool:
    """Tell whether the last line may still become something else."""
    lines = markdown.split("\n")
    last, before = lines[-1], lines[-2] if len(lines) > 1 else ""
    tabular = last.lstrip().startswith("|") or (not last.strip() and before.lstrip().startswith("|"))
    begun = _BEGUN.fullmatch(last) or last.endswith(("*", "_", "`", "]", "!", "~", "\\"))
    paragraph = _BULLET.sub("", markdown.rpartition("\n\n")[2])
    return bool(_open_fence(lines) is not None or tabular or begun or _has_open_marks(paragraph))


def _has_open_marks(text: str) -> bool:
    odd = any(text.count(mark) % 2 for mark in ("`", "*", "**", "~~")) or len(_UNDERSCORE.findall(text)) % 2
    return bool(odd or text.count("[") != text.count("]") or text.rfind("](") > text.rfind(")"))


def _open_fence(lines: Sequence[str]) -> int | None:
    """Return the line that opens a code block which is not closed."""
    opened: int | None = None
    for number, line in enumerate(lines):
        if line.lstrip().startswith(("```", "~~~")):
            opened = number if opened is None else None
    return opened


def _settled(markdown: str) -> str:
    """Return MARKDOWN up to the last word behind which nothing is open."""
    lines = markdown.split("\n")
    text = "\n".join(lines[: _open_fence(lines)]).rstrip()
    if not _is_open(text):
        return text
    while (cut := max(text.rfind(" "), text.rfind("\n"))) > 0:
        text = text[:cut].rstrip()
        if not _is_open(text):
            return text
    return ""


def _clean(text: str) -> str:
    sound = text.encode("utf-8", "replace").decode()
    return _CONTROL.sub("", sound.replace("\r\n", "\n").replace("\r", "\n"))


# Blocks


def _blocks(nodes: Sequence[SyntaxTreeNode]) -> list[str]:
    lines: list[str] = []
    for node in nodes:
        block = _block(node)
        lines += ["", *block] if lines and block else block
    return lines


def _block(node: SyntaxTreeNode) -> list[str]:
    writer = _WRITERS.get(node.type)
    return writer(node) if writer else _paragraph(_inline(node.children))


def _quote(node: SyntaxTreeNode) -> list[str]:
    return [f"> {line}".rstrip() for line in _blocks(node.children)]


def _heading(node: SyntaxTreeNode) -> list[str]:
    text = _inline(node.children).replace("**", "").strip()
    return [f"**{text.replace(_BREAK, ' ')}**"] if text else []


def _paragraph(text: str) -> list[str]:
    return [_line_start(line) for line in text.strip().split("\n")] if text.strip() else []


def _line_start(line: str) -> str:
    """Keep the beginning of a line from being a heading, a list or a rule."""
    found = _LINE_MARK.match(line)
    if found is None:
        return line
    before = f"{found[1]}{found[3]}\\{found[4]}" if found[3] else f"{found[1]}\\{found[2]}"
    return before + line[found.end() :]


def _code(code: str) -> list[str]:
    if not code.strip():
        return []
    longest = max((len(found[0]) for found in _FENCE.finditer(code)), default=0)
    fence = "`" * max(3, longest + 1)
    return [fence, *code.split("\n"), fence]


def _list(node: SyntaxTreeNode) -> list[str]:
    lines: list[str] = []
    number = int(node.attrs.get("start", 1))
    for item in node.children:
        sign = f"{number}. " if node.type == "ordered_list" else "- "
        inner = _tight(item)
        indent = " " * len(sign)
        lines += [sign + (inner[0] if inner else ""), *(indent + line if line.strip() else "" for line in inner[1:])]
        number += 1
    return lines


def _tight(item: SyntaxTreeNode) -> list[str]:
    """Write an item without the empty lines that would tear its list apart."""
    lines: list[str] = []
    for child in item.children:
        block = _block(child)
        between = lines and child.type == "paragraph"
        lines += ["", *block] if between else block
    return lines


def _table(node: SyntaxTreeNode) -> list[str]:
    """Write a table as aligned text where it is narrow, else as a list with the headings in each line."""
    rows = [[cell for cell in row.children] for part in node.children for row in part.children]  # noqa: C416
    texts = [["".join(_plain(child) for child in cell.children).replace("\n", " ") for cell in row] for row in rows]
    widths = [max(len(text) for text in column) for column in zip(*texts, strict=True)]
    cited = any(_BARE_URL.search(text) or _CITED.search(text) for row in texts for text in row)
    linked = any(child.type == "link" for row in rows for cell in row for child in cell.walk())
    if cited or linked or sum(widths) + 3 * len(widths) > _TABLE_WIDTH:
        return [_record(rows[0], row) for row in rows[1:] or rows]
    aligned = ["   ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in texts]
    aligned.insert(1, "   ".join("-" * width for width in widths))
    return _code("\n".join(aligned))


def _record(header: Sequence[SyntaxTreeNode], row: Sequence[SyntaxTreeNode]) -> str:
    cells = []
    for name, cell in zip(header, row, strict=True):
        title, text = _inline(name.children).replace("**", "").strip(), _inline(cell.children).strip()
        cells.append(f"**{title}**: {text}" if title and name is not cell else text)
    return "- " + " · ".join(cells).replace(_BREAK, " ")


_WRITERS: Mapping[str, Callable[[SyntaxTreeNode], list[str]]] = {
    "hr": lambda _: ["---"],
    "bullet_list": _list,
    "ordered_list": _list,
    "blockquote": _quote,
    "fence": lambda node: _code(node.content.rstrip("\n")),
    "code_block": lambda node: _code(node.content.rstrip("\n")),
    "table": _table,
    "heading": _heading,
}


# Stretches of text


def _inline(nodes: Iterable[SyntaxTreeNode]) -> str:
    return "".join(_span(node) for node in nodes)


def _span(node: SyntaxTreeNode) -> str:
    match node.type:
        case "text":
            return _literal(node.content)
        case "softbreak" | "hardbreak":
            return _BREAK
        case "code_inline":
            return _code_span(node.content)
        case "strong" | "em" | "s":
            return _styled(_STYLES[node.type], _inline(node.children))
        case "link" | "image":
            return _link(node)
        case _:
            return _inline(node.children)


def _styled(mark: str, text: str) -> str:
    return f"{mark}{text}{mark}" if text.strip() else text


def _code_span(code: str) -> str:
    if not code.strip():
        return code
    longest = max((len(run) for run in re.findall(r"`+", code)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if code.startswith("`") or code.endswith("`") else ""
    return f"{fence}{pad}{code}{pad}{fence}"


def _link(node: SyntaxTreeNode) -> str:
    """Write a link; a picture becomes a link to it, as showing it would tell its server who reads."""
    url = str(node.attrs.get("href") or node.attrs.get("src") or "")
    label = " ".join("".join(_plain(child) for child in node.children).split()) or node.content
    if not url.lower().startswith(_LINKED):
        return _literal(label)
    return f"[{_literal(label or url, url=False)}]({_url(url)})"


def _url(url: str) -> str:
    encoded = "".join(f"%{ord(c):02X}" if c in "<>()\\ \"'*`~|[]" or not c.isprintable() else c for c in url)
    return encoded.replace("&", "&amp;")


def _literal(text: str, *, url: bool = True) -> str:
    """Escape what would be markup; addresses stay whole, as Teams makes links of them by itself."""
    written, end = "", 0
    for found in _BARE_URL.finditer(text) if url else ():
        address = found[0].rstrip(".,;:!?'*_])}")
        written += _escaped(text[end : found.start()]) + _bare_url(address)
        end = found.start() + len(address)
    return written + _escaped(text[end:])


def _bare_url(url: str) -> str:
    encoded = "".join(f"%{ord(c):02X}" if c in "*`~[]\\" else c for c in url)
    encoded = re.sub(r"(?<![a-zA-Z0-9])_|_(?![a-zA-Z0-9])", "%5F", encoded)
    return encoded.replace("&", "&amp;")


def _escaped(text: str) -> str:
    kept = {place for found in _CITED.finditer(text) for place in (found.start(), found.end() - 1)}
    return "".join(
        character if place in kept else _sign(text, place, character) for place, character in enumerate(text)
    )


def _sign(text: str, place: int, character: str) -> str:
    if character in _ENTITIES:
        return _ENTITIES[character]
    if character == "_":
        inside = 0 < place < len(text) - 1 and text[place - 1].isalnum() and text[place + 1].isalnum()
        return "_" if inside else "\\_"
    is_mark = character in "\\*`~[]" or text.startswith("![", place)
    return f"\\{character}" if is_mark else character


def _plain(node: SyntaxTreeNode) -> str:
    if node.type in ("text", "code_inline", "image"):
        return node.content
    if node.type in ("fence", "code_block"):
        return node.content.rstrip("\n") + "\n"
    if node.type in ("softbreak", "hardbreak"):
        return "\n"
    inner = "".join(_plain(child) for child in node.children)
    if node.type == "list_item":
        return (f"{node.info}. " if node.info else "- ") + inner
    return inner + _ENDS.get(node.type, "")
