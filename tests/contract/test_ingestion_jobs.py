"""The rows of background ingestions on a real PostgreSQL: who may write them, how often they are tried."""

import asyncio

import asyncpg
import pytest

from adapters.postgres.ingestions import CANCELLED, PostgresIngestions
from core.documents import DocumentVersion, Outcome
from core.domain import Attachment
from core.errors import NotFound, Superseded
from core.ingestions import CANNOT_FETCH, MAX_TRIES, JobState, SourceResult
from core.outbox import Target
from core.places import Place, Platform

URLS = ("https://example.org/a", "https://example.org/b", "https://example.org/c")


@pytest.fixture
def jobs(database, kb):
    return PostgresIngestions(database)


async def queued(database):
    async with database.tenant(1) as connection:
        return await connection.fetch("select queue_name, task_name, lock, args, scheduled_at from procrastinate_jobs")


async def test_a_job_and_its_wake_up_are_stored_together(jobs, database, kb):
    target = Target(1, "app", Place(Platform.API, "room", "t"), "u1", {"callback": "x"}, "m1", "r1")
    number = await jobs.start(1, "handbook", [*URLS, URLS[0]], (), author_id="u1", target=target)
    job = await jobs.job(1, number)
    assert (job.state, job.done, job.total, job.kb_name, job.author_id) == (JobState.WAITING, 0, 3, "handbook", "u1")
    assert job.target == target
    (wake_up,) = await queued(database)
    assert tuple(wake_up)[:4] == (
        "ingestions",
        "ingest",
        f"kb:1:{kb.kb_id}",
        {"tenant_id": 1, "ingestion_id": number},
    )


async def test_an_unknown_knowledge_base_makes_neither_a_job_nor_a_wake_up(jobs, database):
    with pytest.raises(NotFound, match="kb list"):
        await jobs.start(1, "missing", URLS, ())
    assert await queued(database) == []
    assert await jobs.jobs(1) == []


async def test_files_that_were_not_taken_are_named_and_two_of_one_name_are_told_apart(jobs):
    files = [
        Attachment("plan.pdf", "", 1, 7),
        Attachment("plan.pdf", "", 1, 8),
        Attachment("huge.pdf", "", 9, reason="it is too large"),
    ]
    number = await jobs.start(1, "handbook", (), files)
    assert (await jobs.job(1, number)).results == (SourceResult("huge.pdf", Outcome.REFUSED, "it is too large"),)
    claim = await jobs.claim(1, number)
    assert [(source.name, source.upload_id) for source in claim.remaining] == [("plan.pdf", 7), ("plan (2).pdf", 8)]
    assert (claim.job.done, claim.job.total) == (1, 3)


async def test_a_refresh_takes_the_addresses_and_says_that_files_cannot_be_fetched(jobs, knowledge, kb):
    for source in ("https://example.org/a", "/srv/plan.txt"):
        version = DocumentVersion(source, "t", "text", b"1", 1, 1, Outcome.NO_TEXT)
        await knowledge.save(1, kb.kb_id, version, (), None)
    number = await jobs.refresh(1, "handbook")
    assert (await jobs.job(1, number)).results == (SourceResult("/srv/plan.txt", Outcome.UNCHANGED, CANNOT_FETCH),)
    assert [source.name for source in (await jobs.claim(1, number)).remaining] == ["https://example.org/a"]


async def test_a_worker_whose_job_was_taken_over_writes_nothing_more(jobs):
    number = await jobs.start(1, "handbook", URLS, ())
    first = await jobs.claim(1, number)
    second = await jobs.claim(1, number)
    result = SourceResult(URLS[0], Outcome.INDEXED, chunks=2)
    for write in (
        jobs.write(first, [result], ""),
        jobs.end(first, JobState.DONE),
        jobs.give_back(first, "", again_in_s=0.0, count_try=True),
    ):
        with pytest.raises(Superseded):
            await write
    assert not await jobs.write(second, [result], "")
    await jobs.end(second, JobState.DONE)
    job = await jobs.job(1, number)
    assert (job.state, job.done, job.results) == (JobState.DONE, 1, (result,))
    assert await jobs.claim(1, number) is None


