"""The events of answers, read by clients wherever they are written."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from adapters.postgres.database import Database
from adapters.postgres.outbox import ANSWER
from adapters.postgres.signals import Signals
from core.domain import Answer, DeliveryKey
from core.errors import Superseded
from core.outbox import Purpose
from core.places import Place
from core.pulled import Event, EventKind, Pieces, Wake

CHANNEL = "frontdesk_events"

_TAKING_BACK = [EventKind.RESTART.value, EventKind.WITHDRAWN.value]

# The share lock makes a worker that opens the delivery wait for this statement, so that nothing of the worker before
# comes behind what the new one writes.
# What is sent again after a crash took other times: those do not make it another answer. What is taken back goes, so
# that no reader who comes back is shown it; positions go on behind it.
_APPEND = """
with mine as (select from outbox where outbox_id = $3 and claim = $4 for share),
last as (
    select position, kind, data from answer_events where inbox_id = $2 order by position desc limit 1
),
gone as (
    delete from answer_events using mine where inbox_id = $2 and $5::text[] && $9::text[]
),
added as (
    insert into answer_events (inbox_id, position, tenant_id, kind, data)
    select $2, coalesce((select position from last), 0) + piece.number, $1, piece.kind, piece.data
    from mine, unnest($5::text[], $6::jsonb[]) with ordinality as piece (kind, data, number)
    where not exists (
        select from last where kind = 'answer' and last.kind = piece.kind
            and last.data - array['seconds', 'steps'] = piece.data - array['seconds', 'steps'])
    returning position
)
select exists (select from mine) as mine,
    (select pg_notify($7, $8) from (select from added limit 1) as any_added) as told
"""

_SINCE = """
select position, kind, data from answer_events where inbox_id = $1 and position > $2 order by position
"""

_SAID = """
select outbox_id, purpose, content from outbox
where platform = $1 and installation = $2 and channel = $3 and thread = $4 and outbox_id > $5
    and inbox_id is null and purpose <> 'answer' and content is not null
order by outbox_id limit $6
"""


class PostgresEvents:
    """Keep the events of answers."""

    def __init__(self, database: Database, signals: Signals | None = None) -> None:
        self._database = database
        self._signals = signals

    async def append(self, delivery: DeliveryKey, tenant_id: int, inbox_id: int, events: Pieces) -> None:
        """Add events in their order, drop those that they take back, and tell who listens; raises Superseded."""
        kinds, data = [kind.value for kind, _ in events], [dict(data) for _, data in events]
        async with self._database.tenant(tenant_id) as connection:
            written = await connection.fetchrow(
                _APPEND,
                tenant_id,
                inbox_id,
                delivery.outbox_id,
                delivery.claim,
                kinds,
                data,
                CHANNEL,
                _key(tenant_id, inbox_id),
                _TAKING_BACK,
            )
        if not written["mine"]:
            raise Superseded("Another worker has taken this answer over.")

    async def since(self, tenant_id: int, inbox_id: int, after: int) -> list[Event]:
        """List the events of a row behind a position."""
        async with self._database.tenant(tenant_id) as connection:
            rows = await connection.fetch(_SINCE, inbox_id, after)
        return [Event(inbox_id, row["position"], EventKind(row["kind"]), row["data"]) for row in rows]

    @asynccontextmanager
    async def watch(self, tenant_id: int, inbox_id: int) -> AsyncIterator[Wake]:
        """Listen for new events of a row; without signals, look each second."""
        if self._signals is None:
            yield _Patience()
            return
        async with self._signals.subscribe(CHANNEL, _key(tenant_id, inbox_id)) as signal:
            yield _Heard(signal)

    async def said(
        self, tenant_id: int, installation: str, place: Place, *, after: int = 0, limit: int = 50
    ) -> list[tuple[int, Purpose, Answer]]:
        """List what was sent to PLACE that answers no message: a person's words, notices; by outbox id."""
        arguments = (place.platform, installation, place.channel, place.thread, after, limit)
        async with self._database.tenant(tenant_id) as connection:
            rows = await connection.fetch(_SAID, *arguments)
        return [(row["outbox_id"], Purpose(row["purpose"]), ANSWER.validate_python(row["content"])) for row in rows]


def answer_of(event: Event) -> Answer:
    """Read the answer that an event of that kind carries."""
    return ANSWER.validate_python(event.data)


def _key(tenant_id: int, inbox_id: int) -> str:
    return f"{tenant_id}:{inbox_id}"


class _Patience:
    """A Wake that hears nothing."""

    async def wait(self, timeout_s: float) -> bool:
        """Wait it out."""
        await asyncio.sleep(timeout_s)
        return False


class _Heard:
    """A Wake that hears what PostgreSQL notifies."""

    def __init__(self, signal: asyncio.Event) -> None:
        self._signal = signal

    async def wait(self, timeout_s: float) -> bool:
        """Wait until there may be something new; False where nothing was heard in time."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._signal.wait()
        except TimeoutError:
            return False
        self._signal.clear()
        return True
