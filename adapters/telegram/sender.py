"""Where a message of Telegram stands and who wrote it."""

from typing import Any

from core.domain import Author
from core.payloads import Json, flag_at, integer_at, object_at, text_at
from core.places import Place, Platform

PRIVATE = "private"
_GROUPS = ("group", "supergroup")


def place_in(payload: Json) -> Place:
    """Name the chat and the topic of PAYLOAD."""
    chat_id = integer_at(object_at(payload, "chat"), "id")
    return Place(Platform.TELEGRAM, "" if chat_id is None else str(chat_id), _topic(payload))


def _topic(payload: Json) -> str:
    """Return the topic's id; replies outside forums carry a message_thread_id too, which is none."""
    topic = integer_at(payload, "message_thread_id") if flag_at(payload, "is_topic_message") else None
    return "" if topic is None else str(topic)


def address(payload: Json, reply_to: int | None) -> dict[str, Any]:
    """Say how the channel finds back: the chat, its kind, the topic, the message to reply to."""
    chat = object_at(payload, "chat")
    found: dict[str, Any] = {"chat_id": integer_at(chat, "id"), "chat_type": text_at(chat, "type")}
    if topic := _topic(payload):
        found["message_thread_id"] = int(topic)
    if reply_to is not None:
        found["reply_to"] = reply_to
    return found


def is_private(payload: Json) -> bool:
    """Tell whether one person alone reads the chat of PAYLOAD."""
    return text_at(object_at(payload, "chat"), "type") == PRIVATE


def author(user: Json) -> Author:
    """Name a user."""
    user_id = integer_at(user, "id")
    name = f"{text_at(user, 'first_name')} {text_at(user, 'last_name')}".strip() or text_at(user, "username")
    return Author("" if user_id is None else str(user_id), name)


def sender(payload: Json) -> Author:
    """Name who wrote; administrators who are anonymous write as their group."""
    group = object_at(payload, "sender_chat")
    if integer_at(group, "id") is not None:
        return Author(str(integer_at(group, "id")), text_at(group, "title"))
    return author(object_at(payload, "from"))


def unanswered(payload: Json, bot_id: int) -> str:
    """Say why a message is not answered whatever it says; the empty string where it may be."""
    chat, user = object_at(payload, "chat"), object_at(payload, "from")
    if integer_at(chat, "id") is None or text_at(chat, "type") not in (PRIVATE, *_GROUPS):
        return "a message outside private chats and groups"
    if flag_at(payload, "is_automatic_forward") or text_at(object_at(payload, "sender_chat"), "type") == "channel":
        return "a post of a channel"
    anonymous = integer_at(object_at(payload, "sender_chat"), "id") == integer_at(chat, "id")
    if integer_at(user, "id") is None and not anonymous:
        return "a message that nobody wrote"
    if flag_at(user, "is_bot") and not anonymous:
        return "a message of a bot"
    if integer_at(object_at(payload, "via_bot"), "id") == bot_id:
        return "a message of our own"
    return ""
