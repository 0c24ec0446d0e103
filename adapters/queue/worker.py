"""The engine of the jobs: procrastinate's workers on PostgreSQL, kept alive over everything the database does.

What a job does on the event loop for seconds stops the heartbeat, and another process takes the job over: reading
documents, embedding and every other computation of more than some milliseconds belong into threads or child processes.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import psycopg
from procrastinate import App, JobContext, PsycopgConnector
from procrastinate.worker import Worker as Procrastinate
from psycopg_pool import AsyncConnectionPool

from adapters.queue.backoff import Backoff
from adapters.queue.jobs import HeldJobs, make_app
from adapters.queue.watch import Watch
from core.errors import Superseded
from core.meter import Meter, Unmetered

logger = logging.getLogger(__name__)
logging.getLogger("psycopg.pool").setLevel(logging.ERROR)  # it warns of every try; one line of ours for each says more

Task = Callable[..., Awaitable[None]]

failures: ContextVar[int] = ContextVar("failures", default=0)
"""How often the job at hand was tried before."""

ANSWERS = ("messages", "deliveries")
INGESTIONS = ("ingestions",)
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 2.0
# A server that is gone without a word is noticed within 15 s; a Unix socket ignores these.
_CONNECTION: dict[str, Any] = {
    "connect_timeout": 3,
    "keepalives_idle": 5,
    "keepalives_interval": 3,
    "keepalives_count": 3,
}
_OLD_HEARTBEAT_S = 3_600.0  # a worker that starts must not remove others which could not beat in a pause


class Worker:
    """Run jobs until drained; several answers at once, ingestions one by one beside them."""

    def __init__(
        self,
        url: str,
        tasks: Mapping[str, Task],
        *,
        concurrency: int,
        name: str,
        poll_s: float = 5.0,
        meter: Meter | None = None,
        sweep: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._watch = Watch(url, meter or Unmetered(), sweep)
        self._crews = [
            _Crew(url, tasks, ANSWERS, concurrency, f"{name}-answers", poll_s, self._watch.retired),
            _Crew(url, tasks, INGESTIONS, 1, f"{name}-ingestions", poll_s, self._watch.retired),
        ]
        self._watch.workers = lambda: [worker for crew in self._crews for worker in crew.workers()]

    @property
    def is_working(self) -> bool:
        """Tell whether it can take jobs now."""
        return all(crew.is_working for crew in self._crews)

    async def run(self) -> None:
        """Work until drain() is called, over any failure of the database; to be called once."""
        watch = asyncio.create_task(self._watch.run(), name="watch")
        try:
            await asyncio.gather(*(crew.run() for crew in self._crews))
        finally:
            watch.cancel()

    async def drain(self, timeout_s: float) -> None:
        """Take no more jobs, let those under way end for TIMEOUT_S, then give the rest back; run() returns then."""
        await asyncio.gather(*(crew.drain(timeout_s) for crew in self._crews))


class _Crew:
    """One procrastinate worker at a time, replaced when the database has failed it."""

    def __init__(
        self,
        url: str,
        tasks: Mapping[str, Task],
        queues: Sequence[str],
        concurrency: int,
        name: str,
        poll_s: float,
        retired: set[int],
    ) -> None:
        self._url = url
        self._tasks = tasks
        self._queues = queues
        self._concurrency = concurrency
        self._name = name
        self._poll_s = poll_s
        self._retired = retired
        self._shifts: dict[asyncio.Task[None], Procrastinate] = {}  # the last one works, the others end
        self._stopping = asyncio.Event()
        self._drain_s = 30.0
        self.is_working = False

    def workers(self) -> list[int]:
        """List who works here, by procrastinate's numbers."""
        return [worker.worker_id for worker in self._shifts.values() if worker.worker_id is not None]

    async def run(self) -> None:
        """Work until drained."""
        loop, pause_s = asyncio.get_running_loop(), FIRST_PAUSE_S
        while not self._stopping.is_set():
            began_s = loop.time()
            try:
                await self._work()
            except Exception as error:  # noqa: BLE001 - the loop of the process: whatever fails, the next shift may work
                logger.warning("%s cannot work: %s", self._name, _line(error))
            lasted = loop.time() - began_s > 10.0
            pause_s = FIRST_PAUSE_S if lasted else min(pause_s * 2, LONGEST_PAUSE_S)
            await self._pause(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - spreads, does not protect
        if self._shifts:
            await asyncio.wait(self._shifts)

    async def drain(self, timeout_s: float) -> None:
        """Stop as Worker.drain says."""
        self._drain_s = timeout_s
        self._stopping.set()
        while self._shifts:
            await asyncio.wait(self._shifts)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return

    async def _work(self) -> None:
        """Run one shift until it breaks or is to stop; what it has under way then ends by itself."""
        pool = await _open_pool(self._url)
        app = make_app(PsycopgConnector())
        await app.open_async(pool)
        worker = self._procrastinate(app)
        shift = asyncio.create_task(self._shift(worker, pool), name=self._name)
        self._shifts[shift] = worker
        shift.add_done_callback(self._shifts.pop)
        jobs = app.job_manager
        assert isinstance(jobs, HeldJobs)  # noqa: S101 - make_app says so
        await self._until_broken(shift, jobs)
        self.is_working = False
        worker.shutdown_graceful_timeout = self._drain_s
        worker.stop()  # type: ignore[no-untyped-call]

    async def _until_broken(self, shift: asyncio.Task[None], jobs: HeldJobs) -> None:
        signs = [asyncio.create_task(event.wait()) for event in (jobs.broken, self._stopping)]
        try:
            await asyncio.wait({shift, *signs}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for sign in signs:
                sign.cancel()

    def _procrastinate(self, app: App) -> Procrastinate:
        for name, task in self._tasks.items():
            app.task(name=name, retry=Backoff(), pass_context=True)(_until_superseded(task))
        return Procrastinate(
            app,
            queues=list(self._queues),
            name=self._name,
            concurrency=self._concurrency,
            fetch_job_polling_interval=self._poll_s,
            delete_jobs="successful",
            install_signal_handlers=False,
            # The watch beats for it, also while it drains, when procrastinate does no longer.
            update_heartbeat_interval=_OLD_HEARTBEAT_S,
            stalled_worker_timeout=_OLD_HEARTBEAT_S,
        )

    async def _shift(self, worker: Procrastinate, pool: AsyncConnectionPool) -> None:
        self.is_working = True
        try:
            await worker.run()  # type: ignore[no-untyped-call]
        except Exception as error:  # noqa: BLE001 - the loop of the process: the next shift may work
            logger.warning("%s ended: %s", self._name, _line(error.__cause__ or error))
        finally:
            if worker.worker_id is not None:
                self._retired.add(worker.worker_id)  # it could not say goodbye: its jobs are free
            await pool.close(timeout=1.0)


def _line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _until_superseded(task: Task) -> Task:
    """Wrap TASK: work that another worker has taken over is no failure."""

    async def run(context: JobContext, **arguments: Any) -> None:
        failures.set(context.job.attempts)
        try:
            await task(**arguments)
        except Superseded:
            logger.info("another worker has taken this over")

    return run


def _for_libpq(url: str) -> str:
    """Quote a login as libpq wants it, which is stricter than asyncpg."""
    parts = urlsplit(url)
    login, at, host = parts.netloc.rpartition("@")
    user, colon, password = login.partition(":")
    quoted = quote(unquote(user), safe="") + colon + quote(unquote(password), safe="")
    return urlunsplit(parts._replace(netloc=quoted + at + host))


async def _open_pool(address: str) -> AsyncConnectionPool:
    url = _for_libpq(address)
    # A pool tells neither soon nor clearly that there is no server.
    await (await psycopg.AsyncConnection.connect(url, **_CONNECTION)).close()
    pool = AsyncConnectionPool(
        url,
        kwargs=_CONNECTION | {"application_name": "frontdesk worker"},
        min_size=1,
        max_size=4,
        timeout=5.0,
        reconnect_timeout=2.0,
        open=False,
        configure=_configure,
        check=AsyncConnectionPool.check_connection,
    )
    try:
        await pool.open(wait=True, timeout=3.0)
    except BaseException:
        await pool.close(timeout=1.0)
        raise
    return pool


async def _configure(connection: psycopg.AsyncConnection) -> None:
    await connection.set_autocommit(True)  # each statement is a transaction of its own: one round trip, not three


@asynccontextmanager
async def running(worker: Worker) -> AsyncIterator[Worker]:
    """Run WORKER beside a block and drain it at once at its end."""
    run = asyncio.create_task(worker.run(), name="worker")
    try:
        yield worker
    finally:
        await worker.drain(0.0)
        await run
