"""What becomes of an activity whose sender is known: stored before anybody is told so, its button answered at once."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from adapters.teams import cards
from adapters.teams.files import ticketed
from adapters.teams.inbound import Changed, Event, Heard, Ignored, Scope, Seen, address_of, from_activity, locale_of
from adapters.teams.invoked import (
    CARD_ACTION,
    FEEDBACK,
    Asked,
    button_data,
    from_invoke,
    is_invoke,
    is_submitted,
    is_wish,
)
from adapters.teams.limits import FILE_HOSTS
from adapters.teams.outbound import message_of, typing
from adapters.teams.payload import installation_of, tenant_of
from adapters.teams.references import References
from adapters.teams.sources import Shown, handed_on, wish_about
from adapters.teams.transport import Transport
from core import wording
from core.beside import Beside, NowAndThen
from core.domain import Answer, Attachment, Origin
from core.errors import Overloaded, UsageError
from core.file_tickets import FileTickets
from core.inbox import Kind
from core.language import hint_of
from core.listening import Listening
from core.meter import Counted, Meter, Unmetered
from core.outbox import Purpose, Target, target_of
from core.payloads import Json, text_at
from core.places import Platform
from core.routing import SmallTalkKind
from core.routing import reply as small_talk_reply
from core.taking import Accepts, Enqueues, Instant, carry_out_secretly

_MOST_CALLS = 200  # on their way at once beside the answers; more are left out
_WORD_EVERY_S = 600.0

_log = logging.getLogger(__name__)


class Greetings(Protocol):
    """The part of adapters/postgres/conversations.py that is used here."""

    async def greet(self, target: Target) -> bool:
        """Note that a conversation is greeted; False where it was before."""

    async def forget(self, target: Target) -> None:
        """Drop a conversation that is over."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What Teams' request is answered with."""

    status: int = 200
    body: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """What activities are handed to."""

    acceptance: Accepts
    listening: Listening
    files: FileTickets
    file_secret: bytes  # what their tickets are signed with
    shown: Shown
    transport: Transport
    references: References
    greetings: Greetings
    outbox: Enqueues
    commands: Instant | None = None
    meter: Meter = field(default_factory=Unmetered)
    file_hosts: Sequence[str] = FILE_HOSTS


