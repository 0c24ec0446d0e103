"""What is said of a background ingestion, in the language of whoever started it."""

from core import command_words as words
from core.attached import file_name
from core.documents import Outcome
from core.domain import Answer, Origin
from core.ingestions import Job, JobState, SourceResult
from core.reasons import retell
from core.wording import say

READING = "reading"
"""What a job is at while it reads, as it is stored."""

_LISTED = 40  # results that a summary names, those that were not indexed first
_EMBEDDING = "embedding "
_STATES = {
    JobState.WAITING: words.JOB_WAITING,
    JobState.RUNNING: words.JOB_RUNNING,
    JobState.DONE: words.JOB_DONE,
    JobState.FAILED: words.JOB_FAILED,
    JobState.CANCELLED: words.JOB_IS_CANCELLED,
}
_OUTCOMES = {
    Outcome.INDEXED: words.INDEXED,
    Outcome.UNCHANGED: words.UNCHANGED,
    Outcome.NO_TEXT: words.NO_TEXT,
    Outcome.REFUSED: words.REFUSED,
}


def embedding(source: str, part: float) -> str:
    """Write down, as it is stored, that PART of SOURCE is embedded, from 0 to 1."""
    return f"{_EMBEDDING}{source} {part:.0%}"


def state_text(state: JobState, language: str = "en") -> str:
    """Name a state."""
    return say(_STATES[state], language)


def progress_text(job: Job, language: str = "en") -> str:
    """Say in a line how far a job is."""
    far: dict[str, str | int] = {"name": job.kb_name, "done": job.done, "total": job.total}
    if not job.activity:
        return say(words.JOB_ADDING, language, **far)
    return say(words.JOB_ADDING_NOW, language, **far, activity=_activity(job.activity, language))


def _activity(activity: str, language: str) -> str:
    if activity == READING:
        return say(words.READING, language)
    if activity.startswith(_EMBEDDING):
        source, _, part = activity.removeprefix(_EMBEDDING).rpartition(" ")
        return say(words.EMBEDDING, language, source=source, part=part)
    return activity  # the source that is read alone, or what the job waits for


def summary(job: Job, language: str = "en") -> str:
    """Say how a job ended and how each of its sources did."""
    state, figures = state_text(job.state, language), _figures(job, language)
    lines = [say(words.JOB_ENDED, language, number=job.number, name=job.kb_name, state=state, figures=figures)]
    if job.reason:
        lines.append(retell(job.reason, language))
    if left := job.total - len(job.results):
        lines.append(say(words.JOB_LEFT, language, left=left, total=job.total))
    if job.was_in_vain:
        lines.append(say(words.KB_NOT_KEPT, language, name=job.kb_name))
    ordered = sorted(job.results, key=lambda result: result.outcome in (Outcome.INDEXED, Outcome.UNCHANGED))
    lines += [f"- {_line(result, language)}" for result in ordered[:_LISTED]]
    if len(ordered) > _LISTED:
        lines.append(f"- {say(words.AND_MORE, language, count=len(ordered) - _LISTED)}")
    return "\n".join(lines)


def _figures(job: Job, language: str) -> str:
    counts = [(outcome, sum(result.outcome is outcome for result in job.results)) for outcome in Outcome]
    counted = [
        say(words.COUNTED, language, count=count, outcome=say(_OUTCOMES[outcome], language))
        for outcome, count in counts
        if count
    ]
    return ", ".join(counted) or say(words.NOTHING_READ, language)


def _line(result: SourceResult, language: str) -> str:
    shown = result.source if "://" in result.source else file_name(result.source)
    return outcome_text(result.outcome, shown, result.reason, language)


def outcome_text(outcome: Outcome, source: str, reason: str, language: str = "en") -> str:
    """Say how SOURCE ended; SOURCE and REASON may be empty."""
    said = say(_OUTCOMES[outcome], language)
    for more in (source, retell(reason, language)):
        said = say(words.MORE, language, what=said, more=more) if more else said
    return said


def notice(job: Job, text: str) -> Answer:
    """Make what a delivery holds of TEXT about JOB, for whoever started it: so was the answer to their command."""
    return Answer(text, Origin.COMMAND, None, job=job.number, language=job.language, private=True)
