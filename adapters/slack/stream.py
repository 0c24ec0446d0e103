"""Show an answer while it grows: in Slack's own stream, else in one message that is edited at Slack's pace."""

import re
from collections.abc import Sequence
from dataclasses import replace
from enum import Enum, auto

from adapters.slack import limits
from adapters.slack.api import UNKNOWN_METHOD, Refusal
from adapters.slack.asker import with_asker
from adapters.slack.cutting import Cut, cut, settled_part
from adapters.slack.late import GONE, clear_direct, headed, is_late, to_direct
from adapters.slack.line import Line, is_direct
from adapters.slack.manner import Manner
from adapters.slack.outbound import BODY, Part, cost, interim, render, sound
from adapters.slack.private import Expired, send_file, send_privately
from core import wording
from core.domain import Answer, Origin
from core.errors import Busy, ChannelUnavailable, Rejected
from core.growing import Growing
from core.outbox import Purpose

APPEND_EVERY_S = 0.8  # of one stream; all streams of a workspace share a hundred a minute
STREAM_S = limits.STREAM_S - 30.0  # then the answer goes on in edits, before the stream ends by itself
_BREAK_AFTER_FAILURE_S = 5.0
_SOON_S = 0.2
_SHORT = 1_000  # characters, far from where a message is cut

_OPEN_LINK = re.compile(r"!?\[[^\[\]\n]{0,600}(?:\](?:\([^()\s]{0,2000})?)?\Z")
_LAST_WORD = re.compile(r"\S{0,16}\Z")


class _Mode(Enum):
    NOTHING = auto()  # is shown yet
    STREAM = auto()
    EDITS = auto()
    STOPPED = auto()  # by the person; the desk hears of it too


