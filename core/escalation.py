"""When a question goes to a person."""

import re
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from core.domain import DeliveryKey, Ticket
from core.ports import TicketStore

# The whole message, in the languages of the fixed sentences; a question that mentions people is not a wish for one.
_WISH = re.compile(
    r"^\W*(?:(?:please|can i|could i|may i|i(?:'d| would) like to|i want to|i need to|let me)\s+)*"
    r"(?:(?:talk|speak|chat)\s+(?:to|with)\s+|i\s+(?:need|want)\s+|get\s+me\s+|connect\s+me\s+(?:to|with)\s+)?"
    r"(?:a\s+|an\s+|the\s+|some\s+|to\s+)*(?:real\s+|live\s+|actual\s+)?"
    r"(?:human|person|agent|someone|somebody|human being|operator|colleague)(?:\s+please)?\W*$"
    r"|^\W*(?:ich\s+(?:brauche|m\u00f6chte|will)\s+(?:mit\s+)?)?(?:eine[nmr]?\s+)?(?:mensch(?:en)?|person|mitarbeiter(?:in)?)"
    r"(?:\s+sprechen)?(?:\s+bitte)?\W*$"
    r"|^\W*(?:je\s+(?:veux|voudrais|souhaite)\s+)?(?:parler\s+\u00e0\s+)?(?:une?\s+)?(?:humain|personne|conseiller)\W*$"
    r"|^\W*(?:quiero|necesito)?\s*(?:hablar\s+con\s+)?(?:una?\s+)?(?:humano|persona|agente)\W*$",
    re.IGNORECASE,
)


class TicketPolicy(StrEnum):
    """What happens when the documents hold no answer."""

    OPEN = "open"  # a ticket is opened at once
    OFFER = "offer"  # a person is offered; the author decides
    OFF = "off"  # there is nobody to hand it to


class Tickets(TicketStore, Protocol):
    """Open tickets for deliveries, once each, and pass on what is said while a person answers."""

    async def open(
        self,
        tenant_id: int,
        session_id: UUID,
        question: str,
        transcript: str,
        reason: str,
        *,
        delivery: DeliveryKey | None = None,
    ) -> Ticket:
        """Open a ticket that remembers where DELIVERY goes, so that a person's answer finds its way.

        The same question still open in the same session keeps its ticket, and so does a delivery that has one: where
        it asks something else now, the open ticket does too.
        """

    async def note(
        self, tenant_id: int, session_id: UUID, text: str, *, delivery: DeliveryKey | None = None
    ) -> int | None:
        """Add an author's words to the session and to its newest ticket that is not closed, once for each delivery.

        Returns the ticket's number, None where there is none. Raises Superseded where another worker has opened the
        delivery since.
        """


def wants_person(text: str) -> bool:
    """Tell whether the whole message asks for a person."""
    return len(text) <= 100 and _WISH.match(text) is not None
