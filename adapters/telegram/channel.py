"""Write answers to Telegram: as a draft or a message that grows, then whole, in parts that a message holds.

In doubt a post is made again. Telegram knows no key by which it could tell a second one, and whoever asked for help
is served better by the same answer twice than by none.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from weakref import WeakValueDictionary

from adapters.telegram.api import TelegramApi
from adapters.telegram.line import Line
from adapters.telegram.posting import where_of
from adapters.telegram.reply import Manner, TelegramReply
from core.errors import ChannelUnavailable
from core.outbox import Doubt, LiveReply, Posting, Target
from core.places import Platform

_SOON_S = 0.3  # what is answered by then needs no sign that somebody is at it


class TelegramChannel:
    """Send to Telegram, through any of the bots."""

    def __init__(
        self,
        bots: Mapping[str, TelegramApi],
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._bots = bots  # by their ids
        self._manner = Manner(clock, sleep)
        self._replies: WeakValueDictionary[tuple[str, ...], TelegramReply] = WeakValueDictionary()

    @property
    def platform(self) -> Platform:
        """Name the platform."""
        return Platform.TELEGRAM

    @property
    def doubt(self) -> Doubt:
        """Post again."""
        return Doubt.REPEAT

    async def working(self, target: Target) -> None:
        """Show that somebody types, which is gone after five seconds, and the piece that nothing came after."""
        api = self._api(target)
        if (reply := self._replies.get(_key(target))) is not None:
            await reply.refresh()
        await self._manner.sleep(_SOON_S)
        await api.call("sendChatAction", patience_s=0.0, **where_of(target.address), action="typing")

    def reply(self, posting: Posting) -> LiveReply:
        """Open the writing end of a delivery."""
        reply = TelegramReply(self._line(posting), self._manner)
        self._replies[_key(posting.delivery.target)] = reply
        return reply

    async def withdraw(self, posting: Posting) -> None:
        """Delete all messages of a delivery; one of over 48 hours, which Telegram keeps, says that it is withdrawn."""
        line = self._line(posting)
        for sent in posting.delivery.sent:
            await line.withdraw(sent.part)

    def _api(self, target: Target) -> TelegramApi:
        api = self._bots.get(target.installation)
        if api is None:
            raise ChannelUnavailable("The bot of this chat is not among TELEGRAM_BOTS; add it there again.")
        return api

    def _line(self, posting: Posting) -> Line:
        return Line(self._api(posting.delivery.target), posting)


def _key(target: Target) -> tuple[str, ...]:
    """Name the question that is answered."""
    return (str(target.tenant_id), target.installation, target.place.channel, target.place.thread, target.message_id)
