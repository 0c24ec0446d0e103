"""The engine of the jobs on a real PostgreSQL: order, gaps, dead workers, restarts, draining."""

import asyncio
import inspect
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import inf, nan
from pathlib import Path

import asyncpg
import psutil
import pytest
from procrastinate.jobs import Job

from adapters.embedded.postgres import Attachment, attach
from adapters.queue.backoff import LONGEST_WAIT_S, Backoff, delay_after
from adapters.queue.worker import Worker, failures, running
from core.errors import Busy, StoreUnavailable, Superseded
from core.meter import Counted
from migrations.run import prepare

REPOSITORY = Path(__file__).parents[2]
ENQUEUE = """
select procrastinate_defer_jobs_v1(array[row($1, $2, 0, $3, null, $4::jsonb, null)::procrastinate_job_to_defer_v1])
"""
ANALYZED = "select last_analyze from pg_stat_user_tables where relname = 'procrastinate_jobs'"
# Long enough that a job which waits for the poll would not be done within the test.
NEVER_S = 600.0
# A worker of its own: notes in the table what it does, and stays.
PROGRAM = """
import asyncio, sys, asyncpg
from adapters.queue.worker import Worker
url, name, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
async def note(word):
    connection = await asyncpg.connect(url)
    await connection.execute("select procrastinate_defer_jobs_v1(array[row('seen', $1, 0, null, null, '{}', null)"
        "::procrastinate_job_to_defer_v1])", f"{name} {word}")
    await connection.close()
async def serve_thread(tenant_id, word):
    await note(f"began {word}")
    await asyncio.sleep(seconds)
    await note(f"ended {word}")
asyncio.run(Worker(url, {"serve_thread": serve_thread}, concurrency=4, name=name).run())
"""


class Counts:
    """A Meter that remembers."""

    def __init__(self):
        self.counted = {}

    def count(self, what, by=1, **labels):
        self.counted[what] = self.counted.get(what, 0) + by

    def time(self, what, seconds, **labels):
        pass


async def wait_until(fact, seconds=30.0):
    async with asyncio.timeout(seconds):
        while not (await value if inspect.isawaitable(value := fact()) else value):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


@asynccontextmanager
async def connected(url):
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        connection.terminate()


async def enqueue(connection, word, lock, queue="messages", task="serve_thread"):
    await connection.execute(ENQUEUE, queue, task, lock, f'{{"tenant_id": 7, "word": "{word}"}}')


async def statuses(connection):
    return [row["status"] for row in await connection.fetch("select status::text from procrastinate_jobs order by id")]


@pytest.fixture
async def connection(addresses):
    async with connected(addresses.application) as made:
        yield made


def worker(addresses, task, **options):
    tasks = {"serve_thread": task, "ingest": task}
    return Worker(addresses.application, tasks, **{"concurrency": 8, "name": "test", "poll_s": NEVER_S} | options)


async def test_jobs_of_one_lock_run_in_their_order_and_at_once_after_each_other(addresses, connection):
    done = []

    async def task(tenant_id, word):
        done.append(f"+{word}")
        await asyncio.sleep(0.01)
        done.append(f"-{word}")

    async with running(worker(addresses, task)):
        for word in "abcd":
            await enqueue(connection, word, "one lock")
        await wait_until(lambda: len(done) == 8)  # the poll would come too late
    assert done == ["+a", "-a", "+b", "-b", "+c", "-c", "+d", "-d"]


async def test_locks_run_beside_each_other_and_ingestions_beside_them(addresses, connection):
    begun, go = set(), asyncio.Event()

    async def task(tenant_id, word):
        begun.add(word)
        await go.wait()

    async with running(worker(addresses, task, concurrency=2)):
        for word in "ab":
            await enqueue(connection, word, word)
        for word in "xy":
            await enqueue(connection, word, word, queue="ingestions", task="ingest")
        await wait_until(lambda: len(begun) == 3)
        assert begun == {"a", "b", "x"}
        go.set()
        await wait_until(lambda: len(begun) == 4)


async def test_a_finished_job_leaves_no_row(addresses, connection):
    done = []

    async def task(tenant_id, word):
        done.append(word)
        if word == "superseded":
            raise Superseded("Another worker has it.")

    async with running(worker(addresses, task)):
        for word in ("well", "superseded"):
            await enqueue(connection, word, word)

        async def gone():
            return len(done) == 2 and await statuses(connection) == []

        await wait_until(gone)


