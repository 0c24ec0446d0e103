"""Updates as Telegram writes them, from servers that stand in for it and leave things out.

An id in quotation marks, a chat without its type, a command or a mention without its entity, a private message without
its sender: what is meant is plain. Telegram's own updates have all of it.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from core.inbox import Incoming, Kind
from core.payloads import integer_at, object_at

_MESSAGES = ("message", "edited_message")
_DATED = (("message",), ("edited_message",), ("callback_query", "message"), ("message_reaction",))
_NUMBERS = frozenset(
    "update_id message_id message_thread_id date edit_date offset length migrate_to_chat_id "
    "migrate_from_chat_id".split()
)
_NAMED = frozenset(("chat", "from", "user", "sender_chat", "via_bot"))  # what has a number for its id
_NUMBER = re.compile(r"-?[0-9]{1,18}")
_SUPERGROUP = -1_000_000_000_000
_DEEPEST = 8  # levels that are looked through: a message, what it replies to, and who wrote that
_ENTITIES = re.compile(
    r"(?P<bot_command>(?<!\S)/\w{1,64}(?:@\w+)?)|(?P<mention>(?<![\w@/])@[A-Za-z]\w{2,31})", re.ASCII
)


def completed(update: Any) -> Any:
    """Return UPDATE with what is missing filled in."""
    if not isinstance(update, Mapping):
        return update
    whole: dict[str, Any] = _numbered("", update, _DEEPEST)
    for kind in _MESSAGES:
        if isinstance(message := whole.get(kind), dict):
            _complete(message)
    if isinstance(query := whole.get("callback_query"), dict):
        _complete_query(query)
    return whole


def dated(incoming: Incoming, update: Any) -> Incoming:
    """Tell events apart by their dates, too, where a server counts from one again whenever it is started."""
    told = next((found for kind in _DATED if (found := object_at(update, *kind))), {})
    date = integer_at(told, "edit_date") or integer_at(told, "date") or 0
    plain = incoming.kind is Kind.MESSAGE and not incoming.revision
    return replace(incoming, event_id=f"{incoming.event_id}:{date}", revision=date if plain else incoming.revision)


def _numbered(name: str, value: Any, levels: int) -> Any:
    """Write ids as numbers and give chats their types; NAME is the field that VALUE stands in."""
    if isinstance(value, list) and levels:
        return [_numbered(name, item, levels - 1) for item in value]
    if not isinstance(value, Mapping) or not levels:
        return value
    found = {
        key: int(item) if isinstance(item, str) and _is_number(name, key, item) else _numbered(key, item, levels - 1)
        for key, item in value.items()
    }
    if name == "chat" and "type" not in found and isinstance(chat_id := found.get("id"), int):
        found["type"] = "private" if chat_id > 0 else "group" if chat_id > _SUPERGROUP else "supergroup"
    return found


def _is_number(name: str, key: str, item: str) -> bool:
    is_id = key in _NUMBERS or (key == "id" and name in _NAMED)
    return is_id and _NUMBER.fullmatch(item) is not None


def _complete(message: dict[str, Any]) -> None:
    chat = message.get("chat")
    if isinstance(chat, dict) and chat.get("type") == "private" and "from" not in message:
        message["from"] = _person(chat)
    for said, entities in (("text", "entities"), ("caption", "caption_entities")):
        if isinstance(text := message.get(said), str) and ("@" in text) and entities not in message:
            message[entities] = list(_found(text))


def _person(chat: Mapping[str, Any]) -> dict[str, Any]:
    """Name who writes in a private chat, whose id is theirs."""
    return {name: chat[name] for name in ("id", "first_name", "last_name", "username") if name in chat}


def _found(text: str) -> Iterator[dict[str, Any]]:
    for match in _ENTITIES.finditer(text):
        begin, length = _units(text[: match.start()]), _units(match[0])
        yield {"type": match.lastgroup, "offset": begin, "length": length}


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _complete_query(query: dict[str, Any]) -> None:
    if isinstance(query.get("id"), int):
        query["id"] = str(query["id"])
    message = query.get("message")
    chat = message.get("chat") if isinstance(message, dict) else None
    if isinstance(chat, dict) and chat.get("type") == "private" and "from" not in query:
        query["from"] = _person(chat)
