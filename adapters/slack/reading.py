"""What people write in Slack as plain text: mentions readable, links open, entities decoded exactly once."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

_TOKEN = re.compile(r"<([^<>]*)>|&(amp|lt|gt);")
_MASKED = re.compile(r"<[^<>]*>|```.*?```|`[^`\n]+`", re.DOTALL)
_STYLED = [re.compile(rf"(?<![\w{m}])\{m}(?![\s{m}])([^{m}\n]*[^\s{m}])\{m}(?![\w{m}])") for m in ("*", "_", "~")]
_ENTITIES = {"amp": "&", "lt": "<", "gt": ">"}
_UNSEEN = re.compile("[\u00ad\u200b\u2060\ufeff]")
_ADDRESS = "\x00"  # where the mention of the bot stood


def from_mrkdwn(text: str, users: Mapping[str, str], *, bot_id: str = "") -> str:
    """Turn the mrkdwn TEXT of a message into plain text.

    USERS maps user ids to names; the first mention of BOT_ID is left out, as it only says who is meant. Code keeps its
    backticks, other marks go.
    """
    bare = _without_marks(_UNSEEN.sub("", _address_removed(text, bot_id)))
    return _TOKEN.sub(lambda found: _token(found, users), bare).strip()


def _address_removed(text: str, bot_id: str) -> str:
    """Take out the first mention of the bot and the doubled space it leaves."""
    if not bot_id:
        return text
    before, found, after = _partition_mention(text, bot_id)
    if not found:
        return text
    if before.endswith((" ", "\n")) or not before:
        after = after.lstrip(" \t")
    return before + after


def _partition_mention(text: str, user_id: str) -> tuple[str, bool, str]:
    found = re.search(rf"<@{re.escape(user_id)}(?:\|[^<>]*)?>", text)
    return (text[: found.start()], True, text[found.end() :]) if found else (text, False, "")


def _without_marks(text: str) -> str:
    masked = _MASKED.sub(lambda found: "\ue000" * len(found.group()), text)
    dropped: set[int] = set()
    for pattern in _STYLED:
        for found in pattern.finditer(masked):
            dropped |= {found.start(), found.end() - 1}
    return "".join(c for place, c in enumerate(text) if place not in dropped) if dropped else text


def _token(found: re.Match[str], users: Mapping[str, str]) -> str:
    if found.group(2):
        return _ENTITIES[found.group(2)]
    target, _, label = found.group(1).partition("|")
    label = _decoded(label)
    match target[:1]:
        case "@":
            return "@" + (users.get(target[1:]) or label.removeprefix("@") or target[1:])
        case "#":
            return "#" + (label.removeprefix("#") or target[1:])
        case "!":
            return label or _special(target[1:])
        case _:
            return _link(_decoded(target), label)


def _special(command: str) -> str:
    name, _, argument = command.partition("^")
    return "@" + (argument if name == "subteam" and argument else name)


def _link(url: str, label: str) -> str:
    bare = re.sub(r"^(?:https?://|mailto:|tel:)", "", url)
    if not label or label in {url, bare, bare.rstrip("/")}:
        return label or bare if url.startswith(("mailto:", "tel:")) else label or url
    return f"{label} ({url})"


def _decoded(text: str) -> str:
    return re.sub(r"&(amp|lt|gt);", lambda found: _ENTITIES[found.group(1)], text)


def from_rich_text(blocks: Sequence[Mapping[str, Any]], users: Mapping[str, str], *, bot_id: str = "") -> str:
    """Turn the rich_text BLOCKS of a message into plain text; empty where there are none.

    https://docs.slack.dev/reference/block-kit/blocks/rich-text-block
    """
    parts = [part for block in blocks if block.get("type") == "rich_text" for part in block.get("elements", ())]
    reader = _Reader(users, bot_id)
    text = "\n".join(reader.part(part) for part in parts)
    return re.sub(rf"(^|\s){_ADDRESS}[ \t]*", r"\1", text).replace(_ADDRESS, "").strip()


class _Reader:
    """Read rich text; it remembers whether the bot was addressed already."""

    def __init__(self, users: Mapping[str, str], bot_id: str) -> None:
        self._users = users
        self._bot_id = bot_id

    def part(self, part: Mapping[str, Any]) -> str:
        inner = part.get("elements", ())
        match part.get("type"):
            case "rich_text_list":
                return "\n".join(self._items(part))
            case "rich_text_preformatted":
                return "```\n" + "".join(self._element(element) for element in inner) + "\n```"
            case "rich_text_quote":
                text = "".join(self._element(element) for element in inner)
                return "\n".join(f"> {line}" for line in text.split("\n"))
            case _:
                return "".join(self._element(element) for element in inner).rstrip("\n")

    def _items(self, part: Mapping[str, Any]) -> list[str]:
        indent = "    " * int(part.get("indent", 0))
        first = int(part.get("offset", 0)) + 1
        ordered = part.get("style") == "ordered"
        items = enumerate(part.get("elements", ()), first)
        return [indent + (f"{number}. " if ordered else "- ") + self.part(item) for number, item in items]

    def _element(self, element: Mapping[str, Any]) -> str:
        match element.get("type"):
            case "text":
                code = (element.get("style") or {}).get("code")
                return f"`{element['text']}`" if code else str(element["text"])
            case "link":
                return _link(str(element.get("url", "")), str(element.get("text") or ""))
            case "user":
                return self._mention(str(element.get("user_id", "")))
            case _:
                return plain_element(element)

    def _mention(self, user_id: str) -> str:
        if user_id and user_id == self._bot_id:
            self._bot_id = ""
            return _ADDRESS
        return "@" + (self._users.get(user_id) or user_id)


def plain_element(element: Mapping[str, Any]) -> str:
    """Write what is neither text, a link nor a person."""
    match element.get("type"):
        case "emoji":
            return _emoji(element)
        case "channel":
            return f"#{element.get('channel_id', '')}"
        case "usergroup":
            return f"@{element.get('usergroup_id', '')}"
        case "broadcast":
            return f"@{element.get('range', '')}"
        case "date":
            return str(element.get("fallback") or element.get("timestamp") or "")
        case _:
            return str(element.get("text") or "")


def _emoji(element: Mapping[str, Any]) -> str:
    codes = str(element.get("unicode") or "").split("-")
    try:
        return "".join(chr(int(code, 16)) for code in codes)
    except (ValueError, OverflowError):
        return f":{element.get('name', '')}:"
