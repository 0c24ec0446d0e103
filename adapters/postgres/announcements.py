"""Which tickets were announced, stored together with the delivery that announces each."""

from collections.abc import Callable
from dataclasses import replace

from adapters.postgres.database import Connection, Database
from adapters.postgres.outbox import enqueue, enqueue_anew, read_target
from adapters.postgres.tickets import TICKET_COLUMNS, read_ticket
from core.domain import Answer, Ticket
from core.outbox import Purpose, Target

# Older tickets were there before anybody asked for announcements.
_NEW = f"""
select {TICKET_COLUMNS} from tickets
where state = 'open' and created_at > now() - interval '1 day'
    and not exists (select from ticket_announcements told where told.number = tickets.number)
order by number limit 50
"""  # noqa: S608 - only our own constant goes in

# Two workers at one ticket: the second one waits here for the first, and then finds the row.
_CLAIM = """
insert into ticket_announcements (tenant_id, number) values ($1, $2)
on conflict (tenant_id, number) do nothing returning true
"""

_ROOT = """
select sent->0->>'message_id' from ticket_announcements join outbox using (outbox_id) where number = $1
"""

_THREAD = """
select platform, installation, channel, sent->0->>'message_id' as thread, author_id, address, message_id, request_id
from ticket_announcements join outbox using (outbox_id) where number = $1 and sent->0->>'message_id' is not null
"""

_ANNOUNCED = """
select number, sent->0->>'message_id' as thread
from ticket_announcements join outbox using (outbox_id)
where platform = $1 and installation = $2 and channel = $3
    and sent @> jsonb_build_array(jsonb_build_object('message_id', $4::text))
"""


class PostgresAnnouncements:
    """The Announcements port on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def announce(self, target: Target, compose: Callable[[Ticket], Answer]) -> int:
        """Store one delivery to TARGET for each open ticket that was not announced, and count them."""
        told = 0
        async with self._database.tenant(target.tenant_id) as connection:
            for row in await connection.fetch(_NEW):
                ticket = read_ticket(row)
                if await connection.fetchval(_CLAIM, target.tenant_id, ticket.number):
                    outbox_id = await _enqueue(connection, target, target.place.thread, compose(ticket))
                    await connection.execute(
                        "update ticket_announcements set outbox_id = $2 where number = $1", ticket.number, outbox_id
                    )
                    told += 1
        return told

    async def follow_up(self, target: Target, number: int, content: Answer) -> bool:
        """Store CONTENT for the thread of a ticket's announcement; False where it was not announced yet."""
        async with self._database.tenant(target.tenant_id) as connection:
            root = await connection.fetchval(_ROOT, number)
            if root is None:
                return False
            await _enqueue(connection, target, root, content)
        return True

    async def thread_of(self, tenant_id: int, number: int) -> Target | None:
        """Return the way to the thread of a ticket's announcement; None where there is none yet."""
        async with self._database.tenant(tenant_id) as connection:
            row = await connection.fetchrow(_THREAD, number)
        return _below(read_target(tenant_id, row), row["thread"]) if row is not None else None

    async def restate(self, tenant_id: int, number: int, content: Answer) -> None:
        """Put CONTENT in the place of a ticket's announcement, where there is one."""
        async with self._database.tenant(tenant_id) as connection:
            outbox_id = await connection.fetchval(
                "select outbox_id from ticket_announcements where number = $1", number
            )
            if outbox_id is not None:
                await enqueue_anew(connection, outbox_id, content)

    async def announced_by(self, target: Target, message_id: str) -> tuple[int, str] | None:
        """Tell which ticket a message in the place of TARGET announces, wholly or in part; None where it is none.

        Returns its number and the id of the first message of the announcement, whose thread is the ticket's.
        """
        place = target.place
        async with self._database.tenant(target.tenant_id) as connection:
            row = await connection.fetchrow(
                _ANNOUNCED, place.platform.value, target.installation, place.channel, message_id
            )
        return (row["number"], row["thread"]) if row is not None else None


async def _enqueue(connection: Connection, target: Target, thread: str, content: Answer) -> int:
    """Store CONTENT for THREAD, the beginning of which Slack calls thread_ts; empty: for the channel itself."""
    return await enqueue(connection, _below(target, thread), Purpose.NOTICE, content)


def _below(target: Target, thread: str) -> Target:
    address = {**target.address, "thread_ts": thread} if thread else target.address
    return replace(target, place=replace(target.place, thread=thread), address=address)
