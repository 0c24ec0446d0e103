"""What is next in a thread: which rows of the inbox end unanswered, and which are answered together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from core.domain import Message
from core.inbox import Ending, Entry, Kind, State

MOST_TOGETHER = 20
"""Messages in one batch."""

LONGEST_TOGETHER = 6_000
"""Characters of a batch of several messages; one message alone may be longer."""

_WRITTEN = (Kind.MESSAGE, Kind.EDIT)
_FIRST = (Kind.DELETE, Kind.STOP, Kind.TAKEOVER)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the inbox with what has interrupted it."""

    entry: Entry
    interrupted_by: Kind | None = None

    @property
    def begun(self) -> bool:
        """Tell whether a worker has begun it, so that something of an answer may stand there already."""
        return self.entry.state is not State.ENDED and self.entry.answered_by is not None


@dataclass(frozen=True, slots=True)
class End:
    """A row that ends without an answer of its own."""

    inbox_id: int
    ending: Ending
    answered_by: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do next in a thread."""

    ends: tuple[End, ...] = ()
    entries: tuple[Entry, ...] = ()  # the next batch, oldest first; empty where nothing waits
    message: Message | None = None  # theirs, joined; None where there are none


def plan(rows: Sequence[Row], revisions: Iterable[Entry] = ()) -> Plan:
    """Decide what is next, given the ROWS of a thread that have not ended.

    REVISIONS are the edits and deletions of their messages, ended ones too: one may come before its original does.
    """
    rows = sorted(rows, key=_age)
    ends = {end.inbox_id: end for end in overtaken([row.entry for row in rows], revisions)}
    for row in rows:
        if row.entry.inbox_id not in ends and (end := _cut_short(row, rows)) is not None:
            ends[end.inbox_id] = end
    entries = _next([row for row in rows if row.entry.inbox_id not in ends])
    return Plan(tuple(ends.values()), entries, joined(entries) if entries else None)


def overtaken(entries: Sequence[Entry], revisions: Iterable[Entry]) -> list[End]:
    """List which ENTRIES end because their message was deleted, or says something else now.

    An edit that is newer than the deletion undoes it, where the platform tells when that was.
    """
    newest: dict[str, Entry] = {}
    deleted: dict[str, Entry] = {}
    for entry in (*revisions, *entries):
        about = entry.incoming.message_id
        if entry.incoming.kind is Kind.DELETE:
            deleted[about] = max(deleted.get(about, entry), entry, key=_revision)
        elif entry.incoming.kind is Kind.EDIT and (about not in newest or _revision(entry) > _revision(newest[about])):
            newest[about] = entry
    ends = []
    for entry in entries:
        if entry.incoming.kind not in _WRITTEN:
            continue
        about = entry.incoming.message_id
        if about in deleted and not _undoes(entry, deleted[about]):
            ends.append(End(entry.inbox_id, Ending.DELETED, deleted[about].inbox_id))
        elif about in newest and _revision(newest[about]) > _revision(entry):
            ends.append(End(entry.inbox_id, Ending.EDITED, newest[about].inbox_id))
    return ends


def joined(entries: Sequence[Entry]) -> Message:
    """Join the messages of a batch into one: the first one's choices, everybody's words and files."""
    messages = [entry.incoming.message for entry in entries]
    cut = any(message.characters for message in messages)
    return replace(
        messages[0],
        text="\n".join(message.text for message in messages if message.text.strip()) or messages[0].text,
        attachments=tuple(attachment for message in messages for attachment in message.attachments),
        hidden=tuple(kind for message in messages for kind in message.hidden),
        characters=sum(max(len(message.text), message.characters) for message in messages if cut),
    )


def _age(row: Row) -> int:
    return row.entry.inbox_id


def _revision(entry: Entry) -> int:
    return entry.incoming.revision


def _undoes(entry: Entry, deletion: Entry) -> bool:
    """Tell whether ENTRY came about after the DELETION of its message; without a time, nothing does."""
    return 0 < _revision(deletion) < _revision(entry)


def _cut_short(row: Row, rows: Sequence[Row]) -> End | None:
    """End a waiting row that a later stop concerns.

    A row that was begun stays: its worker, or the next one, hears of it and brings what stands there to an end. After
    a takeover nothing ends here: what waits is passed on to the person.
    """
    entry = row.entry
    if row.begun or entry.incoming.kind not in _WRITTEN:
        return None
    for event in (other.entry for other in rows if other.entry.inbox_id > entry.inbox_id):
        if _stops(event, entry):
            return End(entry.inbox_id, Ending.STOPPED, event.inbox_id)
    if row.interrupted_by is Kind.STOP:
        return End(entry.inbox_id, Ending.STOPPED, entry.inbox_id)
    return None


def _stops(event: Entry, entry: Entry) -> bool:
    """Tell whether the later EVENT is a stop that concerns ENTRY: the message it names, or its author's own."""
    if event.incoming.kind is not Kind.STOP:
        return False
    if event.incoming.target:
        return event.incoming.target == entry.incoming.message_id
    return event.incoming.message.author.author_id == entry.incoming.message.author.author_id


def _next(rows: Sequence[Row]) -> tuple[Entry, ...]:
    """Choose the next batch: what was begun, then what asks for no answer, then the oldest with what joins it."""
    begun = [row.entry for row in rows if row.begun]
    if begun:
        lead = min(entry.answered_by or 0 for entry in begun)
        return tuple(entry for entry in begun if entry.answered_by == lead)
    entries = [row.entry for row in rows]
    quick = next((entry for entry in entries if entry.incoming.kind in _FIRST), None)
    if quick is not None:
        return (quick,)
    return _together(entries)


def _together(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """Take the oldest and what directly follows it of the same author and the same choices."""
    if not entries or not _joins(entries[0]):
        return tuple(entries[:1])
    batch, characters = [entries[0]], len(entries[0].incoming.message.text)
    for entry in entries[1:MOST_TOGETHER]:
        characters += 1 + len(entry.incoming.message.text)
        if not _joins(entry) or _choices(entry) != _choices(batch[0]) or characters > LONGEST_TOGETHER:
            break
        batch.append(entry)
    return tuple(batch)


def _joins(entry: Entry) -> bool:
    """Tell whether a row may share a batch: a command never does."""
    return entry.incoming.kind in _WRITTEN and not entry.incoming.message.text.lstrip().startswith("/")


def _choices(entry: Entry) -> tuple[object, ...]:
    message = entry.incoming.message
    return message.author.author_id, message.session_id, message.knowledge_bases, message.administrator
