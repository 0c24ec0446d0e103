"""Do an ingestion in the background: take the job, go on where the worker before died, say how it goes."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

from core.attached import Uploads
from core.documents import KnowledgeBase, Outcome
from core.domain import Attachment
from core.errors import (
    ChannelUnavailable,
    FrontdeskError,
    NotFound,
    Rejected,
    StoreUnavailable,
    Superseded,
    TooLarge,
    Unavailable,
)
from core.ingestions import ENDED, Claim, IngestionRows, Job, JobSource, JobState, ProgressReporter, SourceResult
from core.job_reports import READING, embedding, notice, progress_text, summary
from core.outbox import Channel, Outbox, Posting, Purpose, Settled, Target
from core.places import Platform
from core.ports import KnowledgeStore
from ingest.pipeline import Ingestion, Progress, too_large
from ingest.sources import Source

_TICK_S = 0.5  # between two writes of the progress, and how soon a cancelled job ends
_REPORT_S = 3.0  # between two edits of the message that shows it
_STORE_TRIES, _STORE_PAUSE_S = 20, 2.0
_AGAIN_S = 15.0  # after a part we depend on did not answer; longer with every try


class Ingestions:
    """Run background ingestions; what a job has finished stays saved, however it ends."""

    def __init__(
        self,
        rows: IngestionRows,
        knowledge: KnowledgeStore,
        ingestion: Ingestion,
        uploads: Uploads,
        reporter: ProgressReporter | None = None,
    ) -> None:
        self._rows = rows
        self._knowledge = knowledge
        self._ingestion = ingestion
        self._uploads = uploads
        self._reporter = reporter

    async def run(self, tenant_id: int, ingestion_id: int) -> None:
        """Do a job, or what is left of it; there is nothing to do where it has ended or is gone.

        A job that meets a part that does not answer waits and is enqueued again. Raises StoreUnavailable when
        PostgreSQL does not answer, to be run again later.
        """
        claim = await self._rows.claim(tenant_id, ingestion_id)
        try:
            if claim is not None:
                await self._work(claim)
            await self._tell_end(tenant_id, ingestion_id)
        except Superseded:
            return

    async def _work(self, claim: Claim) -> None:
        """Ingest what remains and end the job, or give it back."""
        try:
            cancelled = await self._ingest(claim)
            await self._rows.end(claim, JobState.CANCELLED if cancelled else JobState.DONE)
        except Superseded:
            raise
        except StoreUnavailable:
            await self._leave_when_store_is_back(claim)
        except Unavailable as error:
            again_in_s = _AGAIN_S * claim.number
            await self._rows.give_back(claim, str(error), again_in_s=again_in_s, count_try=True)
        except FrontdeskError as error:
            await self._rows.end(claim, JobState.FAILED, str(error))
        except asyncio.CancelledError:  # this worker stops: another goes on
            await asyncio.shield(self._rows.give_back(claim, "", again_in_s=0.0, count_try=False))
            raise
        except Exception as error:  # a defect of ours, raised for the log: no job may seem to run for ever after it
            reason = f"It met an unexpected error ({type(error).__name__}); the log has the details."
            await self._rows.give_back(claim, reason, again_in_s=_AGAIN_S, count_try=True)
            raise

    async def _leave_when_store_is_back(self, claim: Claim) -> None:
        """Give the job back as soon as PostgreSQL answers: its absence is no fault of a document."""
        for _ in range(_STORE_TRIES):
            await asyncio.sleep(_STORE_PAUSE_S)
            with suppress(StoreUnavailable):
                await self._rows.give_back(claim, "", again_in_s=0.0, count_try=False)
                return
        raise StoreUnavailable("PostgreSQL did not come back in time; the job goes on when it does.")

    async def _ingest(self, claim: Claim) -> bool:
        """Run the pipeline and write down how far it is; tell whether the job was cancelled."""
        board = _Board(self._rows, claim)
        reporting = asyncio.create_task(self._report(claim))
        working = asyncio.create_task(self._pipeline(claim, board))
        watching = asyncio.create_task(board.watch())
        try:
            await asyncio.wait((working, watching), return_when=asyncio.FIRST_COMPLETED)
            if not working.done():  # cancelled, or superseded
                await watching
                return True
            await working
            return False
        finally:
            board.ended.set()
            await _stop(working, reporting)
            await asyncio.gather(watching, return_exceptions=True)
            with suppress(Superseded, StoreUnavailable):  # what ended meanwhile is named also when the job broke off
                await board.flush()

    async def _pipeline(self, claim: Claim, board: "_Board") -> None:
        base = await self._base(claim)
        sources = [self._source(claim.tenant_id, source) for source in claim.remaining]
        await self._ingestion.reembed(claim.tenant_id, base, board.tell)
        if claim.alone or len(sources) == 1:
            board.alone, board.saved = True, await self._saved(claim)
            await self._ingestion.ingest_alone(claim.tenant_id, base, sources, board.tell, board.begin)
        elif sources:
            await self._ingestion.ingest(claim.tenant_id, base, sources, board.tell)

    async def _base(self, claim: Claim) -> KnowledgeBase:
        bases = await self._knowledge.knowledge_bases(claim.tenant_id)
        found = next((base for base in bases if base.kb_id == claim.job.kb_id), None)
        if found is None:
            raise Superseded("The knowledge base was removed.")
        return found

    async def _saved(self, claim: Claim) -> dict[str, int]:
        """Map what this job saved before its worker died, without getting to say so, to the number of its chunks."""
        documents = await self._knowledge.documents(claim.tenant_id, claim.job.kb_id)
        return {
            document.source: document.chunks for document in documents if document.updated_at > claim.job.created_at
        }

    def _source(self, tenant_id: int, source: JobSource) -> Source:
        if source.upload_id is None:
            return Source(source.name)
        return Source(source.name, open=partial(self._uploads.get, tenant_id, source.upload_id))

    async def _report(self, claim: Claim) -> None:
        """Show again and again how the job goes, where somebody waits for it."""
        if self._reporter is None or claim.job.target is None:
            return
        while True:
            await asyncio.sleep(_REPORT_S)
            with suppress(FrontdeskError):  # it is for information only; the next try may get through
                await self._tell(claim.tenant_id, await self._rows.job(claim.tenant_id, claim.job.number), final=False)

    async def _tell_end(self, tenant_id: int, number: int) -> None:
        """Say how the job ended. A worker that dies just before leaves it to the one its wake-up goes to next."""
        if self._reporter is None:
            return
        try:
            job = await self._rows.job(tenant_id, number)
        except NotFound:  # its knowledge base was removed, and the job with it
            return
        if job.target is not None and job.state in ENDED:
            await self._tell(tenant_id, job, final=True)
            if job.was_in_vain:  # last, as it takes the job along
                await self._rows.drop_base(tenant_id, number)

    async def _tell(self, tenant_id: int, job: Job, *, final: bool) -> None:
        if self._reporter is None:
            return
        outbox_id = await self._reporter.report(job, final)
        if final or outbox_id != job.outbox_id:
            await self._rows.name_delivery(tenant_id, job.number, outbox_id, told=final)


class _Board:
    """What the pipeline has said and is not written down yet."""

    def __init__(self, rows: IngestionRows, claim: Claim) -> None:
        self._rows = rows
        self._claim = claim
        self._results: list[SourceResult] = []
        self._activity = ""
        self._writing = asyncio.Lock()
        self.alone = False  # whether the activity names the one source that is being read
        self.saved: dict[str, int] = {}
        self.ended = asyncio.Event()

    def tell(self, step: Progress) -> None:
        """Hear from the pipeline."""
        if step.result is not None:
            self._results.append(self._indexed(step.result))
        if not self.alone:
            self._activity = embedding(step.embedding, step.part) if step.embedding else READING

    async def begin(self, name: str) -> None:
        """Write down the name of the source that is read alone now, so that it is known should this worker die."""
        self._activity = name
        await self.flush()

    async def watch(self) -> None:
        """Write the progress again and again until the job is cancelled or has ended; raises Superseded."""
        while not self.ended.is_set():
            with suppress(StoreUnavailable):  # the pipeline will say so where it lasts
                if await self.flush():
                    return
            with suppress(TimeoutError):
                async with asyncio.timeout(_TICK_S):
                    await self.ended.wait()

    async def flush(self) -> bool:
        """Write the progress down; tell whether the job was cancelled."""
        # Shielded: of a write that is broken off nobody knows whether it counts, and a result could be there twice.
        return await asyncio.shield(asyncio.create_task(self._write()))

    async def _write(self) -> bool:
        async with self._writing:
            results = tuple(self._results)
            cancelled = await self._rows.write(self._claim, results, self._activity)
            del self._results[: len(results)]
            return cancelled

    def _indexed(self, result: SourceResult) -> SourceResult:
        if result.outcome is Outcome.UNCHANGED and result.source in self.saved:
            return replace(result, outcome=Outcome.INDEXED, chunks=self.saved[result.source])
        return result


async def _stop(*tasks: "asyncio.Task[None]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class DeliveryReporter:
    """Show a job's progress by editing one message, and its end in its place or else in a message of its own."""

    def __init__(self, outbox: Outbox, channel: Callable[[Platform], Channel | None]) -> None:
        self._outbox = outbox
        self._channel = channel  # of a platform; None where this process cannot send to it

    async def report(self, job: Job, final: bool) -> int | None:
        """Show where JOB stands; return the id of the delivery that does, None where nothing shows it."""
        channel = self._channel(job.target.place.platform) if job.target else None
        if job.target is None or (channel is None and not final):
            return job.outbox_id
        if not final and channel is not None:
            return await self._show(channel, job, job.target)
        if job.outbox_id is not None and channel is not None and await self._close(channel, job, job.outbox_id):
            return job.outbox_id
        return await self._outbox.enqueue(job.target, Purpose.NOTICE, notice(job, summary(job, job.language)))

    async def _show(self, channel: Channel, job: Job, target: Target) -> int:
        if job.outbox_id is None:
            delivery = await self._outbox.open(target, Purpose.NOTICE)
        else:
            delivery = await self._outbox.reopen(target.tenant_id, job.outbox_id)
        posting = Posting(self._outbox, delivery, channel.doubt)
        with suppress(ChannelUnavailable, Rejected):  # the next edit may get through
            await channel.reply(posting).finish(notice(job, progress_text(job, job.language)))
        return delivery.outbox_id

    async def _close(self, channel: Channel, job: Job, outbox_id: int) -> bool:
        """Put the end of the job in place of its progress; tell whether the platform took it."""
        if job.target is None:
            return False
        delivery = await self._outbox.reopen(job.target.tenant_id, outbox_id)
        content = notice(job, summary(job, job.language))
        try:
            await channel.reply(Posting(self._outbox, delivery, channel.doubt)).finish(content)
        except (ChannelUnavailable, Rejected) as error:
            await self._outbox.settle(delivery, Settled.FAILED, str(error))
            return False
        await self._outbox.keep(delivery, content)
        await self._outbox.settle(delivery, Settled.SENT)
        return True


