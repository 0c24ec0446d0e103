"""Tickets: questions handed to a person."""

import re
from uuid import UUID

import asyncpg

from adapters.postgres.database import Connection, Database
from adapters.postgres.outbox import read_target
from core.domain import DeliveryKey, Origin, Role, Ticket, TicketState
from core.errors import NotFound, Superseded, UsageError
from core.outbox import Target

TICKET_COLUMNS = """
tickets.number, tickets.session_id, tickets.state, tickets.question, tickets.transcript, tickets.reason, tickets.answer,
    tickets.created_at, tickets.updated_at
"""

_TICKET = f"select {TICKET_COLUMNS} from tickets "  # noqa: S608 - only our own constant goes in

# A ticket of a delivery that was closed stays the delivery's: a message tried again never opens a second one.
_KNOWN = """
select number from tickets
where session_id = $1
    and ((question = $2 and state = 'open') or ($3::bigint is not null and target->>'outbox_id' = $3::text))
order by (question = $2 and state = 'open') desc, number desc limit 1
"""

_ASK_ANEW = """
update tickets set question = $2, transcript = $3, reason = $4
where number = $1 and state = 'open' and target->>'outbox_id' = $5::bigint::text
"""

_OPEN = """
insert into tickets (tenant_id, number, session_id, state, question, transcript, reason, target)
values ($1, $2, $3, 'open', $4, $5, $6, (
    select jsonb_build_object('outbox_id', outbox_id, 'platform', platform, 'installation', installation,
        'channel', channel, 'thread', thread, 'author_id', author_id, 'address', address, 'message_id', message_id,
        'request_id', request_id)
    from outbox where outbox_id = $7::bigint))
"""

_IS_OURS = "select true from outbox where outbox_id = $1 and claim = $2 for update"

_SAY = """
insert into turns (tenant_id, session_id, role, text, outbox_id) values ($1, $2, 'author', $3, $4)
on conflict (outbox_id, role) where outbox_id is not null do nothing returning true
"""

_NEWEST = "select number from tickets where session_id = $1 and state <> 'closed' order by number desc limit 1"

_APPEND = """
update tickets set transcript = transcript || E'\\nauthor: ' || $2::text, updated_at = now() where number = $1
"""


_CORRECT = "update tickets set answer = $2, updated_at = now() where number = $1"

_CORRECT_TURN = """
update turns set text = $3 where turn_id = (
    select max(turn_id) from turns where session_id = $1 and role = 'person' and text = $2)
"""