class Intake:
    """Take activities in."""

    def __init__(
        self, parts: Parts, tenant_of: Callable[[str], int | None], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Take activities in for the tenants that TENANT_OF knows, by their Entra ids."""
        self._parts = parts
        self._tenant_of = tenant_of
        self._beside = Beside(_MOST_CALLS)
        self._told = NowAndThen(_WORD_EVERY_S, clock=clock)

    async def take(self, activity: Json, request_id: str = "") -> Reply:
        """Take ACTIVITY in and say how its request is answered.

        Raises StoreUnavailable: then it is to be delivered again.
        """
        tenant_id = self._tenant_of(tenant_of(activity))
        if tenant_id is None:
            return self._turn_away(activity)
        seen = Seen(tenant_id, request_id, self._parts.file_hosts)
        try:
            if is_invoke(activity) or is_submitted(activity):
                return await self._press(activity, seen)
            return await self._hear(activity, seen)
        except UsageError as error:  # it can never be taken in; delivered again it would be the same
            _log.warning("An activity of Teams is dropped: %s", error)
            self._count(tenant_id, "unreadable")
            return Reply()

    async def close(self) -> None:
        """Let go of calls that are on their way."""
        await self._beside.close()

    # What is said

    async def _hear(self, activity: Json, seen: Seen) -> Reply:
        found = from_activity(activity, seen)
        if isinstance(found, Changed):
            await self._change(found, seen.tenant_id)
        elif isinstance(found, Ignored):
            _log.debug("ignored: %s", found.reason)
        elif await self._parts.listening.concerns_us(found):
            await self._store(found)
        return Reply()

    async def _store(self, heard: Heard) -> str:
        """Store what was heard; where that is too much, tell its author so and return the words."""
        parts, incoming = self._parts, heard.incoming
        await parts.references.note(target_of(incoming))
        if await carry_out_secretly(incoming, parts.commands, parts.outbox):
            return ""
        kept = await self._keep_files(heard)
        message = replace(incoming.message, attachments=(*kept, *incoming.message.attachments))
        incoming = replace(incoming, message=message)
        try:
            accepted = await parts.acceptance.accept(incoming)
        except Overloaded as error:
            await parts.files.drop(message.tenant_id, kept)
            self._tell(incoming.installation + incoming.message.author.author_id, incoming.address, str(error))
            return str(error)
        if accepted.duplicate:
            await parts.files.drop(message.tenant_id, kept)
        elif incoming.kind is Kind.MESSAGE:
            self._type(incoming.address)
        return ""

    async def _keep_files(self, heard: Heard) -> tuple[Attachment, ...]:
        """Keep a ticket for each file of what will be answered; those of an edit came with the message itself."""
        if heard.incoming.kind is not Kind.MESSAGE:
            return ()
        tenant_id, secret = heard.incoming.message.tenant_id, self._parts.file_secret
        return await self._parts.files.keep(tenant_id, [ticketed(file, tenant_id, secret) for file in heard.files])

    def _type(self, address: Mapping[str, Any]) -> None:
        """Show at once that somebody is at it; a channel shows no typing."""
        if address.get("scope") != Scope.CHANNEL and not address.get("private"):
            self._beside.start(self._send(address, typing()))

    async def _change(self, changed: Changed, tenant_id: int) -> None:
        """Greet whoever installed the app, once; who joins later finds that greeting, and is not greeted before all."""
        target = Target(tenant_id, changed.installation, changed.place, "", changed.address)
        if changed.event is Event.REMOVED:
            await self._parts.greetings.forget(target)
        elif changed.event is Event.ADDED and await self._parts.greetings.greet(target):
            language = hint_of(changed.locale) or "en"
            greeting = small_talk_reply(SmallTalkKind.GREETING, language)
            answer = Answer(greeting, Origin.SMALL_TALK, None, language=language)
            target = replace(target, address={**target.address, "welcome": True})
            await self._parts.outbox.enqueue(target, Purpose.NOTICE, answer)

    # What is pressed

    async def _press(self, activity: Json, seen: Seen) -> Reply:
        found = from_invoke(activity, seen)
        if isinstance(found, Heard):
            return await self._press_heard(activity, found)
        if isinstance(found, Ignored):
            _log.debug("ignored: %s", found.reason)
            gone = wording.say(wording.BUTTON_GONE, _language(activity))
            return _invoked(activity, cards.invoke_message(gone), unknown=True)
        installation = installation_of(activity)
        body = await self._parts.shown.show(found, seen.tenant_id, installation)
        if found.what is Asked.CONSENT:
            self._beside.start(self._parts.shown.give(found, seen.tenant_id))
        elif not is_invoke(activity):
            self._beside.start(self._parts.shown.update(found, body, seen.tenant_id, installation))
        return _invoked(activity, body)

    async def _press_heard(self, activity: Json, heard: Heard) -> Reply:
        if not is_wish(heard):
            await self._store(heard)
            return _invoked(activity, {})
        message_id, data = text_at(activity, "replyToId"), button_data(activity)
        found = await self._parts.shown.asked_about(heard.incoming, message_id, data)
        incoming = wish_about(heard.incoming, found) if found else heard.incoming
        refusal = await self._store(replace(heard, incoming=incoming))
        if refusal:
            return _invoked(activity, cards.invoke_message(refusal))
        if not is_invoke(activity):
            self._beside.start(self._parts.shown.hand_on(incoming, message_id, found))
        return _invoked(activity, cards.invoke_card(handed_on(heard.incoming, found)))

    # Words beside the answers

    def _turn_away(self, activity: Json) -> Reply:
        """Tell somebody of a tenant that is not served so, now and then; nothing of it is stored."""
        self._count(0, "unknown tenant")
        tenant = tenant_of(activity)
        said = wording.say(wording.UNKNOWN_TENANT, _language(activity), tenant=tenant or "?")
        if is_invoke(activity):
            return _invoked(activity, cards.invoke_message(said), unknown=True)
        if text_at(activity, "type") == "message" and tenant:
            self._tell(text_at(activity, "conversation", "id"), address_of(activity), said)
        return Reply()

    def _tell(self, key: str, address: Mapping[str, Any], words: str) -> None:
        if self._told.may_tell(key):
            self._beside.start(self._send(address, message_of(words)))

    async def _send(self, address: Mapping[str, Any], activity: Mapping[str, Any]) -> None:
        await self._parts.transport.send(address, activity, patience_s=0.0)

    def _count(self, tenant_id: int, reason: str) -> None:
        tenant = str(tenant_id) if tenant_id else ""
        self._parts.meter.count(Counted.REFUSED, platform=Platform.TEAMS.value, tenant=tenant, reason=reason)


def _invoked(activity: Json, body: Mapping[str, Any], *, unknown: bool = False) -> Reply:
    """Answer an invoke in its own response; what is no card's and nobody knows, with 501, as the service expects."""
    if not is_invoke(activity):
        return Reply()
    if unknown and text_at(activity, "name") == FEEDBACK:
        return Reply(200, {})  # a thumb of a kind that is not known yet is nobody's error
    if unknown and text_at(activity, "name") != CARD_ACTION:
        return Reply(501)
    return Reply(200, body)


def _language(activity: Json) -> str:
    return hint_of(locale_of(activity)) or "en"
