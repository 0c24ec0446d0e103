"""What goes out, recorded with the platform's message id: a retry edits what stands there and posts nothing twice.

Between a platform's acceptance of a post and our record of it lies a window that nobody can close. Posting.post makes
it as small as one statement; what happens when a worker dies inside it is each channel's choice: Doubt.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from core.domain import Answer
from core.errors import Uncertain
from core.inbox import Incoming
from core.places import Place, Platform


class Purpose(StrEnum):
    """What a delivery is."""

    ANSWER = "answer"  # to what was asked
    PERSON = "person"  # a person's words, from a ticket
    NOTICE = "notice"  # how a job ended, a welcome


class Doubt(StrEnum):
    """What to do about a post that may or may not have been accepted by the platform."""

    KEYED = "keyed"  # post again with the same key: the platform knows it
    REPEAT = "repeat"  # post again: a double is better than silence
    GIVE_UP = "give up"  # post nothing: silence is better than a double, and the failure is stated


@dataclass(frozen=True, slots=True)
class Target:
    """Where something goes."""

    tenant_id: int
    installation: str
    place: Place
    author_id: str  # who asked; who hears of it where only they may
    address: Mapping[str, Any] = field(default_factory=dict)  # JSON: what the channel needs besides
    message_id: str = ""  # the platform's id of the message it answers; empty: it answers none
    request_id: str = ""


def target_of(incoming: Incoming) -> Target:
    """Say where an answer to INCOMING goes."""
    message = incoming.message
    return Target(
        tenant_id=message.tenant_id,
        installation=incoming.installation,
        place=message.place,
        author_id=message.author.author_id,
        address=incoming.address,
        message_id=incoming.message_id,
        request_id=incoming.request_id,
    )


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that the platform has accepted."""

    part: int  # 0 is the first message of an answer
    message_id: str  # the platform's
    at: datetime


@dataclass(frozen=True, slots=True)
class Delivery:
    """One row of the outbox."""

    outbox_id: int
    claim: int  # rises each time it is opened: writes of whoever opened it before are refused
    target: Target
    purpose: Purpose
    inbox_id: int | None = None  # the row it answers
    content: Answer | None = None  # what to send, once it is known
    sent: tuple[Sent, ...] = ()
    begun: int | None = None  # the part whose post was begun and not recorded
    partial: str = ""  # what had been shown when a worker died or was stopped


@dataclass(frozen=True, slots=True)
class Cause:
    """What brings a delivery about: the same cause brings about one, whatever is sent because of it."""

    outbox_id: int  # of the delivery that led to it
    what: str  # share, person


class Settled(StrEnum):
    """How a delivery ended."""

    SENT = "sent"
    FAILED = "failed"  # the platform refuses it for good
    UNCERTAIN = "uncertain"  # given up in the window, by Doubt.GIVE_UP
    WITHDRAWN = "withdrawn"  # its question was deleted, and so was it


class Outbox(Protocol):
    """Keep what goes out. Every write of a delivery that somebody else has opened since raises Superseded."""

    async def open(self, target: Target, purpose: Purpose, *, inbox_id: int | None = None) -> Delivery:
        """Open the delivery of INBOX_ID, the one there is where there is one; without INBOX_ID a new one."""

    async def reopen(self, tenant_id: int, outbox_id: int) -> Delivery:
        """Open a delivery that is there already; raises NotFound."""

    async def of_entry(self, tenant_id: int, inbox_id: int) -> Delivery | None:
        """Look up the delivery that answered a row of the inbox, without opening it."""

    async def of_message(self, tenant_id: int, installation: str, place: Place, message_id: str) -> Delivery | None:
        """Look up the delivery that the platform's message MESSAGE_ID is a part of."""

    async def begin(self, delivery: Delivery, part: int) -> None:
        """Note that PART is about to be posted."""

    async def record(self, delivery: Delivery, part: int, message_id: str) -> None:
        """Note that the platform has accepted PART as MESSAGE_ID."""

    async def forget(self, delivery: Delivery, part: int) -> None:
        """Note that PART was not accepted, or stands there no longer."""

    async def keep(self, delivery: Delivery, content: Answer) -> None:
        """Keep what is to be sent; from then on nobody needs to answer again."""

    async def settle(self, delivery: Delivery, how: Settled, reason: str = "") -> None:
        """End the delivery."""

    async def enqueue(self, target: Target, purpose: Purpose, content: Answer, *, cause: Cause | None = None) -> int:
        """Store something to be sent by whichever worker is free; return its outbox id.

        Where CAUSE has brought about a delivery already, CONTENT takes the place of what was sent there.
        """

    async def caused(self, tenant_id: int, cause: Cause) -> Delivery | None:
        """Look up what CAUSE has brought about, without opening it."""


