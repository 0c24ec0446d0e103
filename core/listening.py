"""Which messages of a channel are ours to answer: those that name us, and what its administrators decided."""

from dataclasses import dataclass
from typing import Protocol

from core.channels import ChannelSettings, Listens, looks_like_question
from core.inbox import Incoming, Kind, Thread
from core.places import Place


@dataclass(frozen=True, slots=True)
class Heard:
    """Something a platform brought that may be for us."""

    incoming: Incoming
    addressed: bool = True  # to us; else the channel's settings decide whether it is answered
    root: str = ""  # the message whose thread it stands in; empty outside threads
    to_another: bool = False  # it begins with the mention of somebody else


class Settings(Protocol):
    """The part of core/channels.py's ChannelStore that is used here."""

    async def settings(self, tenant_id: int, place: Place) -> ChannelSettings:
        """Look up the settings of the channel of PLACE."""


class Known(Protocol):
    """What is kept of threads; no platform is asked for what was said in one."""

    async def has_message(self, thread: Thread, message_id: str) -> bool:
        """Tell whether a message was taken in."""

    async def has_spoken(self, thread: Thread, root: str) -> bool:
        """Tell whether THREAD began with ROOT as a question to us, or we have answered in it since."""


class Listening:
    """Decide whether something that was heard is answered."""

    def __init__(self, channels: Settings, known: Known) -> None:
        self._channels = channels
        self._known = known

    async def concerns_us(self, heard: Heard) -> bool:
        """Tell whether HEARD is to be taken in. Raises StoreUnavailable.

        Beside what is addressed to us these are edits and deletions of what was taken in, follow-ups in a thread in
        which we have spoken unless they begin by naming somebody else, and what the channel's settings say.
        """
        incoming = heard.incoming
        if heard.addressed:
            return True
        if incoming.kind in (Kind.EDIT, Kind.DELETE) and await self._is_taken_in(incoming):
            return True
        return incoming.kind is not Kind.DELETE and await self._is_answered(heard)

    async def _is_taken_in(self, incoming: Incoming) -> bool:
        return await self._known.has_message(incoming.thread, incoming.message_id)

    async def _is_answered(self, heard: Heard) -> bool:
        message = heard.incoming.message
        settings = await self._channels.settings(message.tenant_id, message.place)
        if settings.listens is Listens.ALWAYS:
            return True
        if heard.to_another:
            return False
        if heard.root and settings.follow_ups and await self._known.has_spoken(heard.incoming.thread, heard.root):
            return True
        return settings.listens is Listens.QUESTION and looks_like_question(message.text, settings.language)