class SlackReply:
    """The writing end of one delivery."""

    def __init__(self, line: Line, manner: Manner) -> None:
        self._line = line
        self._manner = manner
        self._clock = manner.clock
        self._growing = Growing(self._show, manner.clock)
        self._streamed = ""
        self._edited: str | None = None  # what the last edit showed
        self._number = 0  # of the message that grows
        self._taken = 0  # characters that stand in those before it
        self._opening = ""  # the line that opens again what was cut
        self._shown: dict[int, str] = {}  # what those before it say
        self._taken_back = False  # and not deleted yet
        self._began_at = 0.0
        self._rested = False  # whether the session is not "processing" any more
        self._next_at = float("-inf")
        self._mode = _Mode.NOTHING if line.posting.message_id(0) is None else _Mode.EDITS
        self._stands = _standing(line)  # characters, which the same answer written again is not to take back

    async def write(self, text: str) -> None:
        """Show the next piece."""
        await self._growing.write(text)

    async def refresh(self) -> None:
        """Show what nothing has come after for a while."""
        await self._growing.refresh()

    async def restart(self) -> None:
        """Take back everything written so far."""
        self._growing.take_back()
        if self._mode is not _Mode.STOPPED and self._line.posting.message_id(0) is not None:
            self._number, self._taken, self._opening, self._shown, self._stands = 0, 0, "", {}, 0
            self._mode, self._edited, self._taken_back = _Mode.EDITS, None, True  # a stream only grows
            self._next_at = float("-inf")
            await self._growing.show()

    async def finish(self, answer: Answer) -> None:
        """Put the final answer in place of what was shown."""
        line = self._line
        answer = await self._with_file(answer)
        direct = is_direct(line.target)
        if line.target.address.get("private") or (answer.private and not direct):
            await self._finish_privately(answer, can_share=not direct and not answer.personal)
        else:
            await self._publish(answer)
        await self._rest()
        if self._manner.entitle is not None and not self._lacks("sessions"):
            await self._manner.entitle(line.target, answer)

    async def _finish_privately(self, answer: Answer, *, can_share: bool) -> None:
        """Show ANSWER to its author alone: where they asked while they look there, later in their own conversation."""
        line, offers_person = self._line, self._manner.offers_person
        if not is_late(line, self._manner.now()):
            try:
                await send_privately(line, answer, can_share=can_share, offers_person=offers_person)
            except Expired:
                pass
            else:
                return
        if not line.target.address.get("private"):  # it may have been shown to everybody so far
            await line.clear()
        parts = render(answer, line.posting.delivery.outbox_id, offers_person=offers_person)
        await self._bring(parts, answer.language)

    async def _bring(self, parts: Sequence[Part], language: str) -> None:
        """Bring an answer to its author's own conversation, headed by what it answers."""
        line, ask = self._line, self._manner.question_of
        self._mode = _Mode.EDITS
        question = await ask(line.posting.delivery) if ask is not None else ""
        await self._put(headed(parts, line, question, language), await to_direct(line))

    async def _put_or_bring(self, parts: Sequence[Part], language: str) -> None:
        """Put a person's words where the question was asked, or to its author where that is gone; raises Rejected."""
        earlier = self._line.posting.delivery.sent
        try:
            await self._put(parts, self._line)
        except Refusal as refusal:
            if refusal.code not in GONE:
                raise
            try:
                await clear_direct(self._line, earlier)
                await self._bring(parts, language)
            except Refusal:
                raise Rejected(GONE[refusal.code]) from refusal

    async def _publish(self, answer: Answer) -> None:
        line = self._line
        parts = render(
            answer,
            line.posting.delivery.outbox_id,
            shared_by=str(line.target.address.get("shared_by", "")),
            offers_person=self._manner.offers_person,
        )
        ask = self._manner.asker_of
        if ask is not None and answer.origin is Origin.COMMAND and answer.ticket_number is not None:
            asker = await ask(line.target.tenant_id, answer.ticket_number)
            parts = await with_asker(parts, line, asker) if asker is not None else parts
        if line.posting.delivery.purpose is Purpose.PERSON:
            await self._put_or_bring(parts, answer.language)
        else:
            await self._put(parts, line)

    async def _put(self, parts: Sequence[Part], line: Line) -> None:
        """Make PARTS what stands where LINE goes."""
        for sent in line.posting.delivery.sent:
            if sent.message_id.startswith("private:"):
                await line.posting.forget(sent.part)
        for number, part in enumerate(parts):
            is_shown = self._shown.get(number) == part.body and not part.head and not part.tail
            if not is_shown and not (number == self._number and await self._end_stream(part)):
                await line.put(number, part)
                self._learn_of_edits(line, number)
        for sent in line.posting.delivery.sent:
            if sent.part >= len(parts) and not sent.message_id.startswith("file:"):
                await line.delete(sent.part)

    async def _end_stream(self, part: Part, *, goes_on: bool = False) -> bool:
        """End the stream with what is missing in it; False where there is none, or it does not lead to PART."""
        if self._mode is not _Mode.STREAM:
            return False
        if part.head or not part.body.startswith(self._streamed):
            self._mode = _Mode.EDITS
            return False
        try:
            await self._line.stop(self._number, part.body[len(self._streamed) :], part.tail, goes_on=goes_on)
        except Refusal:
            self._mode = _Mode.EDITS
            return False
        self._mode, self._rested = _Mode.EDITS, not goes_on
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
        if begun and not self._rested and line.thread_ts and not self._lacks("sessions"):
            where = {"channel_id": line.channel, "thread_ts": line.thread_ts}
            try:
                await line.call("agents.sessions.setStatus", patience_s=0.0, status="active", **where)
            except Refusal as refusal:
                abilities.learn(line.team_id, "sessions", refusal)
            except ChannelUnavailable:
                return  # it ends by itself

    # While it grows

    async def _show(self) -> None:
        """Show what there is where it is time; what fails here the final answer makes good."""
        if self._mode is _Mode.STOPPED or self._clock() < self._next_at or len(self._growing.text) < self._stands:
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
        if self._taken_back:
            for sent in self._line.posting.delivery.sent:
                if sent.part > 0 and not sent.message_id.startswith("file:"):
                    await self._line.delete(sent.part)
            self._taken_back = False
        rest = self._remaining(settled(self._growing.text))
        if (found := cut(rest, BODY, cost)) is not None:
            return await self._close(found) if not found.others else _SOON_S  # the rest comes with the final answer
        if self._mode is _Mode.NOTHING:
            return await self._begin(settled_part(rest, BODY, cost))
        if self._mode is _Mode.STREAM:
            return await self._grow(settled_part(rest, BODY, cost))
        return await self._edit(settled_part(rest, BODY, cost))

    def _remaining(self, text: str) -> str:
        """Return what of TEXT stands in the message that grows."""
        return self._opening + text[self._taken :].lstrip("\n") if self._taken else text

    async def _close(self, found: Cut) -> float:
        """End the message that grows where it is full; what comes now stands in the next one."""
        number, part = self._number, interim(found.body)
        if not await self._end_stream(part, goes_on=True) and not (
            self._line.posting.message_id(number) is not None and await self._line.edit(number, part, patience_s=0.0)
        ):
            await self._line.post(number, part, patience_s=0.0)
        text = settled(self._growing.text)
        before = self._remaining(text)
        self._taken = len(text) - (len(before) - found.taken)
        self._opening, self._number = found.opening, number + 1
        self._shown[number], self._streamed, self._edited = found.body, "", None
        self._mode = _Mode.NOTHING if self._line.posting.message_id(self._number) is None else _Mode.EDITS
        return APPEND_EVERY_S

    async def _edit(self, text: str) -> float:
        if len(self._growing.text) - self._taken < _SHORT:  # so little is shown to its last character
            text = self._remaining(sound(self._growing.text))
        if self._edited == text or self._lacks("edits"):
            return _SOON_S
        try:
            stands = await self._line.edit(self._number, interim(text), patience_s=0.0)
        except Refusal as refusal:
            self._manner.abilities.learn(self._line.team_id, "edits", refusal)
            raise
        if not stands:
            self._mode = _Mode.NOTHING
            return _SOON_S
        self._edited = text
        return limits.EDIT_PERIOD_S

    async def _begin(self, text: str) -> float:
        if not text.strip():
            return _SOON_S
        if await self._start(text):
            return APPEND_EVERY_S
        if self._lacks("edits"):  # what cannot be edited is shown once, when it is whole
            return _SOON_S
        await self._line.post(self._number, interim(text), patience_s=0.0)
        self._learn_of_edits(self._line, self._number)
        self._mode, self._edited = _Mode.EDITS, text
        return limits.EDIT_PERIOD_S

    def _lacks(self, what: str) -> bool:
        return self._manner.abilities.lacks(self._line.team_id, what)

    def _learn_of_edits(self, line: Line, number: int) -> None:
        """Show answers once, when they are whole, where messages have no ids, so that none can be edited."""
        if line.is_nameless(number):
            self._manner.abilities.learn(line.team_id, "edits", Refusal("chat.update", UNKNOWN_METHOD))

    async def _start(self, text: str) -> bool:
        """Begin a stream; False where there can be none."""
        line, abilities = self._line, self._manner.abilities
        if not line.thread_ts or self._lacks("streams"):
            return False
        try:
            await line.start(self._number, text)
        except Refusal as refusal:
            abilities.learn(line.team_id, "streams", refusal)
            return False
        except Busy:
            return False
        self._streamed, self._began_at = text, self._clock()
        self._mode = _Mode.STREAM  # where it was found again it has ended, and the next call says so
        return True

    async def _grow(self, text: str) -> float:
        if self._clock() - self._began_at >= STREAM_S or not text.startswith(self._streamed):
            self._mode = _Mode.EDITS  # the first edit ends the stream
            return 0.0
        more = text[len(self._streamed) :]
        if not more:
            return _SOON_S
        try:
            await self._line.append(self._number, more)
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


def _standing(line: Line) -> int:
    """Tell how much of an answer a worker that died has shown: as far as it was noted, and all messages that are full.

    Of what stands there since the answer before a question's edit nothing is noted; that is to go.
    """
    delivery = line.posting.delivery
    if not delivery.partial:
        return 0
    full = sum(sent.message_id[:1].isdigit() for sent in delivery.sent) - 1
    return max(len(delivery.partial), full * BODY)


def settled(text: str) -> str:
    """Return what of TEXT, while it grows, will not be shown differently any more: all but its last characters.

    A word's beginning may still become a mention, which is guarded; that of a link must not be cut from its end.
    """
    text = _OPEN_LINK.sub("", text)
    begun = _LAST_WORD.search(text)
    return sound(text[: begun.start()] if begun else text)
