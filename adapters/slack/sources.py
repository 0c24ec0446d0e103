"""What the buttons under an answer show at once: a passage it rests on, and a private answer to the whole channel."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from adapters.slack.api import SlackApi
from adapters.slack.outbound import message_view, passage_view
from adapters.slack.people import People
from adapters.slack.pressed import PASSAGE, Pressed
from core import wording
from core.announcements import quoted
from core.documents import Citation
from core.domain import Answer
from core.outbox import Cause, Delivery, Purpose, Target
from core.places import Place, Platform

_VALUE = re.compile(r"([0-9]{1,18})(?::([0-9]{1,9}))?")
_LONGEST_QUESTION = 300  # characters of it above a shared answer
_TRIGGER_S = 1.0  # to wait for a turn: a trigger_id is worth nothing after three seconds


class Deliveries(Protocol):
    """The part of the outbox that is used here."""

    async def of_id(self, tenant_id: int, outbox_id: int) -> Delivery | None:
        """Look a delivery up, without opening it."""

    async def enqueue(self, target: Target, purpose: Purpose, content: Answer, *, cause: Cause | None = None) -> int:
        """Store something to be sent by whichever worker is free; return its outbox id."""


@dataclass(frozen=True, slots=True)
class Done:
    """What the press of a button is acknowledged with."""

    body: Mapping[str, Any] | None = None


class Shown:
    """Answer the buttons that show something."""

    def __init__(
        self,
        api: SlackApi,
        deliveries: Deliveries,
        *,
        may_share: Callable[[Delivery], Awaitable[bool]] | None = None,
        question_of: Callable[[Delivery], Awaitable[str]] | None = None,
        people: People | None = None,
    ) -> None:
        """Show what DELIVERIES hold.

        MAY_SHARE decides what of one person's answers a channel may see: all, unset. QUESTION_OF names what a delivery
        answers, for those who did not read the question. PEOPLE know the language of whoever presses where the answer
        is gone.
        """
        self._people = people
        self._question_of = question_of
        self._api = api
        self._deliveries = deliveries
        self._may_share = may_share

    async def show(self, pressed: Pressed, tenant_id: int) -> Done:
        """Show the passage, or the answer to the channel; raises as SlackApi.call does."""
        outbox_id, number = numbers_of(pressed.value)
        delivery = await self._deliveries.of_id(tenant_id, outbox_id) if outbox_id else None
        if delivery is not None and not _is_there(delivery, pressed):
            delivery = None
        if pressed.what == PASSAGE:
            return await self._show_passage(pressed, delivery, number)
        return await self._share(pressed, delivery)

    async def _show_passage(self, pressed: Pressed, delivery: Delivery | None, number: int) -> Done:
        answer = delivery.content if delivery else None
        citation = citation_of(answer, number)
        language = answer.language if answer else await self._language_of(pressed)
        gone = wording.say(wording.SOURCE_GONE, language)
        await self._open(pressed, passage_view(citation, language) if citation else message_view(gone, language))
        return Done()

    async def _language_of(self, pressed: Pressed) -> str:
        if self._people is None:
            return "en"
        return await self._people.language(str(pressed.address.get("team", "")), pressed.author_id)

    async def _share(self, pressed: Pressed, delivery: Delivery | None) -> Done:
        """Let a worker post the answer below what was asked; pressed twice, it stands there once."""
        answer = delivery.content if delivery else None
        if delivery is None or answer is None or answer.personal or delivery.target.author_id != pressed.author_id:
            return Done()
        if self._may_share is not None and not await self._may_share(delivery):
            return Done()
        question = await self._question_of(delivery) if self._question_of is not None else ""
        asked = f"{quoted(_short(question))}\n\n" if question.strip() else ""
        shared, cause = replace(answer, text=asked + answer.text, private=False), Cause(delivery.outbox_id, "share")
        await self._deliveries.enqueue(shared_target(delivery.target), Purpose.ANSWER, shared, cause=cause)
        if url := str(pressed.address.get("response_url", "")):
            text = wording.say(wording.SHARED, answer.language)
            await self._api.respond(url, {"replace_original": True, "text": text})
        return Done()

    async def _open(self, pressed: Pressed, view: Mapping[str, Any]) -> None:
        team_id = str(pressed.address.get("team", ""))
        await self._api.call(
            "views.open", team_id=team_id, patience_s=_TRIGGER_S, trigger_id=pressed.trigger_id, view=dict(view)
        )


def _short(question: str) -> str:
    line = " ".join(question.split())
    return line if len(line) <= _LONGEST_QUESTION else line[: _LONGEST_QUESTION - 1].rstrip() + "…"


def numbers_of(value: str) -> tuple[int, int]:
    """Read a button's value: the outbox id and the number of a source; zeros for what is none."""
    found = _VALUE.fullmatch(value)
    return (int(found[1]), int(found[2] or 0)) if found else (0, 0)


def citation_of(answer: Answer | None, number: int) -> Citation | None:
    """Find the source NUMBER of an answer."""
    return next((each for each in answer.citations if each.number == number), None) if answer else None


def shared_target(target: Target) -> Target:
    """Say where the answer to one person goes for all: below the message that asked, or as a new one."""
    address = {name: value for name, value in target.address.items() if name not in ("private", "response_url")}
    thread_ts = str(address.get("thread_ts", ""))
    place = Place(Platform.SLACK, target.place.channel, thread_ts)
    return replace(target, place=place, address={**address, "shared_by": target.author_id})


def _is_there(delivery: Delivery, pressed: Pressed) -> bool:
    """Tell whether a delivery belongs where its button was pressed: in that channel, or to that person."""
    target = delivery.target
    here = target.place.channel == pressed.place.channel or target.author_id == pressed.author_id
    return target.place.platform is Platform.SLACK and target.installation == pressed.address.get("team") and here
