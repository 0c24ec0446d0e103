"""Tickets: questions handed to a person."""

from uuid import UUID

import asyncpg

from adapters.postgres.database import Connection, Database
from core.domain import Origin, Role, Ticket, TicketState
from core.errors import NotFound, UsageError

_TICKET = """
select number, session_id, state, question, transcript, reason, answer, created_at, updated_at from tickets
"""


class PostgresTickets:
    """The TicketStore port on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(self, tenant_id: int, session_id: UUID, question: str, transcript: str, reason: str) -> Ticket:
        """Open a ticket; the same question still open in the same session keeps its ticket."""
        async with self._database.tenant(tenant_id) as connection:
            # Two openings of one tenant take turns here: numbers have no gaps, a question asked twice meets its ticket.
            await connection.execute("select from tenants where tenant_id = $1 for update", tenant_id)
            known = await connection.fetchval(
                "select number from tickets where session_id = $1 and question = $2 and state = 'open'",
                session_id,
                question,
            )
            if known is not None:
                return await _ticket(connection, known)
            number = await connection.fetchval(
                "update tenants set ticket_count = ticket_count + 1 where tenant_id = $1 returning ticket_count",
                tenant_id,
            )
            await connection.execute(
                "insert into tickets (tenant_id, number, session_id, state, question, transcript, reason) "
                "values ($1, $2, $3, $4, $5, $6, $7)",
                tenant_id,
                number,
                session_id,
                TicketState.OPEN.value,
                question,
                transcript,
                reason,
            )
            return await _ticket(connection, number)

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
        return [_from_row(row) for row in rows]

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
    return _from_row(row)


def _from_row(row: asyncpg.Record) -> Ticket:
    return Ticket(
        number=row["number"],
        session_id=row["session_id"],
        state=TicketState(row["state"]),
        question=row["question"],
        transcript=row["transcript"],
        reason=row["reason"],
        answer=row["answer"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
