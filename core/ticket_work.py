"""What a person does with a ticket, from a chat or from the terminal."""

from dataclasses import dataclass

from core import wording
from core.authors import Authors
from core.domain import Answer, Origin, Ticket, TicketState
from core.errors import NotFound, UsageError
from core.outbox import Outbox, Purpose
from core.ports import SessionStore, TicketStore


@dataclass(frozen=True, slots=True)
class TicketWork:
    """Answer tickets, take their conversations over and give them back."""

    tickets: TicketStore
    sessions: SessionStore
    authors: Authors
    outbox: Outbox

    async def answer(self, tenant_id: int, number: int, text: str) -> bool:
        """Keep the answer and send it to the author; False where they can only read it in their session.

        A repetition after a crash keeps nothing twice and may send twice. Raises NotFound, and UsageError for a closed
        ticket.
        """
        ticket = await self.tickets.ticket(tenant_id, number)
        if not _ends_with(ticket.answer, text):
            ticket = await self.tickets.answer(tenant_id, number, text)
        target = await self.authors.asker(tenant_id, number)
        if target is None:
            return False
        language = await self._language(tenant_id, ticket)
        said = Answer(
            text=f"{wording.person_answered(number, language)}\n\n{text}",
            origin=Origin.PERSON,
            session_id=ticket.session_id,
            ticket_number=number,
            language=language,
        )
        await self.outbox.enqueue(target, Purpose.PERSON, said)
        return True

    async def take(self, tenant_id: int, number: int) -> bool:
        """Let a person answer in the ticket's session; False where it was deleted. Raises NotFound and UsageError."""
        ticket = await self.tickets.ticket(tenant_id, number)
        if ticket.state is TicketState.CLOSED:
            raise UsageError(f"Ticket {number} is closed; its conversation cannot be taken over.")
        return await self._set_taken_over(tenant_id, ticket, taken_over=True)

    async def close(self, tenant_id: int, number: int) -> Ticket:
        """Close a ticket and give its session back; raises NotFound."""
        ticket = await self.tickets.close(tenant_id, number)
        await self._set_taken_over(tenant_id, ticket, taken_over=False)
        return ticket

    async def _set_taken_over(self, tenant_id: int, ticket: Ticket, *, taken_over: bool) -> bool:
        if ticket.session_id is None:
            return False
        try:
            await self.sessions.set_taken_over(tenant_id, ticket.session_id, taken_over)
        except NotFound:  # deleted in between
            return False
        return True

    async def _language(self, tenant_id: int, ticket: Ticket) -> str:
        if ticket.session_id is None:
            return "en"
        try:
            return (await self.sessions.session(tenant_id, ticket.session_id)).language or "en"
        except NotFound:  # deleted in between
            return "en"


def _ends_with(answer: str, text: str) -> bool:
    return answer == text or answer.endswith(f"\n\n{text}")
