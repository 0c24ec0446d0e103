"""Send what the outbox holds through the channel of its platform."""

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace

from core import wording
from core.domain import Answer, Origin
from core.errors import Busy, ChannelUnavailable, NotFound, Rejected, Superseded, Uncertain
from core.meter import Counted, Meter
from core.outbox import Channel, Delivery, LiveReply, Outbox, Posting, Purpose, Settled, Target
from core.places import Place, Platform
from core.tracing import bound

_ANSWERER = "answerer"  # in the address of a person's words: who wrote them, and in which language they read

_log = logging.getLogger(__name__)


def with_answerer(target: Target, answerer: Target, language: str) -> Target:
    """Keep with TARGET who hears, in LANGUAGE, where what is sent there is refused for good."""
    kept = {"target": asdict(answerer), "language": language}
    return replace(target, address={**target.address, _ANSWERER: kept})


@dataclass(frozen=True, slots=True)
class Line:
    """A delivery with the channel it goes through."""

    posting: Posting
    channel: Channel
    reply: LiveReply

    @property
    def delivery(self) -> Delivery:
        """Return the delivery as it stands now."""
        return self.posting.delivery

    @property
    def target(self) -> Target:
        """Say where it goes."""
        return self.posting.delivery.target


class Sender:
    """Send deliveries, take them back, and settle them."""

    def __init__(
        self, outbox: Outbox, channels: Mapping[Platform, Channel], meter: Meter, at: Callable[[str], None]
    ) -> None:
        self._outbox = outbox
        self._channels = channels
        self._meter = meter
        self._at = at

    def line(self, delivery: Delivery) -> Line:
        """Open the way for DELIVERY; raises ChannelUnavailable where its platform is not connected to this worker."""
        platform = delivery.target.place.platform
        if platform not in self._channels:
            raise ChannelUnavailable(f"Nothing is connected to {platform}; check the settings of this worker.")
        channel = self._channels[platform]
        posting = Posting(self._outbox, delivery, channel.doubt)
        return Line(posting, channel, channel.reply(posting))

    async def finish(self, line: Line, answer: Answer) -> None:
        """Send ANSWER, edit what stands there already, and settle it; raises what LiveReply.finish raises."""
        await line.reply.finish(answer)
        self._at("posted")
        await self._outbox.settle(line.delivery, Settled.SENT)
        self._at("settled")

    async def withdraw(self, line: Line) -> None:
        """Take back what was sent, as far as the platform lets us."""
        reason = ""
        if line.delivery.sent or line.delivery.begun is not None:
            try:
                await line.channel.withdraw(line.posting)
            except Rejected as error:
                reason = str(error)
        await self._outbox.settle(line.delivery, Settled.WITHDRAWN, reason)

    async def fail(self, line: Line, error: Exception) -> None:
        """Settle what could not be sent."""
        _log.warning("delivery %s was not sent: %s", line.delivery.outbox_id, error)
        how = Settled.UNCERTAIN if isinstance(error, Uncertain) else Settled.FAILED
        await self._outbox.settle(line.delivery, how, str(error))
        await self._tell_answerer(line.delivery, str(error))

    async def _tell_answerer(self, delivery: Delivery, reason: str) -> None:
        """Tell whoever answered a ticket that their words did not arrive."""
        kept, content = delivery.target.address.get(_ANSWERER), delivery.content
        if delivery.purpose is not Purpose.PERSON or kept is None or content is None:
            return
        language, number = str(kept["language"]), content.ticket_number or 0
        text = wording.say(wording.ANSWER_NOT_DELIVERED, language, number=number, reason=wording.say(reason, language))
        said = Answer(text, Origin.COMMAND, None, language=language, private=True)
        to, place = kept["target"], kept["target"]["place"]
        place = Place(Platform(place["platform"]), place["channel"], place["thread"])
        await self._outbox.enqueue(Target(**{**to, "place": place}), Purpose.NOTICE, said)

    async def try_to_send(self, line: Line, answer: Answer) -> bool:
        """Send ANSWER for the last time: what goes wrong settles it as failed. Raises Busy."""
        try:
            await self.finish(line, answer)
        except Busy:
            raise
        except (Rejected, ChannelUnavailable) as error:
            await self.fail(line, error)
            return False
        finally:
            self.count_doubts(line)
        return True

    async def deliver(self, tenant_id: int, outbox_id: int, *, last_try: bool = False) -> None:
        """Send a stored delivery; with LAST_TRY, one whose platform does not answer ends as failed.

        Raises Busy where the platform wants us to wait, ChannelUnavailable where it does not answer.
        """
        with suppress(NotFound, Superseded):  # deleted meanwhile, or somebody else is at it
            delivery = await self._outbox.reopen(tenant_id, outbox_id)
            if delivery.content is None:
                return
            platform = delivery.target.place.platform.value
            with bound(delivery.target.request_id, tenant=tenant_id, platform=platform):
                await self._deliver(self.line(delivery), delivery.content, last_try=last_try)

    async def _deliver(self, line: Line, content: Answer, *, last_try: bool) -> None:
        if last_try:
            await self.try_to_send(line, content)
            return
        try:
            await self.finish(line, content)
        except (Rejected, Uncertain) as error:
            await self.fail(line, error)
        finally:
            self.count_doubts(line)

    def count_doubts(self, line: Line) -> None:
        """Count the posts of LINE whose acceptance was not known; to be called once, when work on it ends."""
        if line.posting.doubtful:
            self._meter.count(
                Counted.DOUBTS,
                line.posting.doubtful,
                platform=line.target.place.platform.value,
                tenant=str(line.target.tenant_id),
            )
