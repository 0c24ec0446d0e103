"""How often a bot may write to one thread. learn.microsoft.com/microsoftteams/platform/bots/how-to/rate-limit"""

import math
from collections import defaultdict
from dataclasses import dataclass, field

from tests.platform.teams_state import Clock

SEND = ((7, 1.0), (8, 2.0), (60, 30.0), (1_800, 3_600.0))
MEMBERS = ((14, 1.0), (16, 2.0), (120, 30.0), (3_600, 3_600.0))


@dataclass(frozen=True)
class EarlyCall:
    """A call made before the time of Retry-After was over."""

    operation: str
    key: str
    early_s: float


@dataclass
class RateLimits:
    """Count calls by thread; SCALE shortens the windows."""

    clock: Clock
    scale: float = 1.0
    enabled: bool = True
    early_calls: list[EarlyCall] = field(default_factory=list)
    _calls: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    _closed_until: dict[tuple[str, str], float] = field(default_factory=dict)

    def wait_s(self, operation: str, key: str, table: tuple[tuple[int, float], ...] = SEND) -> int:
        """Count one call; return for how many seconds it is refused, 0 where it is not."""
        now, place = self.clock.now(), (operation, key)
        if (until := self._closed_until.get(place, 0.0)) > now:
            self.early_calls.append(EarlyCall(operation, key, until - now))
            return math.ceil(until - now)
        if not self.enabled:
            return 0
        calls = self._calls[place] = [at for at in self._calls[place] if at > now - table[-1][1] * self.scale]
        for limit, unscaled_s in table:
            window_s = unscaled_s * self.scale
            recent = [at for at in calls if at > now - window_s]
            if len(recent) >= limit:
                seconds = max(1, math.ceil(recent[-limit] + window_s - now))
                self.close(operation, key, seconds)
                return seconds
        calls.append(now)
        return 0

    def close(self, operation: str, key: str, seconds: float) -> None:
        """Refuse OPERATION for KEY until SECONDS have passed."""
        self._closed_until[operation, key] = self.clock.now() + seconds
