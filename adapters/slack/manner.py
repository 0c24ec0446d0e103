"""How a workspace's answers are shown: what it was found to lack, and who hears of what."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from adapters.slack.api import Refusal
from core.domain import Answer
from core.outbox import Delivery, Target

_LACKING_S = 600.0

# What will not be different at the next answer: the workspace or the app does not have it.
_LACKING = {
    "access_denied",
    "feature_disabled",
    "method_not_supported_for_channel_type",
    "missing_scope",
    "not_allowed_token_type",
    "restricted_action",
    "unknown_method",
}


@dataclass
class Abilities:
    """What workspaces were found not to have, for a while."""

    clock: Callable[[], float] = time.monotonic
    _until: dict[tuple[str, str], float] = field(default_factory=dict)

    def lacks(self, team_id: str, what: str) -> bool:
        """Tell whether a workspace does not have WHAT."""
        return self._until.get((team_id, what), 0.0) > self.clock()

    def learn(self, team_id: str, what: str, refusal: Refusal) -> None:
        """Note what a refusal says of a workspace."""
        if refusal.code in _LACKING:
            self._until = {key: until for key, until in self._until.items() if until > self.clock()}
            self._until[team_id, what] = self.clock() + _LACKING_S


@dataclass(frozen=True)
class Manner:
    """How answers are shown."""

    abilities: Abilities
    clock: Callable[[], float] = time.monotonic
    offers_person: bool = True
    on_stop: Callable[[Target], Awaitable[None]] | None = None  # the person has pressed Slack's stop button
    entitle: Callable[[Target, Answer], Awaitable[None]] | None = None  # give an answered session its title
    question_of: Callable[[Delivery], Awaitable[str]] | None = None  # what a delivery answers, in its author's words
    asker_of: Callable[[int, int], Awaitable[Target | None]] | None = None  # of a tenant's ticket, by its number
    now: Callable[[], float] = time.time  # in seconds since 1970
