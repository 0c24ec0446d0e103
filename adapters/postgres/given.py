"""Answers that were given already, found by the messages they answer."""

from typing import Any

from adapters.postgres.database import Connection, Database
from adapters.postgres.inbox import channel_of, read_entry
from adapters.postgres.sessions import FORGET_EXCHANGE
from core.answered import Given
from core.inbox import Entry

# An edit leads a batch of its own, so an answer moves from row to row: those of one batch, then any edit of theirs.
_GIVEN = """
with leads as (
    select distinct answered_by from inbox
    where tenant_id = $1 and platform = $2 and installation = $3 and channel = $4 and message_id = $5
        and kind in ('message', 'edit') and answered_by is not null and inbox_id <> $6
), asked as (
    select distinct message_id from inbox
    where tenant_id = $1 and platform = $2 and installation = $3 and channel = $4
        and author_id in (select author_id from inbox where inbox_id in (select answered_by from leads))
        and received_at >= (select min(received_at) from inbox where inbox_id in (select answered_by from leads))
        and answered_by in (select answered_by from leads) and kind in ('message', 'edit')
), led as (
    select inbox_id, answered_by from inbox
    where tenant_id = $1 and platform = $2 and installation = $3 and channel = $4
        and message_id in (select message_id from asked union select $5) and kind in ('message', 'edit', 'delete')
)
select outbox_id, outbox.inbox_id, array(select message_id from asked where message_id <> $5) as others, (
    select max(number) from tickets
    where tickets.tenant_id = $1 and target->>'outbox_id' = outbox.outbox_id::text and tickets.state = 'open'
        and answer = ''
) as ticket_number
from outbox where inbox_id in (select inbox_id from led union select answered_by from led)
order by inbox_id = $6 desc, outbox_id desc limit 1
"""

_NEWEST = """
select distinct on (message_id) inbox_id, body, state, received_at, answered_by, tries, ending, reason, ticket_number
from inbox
where tenant_id = $1 and platform = $2 and installation = $3 and channel = $4 and message_id = any($5::text[])
    and kind in ('message', 'edit') and not exists (
        select from inbox gone
        where gone.tenant_id = $1 and gone.platform = $2 and gone.installation = $3 and gone.channel = $4
            and gone.message_id = inbox.message_id and gone.kind = 'delete')
order by message_id, revision desc
"""

_HAND_ON = """
update outbox set inbox_id = $2, content = null, partial = '', settled = null, settled_at = null, reason = '',
    claim = claim + 1
where outbox_id = $1 and inbox_id is distinct from $2
    and not exists (select from outbox where inbox_id = $2)
returning outbox_id
"""


class PostgresGivenAnswers:
    """The GivenAnswers port on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def to(self, entry: Entry) -> Given | None:
        """Look up what answered the earlier revisions of ENTRY's message, or was begun to; None where nothing did."""
        where = channel_of(entry.incoming.thread)
        async with self._database.tenant(entry.incoming.message.tenant_id) as connection:
            found = await connection.fetchrow(_GIVEN, *where, entry.incoming.message_id, entry.inbox_id)
            if found is None:
                return None
            others = await _newest(connection, where, found["others"])
            return Given(found["outbox_id"], found["inbox_id"], others, found["ticket_number"])

    async def hand_on(self, entry: Entry, outbox_id: int) -> None:
        """Make a delivery that of ENTRY: what was sent stays, its content and its turns go; to be repeated."""
        async with self._database.tenant(entry.incoming.message.tenant_id) as connection:
            if await connection.fetchval(_HAND_ON, outbox_id, entry.inbox_id) is not None:
                await connection.execute(FORGET_EXCHANGE, outbox_id)


async def _newest(connection: Connection, where: tuple[Any, ...], message_ids: list[str]) -> tuple[Entry, ...]:
    if not message_ids:
        return ()
    records = await connection.fetch(_NEWEST, *where, message_ids)
    return tuple(sorted((read_entry(record) for record in records), key=lambda entry: entry.inbox_id))
