"""What a terminal asks: whether anybody else answers, and what its author has read."""

from adapters.postgres.database import NO_TENANT, Database
from adapters.postgres.inbox import channel_of
from core.inbox import Thread
from core.places import Place

_ANYBODY = """
select exists (select from procrastinate_workers where last_heartbeat > now() - make_interval(secs => $1))
"""

# What came in meanwhile keeps its job; one that is taken between the two looks is swept up as an orphan.
_DISMISS = """
delete from procrastinate_jobs
where lock = $1 and status = 'todo' and not exists (
    select from inbox
    where tenant_id = $2 and platform = $3 and installation = $4 and channel = $5 and thread = $6 and state <> 'ended'
)
"""

_LAST_ANSWER = """
select coalesce(max(outbox_id), 0) from outbox
where tenant_id = $1 and platform = $2 and installation = $3 and channel = $4 and thread = $5 and inbox_id is not null
"""


async def does_anybody_work(database: Database, within_s: float) -> bool:
    """Tell whether a worker has given a sign of life within WITHIN_S."""
    async with database.tenant(NO_TENANT) as connection:
        return bool(await connection.fetchval(_ANYBODY, within_s))


async def dismiss_jobs(database: Database, thread: Thread) -> None:
    """Drop the jobs of THREAD where nothing waits in it: a worker would find nothing to do."""
    async with database.tenant(thread.tenant_id) as connection:
        await connection.execute(_DISMISS, thread.lock, *channel_of(thread), thread.place.thread)


async def last_answer(database: Database, tenant_id: int, installation: str, place: Place) -> int:
    """Return the outbox id of the newest answer in PLACE; 0 where there is none."""
    thread = Thread(tenant_id, installation, place)
    async with database.tenant(tenant_id) as connection:
        return int(await connection.fetchval(_LAST_ANSWER, *channel_of(thread), place.thread))
