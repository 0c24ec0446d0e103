"""Send and edit one message: HTML first, the plain text where Telegram cannot read it, no previews of links."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from telegram import InputFile

from adapters.telegram import limits
from adapters.telegram.api import PATIENCE_S, Refusal, TelegramApi
from adapters.telegram.outbound import Part, keyboard
from core.payloads import Json, integer_at, object_at, value_at

EDIT = "editMessageText"

_NO_PREVIEW = {"is_disabled": True}
_UNPARSED = ("can't parse entities", "can't find end", "unsupported start tag", "unclosed", "entity_")
_UNFIT = (  # what is wrong with the message and not with its chat
    "button_",
    "reply_markup_",
    "inline keyboard",
    "message is too long",
    "message_too_long",
    "message text is empty",
    "text must be non-empty",
    "message to be replied not found",
    "message to reply not found",
)
_UNCHANGED = ("message is not modified",)
_TOPIC_GONE = ("message thread not found", "topic_closed", "topic_deleted", "topic closed")
_UPLOAD_S = 60.0
_DRAFT_S = 5.0  # a preview that takes longer is not worth its wait
_NO_ID = "0"  # of a message whose server does not say it


async def send_part(
    api: TelegramApi,
    address: Mapping[str, Any],
    part: Part,
    *,
    reply: bool = False,
    patience_s: float | None = PATIENCE_S,
) -> str:
    """Send PART where ADDRESS says and return the id of the message; raises as TelegramApi.call does.

    Where the group has become another chat, the id is CHAT/MESSAGE.
    """
    where = {**where_of(address), **_reply_to(address, reply=reply)}
    if part.file is not None:
        document = InputFile(part.file.text.encode(), filename=part.file.name, attach=True)
        sent = await _once_more_outside(
            api, "sendDocument", {**where, "document": document}, patience_s=patience_s, timeout_s=_UPLOAD_S
        )
        return _id_of(sent, address)
    more = {**where, "link_preview_options": _NO_PREVIEW, "reply_markup": keyboard(part.rows) if part.rows else None}
    sent = await _write(partial(_once_more_outside, api, "sendMessage", patience_s=patience_s), part, more)
    return _id_of(sent, address)


async def edit_part(
    api: TelegramApi, chat_id: Any, message_id: str, part: Part, *, patience_s: float | None = PATIENCE_S
) -> None:
    """Put PART in place of a message; what stands there already is as good. Raises as TelegramApi.call does."""
    more = {
        "chat_id": chat_id,
        "message_id": int(message_id),
        "link_preview_options": _NO_PREVIEW,
        "reply_markup": keyboard(part.rows) if part.rows else None,
    }
    await _write(partial(_edit, api, patience_s), part, more)


async def draft(api: TelegramApi, address: Mapping[str, Any], draft_id: int, part: Part) -> None:
    """Show PART as a draft that grows, where a turn is free right now; raises as TelegramApi.call does."""
    more = {**where_of(address), "draft_id": draft_id, "can_stop": True}
    await api.call("sendMessageDraft", patience_s=0.0, timeout_s=_DRAFT_S, **more, text=part.html, parse_mode="HTML")


def where_of(address: Mapping[str, Any]) -> dict[str, Any]:
    """Name the chat, and the topic where it is one: Telegram refuses the id of any other thread."""
    return {"chat_id": address.get("chat_id"), "message_thread_id": address.get("message_thread_id")}


def is_private(address: Mapping[str, Any]) -> bool:
    """Tell whether one person alone reads the chat."""
    chat_id = address.get("chat_id")
    return bool(address.get("chat_type", "private" if isinstance(chat_id, int) and chat_id > 0 else "") == "private")


def _id_of(sent: Json, address: Mapping[str, Any]) -> str:
    found = str(value_at(sent, "message_id") or _NO_ID)
    message_id, chat_id = found if found.isdecimal() else _NO_ID, integer_at(object_at(sent, "chat"), "id")
    return message_id if chat_id in (None, address.get("chat_id")) else f"{chat_id}/{message_id}"


def _reply_to(address: Mapping[str, Any], *, reply: bool) -> dict[str, Any]:
    message_id = address.get("reply_to")
    if not reply or message_id is None:
        return {}
    return {"reply_parameters": {"message_id": message_id, "allow_sending_without_reply": True}}


async def _write(call: Callable[[dict[str, Any]], Awaitable[Any]], part: Part, more: Mapping[str, Any]) -> Any:
    """Write PART as well as Telegram takes it: with its markup, as plain text, or as that and nothing else."""
    try:
        return await call({**more, "text": part.html, "parse_mode": "HTML"})
    except Refusal as refusal:
        unfit = refusal.says(*_UNFIT)
        if not unfit and not refusal.says(*_UNPARSED):
            raise
    try:
        if not unfit:
            return await call({**more, "text": part.plain})
    except Refusal as refusal:
        if not refusal.says(*_UNFIT):
            raise
    return await call({**more, "text": _fitting(part.plain), "reply_markup": None, "reply_parameters": None})


def _fitting(text: str) -> str:
    """Cut TEXT to what a message holds; where nothing of it can be seen, there are three dots."""
    if not any(character.isprintable() and not character.isspace() for character in text):
        return "…"
    return text.encode("utf-16-le", "ignore")[: 2 * limits.TEXT].decode("utf-16-le", "ignore")


async def _once_more_outside(api: TelegramApi, method: str, arguments: dict[str, Any], **more: Any) -> Any:
    """Send to the topic, and where it is gone to the chat itself."""
    try:
        return await api.call(method, **more, **arguments)
    except Refusal as refusal:
        if arguments.get("message_thread_id") is None or not refusal.says(*_TOPIC_GONE):
            raise
    return await api.call(method, **more, **{**arguments, "message_thread_id": None})


async def _edit(api: TelegramApi, patience_s: float | None, arguments: dict[str, Any]) -> None:
    try:
        await api.call(EDIT, patience_s=patience_s, **arguments)
    except Refusal as refusal:
        if not refusal.says(*_UNCHANGED):
            raise
