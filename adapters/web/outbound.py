"""Write answers to a callback: one message that is edited while it grows, and more where it is long."""

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from adapters.web.callback import Callback, CallbackClient
from core.domain import Answer
from core.errors import Busy, ChannelUnavailable, Rejected
from core.outbox import Channel, Doubt, LiveReply, Posting, Target
from core.pacing import Pacer, Slot
from core.parts import split_text
from core.places import Platform
from core.pulled import answer_data

EDIT_EVERY_S = 1.0
_BREAK_AFTER_FAILURE_S = 5.0
_WAIT_S = 5.0  # for a turn, before the delivery is put back
_GONE = "…"


class CallbackChannel:
    """Send answers to the callbacks of installations."""

    platform = Platform.API
    doubt = Doubt.KEYED  # post again: an application knows the key

    def __init__(
        self,
        client: CallbackClient,
        callbacks: Mapping[str, Callback],
        pacer: Pacer,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._callbacks = callbacks
        self._pacer = pacer
        self._clock = clock

    async def working(self, target: Target) -> None:
        """Do nothing: a message that is empty helps nobody."""

    def reply(self, posting: Posting) -> LiveReply:
        """Open the writing end of a delivery."""
        return _CallbackReply(self._line(posting), self._clock)

    async def withdraw(self, posting: Posting) -> None:
        """Delete all messages of a delivery."""
        line = self._line(posting)
        for sent in posting.delivery.sent:
            await line.delete(sent.part)

    def _line(self, posting: Posting) -> "_Line":
        callback = self._callbacks.get(posting.delivery.target.installation)
        if callback is None:
            raise Rejected("This installation has no callback any more; its answers can only be read.")
        return _Line(self._client, callback, self._pacer, posting)


class _Line:
    """Send the messages of one delivery, none earlier than the application wants them."""

    def __init__(self, client: CallbackClient, callback: Callback, pacer: Pacer, posting: Posting) -> None:
        self._client = client
        self._pacer = pacer
        self._slot = Slot(f"callback\x1f{posting.delivery.target.installation}", ())
        self.callback = callback
        self.posting = posting

    async def put(self, part: int, body: Mapping[str, Any]) -> None:
        """Post PART, or edit it where it stands there already."""
        known = self.posting.message_id(part)
        body = {**self._about(part), **body}
        if known is None:
            await self.posting.post(part, lambda key: self._post(key, body))
        else:
            async with self._turn():
                await self._client.edit(self.callback, known, body)

    async def _post(self, key: str, body: Mapping[str, Any]) -> str:
        async with self._turn():
            return await self._client.post(self.callback, key, body)

    async def delete(self, part: int) -> None:
        """Delete PART where it stands there."""
        known = self.posting.message_id(part)
        if known is not None:
            async with self._turn():
                await self._client.delete(self.callback, known, self._about(part))
            await self.posting.forget(part)

    async def free(self) -> bool:
        """Tell whether a call may go out now."""
        return not await self._pacer.try_now([self._slot])

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Wait until a call may go out; where it is told to wait, let no other one go out before, in any process."""
        await self._pacer.wait([self._slot], most_s=_WAIT_S)
        try:
            yield
        except Busy as busy:
            await self._pacer.hold(self._slot.key, busy.retry_after_s)
            raise

    def _about(self, part: int) -> dict[str, Any]:
        delivery = self.posting.delivery
        target = delivery.target
        return {
            "delivery": delivery.outbox_id,
            "part": part,
            "purpose": delivery.purpose,
            "in_reply_to": target.message_id,
            "channel": target.place.channel,
            "thread": target.place.thread,
            "author": target.author_id,
            "callback": target.address.get("callback", {}),
        }


class _CallbackReply:
    """Show an answer while it grows, then whole."""

    def __init__(self, line: _Line, clock: Callable[[], float]) -> None:
        self._line = line
        self._clock = clock
        self._text = ""
        self._next_at = float("-inf")

    async def write(self, text: str) -> None:
        self._text += text
        await self._show()

    async def restart(self) -> None:
        self._text = ""
        if self._line.posting.message_id(0) is not None:
            await self._show()

    async def finish(self, answer: Answer) -> None:
        texts = split_text(answer.text, self._line.callback.limit) or [_GONE]
        for part, text in enumerate(texts):
            more = {"answer": answer_data(answer)} if part == 0 else {}
            await self._line.put(part, {"text": text, "final": True, "parts": len(texts), **more})
        for sent in self._line.posting.delivery.sent:
            if sent.part >= len(texts):
                await self._line.delete(sent.part)

    async def _show(self) -> None:
        """Show what there is where it is time; what fails here the final answer makes good."""
        if self._clock() < self._next_at or not await self._line.free():
            return
        shown = next(iter(split_text(self._text, self._line.callback.limit)), _GONE)
        try:
            await self._line.put(0, {"text": shown, "final": False})
            self._next_at = self._clock() + EDIT_EVERY_S
        except (ChannelUnavailable, Rejected):
            self._next_at = self._clock() + _BREAK_AFTER_FAILURE_S


class ApiChannel:
    """Send to those installations that have a callback, and keep for the others what they read."""

    platform = Platform.API
    doubt = Doubt.KEYED  # as both ways have it

    def __init__(self, pulled: Channel, callbacks: Channel, installations: Mapping[str, Callback]) -> None:
        self._pulled = pulled
        self._callbacks = callbacks
        self._installations = installations

    async def working(self, target: Target) -> None:
        """Do nothing, as both ways do."""

    def reply(self, posting: Posting) -> LiveReply:
        """Open the writing end of a delivery."""
        return self._way(posting).reply(posting)

    async def withdraw(self, posting: Posting) -> None:
        """Take an answer back."""
        await self._way(posting).withdraw(posting)

    def _way(self, posting: Posting) -> Channel:
        return self._callbacks if posting.delivery.target.installation in self._installations else self._pulled
