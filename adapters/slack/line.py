"""The calls of one delivery: post, stream, edit and delete its messages, each within what Slack allows."""

import logging
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from adapters.slack.api import PATIENCE_S, UNKNOWN_METHOD, Refusal, SlackApi, Token
from adapters.slack.outbound import QUIET, Block, Part
from core.errors import ChannelUnavailable, Rejected
from core.outbox import Posting, Target
from core.payloads import objects_at, text_at

_BLOCKS = {"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "invalid_attachments"}
_LOST = {"message_not_found", "cant_update_message", "edit_window_closed"}  # what stood there cannot be edited any more
_TS = re.compile(r"\d{1,12}\.\d{1,9}")
_EVENT = "frontdesk_answer"
_NAMELESS = "nameless:"
_LOOKED_AT = 15  # messages; what the strictest rate limit returns

_log = logging.getLogger(__name__)


def thread_of(target: Target) -> str:
    """Name the thread an answer goes to; empty where it begins one."""
    given = target.address.get("thread_ts")
    thread_ts = target.place.thread if given is None else str(given)
    return thread_ts if _TS.fullmatch(thread_ts) else ""


def is_direct(target: Target) -> bool:
    """Tell whether nobody but the author reads the channel."""
    return target.address.get("channel_type") == "im" or target.place.channel.startswith("D")


class Line:
    """Talk to Slack for one delivery."""

    def __init__(self, api: SlackApi, posting: Posting, target: Target | None = None) -> None:
        """Go where POSTING goes, or to TARGET instead."""
        target = target or posting.delivery.target
        self.posting = posting
        self.target = target
        self.api = api
        self.team_id = str(target.address.get("team") or target.installation)
        self.channel = str(target.address.get("channel") or target.place.channel)
        self.thread_ts = thread_of(target)
        self.author_id = str(target.address.get("user") or target.author_id)
        asked = str(target.address.get("ts") or target.message_id)
        self._asked_ts = asked if _TS.fullmatch(asked) else ""

    async def call(self, method: str, *, patience_s: float = PATIENCE_S, **arguments: Any) -> dict[str, Any]:
        """Call METHOD in the delivery's workspace; raises as SlackApi.call does."""
        return await self.api.call(method, team_id=self.team_id, patience_s=patience_s, **arguments)

    async def put(self, number: int, part: Part) -> None:
        """Edit the message NUMBER where it stands there, else post it; where nothing can be edited, in its place."""
        try:
            if self.posting.message_id(number) is not None and await self.edit(number, part):
                return
        except Refusal as refusal:
            if refusal.code != UNKNOWN_METHOD:
                raise
            await self._drop(number)
        await self.post(number, part)

    async def post(self, number: int, part: Part, *, patience_s: float = PATIENCE_S) -> None:
        """Post a message once."""

        async def send(_: str) -> str:
            if (found := await self._found(number)) is not None:
                return found
            said = await self._with_blocks(
                "chat.postMessage", part, patience_s, thread_ts=self.thread_ts or None, **QUIET, **self._about(number)
            )
            return text_at(said, "ts") or f"{_NAMELESS}{number}"  # it stands there all the same

        await self.posting.post(number, send)

    def is_nameless(self, number: int) -> bool:
        """Tell whether a message was posted to a server that does not say its id, as emulators do."""
        return (self.posting.message_id(number) or "").startswith(_NAMELESS)

    async def edit(self, number: int, part: Part, *, patience_s: float = PATIENCE_S) -> bool:
        """Edit a message; False, with its record dropped, where it cannot be edited any more.

        Raises Refusal with UNKNOWN_METHOD where none can be edited at all.
        """
        ts = self.posting.message_id(number) or ""
        if not _TS.fullmatch(ts):
            raise Refusal("chat.update", UNKNOWN_METHOD)
        try:
            await self._update(ts, number, part, patience_s)
        except Refusal as refusal:
            if refusal.code not in _LOST:
                raise
            if refusal.code == "message_not_found":
                await self.posting.forget(number)
            else:
                await self._drop(number)
            return False
        return True

    async def _drop(self, number: int) -> None:
        """Delete a message that cannot be edited, where that can be done, and let go of it."""
        with suppress(Rejected):
            await self.delete(number)
        await self.posting.forget(number)

    async def _update(self, ts: str | None, number: int, part: Part, patience_s: float) -> None:
        arguments = {"ts": ts, **self._about(number)}
        try:
            await self._with_blocks("chat.update", part, patience_s, **arguments)
        except Refusal as refusal:
            if refusal.code != "streaming_state_conflict":
                raise
            await self._end_running(ts)
            await self._with_blocks("chat.update", part, patience_s, **arguments)

    async def _with_blocks(self, method: str, part: Part, patience_s: float, **arguments: Any) -> dict[str, Any]:
        """Call METHOD with a message; where its blocks are refused, with its text alone."""
        whole = {"channel": self.channel, "text": part.text, **arguments}
        try:
            return await self.call(method, patience_s=patience_s, blocks=part.blocks, **whole)
        except Refusal as refusal:
            if refusal.code not in _BLOCKS:
                raise
            _log.warning("Slack refuses the blocks of an answer, which is shown as text: %s", refusal.details)
            return await self.call(method, blocks=[] if method == "chat.update" else None, **whole)

    async def delete(self, number: int) -> None:
        """Delete a message; one that is gone already is deleted."""
        ts = self.posting.message_id(number)
        if ts is not None and _TS.fullmatch(ts):
            await self._delete(ts)
        await self.posting.forget(number)

    async def clear(self) -> None:
        """Delete what of the delivery stands in this channel; what stands elsewhere stays, and so does its record."""
        for sent in self.posting.delivery.sent:
            if _TS.fullmatch(sent.message_id) and await self._delete(sent.message_id):
                await self.posting.forget(sent.part)

    async def _delete(self, ts: str) -> bool:
        """Delete a message; False where there is none."""
        try:
            await self.call("chat.delete", channel=self.channel, ts=ts)
        except Refusal as refusal:
            if refusal.code == "message_not_found":
                return False
            await self._end_running(ts)
            await self.call("chat.delete", channel=self.channel, ts=ts)
        return True

    async def _end_running(self, ts: str | None) -> None:
        """End a stream that may have ended by itself meanwhile."""
        with suppress(Refusal):
            await self.call("chat.stopStream", channel=self.channel, ts=ts, session_status="active")

    async def delete_unrecorded(self) -> None:
        """Delete what a worker posted that died before it could note so, where it is found."""
        begun = self.posting.delivery.begun
        if begun is not None and (ts := await self._found(begun)) is not None:
            await self._delete(ts)

    # Streams. docs.slack.dev/reference/methods/chat.startStream

    async def start(self, number: int, text: str) -> None:
        """Begin a stream with TEXT as the message NUMBER."""

        async def send(_: str) -> str:
            if (found := await self._found(number)) is not None:
                return found
            said = await self.call(
                "chat.startStream",
                patience_s=0.0,
                channel=self.channel,
                thread_ts=self.thread_ts,
                recipient_user_id=self.author_id,
                recipient_team_id=str(self.target.address.get("user_team") or self.team_id),
                chunks=_chunks(text),
            )
            if not text_at(said, "ts"):  # "ok" of a server that says so to everything
                raise Refusal("chat.startStream", UNKNOWN_METHOD)
            return text_at(said, "ts")

        await self.posting.post(number, send)

    async def append(self, number: int, text: str) -> None:
        """Add TEXT to the stream of the message NUMBER."""
        ts = self.posting.message_id(number)
        await self.call("chat.appendStream", patience_s=0.0, channel=self.channel, ts=ts, chunks=_chunks(text))

    async def stop(self, number: int, text: str = "", tail: Sequence[Block] = (), *, goes_on: bool = False) -> None:
        """End the stream of the message NUMBER with TEXT and the blocks below it; another one follows where it GOES_ON.

        Raises as SlackApi.call does.
        """
        await self.call(
            "chat.stopStream",
            patience_s=0.0 if goes_on else PATIENCE_S,
            channel=self.channel,
            ts=self.posting.message_id(number),
            chunks=_chunks(text) if text else None,
            blocks=list(tail) or None,
            session_status="processing" if goes_on else "active",
            **self._about(number),
        )

    # What a worker before may have left

    def _about(self, number: int) -> dict[str, Any]:
        """Name the delivery in a message, for whoever must find it again."""
        payload = {"outbox_id": self.posting.delivery.outbox_id, "part": number}
        return {"metadata": {"event_type": _EVENT, "event_payload": payload}}

    async def _found(self, number: int) -> str | None:
        """Find the message NUMBER where it is in doubt whether it was posted; None where nothing is known of it."""
        if self.posting.delivery.begun != number or not self.thread_ts or not self._asked_ts:
            return None
        try:
            token = await self.api.tokens.of(self.team_id)
            said = await self.call(
                "conversations.replies",
                patience_s=0.0,
                channel=self.channel,
                ts=self.thread_ts,
                oldest=self._asked_ts,
                limit=_LOOKED_AT,
                include_all_metadata=True,
            )
            messages = [found for found in objects_at(said, "messages") if _is_ours(found, token)]
            return await self._own_of(messages, number)
        except (Rejected, ChannelUnavailable) as error:
            _log.info("It is not known whether a message was posted: %s", error)
            return None

    async def _own_of(self, messages: Sequence[Mapping[str, Any]], number: int) -> str | None:
        wanted = self._about(number)["metadata"]["event_payload"]
        nameless = []
        for message in messages:
            metadata = message.get("metadata") or {}
            if metadata.get("event_type") != _EVENT:
                nameless.append(str(message.get("ts")))
            elif metadata.get("event_payload") == wanted:
                return str(message["ts"])
        known = {sent.message_id for sent in self.posting.delivery.sent}
        for ts in reversed([ts for ts in nameless if ts not in known and ts > self._asked_ts]):
            # A stream says nothing of itself; but one that still runs in this thread can only be this delivery's.
            with suppress(Refusal):
                await self.call("chat.stopStream", patience_s=0.0, channel=self.channel, ts=ts)
                return ts
        return None


def _is_ours(message: Mapping[str, Any], token: Token) -> bool:
    named = text_at(message, "bot_id"), text_at(message, "user")
    return (named[0] or None) == token.bot_id or (named[1] or None) == token.bot_user_id


def _chunks(text: str) -> list[dict[str, str]]:
    return [{"type": "markdown_text", "text": text}]
