"""Show an answer while it grows: in Slack's own stream, else in one message that is edited at Slack's pace."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from enum import Enum, auto

from adapters.slack import limits
from adapters.slack.api import Refusal
from adapters.slack.line import Line, is_direct
from adapters.slack.outbound import BODY, cost, interim, render, sound
from adapters.slack.private import send_file, send_privately
from core import wording
from core.domain import Answer
from core.errors import Busy, ChannelUnavailable, Rejected
from core.outbox import Target

APPEND_EVERY_S = 0.8  # of one stream; all streams of a workspace share a hundred a minute
STREAM_S = limits.STREAM_S - 30.0  # then the answer goes on in edits, before the stream ends by itself
_BREAK_AFTER_FAILURE_S = 5.0
_SOON_S = 0.2
_ALONE_S = 1.0  # after which a first piece is not the whole answer
_HELD = 16  # characters: what a guard against mentions looks at
_LACKING_S = 600.0

_LAST_WORD = re.compile(r"\S{0,16}\Z")
# What will not be different at the next answer: the workspace or the app does not have it.
_LACKING = {
    "access_denied",
    "feature_disabled",
    "method_not_supported_for_channel_type",
    "missing_scope",
    "not_allowed_token_type",
    "restricted_action",
    "unknown_method",
}


class _Mode(Enum):
    NOTHING = auto()  # is shown yet
    STREAM = auto()
    EDITS = auto()
    STOPPED = auto()  # by the person; the desk hears of it too


@dataclass
class Abilities:
    """What workspaces were found not to have, for a while."""

    clock: Callable[[], float] = time.monotonic
    _until: dict[tuple[str, str], float] = field(default_factory=dict)

    def lacks(self, team_id: str, what: str) -> bool:
        """Tell whether a workspace does not have WHAT."""
        return self._until.get((team_id, what), 0.0) > self.clock()

    def learn(self, team_id: str, what: str, refusal: Refusal) -> None:
        """Note what a refusal says of a workspace."""
        if refusal.code in _LACKING:
            self._until = {key: until for key, until in self._until.items() if until > self.clock()}
            self._until[team_id, what] = self.clock() + _LACKING_S


@dataclass(frozen=True)
class Manner:
    """How answers are shown."""

    abilities: Abilities
    clock: Callable[[], float] = time.monotonic
    offers_person: bool = True
    on_stop: Callable[[Target], Awaitable[None]] | None = None  # the person has pressed Slack's stop button
    entitle: Callable[[Target, Answer], Awaitable[None]] | None = None  # give an answered session its title


class SlackReply:
    """The writing end of one delivery."""

    def __init__(self, line: Line, manner: Manner) -> None:
        self._line = line
        self._manner = manner
        self._clock = manner.clock
        self._text = ""
        self._writes = 0
        self._streamed = ""
        self._edited: str | None = None  # what the last edit showed
        self._lock = asyncio.Lock()
        self._written_at = 0.0
        self._began_at = 0.0
        self._rested = False  # whether the session is not "processing" any more
        self._next_at = float("-inf")
        self._mode = _Mode.NOTHING if line.posting.message_id(0) is None else _Mode.EDITS

    async def write(self, text: str) -> None:
        """Show the next piece.

        What comes in one piece, as all commands' answers do, is not shown before it is final: it may be private.
        """
        self._text += text
        self._writes += 1
        if self._writes > 1:
            await self._show_whole()
        else:
            self._written_at = self._clock()

    async def refresh(self) -> None:
        """Show what nothing has come after for a while."""
        if self._text and (self._writes > 1 or self._clock() - self._written_at >= _ALONE_S):
            await self._show_whole()

    async def restart(self) -> None:
        """Take back everything written so far."""
        self._text, self._writes = "", 0
        if self._mode in (_Mode.STREAM, _Mode.EDITS):
            self._mode = _Mode.EDITS  # a stream only grows
            await self._show_whole()

    async def finish(self, answer: Answer) -> None:
        """Put the final answer in place of what was shown."""
        line = self._line
        answer = await self._with_file(answer)
        direct = is_direct(line.target)
        if line.target.address.get("private") or (answer.private and not direct):
            await send_privately(line, answer, can_share=not direct, offers_person=self._manner.offers_person)
        else:
            await self._publish(answer)
        await self._rest()
        if self._manner.entitle is not None and not self._manner.abilities.lacks(line.team_id, "sessions"):
            await self._manner.entitle(line.target, answer)

    async def _publish(self, answer: Answer) -> None:
        line = self._line
        for sent in line.posting.delivery.sent:
            if sent.message_id.startswith("private:"):
                await line.posting.forget(sent.part)
        parts = render(
            answer,
            line.posting.delivery.outbox_id,
            shared_by=str(line.target.address.get("shared_by", "")),
            offers_person=self._manner.offers_person,
        )
        if not (self._mode is _Mode.STREAM and await self._end_stream(parts[0].body, parts[0].head, parts[0].tail)):
            await line.put(0, parts[0])
        for number, part in enumerate(parts[1:], 1):
            await line.put(number, part)
        for sent in line.posting.delivery.sent:
            if sent.part >= len(parts) and not sent.message_id.startswith("file:"):
                await line.delete(sent.part)

    async def _end_stream(self, body: str, head: tuple[object, ...], tail: tuple[dict[str, object], ...]) -> bool:
        """End the stream with what is missing in it; False where it does not lead to the final text."""
        self._mode = _Mode.EDITS
        if head or not body.startswith(self._streamed):
            return False
        try:
            await self._line.stop(body[len(self._streamed) :], tail)
        except Refusal:
            return False
        self._rested = True
        return True

    async def _with_file(self, answer: Answer) -> Answer:
        """Send the file that goes with an answer, or say that it could not be."""
        if answer.file is None or not answer.file.text:
            return answer
        try:
            await send_file(self._line, answer.file)
        except Refusal:
            remark = wording.say(wording.FILE_NOT_SENT, answer.language)
            return replace(answer, notice=f"{answer.notice} {remark}".strip())
        return answer

    async def _rest(self) -> None:
        """End the session's "processing", which the working signal and the start of a stream set."""
        line, abilities = self._line, self._manner.abilities
        begun = is_direct(line.target) or self._began_at
        if begun and not self._rested and line.thread_ts and not abilities.lacks(line.team_id, "sessions"):
            where = {"channel_id": line.channel, "thread_ts": line.thread_ts}
            try:
                await line.call("agents.sessions.setStatus", patience_s=0.0, status="active", **where)
            except Refusal as refusal:
                abilities.learn(line.team_id, "sessions", refusal)
            except ChannelUnavailable:
                return  # it ends by itself

    # While it grows

    async def _show_whole(self) -> None:
        """Show more, to the end of the call also where the answer is broken off: what was posted must be noted."""
        showing = asyncio.ensure_future(self._show_alone())
        try:
            await asyncio.shield(showing)
        except asyncio.CancelledError:
            await asyncio.wait([showing])
            raise

    async def _show_alone(self) -> None:
        async with self._lock:
            await self._show()

    async def _show(self) -> None:
        """Show what there is where it is time; what fails here the final answer makes good."""
        if self._mode is _Mode.STOPPED or self._clock() < self._next_at:
            return
        if self._line.target.address.get("private"):
            return
        try:
            pause_s = await self._step()
        except Busy as busy:
            pause_s = max(busy.retry_after_s, APPEND_EVERY_S)
        except (ChannelUnavailable, Rejected):
            pause_s = _BREAK_AFTER_FAILURE_S
        self._next_at = self._clock() + pause_s

    async def _step(self) -> float:
        """Show more, and return for how many seconds to let it be."""
        if self._mode is _Mode.NOTHING:
            return await self._begin()
        if self._mode is _Mode.STREAM:
            return await self._grow()
        if self._edited == self._text:
            return _SOON_S
        if not await self._line.edit(0, interim(self._text), patience_s=0.0):
            self._mode = _Mode.NOTHING
            return _SOON_S
        self._edited = self._text
        return limits.EDIT_PERIOD_S

    async def _begin(self) -> float:
        text = settled(self._text)
        if not text.strip():
            return _SOON_S
        if await self._start(text):
            return APPEND_EVERY_S
        await self._line.post(0, interim(self._text), patience_s=0.0)
        self._mode, self._edited = _Mode.EDITS, self._text
        return limits.EDIT_PERIOD_S

    async def _start(self, text: str) -> bool:
        """Begin a stream; False where there can be none."""
        line, abilities = self._line, self._manner.abilities
        if not line.thread_ts or abilities.lacks(line.team_id, "streams"):
            return False
        try:
            await line.start(text)
        except Refusal as refusal:
            abilities.learn(line.team_id, "streams", refusal)
            return False
        except Busy:
            return False
        self._streamed, self._began_at = text, self._clock()
        self._mode = _Mode.STREAM  # where it was found again it has ended, and the next call says so
        return True

    async def _grow(self) -> float:
        text = settled(self._text)
        if self._clock() - self._began_at >= STREAM_S or not text.startswith(self._streamed):
            self._mode = _Mode.EDITS  # the first edit ends the stream
            return 0.0
        more = text[len(self._streamed) :]
        if not more or cost(text) > BODY:  # the rest comes with the final answer
            return _SOON_S
        try:
            await self._line.append(more)
        except Refusal as refusal:
            return await self._lose(refusal)
        except Busy:
            raise
        except ChannelUnavailable:
            self._mode = _Mode.EDITS  # whether it holds this piece is not known
            raise
        self._streamed = text
        return APPEND_EVERY_S

    async def _lose(self, refusal: Refusal) -> float:
        """Go on without the stream; where the person stopped it, show nothing more."""
        if refusal.code != "stopped_by_user":
            self._mode = _Mode.EDITS
            return 0.0
        self._mode = _Mode.STOPPED
        if self._manner.on_stop is not None:
            await self._manner.on_stop(self._line.target)
        return 0.0


def settled(text: str) -> str:
    """Return what of TEXT, while it grows, will not be shown differently any more: all but its last characters.

    A word's beginning may still become a mention, which is guarded.
    """
    begun = _LAST_WORD.search(text)
    return sound(text[: begun.start()] if begun else text)
