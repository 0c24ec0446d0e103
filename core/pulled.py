"""Answers that their readers come for: written as events beside the outbox, read by whoever asks, from any process.

The console and the HTTP channel read so. An event is written under its delivery's claim in the same database, so that
what a worker that was taken over still says is refused, and a final answer stands there once.
"""

import json
import re
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Protocol, TypeAlias

from core.domain import Answer, DeliveryKey
from core.errors import UsageError
from core.inbox import Ending, Entry, State
from core.outbox import Doubt, LiveReply, Posting, Target
from core.places import Platform

GATHER_S = 0.08  # pieces of an answer are written together, so that commits stay few
TICK_S = 1.0
_MOST_STEPS = 10
_NUMBER = re.compile(r"[0-9]{1,18}")
_HIGHEST = 2**31 - 1  # position that PostgreSQL has


class EventKind(StrEnum):
    """What an event says."""

    WORKING = "working"  # somebody is at it; not kept
    TEXT = "text"  # the next piece
    RESTART = "restart"  # forget the pieces so far
    ANSWER = "answer"  # the whole answer, in place of the pieces
    WITHDRAWN = "withdrawn"  # its question was taken back, and so was it
    ENDED = "ended"  # nothing will come of this event; not kept


FINAL = (EventKind.ANSWER, EventKind.WITHDRAWN, EventKind.ENDED)


@dataclass(frozen=True, slots=True)
class Event:
    """One piece of an answer."""

    inbox_id: int  # of the row whose answer it is
    position: int  # from 1; 0 where it is not kept
    kind: EventKind
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def event_id(self) -> str:
        """Name it, for a reader that comes back; empty where it is not kept."""
        return f"{self.inbox_id}.{self.position}" if self.position else ""


Pieces: TypeAlias = Sequence[tuple[EventKind, Mapping[str, Any]]]
"""Kinds and data of events that are written together."""


class Wake(Protocol):
    """Hear that there is something new."""

    async def wait(self, timeout_s: float) -> bool:
        """Wait until there may be; False where nothing was heard in time."""


class EventLog(Protocol):
    """Keep the events of answers."""

    async def append(self, delivery: DeliveryKey, tenant_id: int, inbox_id: int, events: Pieces) -> None:
        """Add events in their order; an answer equal to the last event is not added again. Raises Superseded.

        A RESTART and a WITHDRAWN take back everything before them: who reads later reads none of it.
        """

    async def since(self, tenant_id: int, inbox_id: int, after: int) -> list[Event]:
        """List the events of a row behind a position."""

    def watch(self, tenant_id: int, inbox_id: int) -> AbstractAsyncContextManager[Wake]:
        """Listen for new events of a row."""


class Rows(Protocol):
    """The part of the inbox that a reader needs."""

    async def entry(self, tenant_id: int, inbox_id: int) -> Entry:
        """Look a row up; raises NotFound."""


