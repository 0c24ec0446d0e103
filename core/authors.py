"""What is kept of one author: where they are answered, their tickets, and the end of all of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from core.domain import Author, DeliveryKey, Message, Ticket
from core.outbox import Target
from core.places import Place, Platform


@dataclass(frozen=True, slots=True)
class Erased:
    """How much of an author was erased."""

    turns: int = 0  # said by them, or answered to them
    messages: int = 0  # emptied in the inbox and the outbox
    files: int = 0
    ratings: int = 0
    tickets: int = 0  # that stay: they belong to those who answer them


class Authors(Protocol):
    """Look authors up by what they wrote, and erase it."""

    async def session_of(self, tenant_id: int, place: Place) -> UUID | None:
        """Return the current session of PLACE without beginning one."""

    async def tickets(self, tenant_id: int, platform: Platform, author_id: str) -> list[Ticket]:
        """List the open tickets of an author, the newest first."""

    async def said_by(self, tenant_id: int, session_id: UUID) -> Mapping[int, Author]:
        """Tell who said each turn of a session, as far as it is known; a name is mostly not."""

    async def target(self, tenant_id: int, delivery: DeliveryKey) -> Target | None:
        """Return where a delivery goes, without opening it."""

    async def asker(self, tenant_id: int, ticket_number: int) -> Target | None:
        """Return where to answer a ticket; None where its author can only be answered in the session."""

    async def reword(self, tenant_id: int, delivery: DeliveryKey, text: str) -> None:
        """Put TEXT in place of the words that DELIVERY answers, wherever they are kept."""

    async def erase(self, tenant_id: int, platform: Platform, author_id: str) -> Erased:
        """Erase what an author wrote and was answered, all over PLATFORM, besides the sessions they began.

        Exchanges in sessions that others began go too, and what is waiting or being answered stays until it ends.
        """


async def reply_target(authors: Authors, message: Message) -> Target:
    """Return where the author of MESSAGE is answered."""
    known = await authors.target(message.tenant_id, message.delivery) if message.delivery else None
    return known or Target(message.tenant_id, message.installation, message.place, message.author.author_id)
