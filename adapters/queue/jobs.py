"""What procrastinate's JobManager lacks: writes only for who still holds a job, and no wake-up lost or missed.

A worker that was frozen may come back when its job is another's already; finishing it then would free the lock under
the other's hands. procrastinate.readthedocs.io/en/stable/reference.html documents the methods replaced here.
"""

import asyncio
import datetime
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import procrastinate
from procrastinate import exceptions, jobs, manager
from procrastinate.connector import BaseConnector

logger = logging.getLogger(__name__)

_FINISH = """
with mine as materialized (
    select id from procrastinate_jobs
    where id = %(job_id)s and worker_id = %(worker_id)s and status = 'doing' for update
)
select procrastinate_finish_job_v1(id, %(status)s, %(delete_job)s) from mine
"""
# The server's clock: a worker whose own is minutes ahead would wait for minutes.
_RETRY = """
with mine as materialized (
    select id from procrastinate_jobs
    where id = %(job_id)s and worker_id = %(worker_id)s and status = 'doing' for update
)
select procrastinate_retry_job_v2(id, now() + make_interval(secs => %(delay_s)s), null, null, null) from mine
"""


class HeldJobs(manager.JobManager):
    """The jobs of one worker."""

    def __init__(self, connector: BaseConnector) -> None:
        super().__init__(connector)
        self.broken = asyncio.Event()  # the database has failed this worker; its jobs may not be recorded
        self._notified = 0

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> jobs.Job | None:
        """Take the next job; None where there is none."""
        with self._watched():
            while True:
                before = self._notified
                job = await self._fetch(queues, worker_id)
                # The worker forgets a notification that came while it was asking; it was for a job it did not see.
                if job is not None or self._notified == before:
                    return job

    async def _fetch(self, queues: Iterable[str] | None, worker_id: int) -> jobs.Job | None:
        try:
            return await super().fetch_job(queues, worker_id)
        except exceptions.UniqueViolation:
            return None  # another worker took the same lock in the same moment

    async def listen_for_jobs(
        self, *, on_notification: manager.NotificationCallback, queues: Iterable[str] | None = None
    ) -> None:
        """Call ON_NOTIFICATION for each job that may be there; does not return."""

        async def notified(*, channel: str, notification: Any) -> None:
            self._notified += 1
            await on_notification(channel=channel, notification=notification)

        with self._watched():
            await super().listen_for_jobs(on_notification=notified, queues=queues)

    async def finish_job(self, job: jobs.Job, status: jobs.Status, delete_job: bool) -> None:
        """Record that JOB ended, where it is still ours."""
        await self._write(job, _FINISH, status=status.value, delete_job=delete_job)

    async def retry_job(
        self,
        job: jobs.Job,
        retry_at: datetime.datetime | None = None,
        priority: int | None = None,  # noqa: ARG002 - the signature is procrastinate's
        queue: str | None = None,  # noqa: ARG002
        lock: str | None = None,  # noqa: ARG002
    ) -> None:
        """Let JOB wait until RETRY_AT, where it is still ours; without it, it is free at once."""
        delay = retry_at - datetime.datetime.now(datetime.UTC) if retry_at else datetime.timedelta()
        await self._write(job, _RETRY, delay_s=max(delay.total_seconds(), 0.0))

    async def _write(self, job: jobs.Job, query: Any, **arguments: Any) -> None:
        with self._watched():
            written = await self.connector.execute_query_all_async(
                query, job_id=job.id, worker_id=job.worker_id, **arguments
            )
        if not written:
            logger.info("job %s is another worker's by now", job.id)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        try:
            yield
        except exceptions.ConnectorException:
            self.broken.set()
            raise


def make_app(connector: procrastinate.BaseConnector) -> procrastinate.App:
    """Make an App whose jobs are held ones."""
    app = procrastinate.App(connector=connector)
    app.job_manager = HeldJobs(connector)
    return app
