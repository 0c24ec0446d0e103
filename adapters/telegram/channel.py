"""Write answers to Telegram: as a draft or a message that grows, then whole, in parts that a message holds.

In doubt a post is made again. Telegram knows no key by which it could tell a second one, and whoever asked for help
is served better by the same answer twice than by none.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from adapters.telegram.api import PATIENCE_S, Refusal, TelegramApi
from adapters.telegram.limits import EDIT_GROUP_S, EDIT_PRIVATE_S
from adapters.telegram.outbound import Part, render, render_growing, stop_row
from adapters.telegram.posting import draft, edit_part, is_private, send_part, where_of
from adapters.telegram.runs import escape
from core import wording
from core.domain import Answer
from core.errors import Busy, ChannelUnavailable, Rejected
from core.language import detect
from core.outbox import Doubt, LiveReply, Posting, Target
from core.places import Platform

_GROWING = 1.2  # each pause between two edits is longer by this: a long answer must not use a group's minute up
_LONGEST_PAUSE_S = 15.0
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


class TelegramChannel:
    """Send to Telegram, through any of the bots."""

    def __init__(self, bots: Mapping[str, TelegramApi], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._bots = bots  # by their ids
        self._clock = clock
        self._without_drafts: set[str] = set()

    @property
    def platform(self) -> Platform:
        """Name the platform."""
        return Platform.TELEGRAM

    @property
    def doubt(self) -> Doubt:
        """Post again."""
        return Doubt.REPEAT

    async def working(self, target: Target) -> None:
        """Show that somebody types; it is gone after five seconds."""
        await self._api(target).call("sendChatAction", patience_s=0.0, **where_of(target.address), action="typing")

    def reply(self, posting: Posting) -> LiveReply:
        """Open the writing end of a delivery."""
        return _Reply(self._line(posting), self._clock, self._without_drafts)

    async def withdraw(self, posting: Posting) -> None:
        """Delete all messages of a delivery; one of over 48 hours, which Telegram keeps, says that it is withdrawn."""
        line = self._line(posting)
        for sent in posting.delivery.sent:
            await line.withdraw(sent.part)

    def _api(self, target: Target) -> TelegramApi:
        api = self._bots.get(target.installation)
        if api is None:
            raise ChannelUnavailable("The bot of this chat is not among TELEGRAM_BOTS; add it there again.")
        return api

    def _line(self, posting: Posting) -> "_Line":
        return _Line(self._api(posting.delivery.target), posting)


class _Line:
    """Post, edit and delete the messages of one delivery; those of its author's private chat are named CHAT/MESSAGE."""

    def __init__(self, api: TelegramApi, posting: Posting) -> None:
        self.api = api
        self.posting = posting
        self.target = posting.delivery.target
        self.address: Mapping[str, Any] = self.target.address

    async def put(self, number: int, part: Part, *, reply: bool | None = None, patience_s: float = PATIENCE_S) -> None:
        """Post a part, or edit it where it stands there already; the first one of a group replies to the question."""
        known = self.posting.message_id(number)
        if known is not None:
            if part.file is not None:
                return
            try:
                await edit_part(self.api, *self._where(known), part, patience_s=patience_s)
            except Refusal as refusal:
                if not refusal.says(*_NOT_THERE):
                    raise
                await self.posting.forget(number)
            else:
                return
        replies = (number == 0 if reply is None else reply) and not is_private(self.address)
        more: dict[str, Any] = {"reply": replies, "patience_s": patience_s}
        await self.posting.post(number, lambda _: send_part(self.api, self.address, part, **more))

    async def put_all_privately(self, parts: Sequence[Part]) -> bool:
        """Post to the author's own chat; False where they never wrote to the bot, or write in the name of a group."""
        if not self.target.author_id.isdigit():
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

        async def send(_: str) -> str:
            return f"{own['chat_id']}/{await send_part(self.api, own, part)}"

        known = self.posting.message_id(number)
        if known is not None and "/" not in known:  # what stands in the group must not say it
            await self.withdraw(number)
            known = None
        if known is None:
            await self.posting.post(number, send)
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
        await self.posting.forget(number)

    def _where(self, known: str) -> tuple[Any, str]:
        chat_id, slash, message_id = known.rpartition("/")
        return (int(chat_id) if slash else self.address.get("chat_id")), message_id


class _Reply:
    """Show an answer while it grows, then whole."""

    def __init__(self, line: _Line, clock: Callable[[], float], without_drafts: set[str]) -> None:
        self._line = line
        self._clock = clock
        self._without_drafts = without_drafts
        self._text = ""
        self._shown = ""
        self._pause_s = EDIT_PRIVATE_S if is_private(line.address) else EDIT_GROUP_S
        self._next_at = float("-inf")
        self._drafts = is_private(line.address) and line.posting.message_id(0) is None

    async def write(self, text: str) -> None:
        self._text += text
        await self._show()

    async def restart(self) -> None:
        self._text = ""

    async def finish(self, answer: Answer) -> None:
        line = self._line
        parts = render(answer, line.posting.delivery.outbox_id)
        if answer.private and not is_private(line.address):
            parts = await self._finish_privately(answer, parts)
        else:
            for number, part in enumerate(parts):
                await line.put(number, part)
        for sent in line.posting.delivery.sent:
            if sent.part >= len(parts):
                await line.withdraw(sent.part)

    async def _finish_privately(self, answer: Answer, parts: list[Part]) -> list[Part]:
        """Tell the author alone, and the group where they find it; where the author never wrote, how they can."""
        line = self._line
        if await line.put_all_privately(parts):
            said = wording.say(wording.ELSEWHERE, answer.language)
        else:
            link, parts = f"https://t.me/{(await line.api.me()).username}?start=help", []
            said = wording.say(wording.WRITE_FIRST, answer.language, link=link)
        told = Part(escape(said), said)
        await line.put(len(parts), told, reply=True)
        return [*parts, told]

    async def _show(self) -> None:
        """Show what there is where it is time; what fails here the final answer makes good."""
        address = self._line.address
        alone = bool(address.get("command")) and not is_private(address)  # a command's answer may be for its author
        if alone or self._clock() < self._next_at:
            return
        part = render_growing(self._text)
        if part.html == self._shown:
            return
        self._shown = part.html
        self._next_at = self._clock() + self._pause_s
        self._pause_s = min(self._pause_s * _GROWING, _LONGEST_PAUSE_S)
        try:
            await self._put(part)
        except Busy as busy:
            self._next_at = self._clock() + max(busy.retry_after_s, self._pause_s)
        except (ChannelUnavailable, Rejected):
            self._next_at = self._clock() + _LONGEST_PAUSE_S

    async def _put(self, part: Part) -> None:
        """Show PART as a draft where the bot may, else as the message that the final answer takes the place of."""
        line = self._line
        if self._drafts and line.api.bot_id not in self._without_drafts:
            try:
                await draft(line.api, line.address, line.posting.delivery.outbox_id, part)
            except Refusal as refusal:
                self._drafts = False
                if refusal.says("not found", "unsupported", "not allowed", "not supported"):
                    self._without_drafts.add(line.api.bot_id)
            else:
                return
        outbox_id = line.posting.delivery.outbox_id
        rows = stop_row(outbox_id, detect(self._text))
        await line.put(0, Part(part.html, part.plain, rows), patience_s=0.0)
