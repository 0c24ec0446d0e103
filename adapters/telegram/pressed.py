"""What becomes of a button besides its answer: who may press it, and what it has asked for before."""

from dataclasses import replace
from typing import Protocol

from adapters.telegram.buttons import Action, Press
from adapters.telegram.sources import Sources
from core import wording
from core.inbox import Incoming
from core.outbox import Delivery
from core.places import Place


class Opened(Protocol):
    """The part of the tickets that is read here."""

    async def newest_ticket(self, tenant_id: int, place: Place) -> tuple[int, bool] | None:
        """Return the number of the newest ticket of the conversation in PLACE, and whether it is open."""


async def weigh(
    press: Press, incoming: Incoming, sources: Sources, opened: Opened, language: str
) -> tuple[Incoming | None, str]:
    """Return what is to be stored of a button, and what to tell whoever pressed it where it is nothing.

    Raises StoreUnavailable.
    """
    tenant_id, place = incoming.message.tenant_id, incoming.message.place
    if press.action not in (Action.STOP, Action.HUMAN):
        return incoming, ""
    found = await sources.of(tenant_id, incoming.installation, place, press)
    if press.action is Action.STOP:
        return _stop(incoming, found, language)
    incoming = _where_asked(incoming, found)
    return _human(incoming, await opened.newest_ticket(tenant_id, incoming.message.place), language)


def _where_asked(incoming: Incoming, found: Delivery | None) -> Incoming:
    """Let a button below what was told privately speak for the group's conversation; it is still answered here."""
    message = incoming.message
    if found is None or found.target.place.channel == message.place.channel:
        return incoming
    message_id = f"{incoming.message_id}:{message.place.channel}"  # the group has a message of that number, too
    return replace(incoming, message=replace(message, place=found.target.place), message_id=message_id)


def _stop(incoming: Incoming, found: Delivery | None, language: str) -> tuple[Incoming | None, str]:
    """Let the asker stop; nobody knows who wrote in the name of a group, so anybody there may."""
    if found is None:
        return replace(incoming, target=""), ""  # then it stops what is their own
    asker_id, place = found.target.author_id, found.target.place
    if asker_id in (incoming.message.author.author_id, place.channel):
        return incoming, ""
    return None, wording.say(wording.STOPS_OWN, language)


def _human(incoming: Incoming, newest: tuple[int, bool] | None, language: str) -> tuple[Incoming | None, str]:
    """Ask for a person once for each ticket: what is pressed twice before there is one is one message."""
    number, is_open = newest or (0, False)
    if is_open:
        said = f"{wording.say(wording.TICKET, language, number=number)}: {wording.say(wording.TICKET_WAITS, language)}"
        return None, said
    return replace(incoming, message_id=f"{incoming.message_id}:{number}"), ""
