"""What comes in: one row for each event, one statement to take it, one claim at a time to answer it."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter

from adapters.postgres.database import Connection, Database
from adapters.postgres.gathering import Gathering
from adapters.postgres.sessions import FORGET_EXCHANGE
from core.batching import End, Plan, Row, overtaken, plan
from core.errors import NotFound, Overloaded, StoreUnavailable, Superseded
from core.inbox import Accepted, Batch, Ending, Entry, Incoming, Kind, State, Thread
from core.places import Place, Platform

INCOMING = TypeAdapter(Incoming)

_ACCEPT_S = 2.4  # of one list
_HEARD_S = 2.5  # platforms hang up after 3 s, and must have heard from us before
_COUNTED_TO = 400  # waiting rows, from which on a tenant's jobs step back no further
_COUNTED_FOR_S = 1.0
_KEPT_DAYS = 1.0  # platforms deliver again for hours

_ACCEPTED_TOGETHER = 50

_ACCEPT = "select * from frontdesk_accept($1::frontdesk_event[])"

_ROWS = """
select inbox_id, body, state, received_at, answered_by, tries, ending, reason, ticket_number, claim, interrupted_by
from inbox
"""

# Locked in the order of their ids, as whoever marks an interruption does: two that meet wait and never deadlock.
_WAITING = """
where inbox_id in (
    select inbox_id from inbox
    where tenant_id = $1 and platform = $2 and installation = $3 and channel = $4 and thread = $5 and state <> 'ended'
    order by answered_by is null, kind not in ('delete', 'stop', 'takeover'), inbox_id limit 500)
order by inbox_id for update
"""

_REVISIONS = """
where tenant_id = $1 and platform = $2 and installation = $3 and channel = $4 and message_id = any($5::text[])
    and kind in ('edit', 'delete')
"""

_END = """
update inbox set state = 'ended', ending = ending_of, answered_by = by, ended_at = now()
from unnest($1::bigint[], $2::text[], $3::bigint[]) as ended(id, ending_of, by)
where inbox_id = id and state <> 'ended'
"""

_TAKE = """
update inbox set state = 'answering', answered_by = $2, tries = $3, claim = $4 where inbox_id = any($1::bigint[])
"""

# A delivery that was begun for a row that no longer leads goes on with the batch: what stands there is edited.
_CARRY = """
update outbox set inbox_id = $1, content = null, partial = '', claim = claim + 1
where not exists (select from outbox where inbox_id = $1) and outbox_id = (
    select outbox_id from outbox
    where settled is null and inbox_id = any($2::bigint[]) order by outbox_id limit 1)
returning outbox_id
"""

_EDITED = """
select inbox_id from inbox
where tenant_id = $1 and platform = $2 and installation = $3 and channel = $4 and message_id = any($5::text[])
    and ending = 'edited' and answered_by = any($6::bigint[])
"""

_MINE = """
select inbox_id, claim from inbox
where inbox_id = any($1::bigint[]) and claim = $2 and state = 'answering' order by inbox_id for update
"""

_SETTLE = """
update inbox set state = 'ended', ending = $2, answered_by = $3, reason = $4, ticket_number = $5, ended_at = now()
where inbox_id = any($1::bigint[])
"""

_WAIT = """
update inbox set state = 'waiting', tries = tries - $2, claim = claim + 1,
    answered_by = case when $3 then answered_by end
where inbox_id = any($1::bigint[])
"""

_FIND = """
where tenant_id = $1 and platform = $2 and installation = $3 and channel = $4 and message_id = $5
    and kind in ('message', 'edit')
order by revision desc, inbox_id desc limit 1
"""

_IS_ANSWERING = """
select exists (
    select from inbox
    where tenant_id = $1 and platform = $2 and installation = $3 and channel = $4 and thread = $5 and state <> 'ended'
        and kind in ('message', 'edit'))
