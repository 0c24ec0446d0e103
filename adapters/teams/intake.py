"""What becomes of an activity whose sender is known: stored before anybody is told so, its button answered at once."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from adapters.teams import cards
from adapters.teams.files import FileTickets
from adapters.teams.inbound import Changed, Event, Heard, Ignored, Scope, Seen, address_of, from_activity
from adapters.teams.invoked import CARD_ACTION, Asked, from_invoke, is_invoke, is_submitted
from adapters.teams.limits import FILE_HOSTS
from adapters.teams.listening import Listening
from adapters.teams.outbound import message_of, typing
from adapters.teams.payload import Json, installation_of, tenant_of, text_at
from adapters.teams.references import References
from adapters.teams.sources import Shown
from adapters.teams.transport import Transport
from core import wording
from core.commands import parse
from core.domain import Answer, Message, Origin
from core.errors import ChannelUnavailable, FrontdeskError, Overloaded, Rejected, UsageError
from core.inbox import Accepted, Incoming, Kind
from core.meter import Counted, Meter, Unmetered
from core.outbox import Purpose, Target
from core.places import Platform
from core.routing import SmallTalkKind
from core.routing import reply as small_talk_reply

"""A message of the catalogues."""

_MOST_CALLS = 200  # on their way at once beside the answers; more are left out
_WORD_EVERY_S = 600.0

_log = logging.getLogger(__name__)


class Accepts(Protocol):
    """The part of core/accepting.py's Acceptance that is used here."""

    async def accept(self, incoming: Incoming) -> Accepted:
        """Store an event."""


class Instant(Protocol):
    """The part of core/actions.py's Actions that is used here."""

    async def instant(self, message: Message) -> Answer | None:
        """Do what MESSAGE commands where that is quick; else None."""


class Enqueues(Protocol):
    """The part of the outbox that is used here."""

    async def enqueue(self, target: Target, purpose: Purpose, content: Answer) -> int:
        """Store something to be sent by whichever worker is free."""


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
        self._clock = clock
        self._calls: set[asyncio.Task[None]] = set()
        self._told: dict[str, float] = {}

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
        for task in self._calls:
            task.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)

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
        if await self._is_done(incoming):
            return ""
        kept = await parts.files.keep(heard)
        message = replace(incoming.message, attachments=(*kept, *incoming.message.attachments))
        incoming = replace(incoming, message=message)
        try:
            accepted = await parts.acceptance.accept(incoming)
        except Overloaded as error:
            await parts.files.drop(incoming)
            self._tell(incoming.installation + incoming.message.author.author_id, incoming.address, str(error))
            return str(error)
        if accepted.duplicate:
            await parts.files.drop(incoming)
        elif incoming.kind is Kind.MESSAGE:
            self._type(incoming.address)
        return ""

    def _type(self, address: Mapping[str, Any]) -> None:
        """Show at once that somebody is at it; a channel shows no typing."""
        if address.get("scope") != Scope.CHANNEL and not address.get("private"):
            self._soon(self._send(address, typing()))

    async def _is_done(self, incoming: Incoming) -> bool:
        """Carry out at once what must not be stored on its way: the code that makes an administrator."""
        parts = self._parts
        parsed = parse(incoming.message.text) if incoming.kind is Kind.MESSAGE and parts.commands else None
        if parsed is None or parsed.name != "admin" or parts.commands is None:
            return False
        answer = await parts.commands.instant(incoming.message)
        if answer is None:
            return False
        await parts.outbox.enqueue(target_of(incoming), Purpose.NOTICE, answer)
        return True

    async def _change(self, changed: Changed, tenant_id: int) -> None:
        """Greet whoever installed the app, once; who joins later finds that greeting, and is not greeted before all."""
        target = Target(tenant_id, changed.installation, changed.place, "", changed.address)
        if changed.event is Event.REMOVED:
            await self._parts.greetings.forget(target)
        elif changed.event is Event.ADDED and await self._parts.greetings.greet(target):
            language = _language(changed.locale)
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
            gone = wording.say(wording.BUTTON_GONE, _language(text_at(activity, "locale")))
            return _invoked(activity, cards.invoke_message(gone), unknown=True)
        body = await self._parts.shown.show(found, seen.tenant_id, installation_of(activity))
        if found.what is Asked.CONSENT:
            self._soon(self._parts.shown.give(found, seen.tenant_id))
        elif not is_invoke(activity):
            self._soon(self._parts.shown.update(found, body))
        return _invoked(activity, body)

    async def _press_heard(self, activity: Json, heard: Heard) -> Reply:
        refusal = await self._store(heard)
        language = _language(text_at(activity, "locale"))
        if text_at(activity, "name") == CARD_ACTION:
            said = refusal or wording.say(wording.LOOKING_UP, language)
            return _invoked(activity, cards.invoke_message(said))
        return _invoked(activity, {})

    # Words beside the answers

    def _turn_away(self, activity: Json) -> Reply:
        """Tell somebody of a tenant that is not served so, now and then; nothing of it is stored."""
        self._count(0, "unknown tenant")
        tenant = tenant_of(activity)
        said = wording.say(wording.UNKNOWN_TENANT, _language(text_at(activity, "locale")), tenant=tenant or "?")
        if is_invoke(activity):
            return _invoked(activity, cards.invoke_message(said), unknown=True)
        if text_at(activity, "type") == "message" and tenant:
            self._tell(text_at(activity, "conversation", "id"), address_of(activity), said)
        return Reply()

    def _tell(self, key: str, address: Mapping[str, Any], words: str) -> None:
        now_s = self._clock()
        self._told = {who: at_s for who, at_s in self._told.items() if now_s - at_s < _WORD_EVERY_S}
        if key not in self._told and len(self._told) < 10_000:
            self._told[key] = now_s
            self._soon(self._send(address, message_of(words)))

    async def _send(self, address: Mapping[str, Any], activity: Mapping[str, Any]) -> None:
        await self._parts.transport.send(address, activity, patience_s=0.0)

    def _count(self, tenant_id: int, reason: str) -> None:
        tenant = str(tenant_id) if tenant_id else ""
        self._parts.meter.count(Counted.REFUSED, platform=Platform.TEAMS.value, tenant=tenant, reason=reason)

    def _soon(self, call: Coroutine[Any, Any, None]) -> None:
        """Make a call beside the acknowledgement, which does not wait for it."""
        if len(self._calls) >= _MOST_CALLS:
            call.close()
            return
        task = asyncio.create_task(_logged(call))
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)


async def _logged(call: Coroutine[Any, Any, None]) -> None:
    try:
        await call
    except (Rejected, ChannelUnavailable) as error:
        _log.info("A call beside the answers was not made: %s", error)
    except FrontdeskError as error:
        _log.warning("A call beside the answers was not made: %s", error)


def _invoked(activity: Json, body: Mapping[str, Any], *, unknown: bool = False) -> Reply:
    """Answer an invoke in its own response; what is no card's and nobody knows, with 501, as the service expects."""
    if not is_invoke(activity):
        return Reply()
    if unknown and text_at(activity, "name") != CARD_ACTION:
        return Reply(501)
    return Reply(200, body)


def _language(locale: str) -> str:
    return locale[:2].lower() or "en"


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
