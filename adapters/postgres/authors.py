"""What is kept of one author."""

from collections.abc import Mapping
from uuid import UUID

from adapters.postgres.database import Database
from adapters.postgres.outbox import read_target
from adapters.postgres.tickets import TICKET_COLUMNS, read_ticket
from core.authors import Erased
from core.domain import Author, DeliveryKey, Ticket
from core.outbox import Target
from core.places import Place, Platform

_TICKETS = f"""
select {TICKET_COLUMNS}
from tickets left join sessions using (session_id)
where state = 'open' and coalesce(target ->> 'platform', platform) = $1
    and coalesce(target ->> 'author_id', author_id) = $2
order by number desc
"""  # noqa: S608 - only our own constant goes in

_SAID_BY = """
select turn_id, outbox.author_id, coalesce(body -> 'message' -> 'author' ->> 'name', '') as name
from turns join outbox using (outbox_id) left join inbox using (inbox_id)
where session_id = $1 and role = 'author'
"""

_WHERE = """
select platform, installation, channel, thread, author_id, address, message_id, request_id from outbox
"""

# The newest delivery of the ticket's session; where none left a turn, the newest to where the session is.
_ASKER = f"""
{_WHERE}
join (select session_id, platform as on_platform, channel as in_channel, thread as in_thread from sessions) here
    on session_id = $1
where outbox_id in (select outbox_id from turns where turns.session_id = $1)
    or (platform, channel, thread) = (on_platform, in_channel, in_thread)
order by exists (select from turns where turns.session_id = $1 and turns.outbox_id = outbox.outbox_id) desc,
    outbox_id desc
limit 1
"""  # noqa: S608 - only our own constant goes in

# Parameters: 1 platform, 2 author. What is under way keeps its words until it ends. A summary that covers an exchange
# holds its words too: it goes with it, and is made again from what stays.
_TURNS = """
with gone as (
    delete from turns where session_id in (select session_id from sessions where platform = $1 and author_id = $2)
        or outbox_id in (select outbox_id from outbox where platform = $1 and author_id = $2)
    returning session_id, turn_id
), summaries as (
    update sessions set summary = '', summarised_turn_id = 0
    where session_id in (
        select gone.session_id from gone join sessions using (session_id) where turn_id <= summarised_turn_id
    )
)
select count(*) from gone
"""
_FILES = """
with gone as (
    delete from session_files
    where session_id in (select session_id from sessions where platform = $1 and author_id = $2)
    returning file_id
)
select count(*) from gone
"""
_UPLOADS = """
with mine as (
    select (attachment ->> 'upload_id')::bigint as upload_id
    from inbox, jsonb_array_elements(body -> 'message' -> 'attachments') as attachment
    where platform = $1 and author_id = $2 and state = 'ended'
), gone as (
    delete from uploads where upload_id in (select upload_id from mine) and not exists (
        select from ingestions where state in ('waiting', 'running')
            and sources @> jsonb_build_array(jsonb_build_object('upload_id', uploads.upload_id))
    )
    returning upload_id
)
select count(*) from gone
"""
_RATINGS = """
with gone as (
    delete from feedback using outbox
    where feedback.outbox_id = outbox.outbox_id and platform = $1 and feedback.author_id = $2
    returning feedback.outbox_id
)
select count(*) from gone
"""
_EVENTS = """
delete from answer_events where inbox_id in (
    select inbox_id from inbox where platform = $1 and author_id = $2 and state = 'ended'
)
"""
_INBOX = """
with emptied as (
    update inbox set reason = '', body = body || jsonb_build_object(
        'detail', '{}'::jsonb,
        'message', (body -> 'message') || '{"text": "", "attachments": []}'::jsonb
            || jsonb_build_object('author', jsonb_build_object('author_id', $2::text, 'name', ''))
    )
    where platform = $1 and author_id = $2 and state = 'ended'
    returning inbox_id
)
select count(*) from emptied
"""
_OUTBOX = """
with emptied as (
    update outbox set content = null, partial = '', reason = ''
    where platform = $1 and author_id = $2 and settled is not null
    returning outbox_id
)
select count(*) from emptied
"""
_TICKETS_LEFT = """
select count(*) from tickets left join sessions using (session_id)
where (platform = $1 and author_id = $2)
    or (target ->> 'platform' = $1 and target ->> 'author_id' = $2)
"""


