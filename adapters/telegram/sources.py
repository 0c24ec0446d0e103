"""Show the passage behind a source, to whoever presses its button."""

from typing import Protocol

from adapters.telegram.api import TelegramApi
from adapters.telegram.buttons import Press
from adapters.telegram.limits import CALLBACK_ANSWER
from adapters.telegram.outbound import passage
from adapters.telegram.posting import send_part
from core.outbox import Delivery
from core.parts import utf16_units
from core.places import Place

_PATIENCE_S = 30.0


class Deliveries(Protocol):
    """The part of the outbox that is read here."""

    async def of_message(self, tenant_id: int, installation: str, place: Place, message_id: str) -> Delivery | None:
        """Look up the delivery that the platform's message MESSAGE_ID is a part of."""

    async def of_id(self, tenant_id: int, outbox_id: int) -> Delivery | None:
        """Look up a delivery by its own id."""


class Sources:
    """Look passages up in what was sent; nothing is changed."""

    def __init__(self, deliveries: Deliveries) -> None:
        self._deliveries = deliveries

    async def find(self, tenant_id: int, installation: str, place: Place, press: Press) -> Delivery | None:
        """Look up the answer of the tenant that PRESS names and that the message with the button belongs to."""
        found = await self.of(tenant_id, installation, place, press)
        return found if found is not None and found.content is not None else None

    async def of(self, tenant_id: int, installation: str, place: Place, press: Press) -> Delivery | None:
        """Look that up also where the answer is still being written."""
        found = await self._deliveries.of_message(tenant_id, installation, place, press.message_id)
        return found if found is not None and found.outbox_id == press.outbox_id else None

    async def message_of(self, tenant_id: int, installation: str, place: Place, outbox_id: int) -> str:
        """Name the message in PLACE that has the buttons of an answer; empty where it is none of that chat's."""
        found = await self._deliveries.of_id(tenant_id, outbox_id)
        if found is None or (found.target.installation, found.target.place.channel) != (installation, place.channel):
            return ""
        return max(found.sent, key=lambda sent: sent.part).message_id if found.sent else ""

    def short(self, delivery: Delivery, number: int) -> str:
        """Return the passage where it fits the window that answers a button; else the empty string."""
        parts = passage(delivery.content, number) if delivery.content is not None else []
        fits = len(parts) == 1 and utf16_units(parts[0].plain) <= CALLBACK_ANSWER
        return parts[0].plain if fits else ""

    async def show(self, api: TelegramApi, delivery: Delivery, press: Press, place: Place) -> None:
        """Send the passage below the answer, in PLACE, where the button is; raises as TelegramApi.call does."""
        if delivery.content is None:
            return
        is_there = delivery.target.place.channel == place.channel  # else it was told to its author alone
        where = delivery.target.address if is_there else {"chat_id": int(place.channel)}
        address = {**where, "reply_to": int(press.message_id)}
        for number, part in enumerate(passage(delivery.content, press.number)):
            await send_part(api, address, part, reply=number == 0, patience_s=_PATIENCE_S)
