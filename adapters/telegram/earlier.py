"""What an event is beside what came before it: a part of an album, an edit that changes nothing, an idle stop.

Telegram delivers the files of an album one by one, each as a message, and tells nobody how many there will be. The
first is answered at once and the others are edits of it, so that one answer grows to be about all of them.
"""

from dataclasses import replace
from typing import Protocol

from adapters.telegram.taken import file_id_of
from core.accepting import Limits, clean_and_redact
from core.commands import parse
from core.inbox import Entry, Incoming, Kind, Thread

_LONGEST = Limits().longest_text


class Earlier(Protocol):
    """The part of the inbox that is read here."""

    async def find(self, thread: Thread, message_id: str) -> Entry | None:
        """Look up the newest revision of a platform's message; None where there is none."""

    async def is_answering(self, thread: Thread, author_id: str) -> bool:
        """Tell whether something of the author waits in THREAD or is being answered."""


async def after(earlier: Earlier, incoming: Incoming) -> Incoming | None:
    """Make of INCOMING what it is after what came before; None where it says nothing new. Raises StoreUnavailable."""
    if not (incoming.kind is Kind.EDIT or (incoming.kind is Kind.MESSAGE and "album" in incoming.detail)):
        return incoming
    found = await earlier.find(incoming.thread, incoming.message_id)
    if found is None or found.incoming.event_id == incoming.event_id:
        return incoming
    return _edited(incoming, found) if incoming.kind is Kind.EDIT else _added(incoming, found)


async def is_idle_stop(earlier: Earlier, incoming: Incoming) -> bool:
    """Tell whether somebody wrote that an answer is to stop, and there is none; a button that comes late says nothing.

    Raises StoreUnavailable.
    """
    if incoming.kind is not Kind.STOP or "reply_to" not in incoming.address:
        return False
    return not await earlier.is_answering(incoming.thread, incoming.message.author.author_id)


def _edited(incoming: Incoming, found: Entry) -> Incoming | None:
    """Take the files over, which an edit does not change; Telegram also calls edits what changes no word."""
    before = found.incoming.message
    if clean_and_redact(incoming.message.text, _LONGEST)[0] == before.text:
        return None
    return replace(incoming, message=replace(incoming.message, attachments=before.attachments))


def _added(incoming: Incoming, found: Entry) -> Incoming:
    """Add a part to its album; /kb is done once for each file, as what it began is not begun again.

    What it says is said once: a later part is answered only where its file is not taken.
    """
    before, message = found.incoming.message, incoming.message
    parsed = parse(before.text)
    if parsed is not None and parsed.name == "kb":
        own_id = str(incoming.address.get("reply_to"))
        follows = all(file_id_of(attachment) for attachment in message.attachments)
        return replace(
            incoming,
            message=replace(message, text=message.text or before.text),
            message_id=own_id,
            address={**incoming.address, "follows": follows},
        )
    said = "\n".join(text for text in (before.text, message.text) if text)
    files = (*before.attachments, *message.attachments)
    return replace(incoming, kind=Kind.EDIT, message=replace(message, text=said, attachments=files))
