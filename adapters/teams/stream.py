"""Show an answer in Teams: in a personal chat while it grows, elsewhere once it is whole.

learn.microsoft.com/microsoftteams/platform/bots/streaming-ux: one request a second, each with all the text there is,
two minutes at most; a reader's stop is heard only as the refusal of the next request, so while nothing new comes the
same text is sent again now and then.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from adapters.teams.earlier import EarlierAnswers
from adapters.teams.inbound import Scope
from adapters.teams.limits import MESSAGE_UNITS, RESERVED_UNITS, STREAM_ROOM_S
from adapters.teams.line import Audience, Line, audience_of
from adapters.teams.markup import grown, to_teams
from adapters.teams.outbound import (
    Activity,
    consent,
    informative,
    may_stream,
    message_of,
    render,
    stopped,
    streaming,
    welcome,
)
from adapters.teams.payload import is_teams
from adapters.teams.transport import Refusal
from core import wording
from core.domain import Answer, Origin, TicketState
from core.errors import Busy, ChannelUnavailable, Rejected, StoreUnavailable
from core.growing import to_its_end
from core.language import hint_of
from core.outbox import Purpose, Target

PERIOD_S = 1.5  # Microsoft allows one second and advises to gather for more
_AGAIN_S = 5.0
_EDIT_S = 4.0  # between two changes of a message that is no stream any more
_LIMITS = (MESSAGE_UNITS - RESERVED_UNITS, 8_000, 4_000, 2_000)


@dataclass(frozen=True, slots=True)
class Manner:
    """How answers are shown."""

    on_stop: Callable[[Target], Awaitable[None]] | None = None
    clock: Callable[[], float] = time.monotonic
    period_s: float = PERIOD_S
    earlier: EarlierAnswers | None = None  # None: nothing that was sent before is changed


class TeamsReply:
    """The writing end of one delivery."""

    def __init__(self, line: Line, manner: Manner) -> None:
        self._line = line
        self._manner = manner
        self._lock = asyncio.Lock()  # the working signal runs beside the answer
        self._text = ""
        self._shown = ""
        self._stream_id = ""
        self._sequence = 0
        self._begun_at = 0.0
        self._next_at = float("-inf")
        self._edits = False  # the stream was ended early; the message is changed instead
        self._over = False  # nothing more is shown before the end
        self._stopped = False  # by its reader
        self._is_new = line.posting.message_id(0) is None

    @property
    def streams(self) -> bool:
        """Tell whether the answer is shown while it grows."""
        return self._is_new and not self._over and _has_streams(self._line.target.address)

    async def write(self, text: str) -> None:
        """Show the next piece when it is time."""
        self._text += text
        if self.streams and self._manner.clock() >= self._next_at:
            await to_its_end(self._show_next())

    async def restart(self) -> None:
        """Begin again; what is shown stays until the final answer takes its place, for a stream can only grow."""
        self._text = ""

    async def inform(self) -> None:
        """Say that it is being looked up, or show again what there is."""
        await to_its_end(self._inform())

    async def _show_next(self) -> None:
        async with self._lock:
            if self.streams and self._manner.clock() >= self._next_at:  # the working signal may have been faster
                await self._show()

    async def _inform(self) -> None:
        async with self._lock:
            if not self.streams or self._manner.clock() < self._next_at:
                return
            if self._text:
                await self._show(again=True)
            elif not self._edits:
                text = wording.say(wording.LOOKING, hint_of(str(self._line.target.address.get("locale", ""))))
                await self._send(lambda sequence, stream_id: informative(text, sequence, stream_id))

    async def _show(self, *, again: bool = False) -> None:
        text = grown(self._shown, self._text)
        if not may_stream(text):  # it grows no more, and a stop is heard all the same
            text = self._shown
        if not text or (text == self._shown and (not again or self._edits)):
            return
        if self._stream_id and not self._edits and self._age_s() >= STREAM_ROOM_S:
            taken = await self._end_early(text)
        elif self._edits:
            taken = await self._attempt(self._line.put(0, message_of(text), patience_s=0.0), _EDIT_S)
        else:
            taken = await self._send(lambda sequence, stream_id: streaming(text, sequence, stream_id))
        if taken:
            self._shown = text

    def _age_s(self) -> float:
        return self._manner.clock() - self._begun_at

    async def _end_early(self, text: str) -> bool:
        """End the stream before its two minutes are over, and go on by changing its message."""
        self._edits = True
        return await self._attempt(self._line.end_stream(message_of(text)), _EDIT_S)

    async def _send(self, make: Callable[[int, str], Activity]) -> bool:
        line, address = self._line, await self._line.address()
        self._sequence += 1
        if self._stream_id:
            activity = make(self._sequence, self._stream_id)
            return await self._attempt(line.transport.send(address, activity, patience_s=0.0), self._manner.period_s)
        self._begun_at = self._manner.clock()

        async def begin(_: str) -> str:
            stream_id = await line.send(make(1, ""), address, patience_s=0.0)
            if not stream_id:
                raise Refusal(200, "", "The stream was given no id, so that it cannot go on.")
            return stream_id

        self._sequence = 1
        taken = await self._attempt(line.posting.post(0, begin), self._manner.period_s)
        self._stream_id = line.posting.message_id(0) or ""
        return taken

    async def _attempt(self, call: Awaitable[Any], pause_s: float) -> bool:
        """Make a call that only shows progress: what fails here the final answer makes good.

        Tells whether it may have been taken.
        """
        self._next_at = self._manner.clock() + pause_s
        try:
            await call
        except Busy as busy:
            self._next_at = self._manner.clock() + max(busy.retry_after_s, pause_s)
            return False
        except Refusal as refusal:
            self._over = True
            if refusal.is_stop:
                await self._hear_stop()
            return False
        except (ChannelUnavailable, Rejected):
            self._next_at = self._manner.clock() + _AGAIN_S
        return True

    async def _hear_stop(self) -> None:
        self._stopped = True
        if self._manner.on_stop is not None:
            await self._manner.on_stop(self._line.target)

    async def close(self) -> None:
        """End a stream whose message is to be deleted."""
        async with self._lock:
            if self._stream_id and not self._edits and not self._over:
                self._over = True
                with suppress(Rejected, ChannelUnavailable):
                    await self._line.end_stream(message_of(self._shown or "…"))

    async def finish(self, answer: Answer) -> None:
        """Put the whole answer in place of what was shown, in smaller parts where Teams finds them too large.

        Where its reader has stopped it, it ends with what was shown.
        """
        async with self._lock:
            self._over = True
            purpose = self._line.posting.delivery.purpose
            if purpose is Purpose.NOTICE and answer.job is not None:
                answer = await self._take_over(answer, answer.job)
            for limit in _LIMITS:
                try:
                    await self._put_all(answer, limit)
                except Refusal as refusal:
                    if not refusal.is_size or (limit == _LIMITS[-1] and not self._stopped):
                        raise  # what was stopped stands there as it is
                else:
                    break
            if purpose is Purpose.PERSON and answer.ticket_number is not None:
                await self._show_answered(answer.ticket_number)

    async def _take_over(self, answer: Answer, job: int) -> Answer:
        """Tell how an ingestion goes where the answer to its command stands, if it does; raises Busy until it may."""
        self._edits = True
        earlier = await self._manner.earlier.to(self._line.target) if self._manner.earlier else None
        if earlier is None:
            return answer
        content, known = earlier.delivery.content, earlier.delivery.sent
        if (content is None or not known) and not earlier.is_over:
            raise Busy("The answer to the command is not there yet.")
        if content is None or content.job != job:
            return answer
        for sent in known:
            await self._line.take_over(sent)
        return replace(answer, private=content.private, language=content.language)

    async def _show_answered(self, number: int) -> None:
        """Show in place of the card that announced a ticket that a person has answered."""
        if self._manner.earlier is None:
            return
        with suppress(Rejected, ChannelUnavailable, StoreUnavailable):  # the person's words stand there without it
            earlier = await self._manner.earlier.to(self._line.target)
            content = earlier.delivery.content if earlier else None
            if earlier is None or content is None or content.ticket_number != number:
                return
            address = await self._line.address()
            shown = self._seen(content)
            messages = render(shown, _scope(address), state=TicketState.ANSWERED)
            known = {sent.part: sent.message_id for sent in earlier.delivery.sent}
            for audience in sorted(Audience, reverse=True):
                if (message_id := known.get(audience + len(messages) - 1)) is not None:
                    at = {**address, "private": True} if audience is Audience.AUTHOR else address
                    await self._line.change(message_id, messages[-1], at)
                    break

    def _seen(self, answer: Answer) -> Answer:
        """Return ANSWER as one for its author alone where nobody else sees the conversation."""
        return replace(answer, private=True) if self._line.target.address.get("private") else answer

    async def _put_all(self, answer: Answer, limit_units: int) -> None:
        line, address = self._line, await self._line.address()
        scope = _scope(address)
        if scope is not Scope.PERSONAL and (answer.file or (answer.private and not address.get("private"))):
            kept = await self._put_privately(answer, limit_units, address, scope)
        else:
            kept = await self._put_openly(answer, limit_units, address, scope)
        for sent in line.posting.delivery.sent:
            if sent.part not in kept:
                await line.withdraw(sent.part)

    def _parts(self, answer: Answer, scope: Scope, limit_units: int) -> list[Activity]:
        address = self._line.target.address
        if address.get("welcome"):
            return [welcome(scope, answer.language, user=str(address.get("user", "")))]
        if self._stopped or (answer.origin is Origin.STOPPED and self._shown):
            return stopped(answer, self._shown, limit_units=limit_units)
        outbox_id = self._line.posting.delivery.outbox_id
        parts = render(self._seen(answer), scope, outbox_id=outbox_id, limit_units=limit_units)
        file = answer.file
        if file is not None and scope is Scope.PERSONAL:
            size = len(file.text.encode())
            parts.append(consent(file.name, file.name, size, {"outbox": outbox_id}))
        return parts

    async def _put_openly(
        self, answer: Answer, limit_units: int, address: Mapping[str, Any], scope: Scope
    ) -> Collection[int]:
        """Post or change the answer where it was asked for; return the numbers of its parts."""
        audience = _audience(address, scope)
        await self._line.leave(audience)
        parts = self._parts(answer, scope, limit_units)
        ended = _has_streams(address) and await self._end_stream(parts[0])
        if self._stopped:  # which may have been heard just now
            parts = self._parts(answer, scope, limit_units)
        for number, part in enumerate(parts):
            if number or not ended:
                await self._put(audience + number, part)
        return _numbers(audience, parts)

    async def _end_stream(self, part: Activity) -> bool:
        """End the stream under way with PART; False where its message is to be changed instead."""
        if self._edits or self._stopped:
            return False
        try:
            return await self._line.end_stream(part)
        except Refusal as refusal:
            if not refusal.is_stop:
                raise
            if self._is_new:  # else another worker has shown it, and what is to be said is what it had
                await self._hear_stop()
        return False

    async def _put(self, number: int, part: Activity) -> None:
        try:
            await self._line.put(number, part)
        except Refusal as refusal:
            if not self._stopped or refusal.is_size:  # what was stopped may stay as it is
                raise

    async def _put_privately(
        self, answer: Answer, limit_units: int, address: Mapping[str, Any], scope: Scope
    ) -> Collection[int]:
        """Tell the author alone: by messages only they see, else in their personal chat, which the group is told.

        Return the numbers of the parts.
        """
        line = self._line
        if answer.file is None and not self._has_told(Audience.CHAT):
            await line.leave(Audience.AUTHOR)
            parts = self._parts(answer, scope, limit_units)
            try:
                for number, part in enumerate(parts):
                    await line.put(Audience.AUTHOR + number, part, at={**address, "private": True})
            except Refusal as refusal:
                if refusal.is_size or self._has_told(Audience.AUTHOR):
                    raise
            else:
                return _numbers(Audience.AUTHOR, parts)
        personal = await line.transport.open_personal(address)
        parts = self._parts(answer, Scope.PERSONAL, limit_units)
        for number, part in enumerate(parts):
            await line.put(Audience.CHAT + number, part, at=personal)
        where = _audience(address, scope)
        await line.put(where, message_of(to_teams(wording.say(wording.ELSEWHERE, answer.language))))
        return [where, *_numbers(Audience.CHAT, parts)]

    def _has_told(self, audience: Audience) -> bool:
        return any(audience_of(sent.part) is audience for sent in self._line.posting.delivery.sent)


def _audience(address: Mapping[str, Any], scope: Scope) -> Audience:
    return Audience.AUTHOR if address.get("private") and scope is not Scope.PERSONAL else Audience.ALL


def _numbers(audience: Audience, parts: Collection[Activity]) -> range:
    return range(audience, audience + len(parts))


def _has_streams(address: Mapping[str, Any]) -> bool:
    """Tell whether answers are streamed there: Web Chat, for one, drops the card of a message that ends a stream."""
    return _scope(address) is Scope.PERSONAL and is_teams(address)


def _scope(address: Mapping[str, Any]) -> Scope:
    return Scope(str(address.get("scope") or Scope.PERSONAL))