async def test_a_job_that_fails_is_tried_again_and_those_behind_it_wait(addresses, connection):
    done, tried = [], []

    async def task(tenant_id, word):
        done.append(word)
        tried.append(failures.get())
        if done == ["a"]:
            raise Busy("Wait.", retry_after_s=0.2)
        if len(done) == 2:
            raise ValueError(word)

    async with running(worker(addresses, task)):
        await enqueue(connection, "a", "one lock")
        await enqueue(connection, "b", "one lock")
        await wait_until(lambda: len(done) == 4)
    assert done == ["a", "a", "a", "b"]
    assert tried == [0, 1, 2, 0]


@pytest.mark.parametrize(("attempts", "longest_s"), [(0, 1), (1, 2), (2, 4), (6, 60), (5_000, 60)])
def test_the_pauses_double_up_to_a_minute(attempts, longest_s):
    pauses = [delay_after(attempts) for _ in range(50)]
    assert longest_s / 2 <= min(pauses) < max(pauses) <= longest_s


@pytest.mark.parametrize(
    ("asked_s", "waits_s"), [(7.0, 7.0), (-3.0, 0.0), *((far, LONGEST_WAIT_S) for far in (1e12, 1e300, inf, nan))]
)
def test_what_a_platform_asks_for_is_waited_for_within_bounds(asked_s, waits_s):
    job = Job(id=1, queue="messages", lock=None, queueing_lock=None, task_name="serve_thread")
    begun = datetime.now(UTC)
    decision = Backoff().get_retry_decision(exception=Busy("Wait.", asked_s), job=job)
    assert begun <= decision.retry_at - timedelta(seconds=waits_s) <= datetime.now(UTC)


async def test_what_is_under_way_when_a_worker_drains_is_free_for_the_next(addresses, connection):
    begun = []

    async def task(tenant_id, word):
        begun.append(word)
        if len(begun) == 1:
            await asyncio.sleep(600)

    first = worker(addresses, task)
    run = asyncio.create_task(first.run())
    await enqueue(connection, "a", "a")
    await wait_until(lambda: begun == ["a"])
    await first.drain(0.1)
    await run
    assert await statuses(connection) == ["todo"]
    assert await connection.fetchval("select count(*) from procrastinate_workers") == 0
    async with running(worker(addresses, task)):
        await wait_until(lambda: begun == ["a", "a"])


async def test_a_draining_worker_ends_what_it_can(addresses, connection):
    begun, go = asyncio.Event(), asyncio.Event()

    async def task(tenant_id, word):
        begun.set()
        await go.wait()

    draining = worker(addresses, task)
    run = asyncio.create_task(draining.run())
    await enqueue(connection, "a", "a")
    await begun.wait()
    drain = asyncio.create_task(draining.drain(60.0))
    await asyncio.sleep(0.1)
    await enqueue(connection, "b", "b")  # it comes too late for this one
    go.set()
    await drain
    await run
    assert await statuses(connection) == ["todo"]


async def test_a_worker_that_is_no_longer_the_holder_of_a_job_leaves_it_alone(addresses, connection):
    begun, go = asyncio.Event(), asyncio.Event()

    async def task(tenant_id, word):
        begun.set()
        await go.wait()

    async with running(worker(addresses, task)):
        await enqueue(connection, "a", "a")
        await begun.wait()
        other = await connection.fetchval("insert into procrastinate_workers default values returning id")
        await connection.execute("update procrastinate_jobs set worker_id = $1", other)
        go.set()
        await asyncio.sleep(0.3)
        assert await statuses(connection) == ["doing"]


@pytest.mark.parametrize("error", [None, StoreUnavailable("It is away."), ValueError("a defect")], ids=repr)
async def test_a_sweep_that_hangs_or_fails_stops_no_heart(addresses, connection, error):
    swept = []

    async def sweep():
        swept.append(True)
        if error is None:
            await asyncio.Event().wait()
        raise error

    async def task(tenant_id, word):
        pass

    async with running(worker(addresses, task, sweep=sweep)):
        await wait_until(lambda: swept)
        await connection.execute("update procrastinate_workers set last_heartbeat = 'epoch'")

        async def beats():
            return await connection.fetchval("select every(last_heartbeat > 'epoch') from procrastinate_workers")

        await wait_until(beats)


