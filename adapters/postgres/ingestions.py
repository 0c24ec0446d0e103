"""Background ingestions: a row each with its progress, and the job that wakes a worker, stored together."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import asyncpg
from pydantic import TypeAdapter

from adapters.postgres.database import Connection, Database
from core.documents import Outcome
from core.domain import Attachment
from core.errors import NotFound, Superseded
from core.ingestions import (
    CANNOT_FETCH,
    DIED_TWICE,
    ENDED,
    MAX_TRIES,
    Claim,
    Job,
    JobSource,
    JobState,
    SourceResult,
)
from core.outbox import Target

CANCELLED = "frontdesk_ingestions"
"""The channel on which a cancelled job is told as "<tenant_id>:<number>"."""

_TARGET = TypeAdapter(Target)
_EXTENSION = re.compile(r"(\.[^./\\]{1,10})?$")

_JOBS = """
select ingestion_id, kb_id, name as kb_name, state, sources, done, total, activity, results, reason, cancelled, tries,
    author_id, target, outbox_id, ingestions.created_at, ingestions.updated_at, ended_at
from ingestions join knowledge_bases using (kb_id)
"""

_START = """
insert into ingestions (tenant_id, kb_id, sources, results, done, total, author_id, target)
values ($1, $2, $3, $4, $5, $6, $7, $8)
returning ingestion_id
"""

_ENQUEUE = """
select procrastinate_defer_jobs_v1(array[row(
    'ingestions', 'ingest', 0, $1::text, null, $2::jsonb, now() + $3::interval
)::procrastinate_job_to_defer_v1])
"""

_REFRESHED = "select source, source ~* '^https?://' as is_url from documents where kb_id = $1 order by source"

# tries counts the claims, so it names the one that may write. Each result names the claim it was made under: what
# lies between the last of them and tries are claims without a source that ended. While a job runs, its reason names
# the source that its last worker was reading alone when it died.
_CLAIM = """
update ingestions set state = 'running', tries = tries + 1, reason = $2, activity = '', updated_at = now()
where ingestion_id = $1
"""

_WRITE = """
update ingestions set results = results || $3, done = done + $4, activity = $5, updated_at = now()
where ingestion_id = $1 and tries = $2 and state = 'running'
returning cancelled
"""

_END = """
update ingestions set state = $3, reason = $4, activity = '', ended_at = now(), updated_at = now()
where ingestion_id = $1 and tries = $2 and state = 'running'
returning sources
"""

_WAIT = """
update ingestions set state = 'waiting', reason = '', activity = $4, tries = tries - $3, updated_at = now()
where ingestion_id = $1 and tries = $2 and state = 'running'
returning kb_id
"""

_CANCEL = """
update ingestions set cancelled = true, updated_at = now(),
    state = case state when 'waiting' then 'cancelled' else state end,
    activity = case state when 'waiting' then '' else activity end,
    ended_at = case state when 'waiting' then now() end
where ingestion_id = $1 and state in ('waiting', 'running')
returning state, sources
"""

_BASE = """
select knowledge_bases.kb_id from knowledge_bases join ingestions using (kb_id) where ingestion_id = $1
for update of knowledge_bases
"""

# After _BASE, so that a job that was begun meanwhile is seen.
_DROP_BASE = """
delete from knowledge_bases where kb_id = $1
    and not exists (select from documents where kb_id = $1 and outcome = 'indexed')
    and not exists (select from ingestions where kb_id = $1 and ingestion_id <> $2)
