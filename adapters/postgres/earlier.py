"""What the inbox holds already of the thread that an event comes from."""

from adapters.postgres.database import Database
from adapters.postgres.inbox import PostgresInbox
from core.inbox import Entry, Thread

_ANSWERING = """
select exists (
    select from inbox
    where tenant_id = $1 and platform = $2 and installation = $3 and channel = $4 and thread = $5 and author_id = $6
        and state <> 'ended' and kind in ('message', 'edit'))
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
        place = thread.place
        arguments = (place.platform.value, thread.installation, place.channel, place.thread, author_id)
        async with self._database.tenant(thread.tenant_id) as connection:
            return bool(await connection.fetchval(_ANSWERING, thread.tenant_id, *arguments))
