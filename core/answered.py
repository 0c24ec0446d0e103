"""Answers that were given already, to messages that are edited or deleted afterwards."""

from dataclasses import dataclass
from typing import Protocol

from core.inbox import Entry


@dataclass(frozen=True, slots=True)
class Given:
    """The answer a message got."""

    outbox_id: int
    inbox_id: int  # whose delivery it is
    others: tuple[Entry, ...] = ()  # what else it answers, the newest revision of each, oldest first
    ticket_number: int | None = None  # of the ticket it opened, while that is open and nobody has answered it


class GivenAnswers(Protocol):
    """Find answers by the messages they answer, and hand them on."""

    async def to(self, entry: Entry) -> Given | None:
        """Look up what answered the earlier revisions of ENTRY's message, or was begun to; None where nothing did.

        An answer that was handed on to ENTRY is found too, so that a second worker goes on as the first one did.
        """

    async def hand_on(self, entry: Entry, outbox_id: int) -> None:
        """Make a delivery that of ENTRY: what was sent stays, its content and its turns go; to be repeated."""