class PostgresAuthors:
    """The Authors port on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def session_of(self, tenant_id: int, place: Place) -> UUID | None:
        """Return the current session of PLACE without beginning one."""
        async with self._database.tenant(tenant_id) as connection:
            found: UUID | None = await connection.fetchval(
                "select session_id from sessions where platform = $1 and channel = $2 and thread = $3 and current",
                place.platform.value,
                place.channel,
                place.thread,
            )
        return found

    async def tickets(self, tenant_id: int, platform: Platform, author_id: str) -> list[Ticket]:
        """List the open tickets of an author, the newest first."""
        async with self._database.tenant(tenant_id) as connection:
            rows = await connection.fetch(_TICKETS, platform.value, author_id)
        return [read_ticket(row) for row in rows]

    async def said_by(self, tenant_id: int, session_id: UUID) -> Mapping[int, Author]:
        """Tell who said each turn of a session, as far as it is known; a name is mostly not."""
        async with self._database.tenant(tenant_id) as connection:
            rows = await connection.fetch(_SAID_BY, session_id)
        return {row["turn_id"]: Author(row["author_id"], row["name"]) for row in rows}

    async def target(self, tenant_id: int, delivery: DeliveryKey) -> Target | None:
        """Return where a delivery goes, without opening it."""
        async with self._database.tenant(tenant_id) as connection:
            row = await connection.fetchrow(_WHERE + "where outbox_id = $1", delivery.outbox_id)
        return read_target(tenant_id, row) if row is not None else None

    async def asker(self, tenant_id: int, ticket_number: int) -> Target | None:
        """Return where to answer a ticket; None where its author can only be answered in the session."""
        async with self._database.tenant(tenant_id) as connection:
            ticket = await connection.fetchrow(
                "select target, session_id from tickets where number = $1", ticket_number
            )
            if ticket is None:
                return None
            if ticket["target"]:
                return read_target(tenant_id, ticket["target"])
            row = await connection.fetchrow(_ASKER, ticket["session_id"])
        return read_target(tenant_id, row) if row is not None else None

    async def reword(self, tenant_id: int, delivery: DeliveryKey, text: str) -> None:
        """Put TEXT in place of the words that DELIVERY answers, wherever they are kept."""
        async with self._database.tenant(tenant_id) as connection:
            await connection.execute(
                "update inbox set body = jsonb_set(body, '{message,text}', to_jsonb($2::text)) "
                "where inbox_id = (select inbox_id from outbox where outbox_id = $1)",
                delivery.outbox_id,
                text,
            )

    async def erase(self, tenant_id: int, platform: Platform, author_id: str) -> Erased:
        """Erase what an author wrote and was answered, all over PLATFORM, besides the sessions they began.

        Exchanges in sessions that others began go too, and what is waiting or being answered stays until it ends.
        """
        who = (platform.value, author_id)
        async with self._database.tenant(tenant_id) as connection:
            tickets = await connection.fetchval(_TICKETS_LEFT, *who)
            files = await connection.fetchval(_FILES, *who)
            turns = await connection.fetchval(_TURNS, *who)
            uploads = await connection.fetchval(_UPLOADS, *who)
            ratings = await connection.fetchval(_RATINGS, *who)
            await connection.execute(_EVENTS, *who)
            came = await connection.fetchval(_INBOX, *who)
            went = await connection.fetchval(_OUTBOX, *who)
        return Erased(turns=turns, messages=came + went, files=files + uploads, ratings=ratings, tickets=tickets)
