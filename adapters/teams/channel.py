"""The way out to Teams, as core/outbox.py wants it of every platform.

In doubt a post is made again. The connector knows no key by which it could tell a second one and lets bots read no
conversation, and whoever asked for help is served better by the same answer twice than by none.
"""

from collections.abc import Awaitable, Callable
from weakref import WeakValueDictionary

from adapters.teams.earlier import EarlierAnswers
from adapters.teams.inbound import Scope
from adapters.teams.line import Line
from adapters.teams.outbound import typing
from adapters.teams.references import References
from adapters.teams.stream import Manner, TeamsReply
from adapters.teams.transport import Transport
from core.outbox import Doubt, LiveReply, Posting, Target
from core.places import Platform

_Key = tuple[int, str, str, str, str]


class TeamsChannel:
    """Send to every tenant in which the app is installed."""

    def __init__(
        self,
        transport: Transport,
        references: References,
        *,
        on_stop: Callable[[Target], Awaitable[None]] | None = None,
        earlier: EarlierAnswers | None = None,
        manner: Manner | None = None,
    ) -> None:
        """Send through TRANSPORT; ON_STOP hears of an answer that its reader has stopped.

        EARLIER finds what comes later changes: the card of a ticket, the message about an ingestion.
        """
        self._transport = transport
        self._references = references
        self._manner = manner or Manner(on_stop, earlier=earlier)
        self._open: WeakValueDictionary[_Key, TeamsReply] = WeakValueDictionary()

    @property
    def platform(self) -> Platform:
        """Name the platform."""
        return Platform.TEAMS

    @property
    def doubt(self) -> Doubt:
        """Post again."""
        return Doubt.REPEAT

    async def working(self, target: Target) -> None:
        """Begin the stream of an answer, or keep it up; else show typing, which a channel does not."""
        reply = self._open.get(_key(target))
        if reply is not None and reply.streams:
            await reply.inform()
        elif target.address.get("scope") != Scope.CHANNEL and not target.address.get("private"):
            await self._transport.send(await self._references.address(target), typing(), patience_s=0.0)

    def reply(self, posting: Posting) -> LiveReply:
        """Open the writing end of a delivery."""
        reply = TeamsReply(Line(self._transport, self._references, posting), self._manner)
        self._open[_key(posting.delivery.target)] = reply
        return reply

    async def withdraw(self, posting: Posting) -> None:
        """Delete all messages of a delivery, whose stream is ended first."""
        reply = self._open.get(_key(posting.delivery.target))
        if reply is not None:
            await reply.close()
        line = Line(self._transport, self._references, posting)
        for sent in posting.delivery.sent:
            await line.withdraw(sent.part)


def _key(target: Target) -> _Key:
    place = target.place
    return target.tenant_id, target.installation, place.channel, place.thread, target.message_id