class Posting:
    """The recorded way to post the messages of one delivery."""

    def __init__(self, outbox: Outbox, delivery: Delivery, doubt: Doubt) -> None:
        self._outbox = outbox
        self._doubt = doubt
        self.delivery = delivery
        self.doubtful = 0  # posts repeated or given up in the window

    def message_id(self, part: int) -> str | None:
        """Return the platform's id of PART where it has been posted."""
        return next((sent.message_id for sent in self.delivery.sent if sent.part == part), None)

    async def post(self, part: int, send: Callable[[str], Awaitable[str]]) -> str:
        """Post PART once and return the platform's id; SEND is given an idempotency key and returns that id.

        A part that was posted before is not posted again. SEND must raise Rejected, Busy or another error of ours only
        where the platform has not accepted it, and Uncertain where that is not known. Raises Uncertain where a post is
        in doubt and this channel gives up on doubt.
        """
        known = self.message_id(part)
        if known is not None:
            return known
        if self.delivery.begun == part:
            self._count_doubt()
        else:
            await self._outbox.begin(self.delivery, part)
        message_id = await self._send(part, send)
        await self._outbox.record(self.delivery, part, message_id)
        self._remember(part, message_id)
        return message_id

    async def _send(self, part: int, send: Callable[[str], Awaitable[str]]) -> str:
        key = f"{self.delivery.outbox_id}:{part}"
        try:
            return await send(key)
        except Uncertain:
            self.delivery = replace(self.delivery, begun=part)
            self._count_doubt()
            return await send(key)
        except Exception:
            await self._outbox.forget(self.delivery, part)
            self.delivery = replace(self.delivery, begun=None)
            raise

    async def forget(self, part: int) -> None:
        """Drop the record of PART: it was deleted, or stands there no longer."""
        await self._outbox.forget(self.delivery, part)
        kept = tuple(sent for sent in self.delivery.sent if sent.part != part)
        self.delivery = replace(self.delivery, sent=kept, begun=None)

    def _count_doubt(self) -> None:
        self.doubtful += 1
        if self._doubt is Doubt.GIVE_UP:
            raise Uncertain("It is not known whether the platform accepted this message; it is not sent again.")

    def _remember(self, part: int, message_id: str) -> None:
        sent = Sent(part, message_id, datetime.now().astimezone())
        self.delivery = replace(self.delivery, sent=(*self.delivery.sent, sent), begun=None)


class LiveReply(Protocol):
    """The open writing end of an answer on a platform, a Reply that can also end."""

    async def write(self, text: str) -> None:
        """Show the next piece of the answer; pieces are shown together where the platform sets a pace."""

    async def restart(self) -> None:
        """Take back everything written so far."""

    async def finish(self, answer: Answer) -> None:
        """Put the final answer in place of what was shown; to be repeated without harm.

        Raises Busy where the platform wants us to wait, Rejected where it refuses for good, ChannelUnavailable where
        it does not answer, Uncertain where a post is given up in doubt.
        """


class Channel(Protocol):
    """Send to one platform."""

    @property
    def platform(self) -> Platform:
        """Name the platform."""

    @property
    def doubt(self) -> Doubt:
        """Choose what happens to a post that may or may not have been accepted."""

    async def working(self, target: Target) -> None:
        """Show that somebody is at it; it must expire by itself, and its failure is nobody's trouble."""

    def reply(self, posting: Posting) -> LiveReply:
        """Open the writing end of a delivery; what a worker before posted is edited, not posted again."""

    async def withdraw(self, posting: Posting) -> None:
        """Delete what was sent, as far as the platform lets us."""
