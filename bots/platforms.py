"""The platforms that the settings name, plugged into a service."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

import aiohttp
from aiohttp import web

from adapters.postgres.inbox import PostgresInbox
from bots.settings import Settings
from bots.wiring import Frontdesk, document_limits
from core.checks import Look
from core.inbox import Accepted, Incoming
from core.meter import Meter
from core.outbox import Channel
from core.pacing import Pacer
from core.places import Platform


class Accepts(Protocol):
    """The way in."""

    async def accept(self, incoming: Incoming) -> Accepted:
        """Store INCOMING, as core/accepting.py's Acceptance does."""


class Parts(Protocol):
    """What one platform adds besides its channel."""

    @property
    def routes(self) -> Sequence[web.RouteDef]:
        """What the web server listens to for it."""

    @property
    def background(self) -> Sequence[Callable[[], Awaitable[None]]]:
        """What runs for it where events are taken."""

    @property
    def probes(self) -> Collection[tuple[str, Look]]:
        """How it is asked whether it is well."""


@dataclass(frozen=True, slots=True)
class Means:
    """What every platform is made of."""

    frontdesk: Frontdesk
    session: aiohttp.ClientSession
    pacer: Pacer
    inbox: PostgresInbox
    acceptance: Accepts
    meter: Meter


@dataclass(slots=True)
class Plugged:
    """What the platforms add to a service."""

    channels: dict[Platform, Channel] = field(default_factory=dict)
    routes: list[web.RouteDef] = field(default_factory=list)
    background: list[Callable[[], Awaitable[None]]] = field(default_factory=list)  # run where events are taken
    probes: dict[str, Look] = field(default_factory=dict)


@asynccontextmanager
async def open_platforms(means: Means) -> AsyncIterator[Plugged]:
    """Open the platforms of the settings; raises UsageError for settings that do not fit together."""
    settings, plugged = means.frontdesk.settings, Plugged()
    async with AsyncExitStack() as stack:
        # Each platform's SDK takes a while to import, and most installations have one.
        if wants_slack(settings):
            await _open_slack(means, plugged, stack)
        if settings.telegram_bots:
            await _open_telegram(means, plugged, stack)
        if wants_teams(settings):
            await _open_teams(means, plugged, stack)
        yield plugged


def wants_slack(settings: Settings) -> bool:
    """Tell whether SETTINGS name a Slack app."""
    return settings.slack_bot_token is not None or settings.slack_client_id is not None


def wants_teams(settings: Settings) -> bool:
    """Tell whether SETTINGS say anything of Teams: an app that is named in part is to be told so."""
    fields = type(settings).model_fields
    return any(name.startswith("teams_") and getattr(settings, name) != fields[name].default for name in fields)


def wants_any(settings: Settings) -> bool:
    """Tell whether SETTINGS name any platform."""
    return wants_slack(settings) or wants_teams(settings) or bool(settings.telegram_bots)


def wrong_settings(settings: Settings, host: str | None) -> list[str]:
    """List what is wrong with the settings of the platforms, in sentences; HOST is what is listened on, if anything."""
    wrong = []
    if wants_slack(settings):
        from bots import slack  # noqa: PLC0415 - see open_platforms

        wrong += slack.wrong_settings(settings)
    if wants_teams(settings):
        from bots import teams  # noqa: PLC0415 - see open_platforms

        wrong += teams.wrong_settings(settings, host)
    return wrong


async def _open_slack(means: Means, plugged: Plugged, stack: AsyncExitStack) -> None:
    from bots import slack  # noqa: PLC0415 - see open_platforms

    frontdesk, settings = means.frontdesk, means.frontdesk.settings
    link = slack.open_link(settings, frontdesk.database, means.session, means.pacer)
    limit_bytes = document_limits(settings).size_bytes
    frontdesk.uploads.plug(lambda uploads: slack.slack_uploads(settings, uploads, link, limit_bytes))
    opening = slack.open_slack(
        settings,
        frontdesk.database,
        link,
        acceptance=means.acceptance,
        inbox=means.inbox,
        tools=frontdesk.tools,
        commands=frontdesk.actions,
        meter=means.meter,
    )
    parts = await stack.enter_async_context(opening)
    if parts.ticket_target is not None:
        frontdesk.announcer.send_to(parts.ticket_target)
    plugged.channels[Platform.SLACK] = parts.channel
    _add(plugged, parts)


async def _open_telegram(means: Means, plugged: Plugged, stack: AsyncExitStack) -> None:
    from bots import telegram  # noqa: PLC0415 - see open_platforms

    frontdesk, settings = means.frontdesk, means.frontdesk.settings
    bots = await stack.enter_async_context(telegram.open_bots(settings, means.pacer))
    frontdesk.uploads.plug(lambda uploads: telegram.telegram_uploads(uploads, bots, settings))
    parts = await stack.enter_async_context(
        telegram.open_telegram(settings, frontdesk, bots, means.acceptance, means.meter)
    )
    plugged.channels[Platform.TELEGRAM] = parts.channel
    _add(plugged, parts)


async def _open_teams(means: Means, plugged: Plugged, stack: AsyncExitStack) -> None:
    from bots import teams  # noqa: PLC0415 - see open_platforms

    frontdesk, settings = means.frontdesk, means.frontdesk.settings
    link = teams.open_link(settings, means.session, means.pacer)
    frontdesk.uploads.plug(lambda uploads: teams.teams_uploads(settings, uploads, link))
    opening = teams.open_teams(settings, frontdesk, link, means.acceptance, means.inbox, means.meter)
    parts = await stack.enter_async_context(opening)
    plugged.channels[Platform.TEAMS] = parts.channel
    _add(plugged, parts)


def _add(plugged: Plugged, parts: Parts) -> None:
    plugged.routes += parts.routes
    plugged.background += parts.background
    plugged.probes.update(parts.probes)
