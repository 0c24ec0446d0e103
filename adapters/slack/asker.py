"""Say to those who answer tickets who asks, and where."""

import logging
from collections.abc import Sequence
from dataclasses import replace

from adapters.slack import limits
from adapters.slack.line import Line, is_direct
from adapters.slack.markup import escape
from adapters.slack.outbound import Part
from adapters.slack.pressed import private_thread
from core.errors import ChannelUnavailable, Rejected
from core.outbox import Target
from core.places import Platform

_log = logging.getLogger(__name__)


async def with_asker(parts: Sequence[Part], line: Line, asker: Target) -> list[Part]:
    """Begin the announcement of a ticket with who asks, and where; links to it where there is something to see."""
    text = await _asked(line, asker)
    first, *others = parts
    block = {"type": "context", "elements": [{"type": "mrkdwn", "text": text, "verbatim": True}]}
    whole = f"{text}\n\n{first.text}"
    said = whole if len(whole) <= limits.UPDATE_TEXT else first.text
    return [replace(first, head=(block, *first.head), text=said), *others]


async def _asked(line: Line, asker: Target) -> str:
    if asker.place.platform is not Platform.SLACK:
        return f"Asked in {asker.place.platform.value.capitalize()} by {escape(asker.author_id)}"
    who = f"<@{asker.author_id}>"
    if is_direct(asker):
        return f"{who} asks in the conversation with me"
    where = f"<#{asker.place.channel}>"
    if asker.address.get("private") or asker.place.thread == private_thread(asker.author_id):
        return f"{who} asks privately in {where}"
    link = await _link(line, asker)
    return f"{who} asks in {where}" + (f": <{link}|the conversation>" if link else "")


async def _link(line: Line, asker: Target) -> str:
    ts = str(asker.address.get("thread_ts") or asker.place.thread or asker.message_id)
    try:
        said = await line.api.call(
            "chat.getPermalink", team_id=asker.installation, channel=asker.place.channel, message_ts=ts
        )
    except (Rejected, ChannelUnavailable) as error:
        _log.info("a ticket is announced without a link: %s", error)
        return ""
    return str(said.get("permalink") or "")
