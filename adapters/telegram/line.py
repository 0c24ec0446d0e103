"""The messages of one delivery: posted, edited and deleted, each with its id kept."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from adapters.telegram.api import PATIENCE_S, Refusal, TelegramApi
from adapters.telegram.outbound import Part
from adapters.telegram.posting import EDIT, edit_part, is_private, send_part
from core import wording
from core.errors import ChannelUnavailable
from core.outbox import Posting

_NOT_THERE = (
    "message to edit not found",
    "message can't be edited",
    "there is no text in the message",
    "message_id_invalid",
)
_NOT_DELETABLE = ("can't be deleted",)
_NOT_STARTED = (
    "chat not found",
    "can't initiate conversation",
    "bot was blocked",
    "user is deactivated",
    "user not found",
)


class Line:
    """Post, edit and delete the messages of one delivery; those in another chat than its own are named CHAT/MESSAGE."""

    def __init__(self, api: TelegramApi, posting: Posting) -> None:
        self.api = api
        self.posting = posting
        self.target = posting.delivery.target
        self.address: Mapping[str, Any] = self.target.address
        self._stands: dict[int, Part] = {}  # what this worker has put where

    @property
    def is_anonymous(self) -> bool:
        """Tell whether the author writes in the name of a group, and nobody knows who they are."""
        return not self.target.author_id.isdigit()

    @property
    def may_grow(self) -> bool:
        """Tell whether what is posted may be edited, as far as that is known."""
        return not self.api.lacks(EDIT)

    async def put(self, number: int, part: Part, *, reply: bool | None = None, patience_s: float = PATIENCE_S) -> None:
        """Post a part, or edit it where it stands there already; the first one of a group replies to the question."""
        known = self.posting.message_id(number)
        if known is not None and self._is_told_alone(known):  # whoever is told here would not find it there
            await self.withdraw(number)
            known = None
        if known is not None and (part.file is not None or self._stands.get(number) == part):
            return
        if known is None or not await self._edit(number, known, part, patience_s):
            replies = (number == 0 if reply is None else reply) and not is_private(self.address)
            more: dict[str, Any] = {"reply": replies, "patience_s": patience_s}
            await self.posting.post(number, lambda _: self._send(self.address, part, **more))
        self._stands[number] = part

    async def _send(self, address: Mapping[str, Any], part: Part, **more: Any) -> str:
        """Send a part and name it: what is in another chat than that of the question is found by its chat, too."""
        message_id = await send_part(self.api, address, part, **more)
        is_here = "/" in message_id or str(address.get("chat_id")) == self.target.place.channel
        return message_id if is_here else f"{address.get('chat_id')}/{message_id}"

    def _is_told_alone(self, known: str) -> bool:
        """Tell whether it stands in the author's own chat, while what is said now is for a group."""
        return known.startswith(f"{self.target.author_id}/") and not is_private(self.address)

    async def take_buttons(self, number: int, *, patience_s: float) -> None:
        """Leave a part as it is, without its buttons."""
        part = self._stands.get(number)
        if part is not None:
            await self.put(number, replace(part, rows=()), patience_s=patience_s)

    async def _edit(self, number: int, known: str, part: Part, patience_s: float) -> bool:
        """Edit what stands there; False where it stands there no longer."""
        try:
            await edit_part(self.api, *self._where(known), part, patience_s=patience_s)
        except Refusal as refusal:
            if refusal.is_of_method and patience_s:  # without patience it is still growing, and can wait
                await self._take_away(known)
            elif not refusal.says(*_NOT_THERE):
                raise
            await self.posting.forget(number)
            return False
        return True

    async def _take_away(self, known: str) -> None:
        """Delete what cannot be edited, where the server knows how to."""
        chat_id, message_id = self._where(known)
        with suppress(Refusal, ChannelUnavailable):
            await self.api.call("deleteMessage", chat_id=chat_id, message_id=int(message_id))

    async def put_all_privately(self, parts: Sequence[Part]) -> bool:
        """Post to the author's own chat; False where they never wrote to the bot, or write in the name of a group."""
        if self.is_anonymous:
            return False
        try:
            for number, part in enumerate(parts):
                await self._put_privately(number, part)
        except Refusal as refusal:
            if not refusal.says(*_NOT_STARTED):
                raise
            return False
        return True

    async def _put_privately(self, number: int, part: Part) -> None:
        own = {"chat_id": int(self.target.author_id), "chat_type": "private"}
        known = self.posting.message_id(number)
        if known is not None and not known.startswith(f"{own['chat_id']}/"):  # the group must not read it
            await self.withdraw(number)
            known = None
        if known is None:
            await self.posting.post(number, lambda _: self._send(own, part))
        elif part.file is None:
            await edit_part(self.api, *self._where(known), part)

    async def withdraw(self, number: int) -> None:
        """Delete a part, or where it is too late for that say in its place that it is gone."""
        known = self.posting.message_id(number)
        if known is None:
            return
        chat_id, message_id = self._where(known)
        try:
            await self.api.call("deleteMessage", chat_id=chat_id, message_id=int(message_id))
        except Refusal as refusal:
            if refusal.says(*_NOT_DELETABLE):
                language = self.posting.delivery.content.language if self.posting.delivery.content else "en"
                gone = wording.say(wording.WITHDRAWN, language)
                with suppress(Refusal):  # a file, or a message that somebody else has deleted
                    await edit_part(self.api, chat_id, message_id, Part(gone, gone))
        self._stands.pop(number, None)
        await self.posting.forget(number)

    def _where(self, known: str) -> tuple[Any, str]:
        chat_id, slash, message_id = known.rpartition("/")
        return (int(chat_id) if slash else self.address.get("chat_id")), message_id