async def test_a_worker_tidies_up_and_looks_at_its_table_anew(addresses, connection):
    async def task(tenant_id, word):
        pass

    await connection.execute("insert into procrastinate_workers (last_heartbeat) values (now() - interval '2 hours')")
    async with connected(addresses.owner) as owner:
        assert await owner.fetchval(ANALYZED) is None
        async with running(worker(addresses, task)):

            async def analyzed():
                return await owner.fetchval(ANALYZED) is not None

            await wait_until(analyzed)
        assert await connection.fetchval("select count(*) from procrastinate_workers") == 0


async def test_the_sweep_is_called(addresses):
    swept = asyncio.Event()

    async def sweep():
        swept.set()

    async def task(tenant_id, word):
        pass

    async with running(worker(addresses, task, sweep=sweep)), asyncio.timeout(30):
        await swept.wait()


@asynccontextmanager
async def process(url, name, seconds):
    """Run a worker in a process of its own, which is killed at the end."""
    command = [sys.executable, "-c", PROGRAM, url, name, str(seconds)]
    started = subprocess.Popen(command, cwd=REPOSITORY)  # noqa: ASYNC220
    try:
        yield started
    finally:
        started.kill()
        started.wait()


async def seen(connection):
    rows = await connection.fetch("select task_name from procrastinate_jobs where queue_name = 'seen' order by id")
    return [row["task_name"] for row in rows]


@pytest.mark.slow
async def test_another_worker_takes_over_what_a_killed_one_held_in_order(addresses, connection):
    async with process(addresses.application, "first", 600) as first:
        await enqueue(connection, "a", "one lock")
        await enqueue(connection, "b", "one lock")

        await wait_until(lambda: _is_seen(connection, "first began a"))
        first.send_signal(signal.SIGKILL)
        async with process(addresses.application, "second", 0):
            await wait_until(lambda: _is_seen(connection, "second ended b"))
    assert await seen(connection) == [
        "first began a",
        "second began a",
        "second ended a",
        "second began b",
        "second ended b",
    ]


async def _is_seen(connection, word):
    return word in await seen(connection)


@pytest.mark.slow
async def test_the_reaper_counts_what_it_rescues(addresses, connection):
    meter, done = Counts(), asyncio.Event()

    async def task(tenant_id, word):
        done.set()

    await enqueue(connection, "a", "a")
    await connection.execute("update procrastinate_jobs set status = 'doing'")  # of a worker that is no more
    async with running(worker(addresses, task, meter=meter)), asyncio.timeout(60):
        await done.wait()
    assert meter.counted == {Counted.RESCUED: 1}


@pytest.fixture(scope="module")
def own_server():
    """Run a server that may be stopped, with migrated tables."""
    home = Path(tempfile.mkdtemp(prefix="frontdesk-queue-"))
    home.chmod(0o755)
    with attach(home) as attachment:
        owner = attachment.owner_url("frontdesk")
        application = owner.replace(owner.partition("@")[0], "postgresql://application:secret")
        asyncio.run(prepare(attachment.owner_url("postgres"), owner, application))
        yield OwnServer(attachment, home, application)
    shutil.rmtree(home, ignore_errors=True)


@dataclass
class OwnServer:
    attachment: Attachment
    home: Path
    application: str  # an address

    def signal(self, number):
        """Send a signal to the postmaster and to all its children."""
        process = psutil.Process(int((self.home / "postgres/data/postmaster.pid").read_text().split()[0]))
        for each in (process, *process.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                each.send_signal(number)


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["killed", "frozen"])
async def test_a_worker_lives_through_a_database_that_is_gone_for_a_while(own_server, fault):
    done = []

    async def task(tenant_id, word):
        done.append(word)
        if word == "long":
            await asyncio.sleep(1)

    async with running(Worker(own_server.application, {"serve_thread": task}, concurrency=2, name="test")) as living:
        await wait_until(lambda: living.is_working)
        async with connected(own_server.application) as connection:
            await enqueue(connection, "long", "long")
            await wait_until(lambda: done == ["long"])
        if fault == "killed":
            own_server.signal(signal.SIGKILL)
            await asyncio.sleep(3)
            assert not living.is_working
            await asyncio.to_thread(own_server.attachment.revive)
        else:
            own_server.signal(signal.SIGSTOP)
            await asyncio.sleep(8)
            own_server.signal(signal.SIGCONT)
        async with connected(own_server.application) as connection:
            await enqueue(connection, "short", "short")
            await wait_until(lambda: "short" in done)

            async def nothing_is_left():
                return await statuses(connection) == []

            await wait_until(nothing_is_left)
