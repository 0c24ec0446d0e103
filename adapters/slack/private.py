"""Send what only one person may see: answers to slash commands, and files."""

import logging
from typing import Any

from adapters.slack import limits
from adapters.slack.api import Refusal
from adapters.slack.line import Line, is_direct
from adapters.slack.outbound import QUIET, Part, private_id, render
from core.domain import Answer, File

_FILE_PART = 1_000_000
_FOR_OTHERS = 1  # uses of a response_url that are left for a button
_EXPIRED = ("expired_url", "http_404")
_log = logging.getLogger(__name__)


class Expired(Exception):
    """Say that too much time has passed since a command to answer it where it was given."""


async def send_privately(line: Line, answer: Answer, *, can_share: bool, offers_person: bool) -> None:
    """Show ANSWER to its author alone, once; what others could see of it so far is deleted.

    Slack lets nobody edit such a message, so another answer comes below the one before. Raises Expired.
    """
    outbox_id = line.posting.delivery.outbox_id
    parts = render(answer, outbox_id, private=True, can_share=can_share, offers_person=offers_person)
    names = [private_id(outbox_id, answer, number) for number in range(len(parts))]
    for sent in line.posting.delivery.sent:
        if sent.message_id not in names and not sent.message_id.startswith("file:"):
            await line.delete(sent.part)
    for number, part in enumerate(parts):
        await _post(line, number, part, names[number])


async def _post(line: Line, number: int, part: Part, name: str) -> None:
    async def send(_: str) -> str:
        if number < limits.RESPONSE_URL_USES - _FOR_OTHERS and await _respond(line, part):
            return name
        if not await _whisper(line, part):
            await _write_directly(line, part)
        return name

    await line.posting.post(number, send)


async def _respond(line: Line, part: Part) -> bool:
    """Answer through the command's response_url; False where it is used up. Raises Expired."""
    url = str(line.target.address.get("response_url", ""))
    if not url:
        return False
    body = {"response_type": "ephemeral", "replace_original": False, "text": part.text, "blocks": part.blocks, **QUIET}
    try:
        await line.api.respond(url, body)
    except Refusal as refusal:
        _log.info("%s", refusal)
        if refusal.code in _EXPIRED:
            raise Expired from refusal
        return False
    return True


async def _whisper(line: Line, part: Part) -> bool:
    """Show a message to the author in the channel; False where Slack does not allow it there.

    In a thread that nobody has answered yet it would not be shown: there it goes below the channel's messages.
    """
    begins = line.thread_ts == str(line.target.address.get("ts", ""))
    thread_ts = None if begins else line.thread_ts or None
    where: dict[str, Any] = {"channel": line.channel, "user": line.author_id, "thread_ts": thread_ts}
    try:
        await line.call("chat.postEphemeral", text=part.text, blocks=part.blocks, **where)
    except Refusal as refusal:
        _log.info("%s", refusal)
        return False
    return True


async def _write_directly(line: Line, part: Part) -> None:
    """Write to the author in their conversation with the app."""
    await line.call("chat.postMessage", channel=line.author_id, text=part.text, blocks=part.blocks, **QUIET)


async def send_file(line: Line, file: File) -> None:
    """Upload FILE to the author's own conversation with the app, once; raises Refusal where the app may not.

    docs.slack.dev/messaging/working-with-files#upload
    """

    async def send(_: str) -> str:
        data = file.text.encode("utf-8", "replace")
        place = await line.call("files.getUploadURLExternal", filename=file.name, length=len(data))
        await line.api.upload(str(place["upload_url"]), data)
        channel = line.channel
        if not is_direct(line.target):
            opened = await line.call("conversations.open", users=line.author_id)
            channel = str(opened["channel"]["id"])
        named = [{"id": place["file_id"], "title": file.name}]
        thread_ts = line.thread_ts or None if is_direct(line.target) else None
        await line.call("files.completeUploadExternal", files=named, channel_id=channel, thread_ts=thread_ts)
        return f"file:{place['file_id']}"

    await line.posting.post(_FILE_PART, send)


async def delete_file(line: Line, message_id: str, part: int) -> None:
    """Delete a file that went with an answer; one that is gone already is deleted."""
    try:
        await line.call("files.delete", file=message_id.removeprefix("file:"))
    except Refusal as refusal:
        if refusal.code not in ("file_not_found", "file_deleted"):
            raise
    await line.posting.forget(part)
