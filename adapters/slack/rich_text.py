"""What people write in Slack as Markdown, so that its formatting is kept where it is brought to somebody else.

docs.slack.dev/reference/block-kit/blocks/rich-text-block
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from adapters.slack.reading import plain_element
from core.payloads import Json, object_at, objects_at, text_at, value_at

_MARKS = (("bold", "**"), ("italic", "*"), ("strike", "~~"))
_SPECIAL = re.compile(r"[\\`*~]|\[(?=[^\]\n]*\])|(?<!\w)_|_(?!\w)|^(?:#{1,6}|>|[-+]|\d{1,9}[.)])(?=\s)", re.MULTILINE)
_EDGES = re.compile(r"(\s*)(.*?)(\s*)", re.DOTALL)


def to_markdown(blocks: Sequence[Json], names: Mapping[str, str]) -> str:
    """Write the rich_text BLOCKS of a message as Markdown; empty where there are none. NAMES are those of people."""
    parts = [
        part for block in blocks if text_at(block, "type") == "rich_text" for part in objects_at(block, "elements")
    ]
    written = [_part(part, names).strip("\n") for part in parts]
    return "\n\n".join(text for text in written if text).strip()


def _part(part: Json, names: Mapping[str, str]) -> str:
    inner = objects_at(part, "elements")
    match text_at(part, "type"):
        case "rich_text_list":
            return _list(part, inner, names)
        case "rich_text_preformatted":
            code = "".join(_bare(element, names) for element in inner)
            fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", code)), default=0))
            return f"{fence}\n{code}\n{fence}"
        case "rich_text_quote":
            return "\n".join(f"> {line}" for line in _inline(inner, names).split("\n"))
        case _:
            return _inline(inner, names)


def _list(part: Json, items: Sequence[Json], names: Mapping[str, str]) -> str:
    indent, offset = (value_at(part, name) for name in ("indent", "offset"))
    space = "    " * (indent if isinstance(indent, int) and 0 <= indent <= 8 else 0)
    first = 1 + (offset if isinstance(offset, int) else 0)
    ordered = text_at(part, "style") == "ordered"
    marks = (f"{number}." if ordered else "-" for number in range(first, first + len(items)))
    return "\n".join(f"{space}{mark} {_part(item, names)}" for mark, item in zip(marks, items, strict=True))


def _inline(elements: Sequence[Json], names: Mapping[str, str]) -> str:
    return "".join(_element(element, names) for element in elements)


def _element(element: Json, names: Mapping[str, str]) -> str:
    style, bare = object_at(element, "style"), _bare(element, names)
    if text_at(element, "type") == "link":
        url, label = text_at(element, "url"), text_at(element, "text")
        return _styled(f"[{_escaped(label)}]({url})" if label and label != url else url, style)
    if value_at(style, "code") is True:
        return f"`` {bare} ``" if "`" in bare else f"`{bare}`"
    return _styled(_escaped(bare), style)


def _styled(text: str, style: Json) -> str:
    """Put marks around TEXT; Markdown knows none with a space inside."""
    found = _EDGES.fullmatch(text)
    before, inside, after = found.groups() if found else ("", text, "")
    if not inside:
        return text
    for name, mark in _MARKS:
        if value_at(style, name) is True:
            inside = f"{mark}{inside}{mark}"
    return f"{before}{inside}{after}"


def _escaped(text: str) -> str:
    return _SPECIAL.sub(lambda found: f"\\{found.group()}" if not found.group()[0].isdigit() else found.group(), text)


def _bare(element: Json, names: Mapping[str, str]) -> str:
    if text_at(element, "type") == "user":
        user_id = text_at(element, "user_id")
        return "@" + (names.get(user_id) or user_id)
    return text_at(element, "text") or text_at(element, "url") or plain_element(element)


def people_in(blocks: Any) -> tuple[str, ...]:
    """List the ids of people whom rich text mentions."""
    if isinstance(blocks, list):
        return tuple(dict.fromkeys(found for block in blocks for found in people_in(block)))
    if not isinstance(blocks, dict):
        return ()
    own = (text_at(blocks, "user_id"),) if text_at(blocks, "type") == "user" else ()
    return tuple(found for found in (*own, *people_in(value_at(blocks, "elements"))) if found)
