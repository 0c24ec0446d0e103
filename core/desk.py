"""Serve what waits in a thread: every message ends in exactly one answer, or in a stated failure with a ticket.

Each step can be repeated, because a worker may die after any of them: the next one claims the same batch, finds what
was kept and what was sent, and goes on from there.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

from core import wording
from core.answered import Given, GivenAnswers
from core.batching import joined
from core.desk_meter import count, note_answer, note_claim
from core.domain import Answer, DeliveryKey, Message, Origin
from core.engine import Engine
from core.errors import (
    Busy,
    ChannelUnavailable,
    FrontdeskError,
    NotFound,
    Refused,
    Rejected,
    StoreUnavailable,
    Superseded,
    Uncertain,
    UsageError,
)
from core.escalation import Tickets
from core.giving_up import GivingUp
from core.inbox import MAX_TRIES, Batch, Ending, Inbox, Interruptions, Kind, Thread
from core.interrupting import Interrupted
from core.language import detect
from core.meter import Counted, Meter
from core.noting import NOTE_EVERY_S, NotingReply, noted_before
from core.outbox import Cause, Channel, Delivery, Outbox, Purpose, Target, target_of
from core.places import Place, Platform
from core.ports import SessionStore
from core.sending import Line, Sender
from core.ticket_work import TicketWork
from core.tracing import Tracer, Untraced, bound
from core.working import WORKING_EVERY_S, working

PATIENCE_S = 1_800.0
"""How long an answer waits for a platform that does not answer before its tries are counted."""

_log = logging.getLogger(__name__)


class RatedOutbox(Outbox, Protocol):
    """An outbox that also keeps what was shown of an answer, and what people think of it."""

    async def note_partial(self, delivery: Delivery, text: str) -> None:
        """Keep what has been shown so far; raises Superseded."""

    async def rate(self, tenant_id: int, outbox_id: int, author_id: str, rating: int, reason: str) -> None:
        """Keep a rating in place of the author's earlier one; raises NotFound."""

    async def newest(self, tenant_id: int, installation: str, place: Place) -> Delivery | None:
        """Look up the newest answer in the channel of PLACE that is no command's."""


@dataclass(frozen=True, slots=True)
class Work:
    """A batch on its way to an answer."""

    batch: Batch
    message: Message  # what to answer
    line: Line
    is_deletion: bool = False  # of one of the messages that were answered together
    earlier_ticket: int | None = None  # what the earlier answer opened, and nobody has answered

    def ending(self, answer: Answer) -> Ending:
        """Say how the batch ends with ANSWER."""
        if self.is_deletion:
            return Ending.DONE
        return Ending.STOPPED if answer.origin is Origin.STOPPED else Ending.ANSWERED


