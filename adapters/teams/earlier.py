"""What was sent before for the same message, where something that comes later changes it."""

from dataclasses import dataclass
from typing import Protocol

from core.inbox import Entry, State, Thread
from core.outbox import Delivery, Target


class Entries(Protocol):
    """The part of the inbox that is used here."""

    async def find(self, thread: Thread, message_id: str) -> Entry | None:
        """Look up the row that a platform's message became; None where there is none."""


class Deliveries(Protocol):
    """The part of the outbox that is used here."""

    async def of_entry(self, tenant_id: int, inbox_id: int) -> Delivery | None:
        """Look up the delivery that answered a row of the inbox, without opening it."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """The answer that was given to a message, and whether work on it has ended."""

    delivery: Delivery
    is_over: bool


class EarlierAnswers:
    """Look answers up by where they went."""

    def __init__(self, entries: Entries, deliveries: Deliveries) -> None:
        self._entries = entries
        self._deliveries = deliveries

    async def to(self, target: Target) -> Earlier | None:
        """Find the answer to the message that TARGET names; None where there is none. Raises StoreUnavailable."""
        if not target.message_id:
            return None
        thread = Thread(target.tenant_id, target.installation, target.place)
        entry = await self._entries.find(thread, target.message_id)
        delivery = await self._deliveries.of_entry(target.tenant_id, entry.inbox_id) if entry else None
        return Earlier(delivery, entry.state is State.ENDED) if entry and delivery else None
