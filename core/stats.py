"""What was asked and answered in the last days, for administrators."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A question the documents had no answer to."""

    question: str
    count: int


@dataclass(frozen=True, slots=True)
class Stats:
    """Figures of a tenant over its last days."""

    days: int
    accepted: int  # messages that came in
    authors: int  # who wrote them
    waiting: int  # not answered yet, now
    answered: Mapping[str, int] = field(default_factory=dict)  # by origin; edits answered again count again
    unresolved: int = 0  # answers that said nothing was found
    tickets_opened: int = 0
    tickets_open: int = 0  # now
    liked: int = 0  # answers rated well
    disliked: int = 0
    unanswered: tuple[Unanswered, ...] = ()  # the most frequent first


class StatsStore(Protocol):
    """Count."""

    async def stats(self, tenant_id: int, days: int, top: int = 10) -> Stats:
        """Count what happened in the last DAYS days, with the TOP unanswered questions."""
