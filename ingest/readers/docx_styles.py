"""What the styles of a Word document say about its paragraphs and runs."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from lxml import etree

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"

_HEADING_NAME = re.compile(r"heading ([1-9])")
_LONGEST_CHAIN = 20  # of styles based on others; a loop ends here


@dataclass(frozen=True, slots=True)
class Style:
    """One style with everything it inherits."""

    level: int = 0  # of a heading, 1 is the highest; 0: no heading
    is_title: bool = False
    is_item: bool = False
    hidden: bool = False


def read_styles(part: "etree._Element | None") -> dict[str, Style]:
    """Map style ids to styles; the ids are translated in localized Word, the names of built-in styles are not."""
    found = {} if part is None else {style.get(f"{W}styleId", ""): style for style in part.iterchildren(f"{W}style")}
    return {style_id: _resolve(style_id, found) for style_id in found}


def _resolve(style_id: str, found: "dict[str, etree._Element]") -> Style:
    chain: list[etree._Element] = []
    while style_id in found and len(chain) < _LONGEST_CHAIN:
        chain.append(found[style_id])
        style_id = value(chain[-1], "basedOn")
    names = [value(style, "name").lower() for style in chain]
    return Style(
        level=next((level for level in map(_own_level, chain, names) if level is not None), 0),
        is_title=names[0] == "title",
        is_item=_inherited(chain, "pPr/numPr/numId", lambda found: found.get(f"{W}val") != "0"),
        hidden=_inherited(chain, "rPr/vanish", is_on),
    )


def _own_level(style: "etree._Element", name: str) -> int | None:
    if named := _HEADING_NAME.fullmatch(name):
        return int(named[1])
    stated = value(style.find(f"{W}pPr"), "outlineLvl")
    return _outline_level(stated) if stated else None


def _inherited(chain: "list[etree._Element]", path: str, test: "Callable[[etree._Element], bool]") -> bool:
    """Apply TEST to the first element at PATH along the chain."""
    qualified = "/".join(f"{W}{step}" for step in path.split("/"))
    for style in chain:
        stated = style.find(qualified)
        if stated is not None:
            return test(stated)
    return False


def heading_level(properties: "etree._Element | None", style: Style) -> int:
    """Tell the level of a paragraph's heading, 0 where it is none; its own properties go before its style."""
    stated = value(properties, "outlineLvl")
    return _outline_level(stated) if stated else style.level


def _outline_level(stated: str) -> int:
    level = number(stated, 0, 9)
    return level + 1 if level < 9 else 0  # 9 means body text


def value(parent: "etree._Element | None", name: str) -> str:
    """Return the value attribute of PARENT's child NAME, the empty string where there is none."""
    child = parent.find(f"{W}{name}") if parent is not None else None
    return child.get(f"{W}val", "") if child is not None else ""


def number(stated: str, lowest: int, highest: int) -> int:
    """Read a whole number between two bounds; what is no number counts as the lowest."""
    return (
        min(max(int(stated), lowest), highest) if stated.isascii() and stated.isdigit() and len(stated) < 9 else lowest
    )


def is_on(switch: "etree._Element") -> bool:
    """Read a switch, which is on unless it says otherwise (ECMA-376 part 1, 17.17.4)."""
    return switch.get(f"{W}val", "true") not in {"0", "false", "off"}