class PostgresTickets:
    """The Tickets port on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

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
        """Open a ticket that remembers where DELIVERY goes, so that a person's answer finds its way.

        The same question still open in the same session keeps its ticket, and so does a delivery that has one: where
        it asks something else now, the open ticket does too.
        """
        outbox_id = delivery.outbox_id if delivery else None
        async with self._database.tenant(tenant_id) as connection:
            # Two openings of one tenant take turns here: numbers have no gaps, a question asked twice meets its ticket.
            await connection.execute("select from tenants where tenant_id = $1 for update", tenant_id)
            known = await connection.fetchval(_KNOWN, session_id, question, outbox_id)
            if known is not None:
                await connection.execute(_ASK_ANEW, known, question, transcript, reason, outbox_id)
                return await _ticket(connection, known)
            number = await connection.fetchval(
                "update tenants set ticket_count = ticket_count + 1 where tenant_id = $1 returning ticket_count",
                tenant_id,
            )
            await connection.execute(_OPEN, tenant_id, number, session_id, question, transcript, reason, outbox_id)
            return await _ticket(connection, number)

    async def note(
        self, tenant_id: int, session_id: UUID, text: str, *, delivery: DeliveryKey | None = None
    ) -> int | None:
        """Add an author's words to the session and to its newest ticket that is not closed, once for each delivery.

        Returns the ticket's number, None where there is none. Raises Superseded where another worker has opened the
        delivery since.
        """
        outbox_id = delivery.outbox_id if delivery else None
        async with self._database.tenant(tenant_id) as connection:
            if delivery is not None and not await connection.fetchval(_IS_OURS, delivery.outbox_id, delivery.claim):
                raise Superseded("Another worker has taken this message over.")
            number: int | None = await connection.fetchval(_NEWEST, session_id)
            said_now = await connection.fetchval(_SAY, tenant_id, session_id, text, outbox_id)
            if said_now and number is not None:
                await connection.execute(_APPEND, number, text)
            return number

    async def target(self, tenant_id: int, number: int) -> Target | None:
        """Tell where a person's answer to a ticket goes; None where that is not known. Raises NotFound."""
        async with self._database.tenant(tenant_id) as connection:
            await _ticket(connection, number)
            kept = await connection.fetchval("select target from tickets where number = $1", number)
        return read_target(tenant_id, kept) if kept is not None else None

    async def ticket(self, tenant_id: int, number: int) -> Ticket:
        """Look a ticket up by its number; raises NotFound."""
        async with self._database.tenant(tenant_id) as connection:
            return await _ticket(connection, number)

    async def tickets(self, tenant_id: int, *, state: TicketState | None = None, limit: int = 50) -> list[Ticket]:
        """List tickets, the newest first."""
        async with self._database.tenant(tenant_id) as connection:
            rows = await connection.fetch(
                _TICKET + "where $1::text is null or state = $1 order by number desc limit $2",
                state.value if state else None,
                limit,
            )
        return [read_ticket(row) for row in rows]

    async def answer(self, tenant_id: int, number: int, text: str) -> Ticket:
        """Add a person's answer to the ticket and to the session the question came from."""
        async with self._database.tenant(tenant_id) as connection:
            ticket = await _ticket(connection, number, lock=True)
            if ticket.state is TicketState.CLOSED:
                raise UsageError(f"Ticket {number} is closed; it takes no more answers.")
            await connection.execute(
                "update tickets set state = $2, answer = concat_ws(E'\\n\\n', nullif(answer, ''), $3::text), "
                "updated_at = now() where number = $1",
                number,
                TicketState.ANSWERED.value,
                text,
            )
            if ticket.session_id is not None:
                await connection.execute(
                    "insert into turns (tenant_id, session_id, role, text, question, origin) "
                    "values ($1, $2, $3, $4, $5, $6)",
                    tenant_id,
                    ticket.session_id,
                    Role.PERSON.value,
                    text,
                    ticket.question,
                    Origin.PERSON.value,
                )
            return await _ticket(connection, number)

    async def correct(self, tenant_id: int, number: int, before: str, text: str) -> Ticket:
        """Put TEXT in the place of a person's answer that was BEFORE, in the ticket and in its session."""
        async with self._database.tenant(tenant_id) as connection:
            ticket = await _ticket(connection, number, lock=True)
            found = list(re.finditer(rf"(?:\A|(?<=\n\n)){re.escape(before)}(?=\n\n|\Z)", ticket.answer))
            if found:
                answer = ticket.answer[: found[-1].start()] + text + ticket.answer[found[-1].end() :]
                await connection.execute(_CORRECT, number, answer)
            await connection.execute(_CORRECT_TURN, ticket.session_id, before, text)
            return await _ticket(connection, number)

    async def close(self, tenant_id: int, number: int) -> Ticket:
        """Close a ticket; closing it again changes nothing."""
        async with self._database.tenant(tenant_id) as connection:
            await _ticket(connection, number, lock=True)
            await connection.execute(
                "update tickets set state = $2, updated_at = now() where number = $1 and state <> $2",
                number,
                TicketState.CLOSED.value,
            )
            return await _ticket(connection, number)


async def _ticket(connection: Connection, number: int, *, lock: bool = False) -> Ticket:
    row = await connection.fetchrow(_TICKET + "where number = $1" + (" for update" if lock else ""), number)
    if row is None:
        raise NotFound(f"There is no ticket {number}; `frontdesk tickets list` shows them.")
    return read_ticket(row)


def read_ticket(row: asyncpg.Record) -> Ticket:
    """Read a ticket from a row of TICKET_COLUMNS."""
    return Ticket(**{**row, "state": TicketState(row["state"])})