"""

_ORPHANS = """
select distinct platform, installation, channel, thread from inbox
where tenant_id = $1 and state <> 'ended' and received_at < now() - make_interval(secs => $2)
    and not exists (
        select from procrastinate_jobs
        where lock = frontdesk_lock(inbox.tenant_id, inbox.platform, inbox.installation, inbox.channel, inbox.thread)
            and status in ('todo', 'doing'))
"""

_WAKE = """
select procrastinate_defer_jobs_v1(array[frontdesk_job(
    $1, $2, $3, $4, $5, $6, case when $7::float8 > 0 then now() + make_interval(secs => $7) end)])
"""

_PURGE = """
delete from inbox where state = 'ended' and ended_at < now() - make_interval(secs => $1)
"""


class PostgresInbox:
    """The Inbox port on PostgreSQL."""

    def __init__(self, database: Database, *, waiting_limit: int = 10_000, author_limit: int = 30) -> None:
        self._database = database
        self._accepting = Gathering(self._accept, most=_ACCEPTED_TOGETHER)
        self._waiting_limit = waiting_limit  # rows of a tenant
        self._author_limit = author_limit  # messages of an author in a minute
        self._counted: dict[int, tuple[float, bool]] = {}  # by tenant: when all rows were counted, and were too many

    async def accept(self, incoming: Incoming) -> Accepted:
        """Store INCOMING, mark what it interrupts and enqueue its thread, in one statement.

        Raises Overloaded where too much of the tenant's or the author's is waiting, StoreUnavailable within 2.5 s when
        PostgreSQL does not answer.
        """
        try:
            async with asyncio.timeout(_HEARD_S):  # with the lists before this one's
                found = await self._accepting.ask(incoming)
        except TimeoutError as error:
            raise StoreUnavailable("PostgreSQL does not answer in time; send it again.") from error
        if found["outcome"] == "tenant":
            self._counted[incoming.message.tenant_id] = (time.monotonic(), True)
            raise Overloaded("Too many messages are waiting to be answered; try again soon.", found["retry_after_s"])
        if found["outcome"] == "author":
            raise Overloaded("You have sent a lot in the last minute; wait a little.", found["retry_after_s"])
        return Accepted(found["id"], duplicate=found["outcome"] == "duplicate")

    async def _accept(self, events: list[Incoming]) -> list[Any]:
        """Store EVENTS, those of one channel in their order.

        The channels are sorted, so that several processes at once seldom deadlock; a list that does is taken apart.
        """
        order = sorted(range(len(events)), key=lambda place: (_channel(events[place]), place))
        rows = [self._row(events[place]) for place in order]
        # Database.tenant would open a transaction of its own: three round trips more.
        async with self._database.connection(_ACCEPT_S) as connection:
            found = await connection.fetch(_ACCEPT, rows)
        return [one for _, one in sorted(zip(order, found, strict=True), key=lambda pair: pair[0])]

    def _row(self, incoming: Incoming) -> tuple[Any, ...]:
        """List what frontdesk_event holds, of one event."""
        return (*_arguments(incoming), *self._bounds(incoming.message.tenant_id), self._author_limit)

    def _bounds(self, tenant_id: int) -> tuple[int, int]:
        """Choose how far to count a tenant's waiting rows, and from how many on to refuse.

        To count thousands takes milliseconds: it is done once in a second, and what it found holds until then.
        """
        now, (counted_at, full) = time.monotonic(), self._counted.get(tenant_id, (0.0, False))
        if now - counted_at < _COUNTED_FOR_S:
            return _COUNTED_TO, 1 if full else self._waiting_limit
        self._counted[tenant_id] = (now, False)
        return self._waiting_limit, self._waiting_limit

    async def claim(self, thread: Thread) -> Batch | None:
        """Take what is next in THREAD, also what a dead worker left behind; None where nothing waits.

        Rows that need no work are ended on the way. To be called only by the one who holds the thread's lock.
        """
        async with self._database.tenant(thread.tenant_id) as connection:
            records = await connection.fetch(_ROWS + _WAITING, *channel_of(thread), thread.place.thread)
            if not records:
                return None
            rows = [_row(record) for record in records]
            todo = plan(rows, await _revisions(connection, thread, [row.entry for row in rows]))
            await _end(connection, todo.ends)
            return await _take(connection, thread, todo, {record["inbox_id"]: record["claim"] for record in records})

    async def end(self, batch: Batch, ending: Ending, *, reason: str = "", ticket_number: int | None = None) -> None:
        """End the rows of BATCH; raises Superseded where another worker has claimed it since.

        Ended as edited or deleted, the rows that this is not true of wait again.
        """
        thread, ids = batch.incoming.thread, _ids(batch.entries)
        async with self._database.tenant(thread.tenant_id) as connection:
            await _hold(connection, batch)
            if ending in (Ending.EDITED, Ending.DELETED):
                ends = overtaken(batch.entries, await _revisions(connection, thread, batch.entries))
                if ends:
                    await _end(connection, ends)
                    ended = {end.inbox_id for end in ends}
                    await connection.execute(_WAIT, [each for each in ids if each not in ended], 1, False)
                    return
            await connection.execute(_SETTLE, ids, ending.value, batch.lead.inbox_id, reason, ticket_number)

    async def give_back(self, batch: Batch, *, count_try: bool) -> None:
        """Let BATCH wait again, to be claimed as the same batch; raises Superseded as END does."""
        async with self._database.tenant(batch.incoming.message.tenant_id) as connection:
            await _hold(connection, batch)
            await connection.execute(_WAIT, _ids(batch.entries), 0 if count_try else 1, True)

    async def entry(self, tenant_id: int, inbox_id: int) -> Entry:
        """Look a row up; raises NotFound."""
        async with self._database.tenant(tenant_id) as connection:
            record = await connection.fetchrow(_ROWS + "where inbox_id = $1", inbox_id)
        if record is None:
            raise NotFound(f"There is no message {inbox_id}; it may have been deleted after its time.")
        return read_entry(record)

    async def find(self, thread: Thread, message_id: str) -> Entry | None:
        """Look up the newest revision of a platform's message; None where there is none."""
        async with self._database.tenant(thread.tenant_id) as connection:
            record = await connection.fetchrow(_ROWS + _FIND, *channel_of(thread), message_id)
        return read_entry(record) if record else None

    async def is_answering(self, thread: Thread) -> bool:
        """Tell whether a message of THREAD waits for its answer, or is being answered."""
        async with self._database.tenant(thread.tenant_id) as connection:
            return bool(await connection.fetchval(_IS_ANSWERING, *channel_of(thread), thread.place.thread))

    async def wake(self, thread: Thread, *, after_s: float = 0.0, priority: int = 0) -> None:
        """Enqueue THREAD once more, to be served no sooner than after AFTER_S seconds."""
        async with self._database.tenant(thread.tenant_id) as connection:
            await connection.execute(_WAKE, *channel_of(thread), thread.place.thread, priority, after_s)

    async def orphans(self, tenant_id: int, older_than_s: float) -> list[Thread]:
        """List the threads in which something has waited so long, and that no job will serve."""
        async with self._database.tenant(tenant_id) as connection:
            records = await connection.fetch(_ORPHANS, tenant_id, older_than_s)
        return [_thread(tenant_id, record) for record in records]

    async def purge(self, tenant_id: int, older_than_days: float) -> int:
        """Delete the rows that ended so long ago, with their answer's events; count them.

        Rows of the last day stay: a platform may deliver them again.
        """
        async with self._database.tenant(tenant_id) as connection:
            status = await connection.execute(_PURGE, max(older_than_days, _KEPT_DAYS) * 86_400)
        return int(status.rpartition(" ")[2])


