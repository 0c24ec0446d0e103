"""What comes in, as the inbox keeps it: stored before the platform is told so, answered once whatever dies meanwhile.

A row of the inbox is one event of a platform. Rows of one thread are answered in their order, those of one author that
wait together as one batch. docs/how-it-works.md tells the whole way.
"""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from core.domain import Message
from core.places import Place


class Kind(StrEnum):
    """What an event says."""

    MESSAGE = "message"  # somebody wrote; a command is a message too
    EDIT = "edit"  # the message says something else now
    DELETE = "delete"  # the message was taken back
    STOP = "stop"  # end the answer under way
    TAKEOVER = "takeover"  # a person goes on with this conversation
    FEEDBACK = "feedback"  # an answer was rated


INTERRUPTING = (Kind.EDIT, Kind.DELETE, Kind.STOP, Kind.TAKEOVER)
"""Kinds that do not wait behind the answer they concern."""


class State(StrEnum):
    """Where a row stands."""

    WAITING = "waiting"
    ANSWERING = "answering"
    ENDED = "ended"


class Ending(StrEnum):
    """How a row ended; every ended row names the row whose answer answered it."""

    ANSWERED = "answered"
    DONE = "done"  # it asked for no answer: a rating, a deletion, a stop
    EDITED = "edited"  # a newer revision of the same message was answered instead
    DELETED = "deleted"
    STOPPED = "stopped"  # with what had been written until then
    TAKEN_OVER = "taken over"  # a person answers
    FAILED = "failed"  # after MAX_TRIES: the author was told so and there is a ticket


MAX_TRIES = 3
"""How often a message is tried before it is given up, crashes of the worker included."""


@dataclass(frozen=True, slots=True)
class Thread:
    """Where order holds: one thread of one channel of one installation."""

    tenant_id: int
    installation: str  # the workspace, bot or app it came through
    place: Place

    @property
    def lock(self) -> str:
        """Name the lock under which this thread's messages are answered one after the other."""
        place = self.place
        return "\x1f".join((str(self.tenant_id), place.platform, self.installation, place.channel, place.thread))


@dataclass(frozen=True, slots=True)
class Incoming:
    """One event of a platform."""

    message: Message  # of an edit: the new text; of a deletion or a stop: no text
    installation: str
    event_id: str  # the platform's id of the delivery: the same again is the same event
    message_id: str  # the platform's id of the message; of a stop or a rating: of the event itself
    kind: Kind = Kind.MESSAGE
    revision: int = 0  # rises with every edit of a message; 0 is the message as it was first written
    target: str = ""  # the platform's id of the message this is about: the one to stop answering, the answer rated
    address: Mapping[str, Any] = field(default_factory=dict)  # JSON: what the channel needs to reply
    detail: Mapping[str, Any] = field(default_factory=dict)  # JSON: of a rating, rating and reason
    request_id: str = ""  # of the request that brought it; in every log line up to the reply

    @property
    def thread(self) -> Thread:
        """Name the thread it belongs to."""
        return Thread(self.message.tenant_id, self.installation, self.message.place)


@dataclass(frozen=True, slots=True)
class Accepted:
    """What the inbox says of an event it has stored."""

    inbox_id: int
    duplicate: bool = False  # it was there already; nothing was stored or enqueued


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the inbox."""

    inbox_id: int
    incoming: Incoming
    state: State
    received_at: datetime
    answered_by: int | None = None  # the row that leads its batch; set when work on it begins
    tries: int = 0
    ending: Ending | None = None
    reason: str = ""
    ticket_number: int | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows answered together: messages of one author that waited in a thread, or one other event."""

    lead: Entry  # the oldest; its id names the batch
    entries: tuple[Entry, ...]  # with the lead, oldest first
    message: Message  # what to answer: the newest text of each, joined
    tries: int  # with this one; over MAX_TRIES it is given up
    claim: int  # rises with every claim: of two workers on one batch, the older one's writes are refused

    @property
    def incoming(self) -> Incoming:
        """Return the lead's event."""
        return self.lead.incoming


class Inbox(Protocol):
    """Keep what comes in until it is answered."""

    async def accept(self, incoming: Incoming) -> Accepted:
        """Store INCOMING, mark what it interrupts and enqueue its thread, in one statement.

        Raises Overloaded where too much of the tenant's or the author's is waiting, StoreUnavailable when PostgreSQL
        does not answer: then nothing is stored, and the platform must hear so.
        """

    async def claim(self, thread: Thread) -> Batch | None:
        """Take what is next in THREAD, also what a dead worker left behind; None where nothing waits.

        To be called only by the one who holds the thread's lock. Rows that need no work (a message edited or deleted
        before it was answered) are ended on the way.
        """

    async def end(self, batch: Batch, ending: Ending, *, reason: str = "", ticket_number: int | None = None) -> None:
        """End the rows of BATCH; raises Superseded where another worker has claimed it since."""

    async def give_back(self, batch: Batch, *, count_try: bool) -> None:
        """Let BATCH wait again; a try that a stopping worker broke off is not counted."""

    async def entry(self, tenant_id: int, inbox_id: int) -> Entry:
        """Look a row up; raises NotFound."""

    async def find(self, thread: Thread, message_id: str) -> Entry | None:
        """Look up the row that a platform's message became; None where there is none."""


class Interruption(Protocol):
    """Hear what interrupts a batch while it is answered."""

    @property
    def kind(self) -> Kind | None:
        """Return what has interrupted it; None while nothing has."""

    async def wait(self) -> Kind:
        """Wait for the interruption."""


class Interruptions(Protocol):
    """Carry stops, edits, deletions and takeovers to the worker that is answering."""

    def watch(self, batch: Batch) -> AbstractAsyncContextManager[Interruption]:
        """Listen for what interrupts BATCH, whichever process accepts it; one that came before is heard too."""
