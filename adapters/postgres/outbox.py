"""What goes out: one row for each delivery, written only by whoever opened it last."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter

from adapters.postgres.database import Connection, Database
from core.domain import Answer, DeliveryKey
from core.errors import NotFound, Superseded
from core.outbox import Cause, Delivery, Purpose, Sent, Settled, Target
from core.places import Place, Platform

ANSWER = TypeAdapter(Answer)

_COLUMNS = """
outbox_id, claim, tenant_id, inbox_id, purpose, platform, installation, channel, thread, author_id, address, message_id,
    request_id, content, partial, sent, begun
"""

# A part that was begun and not recorded is in doubt for whoever opens the delivery next.
_OPEN = """
insert into outbox as known (tenant_id, platform, installation, channel, thread, author_id, address, message_id,
    request_id, inbox_id, purpose, claim)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 1)
on conflict (inbox_id) do update set claim = known.claim + 1,
    doubts = known.doubts + (known.begun is not null)::integer,
    address = excluded.address, message_id = excluded.message_id, request_id = excluded.request_id
returning
"""

_REOPEN = """
update outbox set claim = claim + 1, doubts = doubts + (begun is not null)::integer where outbox_id = $1 returning
"""

# A row that another one answered leads there; a message edited before its answer, first to its edit.
_OF_ENTRY = """
with recursive led (inbox_id, answered_by, step) as (
    select inbox_id, answered_by, 0 from inbox where inbox_id = $1
    union all
    select inbox.inbox_id, inbox.answered_by, step + 1 from inbox join led on inbox.inbox_id = led.answered_by
    where led.inbox_id <> led.answered_by and step < 10
)
select outbox.* from led join outbox using (inbox_id) order by step limit 1
"""

# Row-level security lets no index look into SENT. The newest first: what people react to is seldom old.
_OF_MESSAGE = """
select * from outbox
where tenant_id = $1 and platform = $2 and installation = $3 and channel = $4
    and sent @> jsonb_build_array(jsonb_build_object('message_id', $5::text))
order by created_at desc limit 1
"""

# What was asked in a group and answered to its author alone stands in the author's own chat, as CHANNEL/MESSAGE.
_OF_MESSAGE_ALONE = """
select * from outbox
where tenant_id = $1 and platform = $2 and installation = $3 and author_id = $4 and channel <> $4
    and sent @> jsonb_build_array(jsonb_build_object('message_id', $4::text || '/' || $5::text))
order by created_at desc limit 1
"""

_NEWEST = """
select * from outbox
where tenant_id = $1 and platform = $2 and installation = $3 and channel = $4
    and purpose = 'answer' and content->>'origin' in ('documents', 'open chat', 'nothing found')
order by created_at desc limit 1
"""

_CHANGE = "update outbox set {} where outbox_id = $1 and claim = $2 returning outbox_id"

_RECORD = """
sent = sent || jsonb_build_object('part', $3::integer, 'message_id', $4::text, 'at', now()), begun = null
"""

_FORGET = """
begun = null,
    sent = coalesce(
        (select jsonb_agg(each) from jsonb_array_elements(sent) as each where (each->'part')::integer <> $3), '[]')
"""

_SETTLE = """
settled = $3, reason = $4, settled_at = now(),
    doubts = greatest(doubts, ($3 = 'uncertain')::integer),
    content = case when $3 <> 'withdrawn' then content end,
    partial = case when $3 <> 'withdrawn' then partial else '' end
"""

_ENQUEUE = """
with made as (
    insert into outbox (tenant_id, platform, installation, channel, thread, author_id, address, message_id, request_id,
        purpose, content)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) returning tenant_id, outbox_id
)
select outbox_id, procrastinate_defer_jobs_v1(array[row(
    'deliveries', 'deliver', 0, 'delivery:' || outbox_id, null,
    jsonb_build_object('tenant_id', tenant_id, 'outbox_id', outbox_id), null)::procrastinate_job_to_defer_v1])
from made
"""

# Its cause is in the address: rows after the one that led to it are few, and only those are looked through.
_CAUSED = "select * from outbox where outbox_id > $1 and address->>'cause' = $2 order by outbox_id limit 1"

_ENQUEUE_ANEW = """
with made as (
    update outbox set content = $2, settled = null, settled_at = null, reason = '', partial = ''
    where outbox_id = $1 and (content is distinct from $2 or settled = 'failed') returning tenant_id, outbox_id
)
select procrastinate_defer_jobs_v1(array[row(
    'deliveries', 'deliver', 0, 'delivery:' || outbox_id, null,
    jsonb_build_object('tenant_id', tenant_id, 'outbox_id', outbox_id), null)::procrastinate_job_to_defer_v1])
