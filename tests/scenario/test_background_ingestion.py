"""Documents added in the background: real processes that are killed, a real PostgreSQL, and nothing half done."""

import asyncio
import signal
import sys
from array import array
from dataclasses import replace

import pytest

from adapters.postgres.ingestions import PostgresIngestions
from adapters.postgres.uploads import PostgresUploads
from core.documents import EmbedderIdentity, Outcome
from core.domain import Answer
from core.errors import ModelUnavailable
from core.ingestions import CANNOT_FETCH, JobState, SourceResult, job_target
from core.job_reports import embedding
from core.outbox import Delivery, Doubt, Purpose, Sent, Settled, Target
from core.places import EMPLOYEE_PLATFORMS, Place, Platform
from ingest.background import DeliveryReporter, Ingestions, upload_files
from ingest.pipeline import Ingestion, Limits
from ingest.sources import sources
from tests.contract.ingested import found, uploads_left

WORKER = """
import asyncio, os, signal, sys, time
from array import array
from adapters.postgres.database import open_database
from adapters.postgres.ingestions import PostgresIngestions
from adapters.postgres.knowledge import PostgresKnowledge
from adapters.postgres.uploads import PostgresUploads
from core.documents import EmbedderIdentity
from ingest.background import Ingestions
from ingest.pipeline import Ingestion, Limits

class Embedder:
    identity = EmbedderIdentity("flat", 4)
    async def embed(self, texts):
        for text in texts:
            await asyncio.sleep(0.002)
            if "poison" in text:
                os.kill(os.getpid(), signal.SIGKILL)
        return [array("f", [0.5] * 4) for text in texts]
    def count_tokens(self, text):
        return len(text.split())

async def main(url, number):
    async with open_database(url) as database:
        knowledge, uploads = PostgresKnowledge(database), PostgresUploads(database)
        ingestion = Ingestion(knowledge, Embedder(), Limits())
        await Ingestions(PostgresIngestions(database), knowledge, ingestion, uploads).run(1, number)

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


class Flat:
    """An embedder to whom all texts are alike; it can be silent, and stuck at a word."""

    identity = EmbedderIdentity("flat", 4)

    def __init__(self, stuck_at=None):
        self.silent = False
        self.stuck_at = stuck_at
        self.stuck = asyncio.Event()

    async def embed(self, texts):
        if self.silent:
            raise ModelUnavailable("The model does not answer; try again later.")
        if self.stuck_at and any(self.stuck_at in text for text in texts):
            self.stuck.set()
            await asyncio.sleep(600)
        return [array("f", [0.5] * 4) for _ in texts]

    def count_tokens(self, text):
        return len(text.split())


@pytest.fixture
def jobs(database, kb):
    return PostgresIngestions(database)


@pytest.fixture
def worker(database, knowledge, jobs):
    def made(embedder, reporter=None):
        ingestion = Ingestion(knowledge, embedder, Limits())
        return Ingestions(jobs, knowledge, ingestion, PostgresUploads(database), reporter)

    return made


def write(folder, count, *, chunks=6):
    for number in range(count):
        rules = (f"Rule {part} of file{number} says word{number}. " + "filler " * 100 for part in range(chunks))
        (folder / f"file-{number:02}.txt").write_text("\n\n".join(rules))


async def start(database, jobs, folder, *, target=None):
    found = sources([str(folder)])
    urls, files = await upload_files(PostgresUploads(database), 1, found, 100_000)
    return await jobs.start(1, "handbook", urls, files, target=target)


async def halves(database):
    """Count the documents whose chunks that can be found are not as many as they should be."""
    async with database.tenant(1) as connection:
        return await connection.fetchval(
            "select count(*) from documents where chunk_count <> (select count(*) from chunks "
            "where chunks.document_id = documents.document_id)"
        )


async def indexed(database):
    async with database.tenant(1) as connection:
        return await connection.fetchval("select count(*) from documents where outcome = 'indexed'")


async def run_child(addresses, number):
    return await asyncio.create_subprocess_exec(sys.executable, "-c", WORKER, addresses.application, str(number))


async def test_a_worker_killed_again_and_again_ends_complete_with_nothing_twice(
    database, addresses, jobs, knowledge, kb, tmp_path
):
    write(tmp_path, 60)
    number = await start(database, jobs, tmp_path)
    kills = 0
    for goal in (5, 25, 45, None):
        child = await run_child(addresses, number)
        while child.returncode is None and (goal is None or await indexed(database) < goal):
            assert await halves(database) == 0
            await asyncio.sleep(0.01)
        if child.returncode is None:
            child.send_signal(signal.SIGKILL)
            kills += 1
        await child.wait()
    assert (kills, child.returncode) == (3, 0)
    job = await jobs.job(1, number)
    assert (job.state, job.done, job.total) == (JobState.DONE, 60, 60)
    assert sorted(result.source for result in job.results) == sorted(str(path) for path in tmp_path.iterdir())
    assert {result.outcome for result in job.results} == {Outcome.INDEXED}
    assert await halves(database) == 0
    documents = await knowledge.documents(1, kb.kb_id)
    base = await knowledge.knowledge_base(1, "handbook")
    assert (len(documents), base.documents) == (60, 60)
    assert base.chunks == sum(document.chunks for document in documents) == sum(r.chunks for r in job.results)
    assert await uploads_left(database) == 0


async def test_a_document_that_kills_its_worker_is_refused_by_name_and_the_others_are_saved(
    database, addresses, jobs, tmp_path
):
    write(tmp_path, 4, chunks=1)
    (tmp_path / "file-01-bad.txt").write_text("This is poison.")
    number = await start(database, jobs, tmp_path)
    deaths = 0
    while await (child := await run_child(addresses, number)).wait():
        assert child.returncode == -signal.SIGKILL
        assert (deaths := deaths + 1) <= 3
    job = await jobs.job(1, number)
    assert job.state is JobState.DONE
    outcomes = {result.source.rsplit("/", 1)[-1]: result for result in job.results}
    assert len(outcomes) == len(job.results) == 5
    assert outcomes.pop("file-01-bad.txt").outcome is Outcome.REFUSED
    assert {result.outcome for result in outcomes.values()} == {Outcome.INDEXED}
    assert await found(database, "poison") == []


async def test_a_cancelled_job_ends_while_a_document_is_embedded_and_keeps_what_was_finished(
    database, jobs, worker, tmp_path
):
    write(tmp_path, 40)
    (tmp_path / "last.txt").write_text("An endless one.")
    number = await start(database, jobs, tmp_path)
    embedder = Flat(stuck_at="endless")
    running = asyncio.create_task(worker(embedder).run(1, number))
    await embedder.stuck.wait()
    await jobs.cancel(1, number)
    async with asyncio.timeout(30):
        await running
    job = await jobs.job(1, number)
    assert job.state is JobState.CANCELLED
    assert 0 < len(job.results) == job.done < job.total == 41
    assert await found(database, "endless") == []
    assert await halves(database) == 0
    assert await uploads_left(database) == 0


async def test_a_worker_that_is_stopped_leaves_the_job_to_the_next(database, jobs, worker, tmp_path):
    (tmp_path / "a.txt").write_text("An endless one.")
    number = await start(database, jobs, tmp_path)
    embedder = Flat(stuck_at="endless")
    running = asyncio.create_task(worker(embedder).run(1, number))
    await embedder.stuck.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (await jobs.job(1, number)).state is JobState.WAITING
    await worker(Flat()).run(1, number)
    assert (await jobs.job(1, number)).state is JobState.DONE
    assert await found(database, "endless") == ["An endless one."]


async def test_a_silent_model_lets_the_job_wait_and_in_the_end_fail_with_the_reason(database, jobs, worker, tmp_path):
    (tmp_path / "a.txt").write_text("Walk often.")
    number = await start(database, jobs, tmp_path)
    embedder = Flat()
    embedder.silent = True
    await worker(embedder).run(1, number)
    waiting = await jobs.job(1, number)
    assert (waiting.state, waiting.activity) == (JobState.WAITING, "The model does not answer; try again later.")
    async with database.tenant(1) as connection:
        later = await connection.fetchval("select count(*) from procrastinate_jobs where scheduled_at > now()")
    assert later == 1
    for _ in range(2):
        await worker(embedder).run(1, number)
    failed = await jobs.job(1, number)
    assert (failed.state, failed.reason) == (JobState.FAILED, "The model does not answer; try again later.")
    embedder.silent = False
    await worker(embedder).run(1, number)
    assert await jobs.job(1, number) == failed, "an ended job is not done again"


async def test_a_removed_knowledge_base_ends_its_job_quietly(database, jobs, worker, knowledge, tmp_path):
    (tmp_path / "a.txt").write_text("An endless one.")
    number = await start(database, jobs, tmp_path)
    embedder = Flat(stuck_at="endless")
    running = asyncio.create_task(worker(embedder).run(1, number))
    await embedder.stuck.wait()
    await knowledge.remove(1, "handbook")
    async with asyncio.timeout(30):
        await running
    await worker(embedder).run(1, number)
    assert await jobs.jobs(1) == []


async def test_the_background_says_of_each_file_what_the_foreground_says(database, jobs, worker, knowledge, tmp_path):
    write(tmp_path, 2)
    (tmp_path / "blank.md").write_text("\n \n")
    (tmp_path / "sheet.xlsx").write_bytes(b"PK\x03\x04")
    (tmp_path / "wrong.json").write_text('{"a": ')
    (tmp_path / "large.txt").write_text("x" * 200_000)
    number = await start(database, jobs, tmp_path)
    await worker(Flat()).run(1, number)
    background = {result.source: result for result in (await jobs.job(1, number)).results}
    other = await knowledge.create(1, "other", EMPLOYEE_PLATFORMS)
    direct = await Ingestion(knowledge, Flat(), Limits(size_bytes=100_000)).ingest(
        1, other, sources([str(tmp_path)]), lambda step: None
    )
    assert background == {result.source: result for result in direct}
    again = await jobs.refresh(1, "handbook")
    await worker(Flat()).run(1, again)
    assert {result.reason for result in (await jobs.job(1, again)).results} == {CANNOT_FETCH}


class Messages:
    """An outbox and a channel in one, kept in memory: what stands there, and what was sent beside it."""

    platform = Platform.API
    doubt = Doubt.KEYED

    def __init__(self):
        self.deliveries, self.shown, self.enqueued, self.settled = {}, [], [], []

    async def open(self, target, purpose, *, inbox_id=None):
        made = Delivery(len(self.deliveries) + 1, 1, target, purpose, inbox_id)
        self.deliveries[made.outbox_id] = made
        return made

    async def reopen(self, tenant_id, outbox_id):
        before = self.deliveries[outbox_id]
        self.deliveries[outbox_id] = replace(before, claim=before.claim + 1)
        return self.deliveries[outbox_id]

    async def begin(self, delivery, part):
        pass

    async def record(self, delivery, part, message_id):
        before = self.deliveries[delivery.outbox_id]
        self.deliveries[delivery.outbox_id] = replace(before, sent=(Sent(part, message_id, None),))

    async def keep(self, delivery, content):
        self.deliveries[delivery.outbox_id] = replace(self.deliveries[delivery.outbox_id], content=content)

    async def settle(self, delivery, how, reason=""):
        self.settled.append((delivery.outbox_id, how))

    async def enqueue(self, target, purpose, content):
        self.enqueued.append((target, purpose, content))
        return 1_000 + len(self.enqueued)

    def reply(self, posting):
        return Post(self, posting)


class Post:
    def __init__(self, messages, posting):
        self.messages, self.posting = messages, posting

    async def finish(self, answer: Answer):
        async def send(key):
            self.messages.shown.append(["posted", key])
            return f"m{key}"

        message_id = await self.posting.post(0, send)
        self.messages.shown.append([message_id, answer.text])


TARGET = Target(1, "app", Place(Platform.API, "room"), "u1")


async def test_whoever_waits_hears_once_how_each_file_ended(database, jobs, worker, tmp_path):
    write(tmp_path, 2, chunks=1)
    (tmp_path / "sheet.xlsx").write_bytes(b"PK\x03\x04")
    number = await start(database, jobs, tmp_path, target=TARGET)
    messages = Messages()
    told = worker(Flat(), DeliveryReporter(messages, lambda platform: None))
    await told.run(1, number)
    await told.run(1, number)
    ((target, purpose, content),) = messages.enqueued
    assert (target, purpose) == (TARGET, Purpose.NOTICE)
    lines = content.text.splitlines()
    assert lines[0] == f"Job {number}, documents for handbook: done; 2 indexed, 1 refused."
    assert lines[1].startswith("- refused: sheet.xlsx: ")
    assert lines[2:] == ["- indexed: file-00.txt", "- indexed: file-01.txt"]


async def test_a_job_is_told_in_the_language_it_was_begun_in(database, jobs, tmp_path):
    (tmp_path / "a.txt").write_text("Walk often.")
    number = await start(database, jobs, tmp_path, target=job_target(TARGET, "fr"))
    messages = Messages()
    reporter = DeliveryReporter(messages, lambda platform: messages)
    job = replace(await jobs.job(1, number), activity=embedding("a.txt", 0.4))
    job = replace(job, outbox_id=await reporter.report(job, final=False))
    refused = (SourceResult("a.txt", Outcome.REFUSED, "it is empty"), SourceResult("b.txt", Outcome.INDEXED))
    ended = replace(job, state=JobState.FAILED, reason="The model does not answer.", results=refused, total=3)
    await reporter.report(ended, final=True)
    progress, end = [text for what, text in messages.shown if what != "posted"]
    assert progress == ("Des documents sont ajoutés à handbook\u00a0: 0 sur 1, calcul des vecteurs de a.txt, 40%")
    assert end.splitlines() == [
        f"Tâche {number}, documents pour handbook\u00a0: échouée\u00a0; ajouté\u00a0: 1, refusé\u00a0: 1.",
        "The model does not answer.",
        "1 sur 3 n’ont pas été lus\u00a0; ce qui était enregistré jusque-là reste.",
        "- refusé\u00a0: a.txt\u00a0: il est vide",
        "- ajouté\u00a0: b.txt",
    ]
    content = messages.deliveries[job.outbox_id].content
    assert (content.language, content.private, content.job) == ("fr", True, number)


async def test_progress_and_end_are_one_message_that_is_edited(database, jobs, tmp_path):
    (tmp_path / "a.txt").write_text("Walk often.")
    number = await start(database, jobs, tmp_path, target=TARGET)
    messages = Messages()
    reporter = DeliveryReporter(messages, lambda platform: messages)
    job = await jobs.job(1, number)
    outbox_id = await reporter.report(job, final=False)
    job = replace(job, outbox_id=outbox_id, activity="reading")
    assert await reporter.report(job, final=False) == outbox_id
    ended = replace(job, state=JobState.FAILED, reason="The model does not answer.")
    assert await reporter.report(ended, final=True) == outbox_id
    assert [what for what, _ in messages.shown].count("posted") == 1
    texts = [text for what, text in messages.shown if what != "posted"]
    assert texts[:2] == ["Adding documents to handbook: 0 of 1", "Adding documents to handbook: 0 of 1, reading"]
    assert texts[2].splitlines()[1:] == [
        "The model does not answer.",
        "1 of 1 were not read; what was saved until then stays.",
    ]
    assert messages.settled == [(outbox_id, Settled.SENT)]
    assert messages.deliveries[outbox_id].content.text == texts[2]
    assert messages.enqueued == []
