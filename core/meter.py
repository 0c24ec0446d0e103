"""What is counted and timed, for those who watch from outside."""

from enum import StrEnum
from typing import Protocol


class Counted(StrEnum):
    """What is counted."""

    ACCEPTED = "accepted"  # events stored; labels platform, tenant, kind
    DUPLICATES = "duplicates"  # events that were there already; platform, tenant
    REFUSED = "refused"  # events not stored; platform, tenant, reason: overloaded, unavailable, forged, unreadable
    ANSWERED = "answered"  # platform, tenant, origin
    RETRIES = "retries"  # batches tried again; platform, tenant
    DEAD_LETTERS = "dead_letters"  # batches given up; platform, tenant
    TICKETS = "tickets"  # platform, tenant
    DOUBTS = "doubts"  # posts whose acceptance was not known; platform, tenant
    INTERRUPTED = "interrupted"  # answers interrupted; platform, tenant, kind
    RESCUED = "rescued"  # jobs of dead workers taken over


class Timed(StrEnum):
    """What is timed, in seconds."""

    ACKNOWLEDGED = "acknowledged"  # from the request to its 2xx; platform
    WAITED = "waited"  # from the inbox row to the claim; platform
    ANSWERED = "answered"  # from the inbox row to the settled delivery; platform
    STEP = "step"  # of the engine; step
    MODEL = "model"  # the answer step where a language model wrote it; model
    SEND = "send"  # one call of a platform's API; platform


class Meter(Protocol):
    """Count and time; nothing here raises or waits."""

    def count(self, what: Counted, by: int = 1, **labels: str) -> None:
        """Add BY to a counter."""

    def time(self, what: Timed, seconds: float, **labels: str) -> None:
        """Add one observation."""


class Unmetered:
    """A Meter for whoever watches nothing."""

    def count(self, what: Counted, by: int = 1, **labels: str) -> None:
        """Count nothing."""

    def time(self, what: Timed, seconds: float, **labels: str) -> None:
        """Time nothing."""
