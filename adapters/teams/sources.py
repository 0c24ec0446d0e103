"""What buttons show at once: how a ticket stands, a private answer to everybody, and a file that was accepted.

A passage behind a source needs no answer of ours: its card came with the message (adapters/teams/cards.py).
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Protocol

from adapters.teams import cards
from adapters.teams.files import TeamsFiles
from adapters.teams.inbound import Scope
from adapters.teams.invoked import WISH, Asked, Button, Pressed
from adapters.teams.outbound import file_info, may_share, message_of, render
from adapters.teams.references import References
from adapters.teams.transport import Refusal, Transport
from core import wording
from core.domain import Answer, Ticket
from core.errors import NotFound
from core.inbox import Incoming
from core.language import hint_of
from core.outbox import Cause, Delivery, Purpose, Target, target_of
from core.payloads import integer_at, object_at, text_at
from core.places import Place, Platform

_HIGHEST = 2**31 - 1  # number of a ticket that PostgreSQL has


class Deliveries(Protocol):
    """The part of the outbox that is used here."""

    async def of_id(self, tenant_id: int, outbox_id: int) -> Delivery | None:
        """Look a delivery up, without opening it."""

    async def of_message(self, tenant_id: int, installation: str, place: Place, message_id: str) -> Delivery | None:
        """Look up the delivery that the platform's message MESSAGE_ID is a part of."""

    async def enqueue(self, target: Target, purpose: Purpose, content: Answer, *, cause: Cause | None = None) -> int:
        """Store something to be sent by whichever worker is free; the same CAUSE brings about one delivery."""


class Tickets(Protocol):
    """The part of the tickets that is used here."""

    async def ticket(self, tenant_id: int, number: int) -> Ticket:
        """Look a ticket up by its number; raises NotFound."""


class Shown:
    """Answer the buttons that show something."""

    def __init__(
        self,
        deliveries: Deliveries,
        tickets: Tickets,
        files: TeamsFiles,
        transport: Transport,
        references: References,
    ) -> None:
        self._deliveries = deliveries
        self._tickets = tickets
        self._files = files
        self._transport = transport
        self._references = references

    async def show(self, pressed: Pressed, tenant_id: int, installation: str) -> dict[str, Any]:
        """Do what was pressed and return the body of the invoke's answer; raises StoreUnavailable."""
        match pressed.what:
            case Button.SHARE:
                return await self._share(pressed, tenant_id, installation)
            case Asked.FORM:
                return _form(pressed)
            case Asked.CONSENT:
                return {}
            case _:
                return await self._ticket(pressed, tenant_id)

    async def _ticket(self, pressed: Pressed, tenant_id: int) -> dict[str, Any]:
        """Show the state alone: the number came from a client, who may name any."""
        number, language = integer_at(pressed.data, "number"), _language(pressed.data)
        try:
            ticket = await self._tickets.ticket(tenant_id, number if number and 0 < number <= _HIGHEST else 0)
        except NotFound:
            return cards.invoke_message(wording.say(wording.BUTTON_GONE, language))
        return cards.invoke_card(cards.ticket_card(ticket.number, ticket.state, language=language))

    async def _share(self, pressed: Pressed, tenant_id: int, installation: str) -> dict[str, Any]:
        """Let a worker post the answer for all, once; only whoever it was for may show it."""
        target = Target(tenant_id, installation, pressed.place, pressed.author_id, message_id=pressed.message_id)
        found = await self._find(target, pressed.data)
        content = _seen(found) if found else None
        scope = Scope(str(pressed.address["scope"]))
        is_theirs = found is not None and found.target.author_id == pressed.author_id
        if found is None or content is None or not is_theirs or not may_share(content, scope):
            language = hint_of(str(pressed.address["locale"])) or _language(pressed.data)
            return cards.invoke_message(wording.say(wording.BUTTON_GONE, language))
        shared = replace(content, private=False)
        cause = Cause(found.outbox_id, "share")
        await self._deliveries.enqueue(shared_target(found.target), Purpose.ANSWER, shared, cause=cause)
        said = wording.SHARED if scope is Scope.CHANNEL else wording.SHARED_IN_CHAT
        return cards.invoke_message(wording.say(said, content.language))

    async def _find(self, target: Target, data: Mapping[str, Any]) -> Delivery | None:
        """Look up the answer at TARGET by its message, or by what its button carries: a client may show it in pieces.

        What is one person's alone only that person finds.
        """
        where = (target.tenant_id, target.installation, target.place)
        found = await self._deliveries.of_message(*where, target.message_id) if target.message_id else None
        outbox_id = integer_at(data, "answer")
        if found is None and outbox_id is not None:
            found = await self._deliveries.of_id(target.tenant_id, outbox_id)
        content = _seen(found) if found else None
        if found is None or content is None or _channel(found.target) != _channel(target):
            return None
        return None if content.private and found.target.author_id != target.author_id else found

    async def asked_about(self, incoming: Incoming, message_id: str, data: Mapping[str, Any]) -> Delivery | None:
        """Look up the answer under whose message MESSAGE_ID the button was pressed that made INCOMING.

        DATA is what the button carries. Raises StoreUnavailable.
        """
        return await self._find(replace(target_of(incoming), message_id=message_id), data)

    async def give(self, pressed: Pressed, tenant_id: int) -> None:
        """Put a file that was accepted where its reader wants it, and show it in place of the question.

        Raises StoreUnavailable, Rejected, ChannelUnavailable.
        """
        outbox_id = integer_at(pressed.data, "context", "outbox")
        found = await self._deliveries.of_id(tenant_id, outbox_id) if outbox_id is not None else None
        file = found.content.file if found and found.content else None
        if found is None or file is None or found.target.author_id != pressed.author_id:
            return
        info = object_at(pressed.data, "uploadInfo")
        address = await self._references.address(found.target)
        if text_at(pressed.data, "action") == "accept":
            await self._files.put(info, file)
            shown = file_info(
                file.name, text_at(info, "contentUrl"), text_at(info, "uniqueId"), text_at(info, "fileType")
            )
            await self._transport.send({**address, **_here(pressed)}, shown)
        if pressed.message_id:
            await self._transport.delete({**address, **_here(pressed)}, pressed.message_id)

    async def update(self, pressed: Pressed, body: Mapping[str, Any], tenant_id: int, installation: str) -> None:
        """Show what a client that knows no Action.Execute was answered, which expects nothing in the response.

        Raises StoreUnavailable, Rejected, ChannelUnavailable.
        """
        if body.get("type") != cards.CARD_TYPE or not pressed.message_id:
            return
        found = await self._deliveries.of_message(tenant_id, installation, pressed.place, pressed.message_id)
        message = _with_card(found, body["value"], pressed.address)
        await self._transport.update(pressed.address, pressed.message_id, message)

    async def hand_on(self, incoming: Incoming, message_id: str, found: Delivery | None) -> None:
        """Show in such a client that INCOMING, the wish for a person, is heard: on the card of the answer FOUND.

        Where that is not the message MESSAGE_ID, or cannot be changed, a short text says so. Raises as `update`.
        """
        if found is not None and any(sent.message_id == message_id for sent in found.sent):
            message = _with_card(found, handed_on(incoming, found), incoming.address)
            with suppress(Refusal):
                await self._transport.update(incoming.address, message_id, message)
                return
        said = wording.say(wording.HANDED_ON, incoming.message.language_hint)
        await self._transport.send(incoming.address, message_of(said))


