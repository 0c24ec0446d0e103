"""Post, change and delete the messages of one delivery."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any, TypeVar

from adapters.teams.limits import STREAM_S
from adapters.teams.outbound import Activity, final
from adapters.teams.references import References
from adapters.teams.transport import PATIENCE_S, Refusal, Transport
from core.errors import StoreUnavailable
from core.outbox import Posting, Sent

T = TypeVar("T")

UNNAMED = "unnamed"
"""Recorded of a message to which the connector gave no id, as some do outside Teams: it can only be posted anew."""


class Audience(IntEnum):
    """Who sees a message; counted into the number of its part, as no message can change from one to another."""

    ALL = 0  # of the conversation
    AUTHOR = 1_000  # by a message in the conversation that nobody else sees
    CHAT = 2_000  # the author, in their personal chat


def audience_of(part: int) -> Audience:
    """Tell who sees the message recorded as PART."""
    return max(audience for audience in Audience if audience <= part)


class Line:
    """The way of one delivery to its conversation; a message elsewhere is recorded as CONVERSATION/ID."""

    def __init__(self, transport: Transport, references: References, posting: Posting) -> None:
        self.transport = transport
        self.posting = posting
        self.target = posting.delivery.target
        self._references = references
        self._address: dict[str, Any] | None = None
        self._posted: dict[int, Activity] = {}

    async def address(self) -> dict[str, Any]:
        """Return where the conversation is reached now."""
        if self._address is None:
            self._address = await self._references.address(self.target)
        return self._address

    async def put(
        self, number: int, activity: Activity, *, at: Mapping[str, Any] | None = None, patience_s: float = PATIENCE_S
    ) -> None:
        """Post a part, or change it where it stands; AT another address than the conversation's."""
        address = at if at is not None else await self.address()
        known = self.posting.message_id(number)
        if known is not None:
            try:
                await self.change(known, activity, address, patience_s=patience_s)
            except Refusal as refusal:
                if refusal.is_unable and self._posted.get(number) == activity:
                    return
                if not (refusal.is_gone or refusal.is_unable):
                    raise
                await self.posting.forget(number)
            else:
                return
        elsewhere = at is not None and at.get("conversation") != self.target.address.get("conversation")

        async def send(_: str) -> str:
            sent = await self.send(activity, address, patience_s=patience_s) or UNNAMED
            return f"{address['conversation']}/{sent}" if elsewhere else sent

        await self.posting.post(number, send)
        self._posted[number] = activity

    async def send(self, activity: Activity, at: Mapping[str, Any], *, patience_s: float = PATIENCE_S) -> str:
        """Post ACTIVITY to the conversation of AT and return its id; raises as Transport.send."""
        return await self._reach(at, lambda where: self.transport.send(where, activity, patience_s=patience_s))

    async def change(
        self, known: str, activity: Activity, at: Mapping[str, Any], *, patience_s: float = PATIENCE_S
    ) -> None:
        """Put ACTIVITY in place of the message recorded as KNOWN; raises as Transport.update."""
        where, message_id = _where(known, at)
        if message_id == UNNAMED:
            raise Refusal(501, "", "The message was given no id.")
        await self._reach(where, lambda to: self.transport.update(to, message_id, activity, patience_s=patience_s))

    async def _reach(self, at: Mapping[str, Any], call: Callable[[Mapping[str, Any]], Awaitable[T]]) -> T:
        """Make a CALL at an address, once more where the service has moved meanwhile."""
        try:
            return await call(at)
        except Refusal as refusal:
            url = await self._references.moved(self.target, str(at.get("serviceUrl", ""))) if refusal.is_gone else ""
            if not url or not self.transport.may_call(url):
                raise
        found = await call({**at, "serviceUrl": url})
        self._address = {**await self.address(), "serviceUrl": url}
        with suppress(StoreUnavailable):
            await self._references.note(replace(self.target, address={**self.target.address, "serviceUrl": url}))
        return found

    async def end_stream(self, activity: Activity) -> bool:
        """End the stream that part 0 began, if it may be one; False where it must be changed like any message.

        Raises Refusal where ACTIVITY is too large, and where the reader has stopped the stream.
        """
        sent = next((sent for sent in self.posting.delivery.sent if sent.part == 0), None)
        if sent is None or sent.message_id == UNNAMED or (datetime.now(UTC) - sent.at).total_seconds() > STREAM_S:
            return False
        try:
            await self.transport.send(await self.address(), final(activity, sent.message_id))
        except Refusal as refusal:
            if refusal.is_size or refusal.is_stop:
                raise
            return False
        return True

    async def take_over(self, sent: Sent) -> None:
        """Make a message of another delivery one of this."""

        async def stands(_: str) -> str:
            return sent.message_id

        await self.posting.post(sent.part, stands)

    async def leave(self, *audiences: Audience) -> None:
        """Delete what others than AUDIENCES see."""
        for sent in self.posting.delivery.sent:
            if audience_of(sent.part) not in audiences:
                await self.withdraw(sent.part)

    async def withdraw(self, number: int) -> None:
        """Delete a part; one that is gone already is forgotten."""
        known = self.posting.message_id(number)
        if known is None:
            return
        where, message_id = _where(known, await self.address())
        with suppress(Refusal):  # it stands there still where the connector deletes nothing
            await self._reach(where, lambda to: self.transport.delete(to, message_id))
        await self.posting.forget(number)


def _where(known: str, address: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    conversation, slash, message_id = known.rpartition("/")
    return ({**address, "conversation": conversation, "scope": "personal"} if slash else address), message_id
