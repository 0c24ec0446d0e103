"""What procrastinate leaves to its users: heartbeats while a worker drains, jobs of dead workers, old rows.

Every worker process watches; each statement here may run in several at once and is right in all of them.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager

import asyncpg

from core.meter import Counted, Meter

logger = logging.getLogger(__name__)

BEAT_S = 2.0
LISTENS_S = 0.25  # from a worker's beginning to its LISTEN
DEAD_AFTER_S = 6.0
SWEEP_S = 30.0
HOUSEKEEPING_S = 600.0
_TIMEOUT_S = 5.0  # of one statement
_CLEANING_S = 60.0  # of one that may have much to delete

_BEAT = "update procrastinate_workers set last_heartbeat = now() where id = any($1)"
_RETIRE = "delete from procrastinate_workers where id = any($1)"
_DEAD = """
select job.id, coalesce(job.worker_id, 0) as worker_id from procrastinate_jobs job
where job.status = 'doing' and not exists (
    select from procrastinate_workers worker
    where worker.id = job.worker_id and worker.last_heartbeat > now() - make_interval(secs => $1)
)
"""
# Named with its worker: a job that somebody else has taken meanwhile is not this one any more.
_RESCUE = """
with dead as materialized (
    select job.id from procrastinate_jobs job join unnest($1::bigint[], $2::bigint[]) as seen (id, worker_id)
        on job.id = seen.id and coalesce(job.worker_id, 0) = seen.worker_id
    where job.status = 'doing' for update of job skip locked
)
select procrastinate_retry_job_v2(id, now(), null, null, null) from dead
"""
# A notification when a job's time has come, which procrastinate finds by polling only.
_DUE = """
select pg_notify('procrastinate_queue_v1#' || queue_name, '{"type": "job_inserted", "job_id": 0}') from (
    select distinct queue_name from procrastinate_jobs
    where status = 'todo' and scheduled_at <= now() and scheduled_at > now() - make_interval(secs => $1)
) due
"""
# For those who have just begun: of a job that came between their first look and their first LISTEN nobody told them.
_WAITING = """
select pg_notify('procrastinate_queue_v1#' || queue_name, '{"type": "job_inserted", "job_id": 0}') from (
    select distinct queue_name from procrastinate_jobs where status = 'todo'
) waiting
"""
_OLD_JOBS = """
delete from procrastinate_jobs job
where status in ('succeeded', 'failed', 'cancelled', 'aborted') and not exists (
    select from procrastinate_events event where event.job_id = job.id and event.at > now() - interval '1 day'
)
"""
_OLD_WORKERS = "delete from procrastinate_workers where last_heartbeat < now() - interval '1 hour'"


class Watch:
    """The connection of one process that says it lives and looks after those that do not."""

    def __init__(self, url: str, meter: Meter, sweep: Callable[[], Awaitable[None]] | None) -> None:
        self._url = url
        self._meter = meter
        self._sweep = sweep
        self._suspects: set[tuple[int, int]] = set()
        self._begun: set[int] = set()  # workers at the last look
        self._told: set[int] = set()
        self._cleaned_at = float("-inf")
        self.workers: Callable[[], Iterable[int]] = tuple  # whose hearts beat here
        self.retired: set[int] = set()  # who is gone without having said so

    async def run(self) -> None:
        """Watch until cancelled, over any failure of the database."""
        async with asyncio.TaskGroup() as group:
            group.create_task(_repeat("the heartbeat", self._watch, 0.5))
            group.create_task(_repeat("the first call", self._tell_beginners, LISTENS_S))
            # Beside the beats, not between them: whoever tidies up for a while must not look like a dead worker.
            group.create_task(_repeat("the housekeeping", self._keep_house, SWEEP_S))

    async def _watch(self) -> None:
        try:
            async with self._connected(_TIMEOUT_S) as connection:
                while True:
                    await self._beat(connection)
                    await self._rescue(connection)
                    await connection.execute(_DUE, 2 * BEAT_S)
                    await asyncio.sleep(BEAT_S)
        finally:
            self._suspects.clear()  # who could not beat because the database was away is not dead

    @asynccontextmanager
    async def _connected(self, timeout_s: float) -> AsyncIterator[asyncpg.Connection]:
        connection = await asyncpg.connect(
            self._url, timeout=_TIMEOUT_S, command_timeout=timeout_s, server_settings={"application_name": "watch"}
        )
        try:
            yield connection
        finally:
            connection.terminate()

    async def _beat(self, connection: asyncpg.Connection) -> None:
        await connection.execute(_BEAT, list(self.workers()))
        if self.retired:
            gone = list(self.retired)
            await connection.execute(_RETIRE, gone)
            self.retired -= set(gone)

    async def _tell_beginners(self) -> None:
        listening, self._begun = self._begun & set(self.workers()), set(self.workers())
        if listening - self._told:
            async with self._connected(_TIMEOUT_S) as connection:
                await connection.execute(_WAITING)
            self._told = listening

    async def _rescue(self, connection: asyncpg.Connection) -> None:
        """Give back the jobs of the dead, seen so twice: after a pause of the whole database everybody looks dead."""
        seen = {(row["id"], row["worker_id"]) for row in await connection.fetch(_DEAD, DEAD_AFTER_S)}
        dead, self._suspects = seen & self._suspects, seen
        if dead:
            rescued = await connection.fetch(_RESCUE, [job for job, _ in dead], [worker for _, worker in dead])
            if rescued:
                logger.warning("gave back %d jobs of dead workers", len(rescued))
                self._meter.count(Counted.RESCUED, len(rescued))

    async def _keep_house(self) -> None:
        if time.monotonic() - self._cleaned_at >= HOUSEKEEPING_S:
            async with self._connected(_CLEANING_S) as connection:
                await connection.execute(_OLD_JOBS)
                await connection.execute(_OLD_WORKERS)
                # Skipped with a warning where the role may not; then autovacuum, set to be eager, does it.
                await connection.execute("analyze procrastinate_jobs")
            self._cleaned_at = time.monotonic()
        if self._sweep is not None:
            await self._sweep()


async def _repeat(what: str, do: Callable[[], Awaitable[None]], pause_s: float) -> None:
    while True:
        try:
            await do()
        except Exception as error:  # noqa: BLE001 - the loop of the process: without it every job here would be taken away
            logger.warning("%s failed and is tried again: %s", what, str(error) or type(error).__name__)
        await asyncio.sleep(pause_s)
