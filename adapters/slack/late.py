"""Bring what is for one person alone and comes late to their own conversation with the app.

A message that only one person sees in a channel is shown to whoever is active at that moment, and to nobody later:
docs.slack.dev/reference/methods/chat.postEphemeral
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from adapters.slack import limits
from adapters.slack.api import Refusal
from adapters.slack.line import Line
from adapters.slack.markup import escape
from adapters.slack.outbound import Part, sound
from core import wording
from core.outbox import Purpose, Sent, Target
from core.places import Place, Platform

GONE = {
    **dict.fromkeys(("invalid_thread_ts", "thread_not_found", "message_not_found"), wording.IT_WAS_DELETED),
    **dict.fromkeys(("channel_not_found", "is_archived", "not_in_channel"), wording.CANNOT_WRITE_THERE),
}
"""What a refusal says of the place something was to go to, in words."""

AT_ONCE_S = 600.0
"""After asking: so long Slack takes a person for active who does nothing."""

_LONGEST_QUESTION = 300
_TS = re.compile(r"\d{1,12}\.\d{1,9}")


def is_late(line: Line, now_s: float) -> bool:
    """Tell whether the author of what is answered may look elsewhere by now."""
    if line.posting.delivery.purpose is not Purpose.ANSWER:
        return True
    asked_s = _asked_at(line.target)
    return asked_s is not None and now_s - asked_s > AT_ONCE_S


def _asked_at(target: Target) -> float | None:
    """Tell when a question came, in seconds since 1970; None where that is not known."""
    at = target.address.get("at")
    if isinstance(at, int | float):
        return float(at)
    asked = str(target.address.get("ts") or target.message_id)
    return float(asked) if _TS.fullmatch(asked) else None


async def to_direct(line: Line) -> Line:
    """Return the way to the author's own conversation with the app; raises as SlackApi.call does."""
    try:
        opened = await line.call("conversations.open", users=line.author_id)
        channel = str(opened["channel"]["id"])
    except Refusal:  # without the scope for it a message reaches them by their own id, once
        channel = line.author_id
    place = Place(Platform.SLACK, channel)
    address = {"team": line.team_id, "channel": channel, "user": line.author_id, "thread_ts": "", "channel_type": "im"}
    return Line(line.api, line.posting, replace(line.target, place=place, address=address, message_id=""))


async def clear_direct(line: Line, earlier: Sequence[Sent]) -> None:
    """Delete what was brought EARLIER to the author's own conversation: it is brought anew."""
    direct = await to_direct(line) if earlier else line
    for sent in earlier:
        if _TS.fullmatch(sent.message_id):
            with suppress(Refusal):
                await line.call("chat.delete", channel=direct.channel, ts=sent.message_id)


def headed(parts: Sequence[Part], line: Line, question: str, language: str) -> list[Part]:
    """Say above an answer where its author asked what."""
    first, *others = parts
    asked = " ".join(sound(question).split())
    if len(asked) > _LONGEST_QUESTION:
        asked = asked[: _LONGEST_QUESTION - 1].rstrip() + "…"
    place = f"<#{line.channel}>"
    is_notice = line.posting.delivery.purpose is Purpose.NOTICE
    where = place if is_notice else wording.say(wording.ASKED_IN, language, place=place)
    text = f"{where}\n> {escape(asked)}" if asked else where
    block = {"type": "context", "elements": [{"type": "mrkdwn", "text": text, "verbatim": True}]}
    whole = f"{text}\n\n{first.text}"
    head = (block, *first.head)
    return [replace(first, head=head, text=whole if len(whole) <= limits.UPDATE_TEXT else first.text), *others]