class PulledChannel:
    """A Channel whose readers come for what they want to know."""

    doubt = Doubt.KEYED  # write again: an answer that is there already is not added twice

    def __init__(self, platform: Platform, events: EventLog, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.platform = platform
        self._events = events
        self._clock = clock

    async def working(self, target: Target) -> None:
        """Do nothing: a reader sees it by the state of the row."""

    def reply(self, posting: Posting) -> LiveReply:
        """Open the writing end of a delivery."""
        return _PulledReply(posting, self._events, self._clock)

    async def withdraw(self, posting: Posting) -> None:
        """Tell readers that the answer was taken back."""
        await _append(self._events, posting, [(EventKind.WITHDRAWN, {})])
        if posting.message_id(0) is not None:
            await posting.forget(0)


class _PulledReply:
    """Write the pieces of an answer as events."""

    def __init__(self, posting: Posting, events: EventLog, clock: Callable[[], float]) -> None:
        self._posting = posting
        self._events = events
        self._clock = clock
        self._held = ""
        self._written_at = float("-inf")
        self._again = posting.delivery.claim > 1  # a worker before may have left pieces

    async def write(self, text: str) -> None:
        self._held += text
        if self._clock() - self._written_at >= GATHER_S:
            await self._flush()

    async def restart(self) -> None:
        self._held, self._again = "", True

    async def finish(self, answer: Answer) -> None:
        async def send(key: str) -> str:
            await _append(self._events, self._posting, [(EventKind.ANSWER, {**answer_data(answer), "message_id": key})])
            return key

        self._held = ""
        known = self._posting.message_id(0)
        await (send(known) if known is not None else self._posting.post(0, send))

    async def _flush(self) -> None:
        pieces: Pieces = [(EventKind.RESTART, {})] if self._again else []
        if self._held:
            pieces = [*pieces, (EventKind.TEXT, {"text": self._held})]
        self._held, self._again = "", False
        self._written_at = self._clock()
        await _append(self._events, self._posting, pieces)


async def _append(events: EventLog, posting: Posting, pieces: Pieces) -> None:
    """Write PIECES where somebody can read them; what answers no message is read from the outbox itself."""
    delivery = posting.delivery
    if pieces and delivery.inbox_id is not None:
        key = DeliveryKey(delivery.outbox_id, delivery.claim)
        await events.append(key, delivery.target.tenant_id, delivery.inbox_id, pieces)


def answer_data(answer: Answer) -> dict[str, Any]:
    """Turn an answer into JSON, its fields under their names."""
    data: dict[str, Any] = json.loads(json.dumps(asdict(answer), default=str))
    return data


async def follow(
    rows: Rows, events: EventLog, tenant_id: int, inbox_id: int, *, after: str = ""
) -> AsyncGenerator[Event | None, None]:
    """Read the events of the answer to a row of the inbox until the final one; None each second in which nothing comes.

    A row that is answered together with others has the events of the row that leads them. AFTER is the event_id of the
    last event that was read; where that was another row's, the events begin with a RESTART. Raises NotFound, and
    UsageError for an AFTER that is none.
    """
    read_id, position = parse_event_id(after)
    working = False
    while True:
        entry = await rows.entry(tenant_id, inbox_id)
        lead = await _lead(rows, tenant_id, entry)
        if read_id not in (0, lead.inbox_id):
            position = 0
            yield Event(lead.inbox_id, 0, EventKind.RESTART)
        read_id = lead.inbox_id
        if lead.state is State.ANSWERING and not working and not position:
            working = True
            yield Event(read_id, 0, EventKind.WORKING)
        async with events.watch(tenant_id, read_id) as wake:
            heard = True
            while heard:
                found = await events.since(tenant_id, read_id, position)
                for event in found:
                    position = event.position
                    yield event
                if found and found[-1].kind in FINAL:
                    return
                if not found and lead.state is State.ENDED:
                    yield _ended(entry, read_id)
                    return
                heard = await wake.wait(TICK_S)
        yield None


def _ended(entry: Entry, lead_id: int) -> Event:
    """Say how a row ended that has no answer; one that was deleted may have begun to have one."""
    kind = EventKind.WITHDRAWN if entry.ending is Ending.DELETED else EventKind.ENDED
    return Event(lead_id, 0, kind, {"ending": entry.ending, "reason": entry.reason})


async def _lead(rows: Rows, tenant_id: int, entry: Entry) -> Entry:
    """Find the row under which ENTRY is answered: an edit of it, one it waits together with, itself."""
    for _ in range(_MOST_STEPS):
        if entry.answered_by in (None, entry.inbox_id):
            break
        entry = await rows.entry(tenant_id, entry.answered_by)
    return entry


def parse_event_id(event_id: str) -> tuple[int, int]:
    """Take an event_id apart: the row and the position; zeros where it is empty. Raises UsageError."""
    if not event_id:
        return 0, 0
    inbox_id, _, position = event_id.partition(".")
    if not (_NUMBER.fullmatch(inbox_id) and _NUMBER.fullmatch(position) and int(position) <= _HIGHEST):
        raise UsageError("The id of the last event cannot be read; send it as it was received, or none.")
    return int(inbox_id), int(position)