class Desk:
    """Answer what the inbox holds and send what the outbox holds."""

    def __init__(
        self,
        *,
        inbox: Inbox,
        outbox: RatedOutbox,
        interruptions: Interruptions,
        engine: Engine,
        channels: Mapping[Platform, Channel],
        sessions: SessionStore,
        tickets: Tickets,
        given: GivenAnswers,
        meter: Meter,
        ticket_work: TicketWork | None = None,
        tracer: Tracer | None = None,
        at: Callable[[str], None] = lambda _: None,
        working_every_s: float = WORKING_EVERY_S,
        patience_s: float = PATIENCE_S,
        note_every_s: float = NOTE_EVERY_S,
    ) -> None:
        self._inbox = inbox
        self._outbox = outbox
        self._interruptions = interruptions
        self._engine = engine
        self._sessions = sessions
        self._given = given
        self._ticket_work = ticket_work  # None: what is asked otherwise leaves its ticket as it is
        self._meter = meter
        self._tracer = tracer or Untraced()
        self._at = at  # hears of each boundary between two steps
        self._working_every_s = working_every_s
        self._patience_s = patience_s
        self._note_every_s = note_every_s
        self._sender = Sender(outbox, channels, meter, at)
        self._giving_up = GivingUp(
            inbox=inbox, outbox=outbox, sessions=sessions, tickets=tickets, sender=self._sender, meter=meter
        )

    async def serve(self, thread: Thread) -> None:
        """Serve everything that waits in THREAD; to be called only by the one who holds its lock.

        Raises Busy where the platform wants us to wait, StoreUnavailable and whatever else went wrong: the thread is
        to be served again later, with more patience after each failure.
        """
        while (batch := await self._inbox.claim(thread)) is not None:
            message = batch.message
            fields = {"tenant": message.tenant_id, "platform": message.place.platform.value, "row": batch.lead.inbox_id}
            with bound(batch.incoming.request_id, **fields):
                note_claim(self._meter, batch)
                self._at("claimed")
                try:
                    await self._serve(batch)
                except Superseded:
                    _log.info("another worker has taken over row %s", batch.lead.inbox_id)
                    return
                _log.info("row %s has ended", batch.lead.inbox_id, extra={"kind": batch.incoming.kind.value})
                self._at("ended")

    async def deliver(self, tenant_id: int, outbox_id: int, *, last_try: bool = False) -> None:
        """Send a stored delivery; with LAST_TRY, one whose platform does not answer ends as failed.

        Raises Busy where the platform wants us to wait, ChannelUnavailable where it does not answer.
        """
        await self._sender.deliver(tenant_id, outbox_id, last_try=last_try)

    async def _serve(self, batch: Batch) -> None:
        try:
            await (self._give_up(batch) if batch.tries > MAX_TRIES else self._act(batch))
        except (Superseded, StoreUnavailable):
            raise
        except ChannelUnavailable as error:
            # The answer is kept; a platform that is away for a while is no reason to give it up.
            patient = isinstance(error, Busy) or _age_s(batch) < self._patience_s
            _log.info("row %s waits for its platform: %s", batch.lead.inbox_id, error)
            await self._give_back(batch, count_try=not patient)
            raise
        except asyncio.CancelledError:
            await self._give_back(batch, count_try=False)
            raise
        except Exception as error:
            # The one catch-all of the workers: whatever is wrong with one message must not stop the others.
            unknown = not isinstance(error, FrontdeskError)
            _log.warning("row %s failed, try %s: %s", batch.lead.inbox_id, batch.tries, error, exc_info=unknown)
            await self._give_back(batch, count_try=True)
            raise

    async def _give_back(self, batch: Batch, *, count_try: bool) -> None:
        with suppress(Superseded, StoreUnavailable):  # then the next claim takes it from where it is
            await self._inbox.give_back(batch, count_try=count_try)

    async def _act(self, batch: Batch) -> None:
        match batch.incoming.kind:
            case Kind.MESSAGE | Kind.EDIT:
                await self._respond(await self._open(batch))
            case Kind.DELETE:
                await self._take_back(batch)
            case Kind.FEEDBACK:
                await self._rate(batch)
            case Kind.TAKEOVER:
                await self._take_over(batch.message)
                await self._inbox.end(batch, Ending.DONE)
            case Kind.STOP:
                await self._inbox.end(batch, Ending.DONE)

    async def _open(self, batch: Batch) -> Work:
        """Open the delivery of BATCH: that of the earlier answer, where a message was edited after it."""
        message, ticket = batch.message, None
        for entry in batch.entries:
            if entry.incoming.kind is Kind.EDIT and (given := await self._given.to(entry)) is not None:
                if len(batch.entries) == 1:
                    await self._given.hand_on(entry, given.outbox_id)
                    message, ticket = _with_others(batch, given), given.ticket_number
                elif (
                    given.inbox_id != batch.lead.inbox_id
                ):  # what is answered together with something new is answered below it
                    await self._withdraw_given(batch, given)
        return replace(await self._open_for(batch, message), earlier_ticket=ticket)

    async def _open_for(self, batch: Batch, message: Message) -> Work:
        delivery = await self._open_delivery(batch)
        self._at("opened")
        key = DeliveryKey(delivery.outbox_id, delivery.claim)
        message = replace(message, delivery=key, installation=batch.incoming.installation)
        return Work(batch, message, self._sender.line(delivery))

    async def _open_delivery(self, batch: Batch) -> Delivery:
        return await self._outbox.open(_target(batch), Purpose.ANSWER, inbox_id=batch.lead.inbox_id)

    async def _respond(self, work: Work) -> None:
        """Answer and send; what the platform refuses for good, or may have accepted, ends with a ticket."""
        try:
            await self._answer(work)
        except Interrupted as interrupted:
            await self._break_off(work, interrupted.kind)
        except (Rejected, Uncertain) as error:
            await self._giving_up.not_sent(work.batch, work.message, work.line, error)
        finally:
            self._sender.count_doubts(work.line)

    async def _answer(self, work: Work, *, interruptible: bool = True) -> None:
        answer = work.line.delivery.content
        if answer is None:
            with self._tracer.span("answer") as span:
                answer = await self._ask(work, interruptible=interruptible)
                span.add_steps(answer.steps)
            self._at("answered")
            if answer.origin is Origin.PERSON and not answer.text:
                await self._leave_to_person(work)
                return
            if answer.session_id is None or answer.origin in (Origin.COMMAND, Origin.STOPPED):
                await self._outbox.keep(work.line.delivery, answer)  # the others are kept with their turns
            self._at("kept")
        with self._tracer.span("send"):
            await self._sender.finish(work.line, answer)
        outbox_id, gone = work.line.delivery.outbox_id, work.is_deletion
        await self._ask_otherwise(work.batch, outbox_id, work.earlier_ticket, answer.ticket_number, gone=gone)
        await self._inbox.end(work.batch, work.ending(answer), ticket_number=answer.ticket_number)
        note_answer(self._meter, work.batch, answer)

    async def _ask(self, work: Work, *, interruptible: bool) -> Answer:
        """Ask the engine; what it refuses for a reason a person can be told is told.

        Where a stop ends the answer before it has a word, what a worker before had shown of it stays.
        """
        delivery = work.line.delivery
        reply = NotingReply(work.line.reply, self._outbox, delivery, every_s=self._note_every_s)
        try:
            async with AsyncExitStack() as stack:
                await stack.enter_async_context(working(work.line.channel, work.line.target, self._working_every_s))
                watching = self._interruptions.watch(work.batch)
                interruption = await stack.enter_async_context(watching) if interruptible else None
                answer = await self._engine.handle(work.message, reply, interruption)
        except Rejected:
            raise
        except (UsageError, Refused) as error:
            if isinstance(error, Refused) and error.__cause__ is not None:
                raise  # a driver's words name hosts and tables, which are no author's business
            language = detect(work.message.text[:1_000], default=work.message.language_hint or "en")
            text = wording.say(str(error), language)
            return Answer(text, Origin.FAILED, None, resolved=False, language=language)
        is_empty = answer.origin is Origin.STOPPED and not answer.text
        return replace(answer, text=noted_before(delivery)) if is_empty else answer

    async def _break_off(self, work: Work, kind: Kind) -> None:
        """End an answer that an edit, a deletion or a takeover has made pointless."""
        count(self._meter, Counted.INTERRUPTED, work.batch, kind=kind.value)
        if kind is Kind.EDIT:  # what stands there is edited by the answer to the new text: the inbox hands it on
            await self._inbox.end(work.batch, Ending.EDITED)
        elif kind is Kind.TAKEOVER:
            await self._take_over(work.message)
            await self._answer(work, interruptible=False)
        else:
            await self._sender.withdraw(work.line)
            await self._inbox.end(work.batch, Ending.DELETED)

    async def _leave_to_person(self, work: Work) -> None:
        await self._sender.withdraw(work.line)
        await self._inbox.end(work.batch, Ending.TAKEN_OVER)

    async def _withdraw_given(self, batch: Batch, given: Given) -> None:
        tenant_id, gone = batch.message.tenant_id, batch.incoming.kind is Kind.DELETE
        await self._sessions.forget_exchange(tenant_id, given.outbox_id)
        await self._ask_otherwise(batch, given.outbox_id, given.ticket_number, None, gone=gone)
        delivery = await self._outbox.reopen(tenant_id, given.outbox_id)
        await self._sender.withdraw(self._sender.line(delivery))

    async def _ask_otherwise(
        self, batch: Batch, outbox_id: int, number: int | None, kept: int | None, *, gone: bool
    ) -> None:
        if self._ticket_work is not None and number is not None:
            cause = Cause(outbox_id, f"asked otherwise in {batch.lead.inbox_id}")
            await self._ticket_work.ask_otherwise(batch.message.tenant_id, number, kept, cause, gone=gone)

    async def _take_back(self, batch: Batch) -> None:
        """Forget a deleted message and withdraw its answer; what else that answered is answered again in its place."""
        given = await self._given.to(batch.lead)
        if given is not None and given.others:
            await self._given.hand_on(batch.lead, given.outbox_id)
            work = await self._open_for(batch, joined(given.others))
            await self._respond(replace(work, is_deletion=True, earlier_ticket=given.ticket_number))
            return
        if given is not None:
            await self._withdraw_given(batch, given)
        await self._inbox.end(batch, Ending.DONE)

    async def _rate(self, batch: Batch) -> None:
        incoming, author_id = batch.incoming, batch.message.author.author_id
        tenant_id, place = batch.message.tenant_id, batch.message.place
        where = (tenant_id, incoming.installation, place)
        if incoming.target:
            delivery = await self._outbox.of_message(*where, incoming.target)
        else:  # a client that does not say what is rated means what it shows
            delivery = await self._outbox.newest(*where)
        if delivery is not None:
            rating, reason = incoming.detail.get("rating"), incoming.detail.get("reason")
            await self._outbox.rate(tenant_id, delivery.outbox_id, author_id, _number(rating), str(reason or ""))
        await self._inbox.end(batch, Ending.DONE, reason="" if delivery else "It rates no answer that is known here.")

    async def _take_over(self, message: Message) -> None:
        session_id = message.session_id
        if session_id is None:
            opened = await self._sessions.open(message.tenant_id, message.place, message.author.author_id)
            session_id = opened.session_id
        with suppress(NotFound):  # the session was deleted meanwhile: there is nothing to take over
            await self._sessions.set_taken_over(message.tenant_id, session_id, taken_over=True)

    async def _give_up(self, batch: Batch) -> None:
        answers = batch.incoming.kind in (Kind.MESSAGE, Kind.EDIT)
        await self._giving_up.give_up(batch, await self._open_delivery(batch) if answers else None)


def _target(batch: Batch) -> Target:
    """Say where the answer goes: to the newest message of the batch, whose address is the least likely to expire."""
    return replace(target_of(batch.entries[-1].incoming), request_id=batch.incoming.request_id)


def _with_others(batch: Batch, given: Given) -> Message:
    """Join an edited message with what else its answer answered."""
    if not given.others:
        return batch.message
    entries = sorted((*given.others, *batch.entries), key=lambda entry: entry.inbox_id)
    return joined(entries)


def _age_s(batch: Batch) -> float:
    return (datetime.now(UTC) - batch.lead.received_at).total_seconds()


def _number(rating: object) -> int:
    return int(rating) if isinstance(rating, int | float) else 0
