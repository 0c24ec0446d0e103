"""What buttons show at once: how a ticket stands, a private answer to everybody, and a file that was accepted.

A passage behind a source needs no answer of ours: its card came with the message (adapters/teams/cards.py).
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from adapters.teams import cards
from adapters.teams.files import TeamsFiles
from adapters.teams.invoked import Asked, Button, Pressed
from adapters.teams.outbound import file_info
from adapters.teams.references import References
from adapters.teams.transport import Transport
from core import wording
from core.domain import Ticket
from core.errors import ChannelUnavailable, NotFound, Rejected
from core.outbox import Delivery, Purpose, Target
from core.payloads import object_at, text_at, value_at
from core.places import Place, Platform


class Deliveries(Protocol):
    """The part of the outbox that is used here."""

    async def of_id(self, tenant_id: int, outbox_id: int) -> Delivery | None:
        """Look a delivery up, without opening it."""

    async def of_message(self, tenant_id: int, installation: str, place: Place, message_id: str) -> Delivery | None:
        """Look up the delivery that the platform's message MESSAGE_ID is a part of."""

    async def enqueue(self, target: Target, purpose: Purpose, content: Any) -> int:
        """Store something to be sent by whichever worker is free; return its outbox id."""


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
        number, language = value_at(pressed.data, "number"), _language(pressed.data)
        try:
            ticket = await self._tickets.ticket(tenant_id, number if isinstance(number, int) else 0)
        except NotFound:
            return cards.invoke_message(wording.say(wording.BUTTON_GONE, language))
        return cards.invoke_card(cards.ticket_card(ticket.number, ticket.state, language=language))

    async def _share(self, pressed: Pressed, tenant_id: int, installation: str) -> dict[str, Any]:
        """Let a worker post the answer for all; only whoever it was for may show it."""
        found = await self._deliveries.of_message(tenant_id, installation, pressed.place, pressed.message_id)
        content = found.content if found else None
        if found is None or content is None or found.target.author_id != pressed.author_id:
            return cards.invoke_message(wording.say(wording.BUTTON_GONE, _language(pressed.data)))
        shared = replace(content, private=False)
        await self._deliveries.enqueue(shared_target(found.target), Purpose.ANSWER, shared)
        return cards.invoke_message(wording.say(wording.SHARED, content.language))

    async def give(self, pressed: Pressed, tenant_id: int) -> None:
        """Put a file that was accepted where its reader wants it, and show it in place of the question.

        Raises StoreUnavailable, Rejected, ChannelUnavailable.
        """
        outbox_id = value_at(pressed.data, "context", "outbox")
        found = await self._deliveries.of_id(tenant_id, outbox_id) if isinstance(outbox_id, int) else None
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

    async def update(self, pressed: Pressed, body: Mapping[str, Any]) -> None:
        """Show what a client that knows no Action.Execute was answered, which expects nothing in the response."""
        if body.get("type") != cards.CARD_TYPE or not pressed.message_id:
            return
        card = {"type": "message", "attachments": [cards.attachment(body["value"])]}
        try:
            await self._transport.update(pressed.address, pressed.message_id, card)
        except (Rejected, ChannelUnavailable):
            return


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
