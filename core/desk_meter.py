"""What is counted and timed of a batch on its way."""

from datetime import UTC, datetime

from core.domain import Answer, Origin
from core.inbox import Batch, Kind
from core.meter import Counted, Meter, Timed


def count(meter: Meter, what: Counted, batch: Batch, **labels: str) -> None:
    """Count WHAT happened to BATCH."""
    message = batch.message
    meter.count(what, 1, platform=message.place.platform.value, tenant=str(message.tenant_id), **labels)


def note_claim(meter: Meter, batch: Batch) -> None:
    """Time how long a batch waited, or count that it is tried again."""
    if batch.tries > 1:
        count(meter, Counted.RETRIES, batch)
    else:
        meter.time(Timed.WAITED, _age_s(batch), platform=batch.message.place.platform.value)


def note_answer(meter: Meter, batch: Batch, answer: Answer) -> None:
    """Count an answer that was sent, and time the way to it."""
    count(meter, Counted.ANSWERED, batch, origin=answer.origin.value)
    if answer.ticket_number is not None:
        count(meter, Counted.TICKETS, batch)
    if answer.origin is Origin.STOPPED:
        count(meter, Counted.INTERRUPTED, batch, kind=Kind.STOP.value)
    meter.time(Timed.ANSWERED, _age_s(batch), platform=batch.message.place.platform.value)
    for step, seconds in answer.steps.items():
        meter.time(Timed.STEP, seconds, step=step)
    if answer.model and "answer" in answer.steps:
        meter.time(Timed.MODEL, answer.steps["answer"], model=answer.model)


def _age_s(batch: Batch) -> float:
    """Tell how long ago BATCH came in; the clocks of PostgreSQL and of this machine may differ."""
    return max(0.0, (datetime.now(UTC) - batch.lead.received_at).total_seconds())
