"""When a question goes to a person."""

import re
from enum import StrEnum

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


def wants_person(text: str) -> bool:
    """Tell whether the whole message asks for a person."""
    return len(text) <= 100 and _WISH.match(text) is not None