returning kb_id
"""


class PostgresIngestions:
    """The ports IngestionJobs and IngestionRows on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def start(
        self,
        tenant_id: int,
        kb_name: str,
        sources: Sequence[str],
        attachments: Sequence[Attachment],
        *,
        author_id: str = "",
        target: Target | None = None,
    ) -> int:
        """Store a job over the URLs SOURCES and the uploaded ATTACHMENTS, enqueue it and return its number.

        An attachment that was not taken is listed with its reason. Raises NotFound for an unknown knowledge base.
        """
        urls = [JobSource(url) for url in dict.fromkeys(sources)]
        files, refused = _files(attachments)
        async with self._database.tenant(tenant_id) as connection:
            kb_id = await _kb_id(connection, kb_name)
            return await _store(connection, tenant_id, kb_id, [*urls, *files], refused, author_id, target)

    async def refresh(self, tenant_id: int, kb_name: str, *, author_id: str = "", target: Target | None = None) -> int:
        """Store a job that fetches every URL of a knowledge base again; raises NotFound."""
        async with self._database.tenant(tenant_id) as connection:
            kb_id = await _kb_id(connection, kb_name)
            rows = await connection.fetch(_REFRESHED, kb_id)
            urls = [JobSource(row["source"]) for row in rows if row["is_url"]]
            left = [SourceResult(row["source"], Outcome.UNCHANGED, CANNOT_FETCH) for row in rows if not row["is_url"]]
            return await _store(connection, tenant_id, kb_id, urls, left, author_id, target)

    async def job(self, tenant_id: int, number: int) -> Job:
        """Look a job up; raises NotFound."""
        async with self._database.tenant(tenant_id) as connection:
            row = await connection.fetchrow(f"{_JOBS} where ingestion_id = $1", number)
        if row is None:
            raise NotFound(f"There is no job {number}; `frontdesk jobs list` lists them.")
        return _job(row)

    async def jobs(self, tenant_id: int, limit: int = 20) -> list[Job]:
        """List the jobs, the newest first."""
        async with self._database.tenant(tenant_id) as connection:
            rows = await connection.fetch(f"{_JOBS} order by ingestion_id desc limit $1", limit)
        return [_job(row) for row in rows]

    async def cancel(self, tenant_id: int, number: int) -> Job:
        """Ask for a job's end, at once where it is still waiting; an ended one stays as it is. Raises NotFound."""
        async with self._database.tenant(tenant_id) as connection:
            row = await connection.fetchrow(_CANCEL, number)
            if row is not None:
                await connection.execute("select pg_notify($1, $2)", CANCELLED, f"{tenant_id}:{number}")
                if row["state"] == JobState.CANCELLED:
                    await _drop_uploads(connection, row["sources"])
        return await self.job(tenant_id, number)

    async def claim(self, tenant_id: int, number: int) -> Claim | None:
        """Take a job; None where it is not there, has ended or has just been given up."""
        async with self._database.tenant(tenant_id) as connection:
            row = await connection.fetchrow(f"{_JOBS} where ingestion_id = $1 for update of ingestions", number)
            if row is None or JobState(row["state"]) in ENDED:
                return None
            died = row["state"] == JobState.RUNNING
            remaining = _remaining(row)
            suspect = row["activity"] if died and row["activity"] in {source.name for source in remaining} else ""
            await connection.execute(_CLAIM, number, suspect)
            claim = Claim(tenant_id, _job(row), row["tries"] + 1, remaining, alone=died or _fruitless(row) > 0)
            if suspect and suspect == row["reason"]:
                await _write(connection, claim, [SourceResult(suspect, Outcome.REFUSED, DIED_TWICE)], "")
            elif _fruitless(row) >= MAX_TRIES:
                await _end(connection, claim, JobState.FAILED, f"Its worker died {MAX_TRIES} times; start it again.")
                return None
            row = await connection.fetchrow(f"{_JOBS} where ingestion_id = $1", number)
        return Claim(tenant_id, _job(row), row["tries"], _remaining(row), claim.alone)

    async def write(self, claim: Claim, results: Sequence[SourceResult], activity: str) -> bool:
        """Add RESULTS and say what is under way; tell whether the job was cancelled."""
        async with self._database.tenant(claim.tenant_id) as connection:
            # A progress that a crash of the server takes back is no harm, and no worker waits for the disk.
            await connection.execute("set local synchronous_commit = off")
            return await _write(connection, claim, results, activity)

    async def end(self, claim: Claim, state: JobState, reason: str = "") -> None:
        """End the job and drop its uploads."""
        async with self._database.tenant(claim.tenant_id) as connection:
            await _end(connection, claim, state, reason)

    async def give_back(self, claim: Claim, reason: str, *, again_in_s: float, count_try: bool) -> bool:
        """Let the job wait and enqueue it again; False where it was its last try, which fails it with REASON."""
        number = claim.job.number
        async with self._database.tenant(claim.tenant_id) as connection:
            row = await connection.fetchrow("select tries, results from ingestions where ingestion_id = $1", number)
            if count_try and row is not None and _fruitless(row) >= MAX_TRIES:
                await _end(connection, claim, JobState.FAILED, reason)
                return False
            kb_id = await connection.fetchval(_WAIT, number, claim.number, 0 if count_try else 1, reason)
            if kb_id is None:
                raise _superseded()
            await _enqueue(connection, claim.tenant_id, kb_id, number, again_in_s)
        return True

    async def name_delivery(self, tenant_id: int, number: int, outbox_id: int | None, *, told: bool) -> None:
        """Remember the delivery that tells how the job goes; once its end was TOLD, nobody waits for it any more."""
        async with self._database.tenant(tenant_id) as connection:
            await connection.execute(
                "update ingestions set outbox_id = $2, target = case when $3 then null else target end "
                "where ingestion_id = $1",
                number,
                outbox_id,
                told,
            )

    async def drop_base(self, tenant_id: int, number: int) -> bool:
        """Remove the job's knowledge base, and the job with it, where nothing can be found there and no other job is.

        Tells whether it did.
        """
        async with self._database.tenant(tenant_id) as connection:
            kb_id = await connection.fetchval(_BASE, number)
            return kb_id is not None and await connection.fetchval(_DROP_BASE, kb_id, number) is not None


