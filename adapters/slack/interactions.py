"""What needs an answer or a modal at once: forms of administrators, the App Home, tickets, removals of the app.

Slack waits three seconds. What must not be lost is stored before it is answered; whatever asks Slack for something
goes on in the background, and a form opens with a word of patience first, because its trigger works for three seconds.
"""

import asyncio
import logging
from collections.abc import Awaitable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from adapters.slack import modals
from adapters.slack.forms import Forms, Means, Who, find_who
from adapters.slack.inbound import Bot, authors_in, people_in
from adapters.slack.payload import id_at
from adapters.slack.rich_text import people_in as people_in_blocks
from adapters.slack.tickets import after_press
from core.errors import FrontdeskError
from core.payloads import object_at, objects_at, text_at, value_at
from core.places import Platform

_SLACK_CLOCK = timedelta(seconds=5)  # how far Slack's clock may be behind ours
_REMOVED = ("app_uninstalled", "tokens_revoked")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Handled:
    """What was done, with the JSON that answers Slack; None for an empty answer."""

    body: dict[str, Any] | None = None


class Interactions:
    """Answer what cannot wait for a worker."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._forms = Forms(means, self._start)
        self._tasks: set[asyncio.Task[None]] = set()

    def hears(self, payload: Mapping[str, Any], team_id: str) -> bool:
        """Tell at once whether a message event is to be brought here before anybody else sees it."""
        return self._means.tickets is not None and self._means.tickets.concerns(payload, team_id)

    async def handle(self, kind: str, payload: Mapping[str, Any], team_id: str) -> Handled | None:
        """Do what PAYLOAD asks and return the answer to Slack; None where it is not ours.

        KIND is command, the type of an interaction, or event and the type of one. Raises StoreUnavailable where
        nothing could be stored, and Rejected and ChannelUnavailable where it is not known whose workspace it is.
        """
        if object_at(payload, "event"):
            return await self._event(payload, team_id)
        match kind:
            case "command":
                return Handled() if await self._forms.open(payload, team_id) else None
            case "view_submission":
                said = await self._forms.submit(payload, team_id)
                return Handled(said) if said is not None else None
            case "block_actions":
                return await self._pressed(payload, team_id)
            case "view_closed":
                ours = text_at(payload, "view", "callback_id") in (modals.ADD, modals.CHANNEL)
                return Handled() if ours else None
        return None

    async def settled(self) -> None:
        """Wait for what goes on in the background."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def close(self) -> None:
        """Let go of what goes on in the background: nothing of it must be kept."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # Events

    async def _event(self, payload: Mapping[str, Any], team_id: str) -> Handled | None:
        event = object_at(payload, "event")
        kind = text_at(event, "type")
        if kind in _REMOVED:
            await self._removed(kind, payload, team_id)
            return Handled()
        if kind == "app_home_opened":
            self._start(self._home_opened(event, team_id), "the Home")
            return Handled()
        if self._means.tickets is not None and self._means.tickets.concerns(payload, team_id):
            token = await self._means.workspaces.of(team_id)
            bot = Bot(token.bot_user_id, token.bot_id, token.app_id)
            named = [*_mentioned(payload), *authors_in(payload)]
            names = await self._means.people.names(team_id, [each for each in named if each != bot.user_id])
            word = await self._means.tickets.reply(payload, bot, names)
            if word:
                self._start(self._tell(event, team_id, word), "a word on an answer")
            return Handled() if word is not None else None
        return None

    async def _tell(self, event: Mapping[str, Any], team_id: str, word: str) -> None:
        """Say a word to whoever has just answered a ticket."""
        where = {"channel": text_at(event, "channel"), "thread_ts": text_at(event, "thread_ts") or None}
        await self._means.api.call(
            "chat.postEphemeral", team_id=team_id, user=text_at(event, "user"), text=word, **where
        )

    async def _removed(self, kind: str, payload: Mapping[str, Any], team_id: str) -> None:
        """Erase the token of a workspace that has removed the app, unless it was installed there again since."""
        if kind == "tokens_revoked" and not value_at(payload, "event", "tokens", "bot"):
            return  # a person's token: we have none
        self._means.workspaces.forget(team_id)
        if self._means.installations is None:
            _log.warning("the app was removed from workspace %s; SLACK_BOT_TOKEN is worth nothing", team_id)
            return
        told_at = value_at(payload, "event_time")
        at = datetime.fromtimestamp(told_at, UTC) if isinstance(told_at, int | float) else datetime.now(UTC)
        if await self._means.installations.revoke(Platform.SLACK, team_id, kind, at + _SLACK_CLOCK):
            _log.warning("the app was removed from workspace %s: %s", team_id, kind)

    async def _home_opened(self, event: Mapping[str, Any], team_id: str) -> None:
        tenant_id = await self._means.workspaces.tenant_of(team_id)
        user_id, channel = text_at(event, "user"), text_at(event, "channel")
        if tenant_id is None or not user_id:
            return
        if text_at(event, "tab") == "messages":
            await self._means.home.suggest(team_id, channel, user_id)
        else:
            await self._means.home.publish(tenant_id, team_id, user_id, channel)

    # Buttons

    async def _pressed(self, payload: Mapping[str, Any], team_id: str) -> Handled | None:
        action = next(iter(objects_at(payload, "actions")), {})
        user_id = id_at(payload, "user")
        if text_at(payload, "view", "type") == "home":
            who = await find_who(self._means, team_id, user_id, text_at(payload, "view", "private_metadata"))
            return await self._pressed_at_home(who, action) if who else None
        if text_at(payload, "view", "callback_id") in (modals.ADD, modals.CHANNEL):
            return Handled()  # a choice in a form counts once it is submitted
        tickets = self._means.tickets
        if tickets is None or not tickets.concerns(payload, team_id):
            return None
        pressed = await tickets.press(payload)
        if not pressed:
            return None
        self._start(self._show_pressed(payload, team_id, pressed), "a ticket")
        return Handled()

    async def _pressed_at_home(self, who: Who, action: Mapping[str, Any]) -> Handled | None:
        home = self._means.home
        if not await home.press(who.tenant_id, who.user_id, action, who.channel):
            return None
        self._start(home.publish(who.tenant_id, who.team_id, who.user_id, who.channel), "the Home")
        return Handled()

    async def _show_pressed(self, payload: Mapping[str, Any], team_id: str, pressed: str) -> None:
        action, message = next(iter(objects_at(payload, "actions"))), object_at(payload, "message")
        blocks = after_press(
            objects_at(message, "blocks"), int(text_at(action, "value")), pressed, id_at(payload, "user")
        )
        await self._means.api.call(
            "chat.update",
            team_id=team_id,
            channel=text_at(payload, "container", "channel_id"),
            ts=text_at(payload, "container", "message_ts"),
            text=text_at(message, "text"),
            blocks=blocks,
        )

    def _start(self, work: Coroutine[Any, Any, None], what: str) -> None:
        task = asyncio.create_task(_best_effort(work, what))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _mentioned(payload: Mapping[str, Any]) -> tuple[str, ...]:
    """List the ids of people whom an answer names, in its text or its rich text."""
    event = object_at(payload, "event")
    message = object_at(event, "message") or event
    return (*people_in(payload), *people_in_blocks(objects_at(message, "blocks")))


async def _best_effort(work: Awaitable[None], what: str) -> None:
    """Await WORK; that it fails is for the log: nothing of it must be kept, and whoever asked can ask again."""
    try:
        await work
    except FrontdeskError as error:
        _log.warning("%s was not shown: %s", what, error)
