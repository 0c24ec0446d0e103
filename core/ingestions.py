"""Ingestion in the background: a job is a row with its progress; any worker may do it, and another may finish it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from core.documents import Outcome
from core.domain import Attachment
from core.outbox import Target

MAX_TRIES = 3
"""How often a job is tried without one source ending in between before it is given up."""

CANNOT_FETCH = "it came as a file and cannot be fetched again; add it again where it has changed"
NOT_KEPT = "its bytes are no longer kept; send it again"
DIED_TWICE = "the process that read it died twice while reading it alone; split it or save it in a simpler form"

_TOLD = "ingestion"  # in the address of a job's target: what only whoever tells of the job needs


class JobState(StrEnum):
    """Where a job stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED = (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


@dataclass(frozen=True, slots=True)
class SourceResult:
    """How one source ended."""

    source: str
    outcome: Outcome
    reason: str = ""
    chunks: int = 0


@dataclass(frozen=True, slots=True)
class JobSource:
    """One source of a job: a URL, or a file whose bytes lie in the store of uploads."""

    name: str
    upload_id: int | None = None
    media_type: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """One ingestion in the background."""

    number: int
    kb_id: int
    kb_name: str
    state: JobState
    done: int  # sources that have ended
    total: int
    activity: str  # what is under way, for people
    results: tuple[SourceResult, ...]
    reason: str  # why it failed
    cancelled: bool  # whether somebody asked for its end
    author_id: str
    target: Target | None  # where to tell how it goes; None: nobody waits for it, or not any more
    outbox_id: int | None  # the delivery that tells it
    created_at: datetime
    updated_at: datetime
    ended_at: datetime | None

    @property
    def language(self) -> str:
        """Name the language to tell of it in."""
        return str(self._told.get("language") or "en")

    @property
    def was_in_vain(self) -> bool:
        """Tell whether it has ended with nothing in the knowledge base that was made for it."""
        kept = any(result.outcome in (Outcome.INDEXED, Outcome.UNCHANGED) for result in self.results)
        return self.state in ENDED and bool(self._told.get("new_base")) and not kept

    @property
    def _told(self) -> Mapping[str, Any]:
        held = self.target.address.get(_TOLD) if self.target else None
        return held if isinstance(held, Mapping) else {}


def job_target(target: Target, language: str, *, new_base: bool = False) -> Target:
    """Keep with TARGET in which LANGUAGE to tell of a job, and whether its knowledge base is NEW_BASE, made for it."""
    return replace(target, address={**target.address, _TOLD: {"language": language, "new_base": new_base}})


@dataclass(frozen=True, slots=True)
class Claim:
    """A job as one worker has taken it."""

    tenant_id: int
    job: Job
    number: int  # rises with every claim: writes of an older one are refused
    remaining: tuple[JobSource, ...]
    alone: bool  # the worker before died: go source by source, so that it shows which one it is


class IngestionJobs(Protocol):
    """Make background ingestions, look at them and end them."""

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

    async def refresh(self, tenant_id: int, kb_name: str, *, author_id: str = "", target: Target | None = None) -> int:
        """Store a job that fetches every URL of a knowledge base again; raises NotFound."""

    async def job(self, tenant_id: int, number: int) -> Job:
        """Look a job up; raises NotFound."""

    async def jobs(self, tenant_id: int, limit: int = 20) -> list[Job]:
        """List the jobs, the newest first."""

    async def cancel(self, tenant_id: int, number: int) -> Job:
        """Ask for a job's end, at once where it is still waiting; an ended one stays as it is. Raises NotFound."""


class IngestionRows(Protocol):
    """What the worker of a job reads and writes. A write after another worker's claim raises Superseded."""

    async def claim(self, tenant_id: int, number: int) -> Claim | None:
        """Take a job; None where it is not there, has ended or has just been given up."""

    async def job(self, tenant_id: int, number: int) -> Job:
        """Look a job up; raises NotFound."""

    async def write(self, claim: Claim, results: Sequence[SourceResult], activity: str) -> bool:
        """Add RESULTS and say what is under way; tell whether the job was cancelled."""

    async def end(self, claim: Claim, state: JobState, reason: str = "") -> None:
        """End the job and drop its uploads."""

    async def give_back(self, claim: Claim, reason: str, *, again_in_s: float, count_try: bool) -> bool:
        """Let the job wait and enqueue it again; False where it was its last try, which fails it with REASON."""

    async def name_delivery(self, tenant_id: int, number: int, outbox_id: int | None, *, told: bool) -> None:
        """Remember the delivery that tells how the job goes; once its end was TOLD, nobody waits for it any more."""

    async def drop_base(self, tenant_id: int, number: int) -> bool:
        """Remove the job's knowledge base, and the job with it, where nothing can be found there and no other job is.

        Tells whether it did.
        """


class ProgressReporter(Protocol):
    """Tell whoever waits for a job how it goes."""

    async def report(self, job: Job, final: bool) -> int | None:
        """Show where JOB stands, its end when FINAL; return the id of the delivery that does, None without one."""
