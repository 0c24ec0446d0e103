"""Tell those who answer tickets that there is one: once for each ticket, whichever worker opens it.

A ticket and its announcement are two rows. Who opens a ticket announces it right away; where a worker dies in between,
the sweep announces what was left out. Both do it in one transaction that also stores the delivery, so it is sent once.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol
from uuid import UUID

from core.domain import Answer, DeliveryKey, Origin, Ticket, TicketState
from core.errors import StoreUnavailable
from core.escalation import Tickets, wants_person
from core.outbox import Cause, Outbox, Purpose, Target
from core.places import Place

LONGEST_TRANSCRIPT = 6_000
"""Characters of it that an announcement shows, the newest ones."""

_log = logging.getLogger(__name__)


class Announcements(Protocol):
    """Store what is to be announced."""

    async def announce(self, target: Target, compose: Callable[[Ticket], Answer]) -> int:
        """Store one delivery to TARGET for each open ticket that was not announced, and count them."""

    async def follow_up(self, target: Target, number: int, content: Answer) -> bool:
        """Store CONTENT for the thread of a ticket's announcement; False where it was not announced yet."""

    async def thread_of(self, tenant_id: int, number: int) -> Target | None:
        """Return the way to the thread of a ticket's announcement; None where there is none yet."""

    async def restate(self, tenant_id: int, number: int, content: Answer) -> None:
        """Put CONTENT in the place of a ticket's announcement, where there is one."""


@dataclass(frozen=True, slots=True)
class Said:
    """What those who answer tickets are told of one."""

    text: str  # Markdown
    state: str  # the same in a few words
    place: Place | None = None  # where it was done; None: in no chat
    cause: Cause | None = None


class Announcer:
    """Announce tickets in one place."""

    def __init__(self, announcements: Announcements, target: Target | None = None) -> None:
        self._announcements = announcements
        self._target = target

    def send_to(self, target: Target) -> None:
        """Choose the place; until then nothing is announced."""
        self._target = target

    async def announce(self) -> None:
        """Announce what is new; raises StoreUnavailable."""
        if self._target is not None:
            await self._announcements.announce(self._target, announcement)

    async def pass_on(self, number: int, text: str) -> None:
        """Show below the announcement what the author wrote since; raises StoreUnavailable."""
        if self._target is not None:
            await self._announcements.follow_up(self._target, number, Answer(quoted(text), Origin.COMMAND, None))

    async def tell(self, outbox: Outbox, tenant_id: int, ticket: Ticket, said: Said) -> None:
        """Say below the announcement of TICKET what happened to it elsewhere, and in it how it stands now.

        Whoever did it in that thread knows already. To be repeated without harm where SAID names its cause. Raises
        StoreUnavailable.
        """
        thread = await self._announcements.thread_of(tenant_id, ticket.number)
        if thread is None or said.place == thread.place:
            return
        await outbox.enqueue(thread, Purpose.NOTICE, Answer(said.text, Origin.COMMAND, None), cause=said.cause)
        await self._announcements.restate(tenant_id, ticket.number, replace(announcement(ticket), notice=said.state))


class AnnouncedTickets:
    """The Tickets port over another one: what is opened is announced, what is noted is passed on."""

    def __init__(self, tickets: Tickets, announcer: Announcer) -> None:
        self._tickets = tickets
        self._announcer = announcer

    async def open(
        self,
        tenant_id: int,
        session_id: UUID,
        question: str,
        transcript: str,
        reason: str,
        *,
        delivery: DeliveryKey | None = None,
    ) -> Ticket:
        """Open a ticket, once for each delivery, and announce it."""
        ticket = await self._tickets.open(tenant_id, session_id, question, transcript, reason, delivery=delivery)
        try:
            await self._announcer.announce()
        except StoreUnavailable:  # the ticket is there; the sweep announces it
            _log.warning("ticket %s is announced later", ticket.number)
        return ticket

    async def note(
        self, tenant_id: int, session_id: UUID, text: str, *, delivery: DeliveryKey | None = None
    ) -> int | None:
        """Add an author's words to their newest ticket, and pass them on to whoever answers it."""
        number = await self._tickets.note(tenant_id, session_id, text, delivery=delivery)
        if number is not None:
            await self._announcer.pass_on(number, text)
        return number

    async def ticket(self, tenant_id: int, number: int) -> Ticket:
        """Look a ticket up by its number; raises NotFound."""
        return await self._tickets.ticket(tenant_id, number)

    async def tickets(self, tenant_id: int, *, state: TicketState | None = None, limit: int = 50) -> list[Ticket]:
        """List tickets, the newest first."""
        return await self._tickets.tickets(tenant_id, state=state, limit=limit)

    async def answer(self, tenant_id: int, number: int, text: str) -> Ticket:
        """Add a person's answer to the ticket and to the session the question came from."""
        return await self._tickets.answer(tenant_id, number, text)

    async def correct(self, tenant_id: int, number: int, before: str, text: str) -> Ticket:
        """Put TEXT in the place of a person's answer that was BEFORE, in the ticket and in its session."""
        return await self._tickets.correct(tenant_id, number, before, text)

    async def close(self, tenant_id: int, number: int) -> Ticket:
        """Close a ticket; closing it again changes nothing."""
        return await self._tickets.close(tenant_id, number)


def announcement(ticket: Ticket) -> Answer:
    """Write what is told of a ticket, as Markdown; a command's answer with a ticket is always this.

    It is resolved once the ticket is closed.
    """
    transcript = _without_wish(ticket.transcript)
    if len(transcript) > LONGEST_TRANSCRIPT:
        transcript = "…" + transcript[-LONGEST_TRANSCRIPT:]
    asked = [ticket.question] if ticket.question != ticket.reason and not wants_person(ticket.question) else []
    is_all = not transcript or transcript == f"author: {ticket.question}"
    parts = (
        f"**Ticket {ticket.number}**: {ticket.reason}",
        *map(quoted, asked),
        *([] if is_all else ["What was said before:" if asked else "What was said:", quoted(transcript)]),
        "Whoever replies in this thread answers the author.",
    )
    text = "\n\n".join(parts)
    closed = ticket.state is TicketState.CLOSED
    return Answer(text, Origin.COMMAND, ticket.session_id, ticket_number=ticket.number, resolved=closed)


def _without_wish(transcript: str) -> str:
    """Drop the last line of a transcript where it only asks for a person."""
    before, _, last = transcript.rpartition("\n")
    is_wish = last.startswith("author: ") and wants_person(last.removeprefix("author: ").removeprefix("/"))
    return before if is_wish else transcript


def quoted(text: str) -> str:
    """Write TEXT as a quotation in Markdown."""
    return "\n".join(f"> {line}" for line in text.splitlines())