async def upload_files(
    uploads: Uploads, tenant_id: int, found: Sequence[Source], limit_bytes: int
) -> tuple[list[str], list[Attachment]]:
    """Store the bytes of the files among FOUND, so that a worker elsewhere can read them; return URLs and uploads.

    A file that is too large or cannot be opened becomes an attachment that was not taken.
    """
    urls = [source.name for source in found if source.path is None]
    return urls, [await _upload(uploads, tenant_id, source, limit_bytes) for source in found if source.path is not None]


async def _upload(uploads: Uploads, tenant_id: int, source: Source, limit_bytes: int) -> Attachment:
    path = source.path
    if path is None:
        raise ValueError(source.name)
    name = source.name.encode("utf-8", "replace").decode()
    if name != source.name:
        return Attachment(name, "", 0, reason="its name is not UTF-8; rename it")
    try:
        size = path.stat().st_size
        if size > limit_bytes:
            return Attachment(name, "", size, reason=too_large(size, limit_bytes))
        data = await asyncio.to_thread(path.read_bytes)
        upload_id = await uploads.put(tenant_id, name, "", data, limit_bytes=limit_bytes)
    except OSError as error:
        return Attachment(name, "", 0, reason=f"it cannot be opened: {error.strerror}")
    except TooLarge:  # it has grown meanwhile
        return Attachment(name, "", size, reason=too_large(size, limit_bytes))
    return Attachment(name, "", size, upload_id)