def _arguments(incoming: Incoming) -> tuple[Any, ...]:
    place = incoming.message.place
    return (
        incoming.message.tenant_id,
        place.platform.value,
        incoming.installation,
        place.channel,
        place.thread,
        incoming.event_id,
        incoming.message_id,
        incoming.kind.value,
        incoming.revision,
        incoming.message.author.author_id,
        incoming.target,
        INCOMING.dump_json(incoming).decode(),
        incoming.request_id,
    )


def _channel(incoming: Incoming) -> tuple[str, ...]:
    message = incoming.message
    return str(message.tenant_id), incoming.installation, message.place.channel


def channel_of(thread: Thread) -> tuple[int, str, str, str]:
    """List what names the channel of THREAD, in the order of the indexes."""
    return thread.tenant_id, thread.place.platform.value, thread.installation, thread.place.channel


def _thread(tenant_id: int, record: Any) -> Thread:
    place = Place(Platform(record["platform"]), record["channel"], record["thread"])
    return Thread(tenant_id, record["installation"], place)


def _ids(entries: Sequence[Entry]) -> list[int]:
    return [entry.inbox_id for entry in entries]


def _row(record: Any) -> Row:
    return Row(read_entry(record), Kind(record["interrupted_by"]) if record["interrupted_by"] else None)


