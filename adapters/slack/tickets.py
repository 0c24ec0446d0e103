"""Tickets in one channel of Slack: announced there, answered in their threads, taken over and closed by buttons.

Whoever may write in that channel answers tickets: its members are the rule. People of other workspaces, with whom it
may be shared, are not among them.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from adapters.slack.inbound import Bot, Heard, Seen, from_event, mentions, micros
from adapters.slack.payload import id_at
from adapters.slack.rich_text import to_markdown
from core import wording
from core.announcements import Announcements
from core.domain import Ticket
from core.errors import Busy, NotFound, Overloaded, UsageError
from core.inbox import Incoming, Kind, Thread
from core.outbox import Target
from core.payloads import object_at, objects_at, text_at
from core.places import Place, Platform
from core.taking import Accepts
from core.ticket_work import TicketWork

TAKE = "ticket_take"
CLOSE = "ticket_close"
"""The action ids of the buttons; their value is the ticket's number."""
_ANSWERING = (Kind.MESSAGE, Kind.EDIT, Kind.DELETE)
_COMMAND = "/tickets answer "
_BUTTONS = "ticket_buttons"
_STATE = "ticket_state"
_CHANNEL = re.compile(r"(?:(?P<team>[TE][A-Z0-9]{2,40})/)?(?P<channel>[CG][A-Z0-9]{2,40})")


@dataclass(frozen=True, slots=True)
class TicketChannel:
    """Where tickets are announced."""

    tenant_id: int
    team_id: str
    channel: str

    @property
    def target(self) -> Target:
        """Say where announcements go."""
        address = {"team": self.team_id, "channel": self.channel}
        return Target(self.tenant_id, self.team_id, Place(Platform.SLACK, self.channel), "", address)


class Announced(Announcements, Protocol):
    """What was announced."""

    async def announced_by(self, target: Target, message_id: str) -> tuple[int, str] | None:
        """Tell the number of the ticket that a message in the place of TARGET announces, and its first message."""


def read_ticket_channel(text: str, known: Sequence[str]) -> tuple[str, str]:
    """Read SLACK_TICKET_CHANNEL, C... or T.../C..., as workspace and channel; raises UsageError.

    KNOWN are the workspaces there are; where there is one alone, it need not be named.
    """
    found = _CHANNEL.fullmatch(text.strip())
    if found is None:
        raise UsageError("SLACK_TICKET_CHANNEL is the id of a channel such as C024BE91L, or T024BE7LD/C024BE91L.")
    team_id = found["team"] or (known[0] if len(known) == 1 else "")
    if not team_id:
        raise UsageError("SLACK_TICKET_CHANNEL must name the workspace too, as T024BE7LD/C024BE91L: there are several.")
    return team_id, found["channel"]


def ticket_buttons(number: int, *, taken: bool = False) -> dict[str, Any]:
    """Make the block of a ticket's buttons."""
    take = [] if taken else [_button(TAKE, "Take over", number)]
    return {"type": "actions", "block_id": _BUTTONS, "elements": [*take, _button(CLOSE, "Close", number)]}


def after_press(blocks: Sequence[Mapping[str, Any]], number: int, action_id: str, user_id: str) -> list[dict[str, Any]]:
    """Write a ticket's message anew after somebody took it over or closed it."""
    kept = [dict(block) for block in blocks if text_at(block, "block_id") not in (_BUTTONS, _STATE)]
    done = "closed" if action_id == CLOSE else "took over"
    text = f"<@{user_id}> {done} ticket {number}."
    state = {"type": "context", "block_id": _STATE, "elements": [{"type": "mrkdwn", "text": text}]}
    buttons = [] if action_id == CLOSE else [ticket_buttons(number, taken=True)]
    return [*kept[:48], state, *buttons]


