"""What the inbox holds already of the thread that an event comes from."""

from adapters.postgres.database import Database
from adapters.postgres.inbox import PostgresInbox, channel_of
from core.inbox import Entry, Thread
from core.places import Place

_ANSWERING = """
select exists (
    select from inbox
    where tenant_id = $1 and platform = $2 and installation = $3 and channel = $4 and thread = $5 and author_id = $6
        and state <> 'ended' and kind in ('message', 'edit'))
"""

_NEWEST_TICKET = """
select number, tickets.state = 'open' as is_open from tickets join sessions using (session_id)
where sessions.tenant_id = $1 and platform = $2 and channel = $3 and thread = $4 and current
order by number desc limit 1
"""


class PostgresEarlier:
    """Look up what came before."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._inbox = PostgresInbox(database)

    async def find(self, thread: Thread, message_id: str) -> Entry | None:
        """Look up the newest revision of a platform's message; None where there is none."""
        return await self._inbox.find(thread, message_id)

    async def is_answering(self, thread: Thread, author_id: str) -> bool:
        """Tell whether something of the author waits in THREAD or is being answered."""
        async with self._database.tenant(thread.tenant_id) as connection:
            return bool(await connection.fetchval(_ANSWERING, *channel_of(thread), thread.place.thread, author_id))

    async def newest_ticket(self, tenant_id: int, place: Place) -> tuple[int, bool] | None:
        """Return the number of the newest ticket of the conversation in PLACE, and whether it is open."""
        arguments = (tenant_id, place.platform.value, place.channel, place.thread)
        async with self._database.tenant(tenant_id) as connection:
            row = await connection.fetchrow(_NEWEST_TICKET, *arguments)
        return (row["number"], row["is_open"]) if row is not None else None