def _with_card(found: Delivery | None, card: Mapping[str, Any], address: Mapping[str, Any]) -> dict[str, Any]:
    """Make the message of the delivery FOUND anew, with another CARD."""
    content = _seen(found) if found else None
    shown = render(content, Scope(str(address["scope"])))[-1] if content else {"type": "message"}
    return {**shown, "attachments": [cards.attachment(card)]}


def _channel(target: Target) -> tuple[str, str]:
    return target.installation, target.place.channel


def _seen(delivery: Delivery) -> Answer | None:
    """Return what DELIVERY has shown, as one for its author alone where nobody else could see it."""
    content = delivery.content
    return replace(content, private=True) if content and delivery.target.address.get("private") else content


def wish_about(incoming: Incoming, found: Delivery) -> Incoming:
    """Make the wish for a person one about the answer FOUND: in its conversation, and one for whoever presses."""
    message = replace(incoming.message, place=found.target.place)
    content, address = _seen(found), dict(incoming.address)
    if content is not None and content.private and address["scope"] != Scope.PERSONAL:
        address["private"] = True
    return replace(incoming, message=message, message_id=f"{WISH}{found.outbox_id}", address=address)


def handed_on(incoming: Incoming, found: Delivery | None) -> dict[str, Any]:
    """Make the card of the answer FOUND anew: it says that INCOMING, which its button made, is heard."""
    language = incoming.message.language_hint
    answer = _seen(found) if found else None
    if found is None or answer is None:
        return cards.make_card([cards.text_block(wording.say(wording.HANDED_ON, language))])
    answer = replace(answer, language=language or answer.language)
    scope = Scope(str(incoming.address["scope"]))
    share_in = scope if may_share(answer, scope) else None
    return cards.answer_card(answer, share_in=share_in, handed_on=True, outbox_id=found.outbox_id) or {}


def _form(pressed: Pressed) -> dict[str, Any]:
    language = _language(pressed.data)
    card = cards.feedback_form(text_at(pressed.data, "reaction"), language)
    return cards.invoke_form(card, wording.say(wording.YOUR_FEEDBACK, language))


def _language(data: Mapping[str, Any]) -> str:
    return text_at(data, "language")[:2] or "en"


def _here(pressed: Pressed) -> dict[str, Any]:
    """Name the conversation of a consent: the reader's own chat, which may not be where they asked."""
    return {"conversation": pressed.address.get("conversation", ""), "scope": "personal", "private": False}


def shared_target(target: Target) -> Target:
    """Say where an answer to one person goes for all: to the conversation it was asked in."""
    address = {name: held for name, held in target.address.items() if name != "private"}
    place = Place(Platform.TEAMS, target.place.channel, str(address.get("conversation", target.place.channel)))
    return replace(target, place=place, address=address)