class TicketThreads:
    """Turn replies to announcements into answers, and buttons into what they say."""

    def __init__(
        self,
        where: TicketChannel,
        announced: Announced,
        work: TicketWork,
        acceptance: Accepts,
        *,
        was_taken: Callable[[Thread, str], Awaitable[bool]] | None = None,
    ) -> None:
        """Open them; WAS_TAKEN tells whether a message was taken in as an answer, which it stays: see `is_answer`."""
        self.where = where
        self._announced = announced
        self._work = work
        self._acceptance = acceptance
        self._was_taken = was_taken

    def concerns(self, payload: Mapping[str, Any], team_id: str) -> bool:
        """Tell without looking anything up whether an event or a button is in the channel of tickets."""
        channel = text_at(payload, "event", "channel") or text_at(payload, "container", "channel_id")
        return team_id == self.where.team_id and (channel or id_at(payload, "channel")) == self.where.channel

    async def reply(self, payload: Mapping[str, Any], bot: Bot, names: Mapping[str, str] | None = None) -> str | None:
        """Take a reply below an announcement in as the answer to its ticket; None where it is none.

        An edit corrects the answer and a deletion withdraws it. Returns what whoever answers must know, which is mostly
        nothing. It becomes the command `tickets answer`, so that it is stored before Slack is told so, carried out once
        however often Slack brings it, and acknowledged in the thread. NAMES are those of its author and of the people
        it mentions, by id. Raises as Acceptance.accept does, but Busy where too much is waiting: Slack is to bring an
        answer again, for nobody else will.
        """
        event = object_at(payload, "event")
        root = next((ts for part in (event, *_parts(event)) if (ts := text_at(part, "thread_ts"))), "")
        if not root or text_at(event, "type") not in ("message", "app_mention"):
            return None
        heard = from_event(payload, Seen(self.where.tenant_id, bot, names or {}))
        if not isinstance(heard, Heard) or heard.incoming.kind not in _ANSWERING:
            return None
        incoming = heard.incoming
        if incoming.address.get("user_team") != self.where.team_id or incoming.message_id == root:
            return None
        announced = await self._announced.announced_by(self.where.target, root)
        number, first = announced or (0, root)
        incoming = _below(incoming, first)
        taken = announced is not None and await self._is_taken(incoming)
        if announced is None or (not taken and _asks_us(heard, event, bot)):
            return None
        word = wording.FILES_STAY if heard.files else ""
        if incoming.kind is Kind.DELETE:
            return await self._accept(as_withdrawal(incoming, number, event)) if taken else ""
        message = object_at(event, "message") or event
        written = to_markdown(objects_at(message, "blocks"), _without(names, bot)) or incoming.message.text
        return await self._accept(as_answer(incoming, number, written), word) if written.strip() else word

    async def _is_taken(self, incoming: Incoming) -> bool:
        if incoming.kind is Kind.MESSAGE or self._was_taken is None:
            return False
        return await self._was_taken(incoming.thread, incoming.message_id)

    async def _accept(self, incoming: Incoming, word: str = "") -> str:
        try:
            accepted = await self._acceptance.accept(incoming)
        except Overloaded as error:
            raise Busy(str(error), error.retry_after_s) from error
        return "" if accepted.duplicate else word

    async def press(self, payload: Mapping[str, Any]) -> str:
        """Carry out what a button says and return its action id; the empty string where it is none of ours.

        To be repeated without harm. Raises StoreUnavailable.
        """
        action = next(iter(objects_at(payload, "actions")), {})
        name, value = text_at(action, "action_id"), text_at(action, "value")
        stranger = text_at(payload, "user", "team_id") not in ("", self.where.team_id)
        if name not in (TAKE, CLOSE) or not value.isdecimal() or len(value) > 9 or stranger:
            return ""
        try:
            await self._do(name, int(value))
        except (NotFound, UsageError):  # deleted or closed meanwhile
            return CLOSE
        return name

    async def _do(self, name: str, number: int) -> Ticket | bool:
        if name == CLOSE:
            return await self._work.close(self.where.tenant_id, number)
        return await self._work.take(self.where.tenant_id, number)


def _below(incoming: Incoming, first: str) -> Incoming:
    """Count a reply to any message of an announcement as one to the FIRST; it is acknowledged where it stands."""
    message = incoming.message
    return replace(incoming, message=replace(message, place=replace(message.place, thread=first)))


def as_answer(incoming: Incoming, number: int, text: str) -> Incoming:
    """Write a reply as the command that answers a ticket with TEXT."""
    message = replace(incoming.message, text=f"{_COMMAND}{number} {text}", administrator=True)
    return replace(incoming, message=message, target="")


def is_answer(text: str) -> bool:
    """Tell whether what was taken in is a reply that answers a ticket."""
    return text.startswith(_COMMAND)


def as_withdrawal(incoming: Incoming, number: int, event: Mapping[str, Any]) -> Incoming:
    """Write the deletion of a reply as its edit to the word that it was withdrawn, which is what its reader sees."""
    answer = as_answer(incoming, number, wording.WITHDRAWN)
    revision = micros(text_at(event, "event_ts") or text_at(event, "ts"))
    return replace(answer, kind=Kind.EDIT, revision=revision, target=incoming.message_id)


def _asks_us(heard: Heard, event: Mapping[str, Any], bot: Bot) -> bool:
    """Tell whether a message is to us and not to a ticket's author, or was before it was edited."""
    return heard.addressed or mentions(text_at(event, "previous_message", "text"), bot)


def _parts(event: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    return object_at(event, "message"), object_at(event, "previous_message")


def _without(names: Mapping[str, str] | None, bot: Bot) -> Mapping[str, str]:
    return {bot.user_id: "Frontdesk", **(names or {})}


def _button(action_id: str, label: str, number: int) -> dict[str, Any]:
    text = {"type": "plain_text", "text": label}
    return {"type": "button", "action_id": action_id, "text": text, "value": str(number)}
