"""What a person does with a ticket, from a chat or from the terminal."""

from dataclasses import dataclass, replace

from core import wording
from core.announcements import Announcer, Said, quoted
from core.authors import Authors
from core.domain import Answer, Origin, Ticket, TicketState
from core.errors import NotFound, UsageError
from core.outbox import Cause, Outbox, Purpose, Target
from core.places import Place
from core.ports import SessionStore, TicketStore
from core.sending import with_answerer

# Those who answer tickets read these, as they read the announcement: in English.
_ANSWERED = "Answered by {name}"
_CLOSED = "Closed by {name}"
_CHANGED = "The author changed the question."
_DELETED = "The author deleted the question."


@dataclass(frozen=True, slots=True)
class By:
    """Who does something with a ticket."""

    name: str = ""  # empty: nobody is told of it
    place: Place | None = None  # where; None: in no chat
    receipt: int | None = None  # the delivery that acknowledges it

    def cause(self, what: str) -> Cause | None:
        """Name what is brought about, so that it is brought about once."""
        return Cause(self.receipt, what) if self.receipt is not None else None


NOBODY = By()


@dataclass(frozen=True, slots=True)
class TicketWork:
    """Answer tickets, take their conversations over and give them back."""

    tickets: TicketStore
    sessions: SessionStore
    authors: Authors
    outbox: Outbox
    announcer: Announcer | None = None

    async def answer(
        self,
        tenant_id: int,
        number: int,
        text: str,
        *,
        answerer: Target | None = None,
        language: str = "en",
        by: By = NOBODY,
    ) -> bool:
        """Keep the answer and send it to the author; False where they can only read it in their session.

        ANSWERER hears in LANGUAGE where the platform refuses it for good. Other words of BY with the same receipt take
        the place of the first ones, and wording.WITHDRAWN takes them back. Without it a repetition after a crash keeps
        nothing twice and may send twice. Raises NotFound, and UsageError for a closed ticket.
        """
        cause = by.cause("person")
        ticket, is_kept = await self._keep(tenant_id, number, text, cause)
        if not is_kept:
            return False
        await self._tell(tenant_id, ticket, by, _ANSWERED, text)
        target = await self.authors.asker(tenant_id, number)
        if target is None:
            return False
        if answerer is not None:
            target = with_answerer(target, answerer, language)
        spoken = await self._language(tenant_id, ticket)
        words = wording.say(text, spoken) if text == wording.WITHDRAWN else text
        said = Answer(
            text=f"{wording.person_answered(number, spoken)}\n\n{words}",
            origin=Origin.PERSON,
            session_id=ticket.session_id,
            ticket_number=number,
            language=spoken,
        )
        await self.outbox.enqueue(target, Purpose.PERSON, said, cause=cause)
        return True

    async def _keep(self, tenant_id: int, number: int, text: str, cause: Cause | None) -> tuple[Ticket, bool]:
        """Keep TEXT in the ticket; False where it takes back what was never sent."""
        ticket = await self.tickets.ticket(tenant_id, number)
        earlier = await self.outbox.caused(tenant_id, cause) if cause is not None else None
        if earlier is not None and earlier.content is not None:
            before = _words_of(earlier.content)
            return (await self.tickets.correct(tenant_id, number, before, text) if before != text else ticket), True
        if text == wording.WITHDRAWN:
            return ticket, False
        if not _ends_with(ticket.answer, text):
            ticket = await self.tickets.answer(tenant_id, number, text)
        return ticket, True

    async def take(self, tenant_id: int, number: int) -> bool:
        """Let a person answer in the ticket's session; False where it was deleted. Raises NotFound and UsageError."""
        ticket = await self.tickets.ticket(tenant_id, number)
        if ticket.state is TicketState.CLOSED:
            raise UsageError(f"Ticket {number} is closed; its conversation cannot be taken over.")
        return await self._set_taken_over(tenant_id, ticket, taken_over=True)

    async def close(self, tenant_id: int, number: int, *, by: By = NOBODY) -> Ticket:
        """Close a ticket and give its session back; raises NotFound."""
        ticket = await self.tickets.ticket(tenant_id, number)
        if ticket.state is not TicketState.CLOSED:
            await self._tell(tenant_id, replace(ticket, state=TicketState.CLOSED), by, _CLOSED)
        ticket = await self.tickets.close(tenant_id, number)
        await self._set_taken_over(tenant_id, ticket, taken_over=False)
        return ticket

    async def ask_otherwise(self, tenant_id: int, number: int, kept: int | None, cause: Cause, *, gone: bool) -> None:
        """Say that the author of a ticket has changed its question, and close it unless KEPT is its number.

        GONE is a question that was deleted. What a person has answered or closed stays as it is.
        """
        try:
            ticket = await self.tickets.ticket(tenant_id, number)
        except NotFound:  # erased meanwhile
            return
        if ticket.state is not TicketState.OPEN:
            return
        stays, what = kept == number, _DELETED if gone else _CHANGED
        if self.announcer is not None:
            text = f"{what}\n\n{quoted(ticket.question)}" if stays else what
            stated = ticket if stays else replace(ticket, state=TicketState.CLOSED)
            await self.announcer.tell(self.outbox, tenant_id, stated, Said(text, what, cause=cause))
        if not stays:
            await self.close(tenant_id, number)

    async def _tell(self, tenant_id: int, ticket: Ticket, by: By, what: str, text: str = "") -> None:
        """Tell those who answer tickets what BY did."""
        if self.announcer is None or not by.name:
            return
        done = what.format(name=by.name)
        said = Said(f"{done}:\n\n{quoted(text)}" if text else f"{done}.", f"{done}.", by.place, by.cause("told"))
        await self.announcer.tell(self.outbox, tenant_id, ticket, said)

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


def _words_of(answer: Answer) -> str:
    """Take the words of a person from below the line that says they are a person's."""
    return answer.text.removeprefix(wording.person_answered(answer.ticket_number or 0, answer.language)).lstrip("\n")


def _ends_with(answer: str, text: str) -> bool:
    return answer == text or answer.endswith(f"\n\n{text}")
