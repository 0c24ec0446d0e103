"""How fast a bot may send: once a second to a person with a small burst, 20 a minute to a group, 30 a second."""

from collections import deque
from dataclasses import dataclass, field
from math import ceil

from tests.platform.telegram_state import ApiError, Bot, Chat, Clock

BURST = 3  # messages to a person at once, before one a second is all there is
GROUP = (20, 60.0)
OVERALL = (30, 1.0)
JITTER_S = 0.05  # by which calls that left in time may arrive closer together


@dataclass
class _Log:
    calls: deque[float] = field(default_factory=deque)
    held_until: float = 0.0
    full_at: float = 0.0  # when a person could be sent a whole burst again

    def burst_wait_s(self, now: float) -> float:
        """Return how long until a person may be sent one more."""
        return max(self.full_at - now - (BURST - 1) - JITTER_S, 0.0)

    def wait_s(self, now: float, count: int, per_s: float) -> float:
        """Return how long until fewer than COUNT calls lie within PER_S."""
        per_s -= JITTER_S
        while self.calls and self.calls[0] <= now - per_s:
            self.calls.popleft()
        return self.calls[-count] + per_s - now if len(self.calls) >= count else 0.0


@dataclass
class Flood:
    """Count sends, edits and drafts; whoever is too fast must wait, and calls before that are early."""

    clock: Clock
    early_calls: int = 0
    refused: int = 0
    counted: int = 0
    _logs: dict[tuple[int, int], _Log] = field(default_factory=dict)

    def check(self, bot: Bot, chat: Chat) -> None:
        """Count a call; raises ApiError 429 for one too many."""
        now = self.clock.now()
        overall, own = self._log(bot, 0), self._log(bot, chat.chat_id)
        held = max(overall.held_until, own.held_until) - now
        if held > 0:
            self.early_calls += 1
            raise self._too_many(held)
        own_wait_s = own.burst_wait_s(now) if chat.kind == "private" else own.wait_s(now, *GROUP)
        for log, wait_s in ((overall, overall.wait_s(now, *OVERALL)), (own, own_wait_s)):
            if wait_s > 0:
                log.held_until = now + max(ceil(wait_s), 1)
                raise self._too_many(log.held_until - now)
        overall.calls.append(now)
        own.calls.append(now)
        own.full_at = max(own.full_at, now) + 1.0
        self.counted += 1

    def hold(self, bot: Bot, chat_id: int, seconds: float) -> None:
        """Refuse calls to a chat, with 0 to all, for SECONDS."""
        self._log(bot, chat_id).held_until = self.clock.now() + seconds

    def _log(self, bot: Bot, chat_id: int) -> _Log:
        return self._logs.setdefault((bot.bot_id, chat_id), _Log())

    def _too_many(self, seconds: float) -> ApiError:
        self.refused += 1
        retry_after = max(ceil(seconds), 1)
        return ApiError(429, f"Too Many Requests: retry after {retry_after}", retry_after=retry_after)
