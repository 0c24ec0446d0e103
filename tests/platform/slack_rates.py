"""How often each method may be called. docs.slack.dev/apis/web-api/rate-limits"""

import math
from dataclasses import dataclass, field

from tests.platform.slack_state import Clock

T1, T2, T3, T4 = 1, 20, 50, 100  # calls a minute
SPECIAL = 600
BURST = 10  # calls above the first tier's one a minute that are still tolerated
POST_BURST = 4  # posts to one channel that may come at once


@dataclass(frozen=True)
class EarlyCall:
    """A call made before the time of Retry-After was over."""

    method: str
    key: str
    early_s: float


@dataclass
class RateLimits:
    """Count calls by method and workspace in a window of a minute, and posts by channel."""

    clock: Clock
    limits: dict[str, int] = field(default_factory=dict)  # of single methods, in place of their tier
    enabled: bool = True
    early_calls: list[EarlyCall] = field(default_factory=list)
    _calls: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    _closed_until: dict[tuple[str, str], float] = field(default_factory=dict)

    def wait_s(self, method: str, key: str, tier: int) -> int:
        """Count one call; return for how many seconds it is refused, 0 where it is not."""
        now, place = self.clock.now(), (method, key)
        if (until := self._closed_until.get(place, 0.0)) > now:
            self.early_calls.append(EarlyCall(method, key, until - now))
            return math.ceil(until - now)
        if not self.enabled:
            return 0
        limit, window_s = self._limit(method, tier)
        recent = [at for at in self._calls.get(place, ()) if at > now - window_s]
        self._calls[place] = recent
        if len(recent) < limit:
            recent.append(now)
            return 0
        seconds = max(1, math.ceil(recent[0] + window_s - now))
        self.close(method, key, seconds)
        return seconds

    def close(self, method: str, key: str, seconds: float) -> None:
        """Refuse METHOD for KEY until SECONDS have passed."""
        self._closed_until[method, key] = self.clock.now() + seconds

    def _limit(self, method: str, tier: int) -> tuple[int, float]:
        if method in self.limits:
            return self.limits[method], 60.0
        if method == "chat.postMessage":
            return POST_BURST, float(POST_BURST)
        return (T1 + BURST if tier == T1 else tier), 60.0