def read_entry(record: Any) -> Entry:
    """Read an entry from a row of the inbox."""
    return Entry(
        inbox_id=record["inbox_id"],
        incoming=INCOMING.validate_python(record["body"]),
        state=State(record["state"]),
        received_at=record["received_at"],
        answered_by=record["answered_by"],
        tries=record["tries"],
        ending=Ending(record["ending"]) if record["ending"] else None,
        reason=record["reason"],
        ticket_number=record["ticket_number"],
    )


def _messages(entries: Sequence[Entry]) -> list[str]:
    return list({entry.incoming.message_id for entry in entries})


async def _revisions(connection: Connection, thread: Thread, entries: Sequence[Entry]) -> list[Entry]:
    records = await connection.fetch(_ROWS + _REVISIONS, *channel_of(thread), _messages(entries))
    return [read_entry(record) for record in records]


async def _end(connection: Connection, ends: Sequence[End]) -> None:
    if ends:
        endings = [end.ending.value for end in ends]
        await connection.execute(_END, [end.inbox_id for end in ends], endings, [end.answered_by for end in ends])


async def _hold(connection: Connection, batch: Batch) -> None:
    """Lock the rows of BATCH; raises Superseded where they are no longer its own."""
    held = await connection.fetch(_MINE, _ids(batch.entries), batch.claim)
    if len(held) != len(batch.entries):
        raise Superseded("Another worker has taken this message over.")


async def _take(connection: Connection, thread: Thread, todo: Plan, claims: dict[int, int]) -> Batch | None:
    if todo.message is None:
        return None
    ids, lead_id = _ids(todo.entries), todo.entries[0].inbox_id
    tries = 1 + max(entry.tries for entry in todo.entries)
    claim = 1 + max(claims[each] for each in ids)
    await connection.execute(_TAKE, ids, lead_id, tries, claim)
    await _carry(connection, thread, todo.entries)
    entries = tuple(replace(entry, state=State.ANSWERING, answered_by=lead_id, tries=tries) for entry in todo.entries)
    return Batch(entries[0], entries, todo.message, tries, claim)


async def _carry(connection: Connection, thread: Thread, entries: Sequence[Entry]) -> None:
    """Let the batch go on with the delivery that was begun for a row which led before it, or which it replaces."""
    lead_id, ids = entries[0].inbox_id, _ids(entries)
    led = {entry.answered_by for entry in entries if entry.answered_by} - {lead_id}
    edited = await connection.fetch(_EDITED, *channel_of(thread), _messages(entries), ids)
    before = [*led, *(record["inbox_id"] for record in edited), *ids[1:]]
    carried = await connection.fetchval(_CARRY, lead_id, before) if before else None
    if carried is not None:
        await connection.execute(FORGET_EXCHANGE, carried)
