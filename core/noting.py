"""What was shown of an answer, noted in the outbox now and then: where its worker dies, a stop still keeps it."""

import time
from collections.abc import Callable
from typing import Protocol

from core.citations import cite
from core.errors import FrontdeskError, Superseded
from core.outbox import Delivery
from core.ports import Reply

NOTE_EVERY_S = 1.0


class Notes(Protocol):
    """The part of the outbox that is used here."""

    async def note_partial(self, delivery: Delivery, text: str) -> None:
        """Keep what has been shown so far; raises Superseded."""


class NotingReply:
    """A Reply that notes what is written through it to another."""

    def __init__(
        self,
        reply: Reply,
        notes: Notes,
        delivery: Delivery,
        *,
        every_s: float = NOTE_EVERY_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reply = reply
        self._notes = notes
        self._delivery = delivery
        self._every_s = every_s
        self._clock = clock
        self._text = ""
        self._next_at = clock() + every_s  # most answers are whole before

    async def write(self, text: str) -> None:
        """Show the next piece of the answer; raises Superseded where another worker has taken it over."""
        self._text += text
        await self._reply.write(text)
        if self._clock() >= self._next_at:
            self._next_at = self._clock() + self._every_s
            await self._note()

    async def restart(self) -> None:
        """Take back everything written so far."""
        self._text = ""
        await self._reply.restart()

    async def _note(self) -> None:
        try:
            await self._notes.note_partial(self._delivery, self._text)
        except Superseded:
            raise
        except FrontdeskError:  # the answer goes on without the note
            pass


def noted_before(delivery: Delivery) -> str:
    """Return what a worker before had shown, without its marks: what they stood for is not known any more."""
    return cite(delivery.partial, ())[0]