from made
"""

_RATE = """
insert into feedback (tenant_id, outbox_id, author_id, rating, reason) values ($1, $2, $3, $4, $5)
on conflict (outbox_id, author_id) do update
    set rating = excluded.rating, reason = excluded.reason, created_at = now()
"""


async def enqueue(connection: Connection, target: Target, purpose: Purpose, content: Answer) -> int:
    """Store something to be sent, with the job that sends it; return its outbox id."""
    kept = ANSWER.dump_python(content, mode="json")
    return int(await connection.fetchval(_ENQUEUE, *_arguments(target), purpose.value, kept))


async def enqueue_anew(connection: Connection, outbox_id: int, content: Answer) -> None:
    """Store CONTENT in the place of what was sent, with the job that sends it; the same again changes nothing."""
    await connection.execute(_ENQUEUE_ANEW, outbox_id, ANSWER.dump_python(content, mode="json"))


async def keep_content(connection: Connection, delivery: DeliveryKey, content: Answer) -> None:
    """Keep what is to be sent; raises Superseded where somebody else has opened the delivery since."""
    await _change(connection, delivery, "content = $3", ANSWER.dump_python(content, mode="json"))


class PostgresOutbox:
    """The Outbox port on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(self, target: Target, purpose: Purpose, *, inbox_id: int | None = None) -> Delivery:
        """Open the delivery of INBOX_ID, the one there is where there is one; without INBOX_ID a new one."""
        async with self._database.tenant(target.tenant_id) as connection:
            arguments = (*_arguments(target), inbox_id, purpose.value)
            return _delivery(await connection.fetchrow(_OPEN + _COLUMNS, *arguments))

    async def reopen(self, tenant_id: int, outbox_id: int) -> Delivery:
        """Open a delivery that is there already; raises NotFound."""
        async with self._database.tenant(tenant_id) as connection:
            record = await connection.fetchrow(_REOPEN + _COLUMNS, outbox_id)
        if record is None:
            raise NotFound(f"There is no delivery {outbox_id}; it may have been deleted.")
        return _delivery(record)

    async def of_entry(self, tenant_id: int, inbox_id: int) -> Delivery | None:
        """Look up the delivery that answered a row of the inbox, or was begun for it, without opening it."""
        async with self._database.tenant(tenant_id) as connection:
            record = await connection.fetchrow(_OF_ENTRY, inbox_id)
        return _delivery(record) if record else None

    async def of_id(self, tenant_id: int, outbox_id: int) -> Delivery | None:
        """Look a delivery up by its id, without opening it."""
        async with self._database.tenant(tenant_id) as connection:
            record = await connection.fetchrow("select * from outbox where outbox_id = $1", outbox_id)
        return _delivery(record) if record else None

    async def of_message(self, tenant_id: int, installation: str, place: Place, message_id: str) -> Delivery | None:
        """Look up the delivery that the platform's message MESSAGE_ID is a part of."""
        arguments = (tenant_id, place.platform.value, installation, place.channel, message_id)
        async with self._database.tenant(tenant_id) as connection:
            record = await connection.fetchrow(_OF_MESSAGE, *arguments)
            if record is None and place.platform is Platform.TELEGRAM:  # whose private chats have their person's id
                record = await connection.fetchrow(_OF_MESSAGE_ALONE, *arguments)
        return _delivery(record) if record else None

    async def newest(self, tenant_id: int, installation: str, place: Place) -> Delivery | None:
        """Look up the newest answer in the channel of PLACE that is no command's."""
        arguments = (tenant_id, place.platform.value, installation, place.channel)
        async with self._database.tenant(tenant_id) as connection:
            record = await connection.fetchrow(_NEWEST, *arguments)
        return _delivery(record) if record else None

    async def begin(self, delivery: Delivery, part: int) -> None:
        """Note that PART is about to be posted."""
        await self._write(delivery, "begun = $3", part)

    async def record(self, delivery: Delivery, part: int, message_id: str) -> None:
        """Note that the platform has accepted PART as MESSAGE_ID."""
        await self._write(delivery, _RECORD, part, message_id)

    async def forget(self, delivery: Delivery, part: int) -> None:
        """Note that PART was not accepted, or stands there no longer."""
        await self._write(delivery, _FORGET, part)

    async def keep(self, delivery: Delivery, content: Answer) -> None:
        """Keep what is to be sent; from then on nobody needs to answer again."""
        async with self._database.tenant(delivery.target.tenant_id) as connection:
            await keep_content(connection, DeliveryKey(delivery.outbox_id, delivery.claim), content)

    async def note_partial(self, delivery: Delivery, text: str) -> None:
        """Keep what has been shown so far; raises Superseded."""
        await self._write(delivery, "partial = $3", text)

    async def settle(self, delivery: Delivery, how: Settled, reason: str = "") -> None:
        """End the delivery."""
        await self._write(delivery, _SETTLE, how.value, reason)

    async def enqueue(self, target: Target, purpose: Purpose, content: Answer, *, cause: Cause | None = None) -> int:
        """Store something to be sent by whichever worker is free; return its outbox id.

        Where CAUSE has brought about a delivery already, CONTENT takes the place of what was sent there.
        """
        async with self._database.tenant(target.tenant_id) as connection:
            if cause is None:
                return await enqueue(connection, target, purpose, content)
            # Two at the same cause take turns here, and the second one finds what the first has stored.
            await connection.execute("select from outbox where outbox_id = $1 for update", cause.outbox_id)
            known = await connection.fetchrow(_CAUSED, cause.outbox_id, _name(cause))
            if known is None:
                named = replace(target, address={**target.address, "cause": _name(cause)})
                return await enqueue(connection, named, purpose, content)
            await enqueue_anew(connection, known["outbox_id"], content)
            return int(known["outbox_id"])

    async def caused(self, tenant_id: int, cause: Cause) -> Delivery | None:
        """Look up what CAUSE has brought about, without opening it."""
        async with self._database.tenant(tenant_id) as connection:
            record = await connection.fetchrow(_CAUSED, cause.outbox_id, _name(cause))
        return _delivery(record) if record else None

    async def rate(self, tenant_id: int, outbox_id: int, author_id: str, rating: int, reason: str) -> None:
        """Keep what an author thinks of an answer, in place of what they thought before; raises NotFound."""
        async with self._database.tenant(tenant_id) as connection:
            # A key of another tenant's row would satisfy the table's reference: row-level security is asked instead.
            if not await connection.fetchval("select 1 from outbox where outbox_id = $1", outbox_id):
                raise NotFound(f"There is no answer {outbox_id} to rate; it may have been deleted.")
            await connection.execute(_RATE, tenant_id, outbox_id, author_id, rating, reason)

    async def _write(self, delivery: Delivery, change: str, *values: Any) -> None:
        async with self._database.tenant(delivery.target.tenant_id) as connection:
            await _change(connection, DeliveryKey(delivery.outbox_id, delivery.claim), change, *values)