async def _kb_id(connection: Connection, name: str) -> int:
    kb_id: int | None = await connection.fetchval("select kb_id from knowledge_bases where name = $1", name)
    if kb_id is None:
        raise NotFound(f"There is no knowledge base {name!r}; `frontdesk kb list` lists them.")
    return kb_id


async def _store(
    connection: Connection,
    tenant_id: int,
    kb_id: int,
    sources: Sequence[JobSource],
    ended: Sequence[SourceResult],
    author_id: str,
    target: Target | None,
) -> int:
    number: int = await connection.fetchval(
        _START,
        tenant_id,
        kb_id,
        [asdict(source) for source in sources],
        _as_json(ended, 0),
        len(ended),
        len(sources) + len(ended),
        author_id,
        _TARGET.dump_python(target, mode="json") if target else None,
    )
    await _enqueue(connection, tenant_id, kb_id, number, 0.0)
    return number


async def _enqueue(connection: Connection, tenant_id: int, kb_id: int, number: int, in_s: float) -> None:
    args = {"tenant_id": tenant_id, "ingestion_id": number}
    await connection.execute(_ENQUEUE, f"kb:{tenant_id}:{kb_id}", args, timedelta(seconds=in_s))


async def _write(connection: Connection, claim: Claim, results: Sequence[SourceResult], activity: str) -> bool:
    cancelled: bool | None = await connection.fetchval(
        _WRITE, claim.job.number, claim.number, _as_json(results, claim.number), len(results), activity
    )
    if cancelled is None:
        raise _superseded()
    return cancelled


async def _end(connection: Connection, claim: Claim, state: JobState, reason: str) -> None:
    row = await connection.fetchrow(_END, claim.job.number, claim.number, state.value, reason)
    if row is None:
        raise _superseded()
    await _drop_uploads(connection, row["sources"])


async def _drop_uploads(connection: Connection, sources: Iterable[dict[str, Any]]) -> None:
    upload_ids = [source["upload_id"] for source in sources if source["upload_id"] is not None]
    await connection.execute("delete from uploads where upload_id = any($1::bigint[])", upload_ids)


def _superseded() -> Superseded:
    return Superseded("Another worker has taken this job over, or its knowledge base was removed.")


def _files(attachments: Sequence[Attachment]) -> tuple[list[JobSource], list[SourceResult]]:
    """Tell uploads from what was not taken; of two files of one name, the second gets a number."""
    seen: Counter[str] = Counter()
    files, refused = [], []
    for attachment in attachments:
        seen[attachment.name] += 1
        name = _numbered(attachment.name, seen[attachment.name])
        if attachment.upload_id is None:
            refused.append(SourceResult(name, Outcome.REFUSED, attachment.reason or "it was not taken"))
        else:
            files.append(JobSource(name, attachment.upload_id, attachment.media_type))
    return files, refused


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else _EXTENSION.sub(lambda match: f" ({number}){match[0]}", name, count=1)


def _as_json(results: Iterable[SourceResult], claim: int) -> list[dict[str, Any]]:
    return [{**asdict(result), "claim": claim} for result in results]


def _fruitless(row: asyncpg.Record) -> int:
    """Count the claims since a source last ended."""
    return int(row["tries"]) - max((result["claim"] for result in row["results"]), default=0)


def _remaining(row: asyncpg.Record) -> tuple[JobSource, ...]:
    ended = {result["source"] for result in row["results"]}
    return tuple(JobSource(**source) for source in row["sources"] if source["name"] not in ended)


def _job(row: asyncpg.Record) -> Job:
    state = JobState(row["state"])
    return Job(
        number=row["ingestion_id"],
        kb_id=row["kb_id"],
        kb_name=row["kb_name"],
        state=state,
        done=row["done"],
        total=row["total"],
        activity=row["activity"],
        results=tuple(
            SourceResult(result["source"], Outcome(result["outcome"]), result["reason"], result["chunks"])
            for result in row["results"]
        ),
        reason=row["reason"] if state in ENDED else "",
        cancelled=row["cancelled"],
        author_id=row["author_id"],
        target=_TARGET.validate_python(row["target"]) if row["target"] else None,
        outbox_id=row["outbox_id"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        ended_at=row["ended_at"],
    )
