"""Read off how much waits."""

from collections.abc import Iterable

from adapters.postgres.database import NO_TENANT, Database
from core.readings import Gauged, Reading

# The engine's jobs are kept apart by nothing: their arguments are ids, not anybody's words.
_QUEUES = """
select job.queue_name as queue, coalesce(job.args ->> 'tenant_id', '') as tenant, count(distinct job.id) as waiting,
    coalesce(extract(epoch from now() - min(event.at)), 0)::float8 as oldest_s
from procrastinate_jobs job
left join procrastinate_events event on event.job_id = job.id and event.type = 'deferred'
where job.status = 'todo'
group by 1, 2
"""
_UNSETTLED = "select count(*) from outbox where settled is null"


async def read_queues(database: Database) -> list[Reading]:
    """Read off the jobs that wait, by queue and tenant; raises StoreUnavailable."""
    async with database.tenant(NO_TENANT) as connection:
        rows = await connection.fetch(_QUEUES)
    readings = []
    for row in rows:
        labels = {"queue": row["queue"], "tenant": row["tenant"]}
        readings += [Reading(Gauged.QUEUED, row["waiting"], labels), Reading(Gauged.OLDEST, row["oldest_s"], labels)]
    return readings


async def read_unsettled(database: Database, tenants: Iterable[int]) -> list[Reading]:
    """Read off the deliveries of each of TENANTS that have not ended; raises StoreUnavailable."""
    readings = []
    for tenant_id in tenants:
        async with database.tenant(tenant_id) as connection:
            waiting = await connection.fetchval(_UNSETTLED)
        readings.append(Reading(Gauged.UNSETTLED, waiting, {"tenant": str(tenant_id)}))
    return readings


async def read_pool(database: Database) -> list[Reading]:
    """Read off how many connections this process has."""
    used, idle = database.pool_use()
    return [Reading(Gauged.CONNECTIONS, used, {"state": "used"}), Reading(Gauged.CONNECTIONS, idle, {"state": "idle"})]
