"""The fixed sentences people read."""

EXTRACTIVE = "No language model is configured: these are quotations from the documents."
LEXICAL_ONLY = "The embedding model did not answer: only documents that share words with the question were found."
NO_WEIGHTS = "No embedder is installed: only documents that share words with the question are found."
NOBODY = "There is nobody here I could hand this to; please ask the way you did before Frontdesk."
REASON_ASKED = "The author asked for a person."
REASON_NOTHING_FOUND = "The documents hold no answer."

_NOTHING_FOUND = "I found nothing about this in the documents I may read here."


def nothing_found(ticket_number: int | None, *, offer: bool) -> str:
    """Say that there is no answer, and what happens next."""
    if ticket_number is not None:
        return f"{_NOTHING_FOUND} I opened ticket {ticket_number}; a person will answer here."
    if offer:
        return f"{_NOTHING_FOUND} Would you like a person to look at it? Write: human"
    return _NOTHING_FOUND


def handed_over(ticket_number: int) -> str:
    """Say that a person will answer."""
    return f"I opened ticket {ticket_number}; a person will answer here."
