"""Whose limit a Retry-After is, which Telegram does not say: nearly always the chat's, and the others need not wait.

It is the bot's own where several chats are refused at once, or a chat that was written nothing for a while is refused
in a moment when the bot's second is full. Then nobody calls for a moment, and one call alone finds out how it is now:
what a chat was told is kept to the second for that chat, and no guess about the bot lasts longer than HOLD_S.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from core.errors import Busy
from core.pacing import TELEGRAM_BOT

HOLD_S = 1.5

_TOGETHER_S = 1.0
_CHATS = 3  # refused within that time
_IDLE_S = 60.0  # the longest stretch of the limits of one chat
_FULL = TELEGRAM_BOT.rates[0].count * 0.9  # calls leave a little later than they are counted


class Limits:
    """What one bot was refused lately."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._calls: deque[float] = deque()
        self._called: dict[str, float] = {}  # by chat, oldest first
        self._refused: dict[str, float] = {}
        self._held_until = float("-inf")
        self._doubted = False  # whether the bot was held and no call has come through since
        self._probing = asyncio.Lock()

    @asynccontextmanager
    async def one_at_a_time(self) -> AsyncIterator[None]:
        """Let calls pass; where the bot was held, one alone until one came through. Raises Busy for the others."""
        if not self._doubted:
            yield
            return
        async with self._probing:
            left_s = self._held_until - self._clock()
            if self._doubted and left_s > 0:
                raise Busy("Telegram wants us to wait.", left_s)
            yield
            self._doubted = False

    def note(self, chat: str) -> bool:
        """Note a call; True where a refusal could only be meant for the bot: CHAT was idle, and its second is full."""
        now_s = self._clock()
        self._calls.append(now_s)
        while self._calls[0] <= now_s - _TOGETHER_S:
            self._calls.popleft()
        while self._called and (oldest := next(iter(self._called))) and self._called[oldest] <= now_s - _IDLE_S:
            del self._called[oldest]
        idle = self._called.pop(chat, None) is None
        self._called[chat] = now_s
        return idle and len(self._calls) >= _FULL

    def is_for_all(self, chat: str, *, strange: bool) -> bool:
        """Note that CHAT is refused, and tell whether to hold the bot; STRANGE is what `note` said of the call."""
        now_s = self._clock()
        self._refused[chat] = now_s
        self._refused = {each: at_s for each, at_s in self._refused.items() if at_s > now_s - _TOGETHER_S}
        if not (strange or self._doubted or len(self._refused) >= _CHATS):
            return False
        self._doubted, self._held_until = True, now_s + HOLD_S
        return True
