"""What happens to a message that cannot be answered: a person hears of it, and so does its author."""

import logging

from core import wording
from core.desk_meter import count, note_answer
from core.domain import Answer, DeliveryKey, Message, Origin, Session
from core.errors import NotFound
from core.escalation import Tickets
from core.history import transcript
from core.inbox import MAX_TRIES, Batch, Ending, Inbox
from core.language import detect
from core.meter import Counted, Meter
from core.outbox import Delivery, Outbox
from core.ports import SessionStore
from core.sending import Line, Sender

# Administrators read these in a ticket; they stay English.
REASON_TRIED = f"It was tried {MAX_TRIES} times and never answered."
REASON_NOT_SENT = "The answer was not sent: {reason}"

_TURNS = 60
_log = logging.getLogger(__name__)


class GivingUp:
    """Hand what could not be answered, or not be sent, to a person."""

    def __init__(
        self, *, inbox: Inbox, outbox: Outbox, sessions: SessionStore, tickets: Tickets, sender: Sender, meter: Meter
    ) -> None:
        self._inbox = inbox
        self._outbox = outbox
        self._sessions = sessions
        self._tickets = tickets
        self._sender = sender
        self._meter = meter

    async def give_up(self, batch: Batch, delivery: Delivery | None) -> None:
        """End BATCH, which was tried too often: its author is told so, and there is a ticket.

        Less is tried each time this fails too, so that nothing blocks its thread: no word to the author, no ticket.
        """
        beyond = batch.tries - MAX_TRIES
        number = None
        _log.error("row %s is given up after %s tries", batch.lead.inbox_id, batch.tries - 1)
        if delivery is not None and beyond <= 2:
            if beyond == 1 and await self._send_kept(batch, delivery):
                return
            number = await self._open_ticket(batch, batch.message, delivery, REASON_TRIED)
            if beyond == 1:
                await self._apologise(batch.message, delivery, number)
        count(self._meter, Counted.DEAD_LETTERS, batch)
        await self._inbox.end(batch, Ending.FAILED, reason=REASON_TRIED, ticket_number=number)

    async def not_sent(self, batch: Batch, message: Message, line: Line, error: Exception) -> None:
        """End BATCH, whose answer the platform refuses or may have accepted."""
        number = await self._open_ticket(batch, message, line.delivery, REASON_NOT_SENT.format(reason=error))
        await self._sender.fail(line, error)
        await self._inbox.end(batch, Ending.FAILED, reason=str(error), ticket_number=number)

    async def _send_kept(self, batch: Batch, delivery: Delivery) -> bool:
        """Send an answer that was kept: it is better than an apology, unless it is one that had to wait."""
        answer = delivery.content
        if answer is None or (answer.origin is Origin.FAILED and answer.ticket_number is not None):
            return False
        if not await self._sender.try_to_send(self._sender.line(delivery), answer):
            return False
        await self._inbox.end(batch, Ending.ANSWERED, ticket_number=answer.ticket_number)
        note_answer(self._meter, batch, answer)
        return True

    async def _open_ticket(self, batch: Batch, message: Message, delivery: Delivery, reason: str) -> int:
        session = await self._session(message)
        turns = await self._sessions.turns(message.tenant_id, session.session_id, limit=_TURNS)
        question = message.text.strip() or ", ".join(attachment.name for attachment in message.attachments)
        said = f"{transcript(turns)}\nauthor: {question}".strip()
        key = DeliveryKey(delivery.outbox_id, delivery.claim)
        ticket = await self._tickets.open(message.tenant_id, session.session_id, question, said, reason, delivery=key)
        count(self._meter, Counted.TICKETS, batch)
        return ticket.number

    async def _apologise(self, message: Message, delivery: Delivery, number: int) -> None:
        """Tell the author, in the author's language."""
        session = await self._session(message)
        chosen = session.language if session.language_chosen else ""
        language = chosen or detect(message.text, default=session.language or message.language_hint or "en")
        text = wording.not_answered(number, language)
        answer = Answer(
            text, Origin.FAILED, session.session_id, resolved=False, ticket_number=number, language=language
        )
        await self._outbox.keep(delivery, answer)
        await self._sender.try_to_send(self._sender.line(delivery), answer)

    async def _session(self, message: Message) -> Session:
        if message.session_id is not None:
            try:
                return await self._sessions.session(message.tenant_id, message.session_id)
            except NotFound:
                pass  # the author named one that is not there; the ticket goes to the thread's own
        return await self._sessions.open(message.tenant_id, message.place, message.author.author_id)