async def test_after_a_death_only_what_is_left_is_done_and_source_by_source(jobs):
    number = await jobs.start(1, "handbook", URLS, ())
    first = await jobs.claim(1, number)
    assert not first.alone
    await jobs.write(first, [SourceResult(URLS[0], Outcome.INDEXED)], "")
    second = await jobs.claim(1, number)
    assert second.alone
    assert [source.name for source in second.remaining] == list(URLS[1:])


async def test_a_job_whose_worker_dies_without_a_source_to_blame_fails_with_the_reason(jobs):
    number = await jobs.start(1, "handbook", URLS, ())
    for _ in range(MAX_TRIES):
        assert await jobs.claim(1, number) is not None
    assert await jobs.claim(1, number) is None
    job = await jobs.job(1, number)
    assert job.state is JobState.FAILED
    assert "died 3 times" in job.reason


async def test_deaths_do_not_add_up_while_sources_end_in_between(jobs):
    urls = [f"https://example.org/{number}" for number in range(3 * MAX_TRIES)]
    number = await jobs.start(1, "handbook", urls, ())
    for url in urls:
        claim = await jobs.claim(1, number)
        await jobs.write(claim, [SourceResult(url, Outcome.INDEXED)], "")
    assert (await jobs.job(1, number)).state is JobState.RUNNING


async def test_the_source_that_two_workers_died_at_is_refused_by_name_and_the_rest_goes_on(jobs):
    number = await jobs.start(1, "handbook", URLS, ())
    await jobs.write(await jobs.claim(1, number), (), URLS[0])
    claim = await jobs.claim(1, number)
    assert (claim.job.results, claim.job.reason) == ((), ""), "one death may be anybody's fault"
    await jobs.write(claim, (), URLS[0])
    claim = await jobs.claim(1, number)
    assert [source.name for source in claim.remaining] == list(URLS[1:])
    (refused,) = claim.job.results
    assert (refused.source, refused.outcome) == (URLS[0], Outcome.REFUSED)
    assert "died twice" in refused.reason


async def test_a_worker_that_stops_gives_back_a_try_and_one_that_met_silence_does_not(jobs, database):
    number = await jobs.start(1, "handbook", URLS, ())
    for _ in range(3 * MAX_TRIES):
        claim = await jobs.claim(1, number)
        assert not claim.alone
        assert await jobs.give_back(claim, "", again_in_s=0.0, count_try=False)
    for _ in range(MAX_TRIES - 1):
        claim = await jobs.claim(1, number)
        assert await jobs.give_back(claim, "The model is silent.", again_in_s=60.0, count_try=True)
    claim = await jobs.claim(1, number)
    assert not await jobs.give_back(claim, "The model is silent.", again_in_s=60.0, count_try=True)
    job = await jobs.job(1, number)
    assert (job.state, job.reason) == (JobState.FAILED, "The model is silent.")
    assert len(await queued(database)) == 1 + 3 * MAX_TRIES + MAX_TRIES - 1, "each give-back wakes a worker again"


async def test_cancelling_ends_a_waiting_job_at_once_and_tells_the_worker_of_a_running_one(jobs, addresses):
    heard = asyncio.Queue()
    listener = await asyncpg.connect(addresses.application)
    await listener.add_listener(CANCELLED, lambda *event: heard.put_nowait(event[-1]))
    waiting = await jobs.start(1, "handbook", URLS, ())
    assert (await jobs.cancel(1, waiting)).state is JobState.CANCELLED
    running = await jobs.start(1, "handbook", URLS, ())
    claim = await jobs.claim(1, running)
    assert not await jobs.write(claim, (), "")
    job = await jobs.cancel(1, running)
    assert (job.state, job.cancelled) == (JobState.RUNNING, True)
    assert await jobs.write(claim, (), "")
    assert [await heard.get(), await heard.get()] == [f"1:{waiting}", f"1:{running}"]
    await jobs.end(claim, JobState.CANCELLED)
    assert (await jobs.cancel(1, running)).state is JobState.CANCELLED
    with pytest.raises(NotFound):
        await jobs.cancel(1, 10**9)
    await listener.close()


async def test_jobs_are_listed_newest_first_and_not_to_another_tenant(jobs):
    numbers = [await jobs.start(1, "handbook", URLS, ()) for _ in range(3)]
    assert [job.number for job in await jobs.jobs(1, 2)] == [numbers[2], numbers[1]]
    assert await jobs.jobs(2) == []
    with pytest.raises(NotFound):
        await jobs.job(2, numbers[0])