async def _change(connection: Connection, delivery: DeliveryKey, change: str, *values: Any) -> None:
    if await connection.fetchval(_CHANGE.format(change), delivery.outbox_id, delivery.claim, *values) is None:
        raise Superseded("Another worker has taken this answer over.")


def _name(cause: Cause) -> str:
    return f"{cause.outbox_id}:{cause.what}"


def _arguments(target: Target) -> tuple[Any, ...]:
    return (
        target.tenant_id,
        target.place.platform.value,
        target.installation,
        target.place.channel,
        target.place.thread,
        target.author_id,
        dict(target.address),
        target.message_id,
        target.request_id,
    )


def read_target(tenant_id: int, kept: Mapping[str, Any]) -> Target:
    """Read where something goes, from a row of the outbox or what a ticket has kept of one."""
    return Target(
        tenant_id=tenant_id,
        installation=kept["installation"],
        place=Place(Platform(kept["platform"]), kept["channel"], kept["thread"]),
        author_id=kept["author_id"],
        address=kept["address"],
        message_id=kept["message_id"],
        request_id=kept["request_id"],
    )


def _delivery(record: Any) -> Delivery:
    return Delivery(
        outbox_id=record["outbox_id"],
        claim=record["claim"],
        target=read_target(record["tenant_id"], record),
        purpose=Purpose(record["purpose"]),
        inbox_id=record["inbox_id"],
        content=ANSWER.validate_python(record["content"]) if record["content"] else None,
        sent=tuple(Sent(s["part"], s["message_id"], datetime.fromisoformat(s["at"])) for s in record["sent"]),
        begun=record["begun"],
        partial=record["partial"],
    )
