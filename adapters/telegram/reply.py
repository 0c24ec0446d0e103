"""An answer shown while it grows, as a draft or a message, and then put whole in its place.

A message that is full stays as it is and the next one grows, so that nothing a person reads is turned away under them.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from adapters.telegram.api import Refusal
from adapters.telegram.limits import EDIT_GROUP_S, EDIT_PRIVATE_S
from adapters.telegram.line import Line
from adapters.telegram.outbound import Part, render, render_growing, stop_row
from adapters.telegram.posting import draft, is_private
from adapters.telegram.runs import escape
from core import wording
from core.domain import Answer, Origin
from core.errors import Busy, ChannelUnavailable, Rejected
from core.growing import Growing
from core.language import detect
from core.outbox import Purpose

_GROWING = 1.2  # each pause between two edits is longer by this: a long answer must not use a group's minute up
_LONGEST_PAUSE_S = 15.0
_NO_DRAFTS = ("unsupported", "not allowed", "not supported")
_OF_ONE = ("chat", "thread", "topic", "user", "peer")  # what is said of one of them says nothing of the others
_DOUBT_S = 60.0  # for which no draft is tried after one that came to nothing
_WITHOUT_S = 600.0  # and after one that the bot may not send


@dataclass(frozen=True)
class Manner:
    """How answers are shown."""

    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    without_drafts: dict[str, float] = field(default_factory=dict)  # ids of bots that may send none, until when


class TelegramReply:
    """The writing end of one delivery."""

    def __init__(self, line: Line, manner: Manner) -> None:
        self._line = line
        self._manner = manner
        self._clock = manner.clock
        self._growing = Growing(self._show, manner.clock)
        self._page = 0  # the message that grows; those before it are full
        self._bare = 0  # full messages that have lost their button
        self._follows = False  # whether the message that grows is shown already
        self._stood = line.posting.delivery.partial if line.posting.delivery.sent else ""  # what a worker before wrote
        self._shown: tuple[int, str, bool] | None = None
        self._edit_s = EDIT_PRIVATE_S if is_private(line.address) else EDIT_GROUP_S
        self._pause_s = self._edit_s
        self._next_at = float("-inf")
        self._edited_at = float("-inf")
        self._drafts = is_private(line.address)

    async def write(self, text: str) -> None:
        """Show the next piece."""
        await self._growing.write(text)

    async def refresh(self) -> None:
        """Show what nothing has come after for a while."""
        await self._growing.refresh()

    async def restart(self) -> None:
        """Take back everything written so far."""
        self._growing.take_back()
        self._page, self._bare, self._follows = 0, 0, False

    async def finish(self, answer: Answer) -> None:
        """Put the final answer in place of what was shown; an edit is not made too soon after another one."""
        line = self._line
        if self._is_said(answer):
            return
        parts = render(answer, line.posting.delivery.outbox_id)
        await self._manner.sleep(max(self._edited_at + self._edit_s - self._clock(), 0.0))
        if answer.private and not is_private(line.address):
            parts = await self._finish_privately(answer, parts)
        else:
            for number, part in enumerate(parts):
                await line.put(number, part)
        for sent in line.posting.delivery.sent:
            if sent.part >= len(parts):
                await line.withdraw(sent.part)

    def _is_said(self, answer: Answer) -> bool:
        """Tell whether the first part of an album was told what the command of all its parts says."""
        follows = self._line.address.get("follows") and self._line.posting.delivery.purpose is Purpose.ANSWER
        return bool(follows) and answer.origin is Origin.COMMAND

    async def _finish_privately(self, answer: Answer, parts: list[Part]) -> list[Part]:
        """Tell the author alone, and the group where they find it; where there is no way to them, how there is one."""
        line = self._line
        if await line.put_all_privately(parts):
            said = wording.say(wording.ELSEWHERE, answer.language)
        elif line.is_anonymous:
            said, parts = wording.say(wording.AS_A_GROUP, answer.language), []
        else:
            link, parts = f"https://t.me/{(await line.api.me()).username}?start=help", []
            said = wording.say(wording.WRITE_FIRST, answer.language, link=link)
        told = Part(escape(said), said)
        await line.put(len(parts), told, reply=True)
        return [*parts, told]

    # While it grows

    async def _show(self) -> None:
        """Show what there is where it is time; what fails here the final answer makes good."""
        address = self._line.address
        alone = bool(address.get("command")) and not is_private(address)  # a command's answer may be for its author
        if alone or address.get("follows") or self._clock() < self._next_at:
            return
        try:
            if self._follows and self._bare < self._page:
                await self._take_button()
            else:
                await self._grow()
        except Busy as busy:
            self._next_at = self._clock() + max(busy.retry_after_s, self._pause_s)
        except (ChannelUnavailable, Rejected):
            self._next_at = self._clock() + _LONGEST_PAUSE_S

    async def _take_button(self) -> None:
        """Take the button off a full message, now that the one after it can be stopped."""
        self._next_at = self._edited_at = self._clock()
        self._next_at += self._edit_s
        self._bare += 1
        await self._line.take_buttons(self._bare - 1, patience_s=0.0)

    async def _grow(self) -> None:
        parts = render_growing(self._growing.text)
        page = min(self._page, len(parts) - 1)
        full = page + 1 < len(parts)
        if (page, parts[page].html, full) == self._shown or self._is_behind(parts):
            return
        self._next_at = self._clock() + self._pause_s
        self._pause_s = min(self._pause_s * _GROWING, _LONGEST_PAUSE_S)
        await self._put(page, parts[page], full=full)
        self._shown = (page, parts[page].html, full)
        self._page, self._follows = page + full, not full

    def _is_behind(self, parts: Sequence[Part]) -> bool:
        """Tell whether more stands there of a try before: what people read is not taken away to be written again."""
        standing = 1 + max((sent.part for sent in self._line.posting.delivery.sent), default=0)
        if self._stood and (len(self._growing.text) < len(self._stood) or len(parts) < standing):
            return True
        self._stood = ""
        return False

    async def _put(self, page: int, part: Part, *, full: bool) -> None:
        """Show PART as a draft where the bot may, else as the message that the final answer takes the place of."""
        line = self._line
        known = line.posting.message_id(page)
        if known is None and not full and await self._draft(part):
            return
        if not line.may_grow:
            return
        rows = stop_row(line.posting.delivery.outbox_id, detect(self._growing.text))
        await line.put(page, Part(part.html, part.plain, rows), patience_s=0.0)
        if known is not None:
            self._edited_at = self._clock()

    async def _draft(self, part: Part) -> bool:
        """Show PART as a draft; False where the bot may not."""
        line, without = self._line, self._manner.without_drafts
        if not self._drafts or without.get(line.api.bot_id, float("-inf")) > self._clock():
            return False
        try:
            await draft(line.api, line.address, line.posting.delivery.outbox_id, part)
        except Busy:
            raise
        except Refusal as refusal:
            self._drafts = False
            if _is_of_bot(refusal):
                without[line.api.bot_id] = self._clock() + _WITHOUT_S
            return False
        except ChannelUnavailable:  # messages may well be possible
            self._drafts = False
            without[line.api.bot_id] = self._clock() + _DOUBT_S
            return False
        return True


def _is_of_bot(refusal: Refusal) -> bool:
    """Tell whether a draft is refused wherever the bot sends it."""
    return refusal.is_of_method or (refusal.says(*_NO_DRAFTS) and not refusal.says(*_OF_ONE))
