"""Slack, put together: how it is heard, what becomes of it, and how it is answered."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TypeAlias

import aiohttp
from aiohttp import web

from adapters.postgres.announcements import PostgresAnnouncements
from adapters.postgres.authors import PostgresAuthors
from adapters.postgres.database import Database
from adapters.postgres.inbox import PostgresInbox
from adapters.postgres.installations import PostgresInstallations, Vault
from adapters.postgres.outbox import PostgresOutbox
from adapters.postgres.uploads import PostgresUploads
from adapters.slack.api import FixedTokens, SlackApi
from adapters.slack.channel import SlackChannel
from adapters.slack.files import FileTickets, SlackFiles, TicketedUploads
from adapters.slack.forms import Means
from adapters.slack.home import Home
from adapters.slack.interactions import Interactions
from adapters.slack.listen import Dispatcher, Listener
from adapters.slack.listening import Listening
from adapters.slack.oauth import InstalledTokens, OAuth, OAuthApp, OneWorkspace
from adapters.slack.parts import Accepts, Instant, Parts
from adapters.slack.people import People, parse_rule
from adapters.slack.router import Router
from adapters.slack.socket import Sockets
from adapters.slack.sources import Shown
from adapters.slack.tickets import TicketChannel, TicketThreads, read_ticket_channel
from bots.platforms import wants_slack
from bots.settings import Settings
from core.actions_call import Tools
from core.attached import Uploads
from core.checks import Look
from core.domain import Attachment
from core.errors import UsageError
from core.inbox import Thread
from core.meter import Meter
from core.outbox import Channel, Target
from core.pacing import Pacer
from core.places import Place, Platform
from core.ticket_work import TicketWork

Workspaces: TypeAlias = OneWorkspace | InstalledTokens


@dataclass(frozen=True, slots=True)
class SlackLink:
    """The way to Slack that everything of one process shares."""

    session: aiohttp.ClientSession
    api: SlackApi
    workspaces: Workspaces
    installations: PostgresInstallations | None  # None: the one token of the settings


@dataclass(frozen=True, slots=True)
class SlackParts:
    """What a process plugs in for Slack."""

    channel: Channel
    routes: Sequence[web.RouteDef] = ()
    background: Sequence[Callable[[], Awaitable[None]]] = ()  # run until they are cancelled, where events are taken
    probes: Collection[tuple[str, Look]] = ()
    ticket_target: Target | None = None  # where new tickets are announced


def file_secret(settings: Settings) -> bytes:
    """Return what names a file is signed with: a secret that every process of this app has."""
    known = settings.slack_client_secret or settings.slack_signing_secret or settings.slack_bot_token
    return hashlib.sha256(known.get_secret_value().encode()).digest() if known else b""


def wrong_settings(settings: Settings) -> list[str]:
    """List what is wrong with the settings of Slack, in sentences."""
    if not wants_slack(settings):
        return []
    wrong = []
    if settings.slack_signing_secret is None and settings.slack_app_token is None:
        wrong.append("SLACK_SIGNING_SECRET is not set; set it, or SLACK_APP_TOKEN for Socket Mode.")
    if settings.slack_bot_token is not None and settings.slack_client_id is not None:
        wrong.append("SLACK_BOT_TOKEN and SLACK_CLIENT_ID are both set; one is for one workspace, the other for many.")
    if settings.slack_client_id is not None:
        needed = ("slack_client_secret", "slack_encryption_keys", "public_url", "slack_workspaces")
        wrong += [f"SLACK_CLIENT_ID needs {name.upper()} too." for name in needed if not getattr(settings, name)]
    try:
        parse_rule(settings.slack_administrators)
    except UsageError as error:
        wrong.append(str(error))
    return wrong


class KeptThreads:
    """What the inbox and the sessions know of threads."""

    def __init__(self, inbox: PostgresInbox, authors: PostgresAuthors) -> None:
        self._inbox = inbox
        self._authors = authors

    async def has_message(self, thread: Thread, message_id: str) -> bool:
        """Tell whether a message was taken in."""
        return await self._inbox.find(thread, message_id) is not None

    async def files_of(self, thread: Thread, message_id: str) -> tuple[Attachment, ...]:
        """List the files that came with a message."""
        entry = await self._inbox.find(thread, message_id)
        return entry.incoming.message.attachments if entry is not None else ()

    async def has_spoken(self, thread: Thread) -> bool:
        """Tell whether the thread began with a question to us, or we have answered in it since."""
        if await self._inbox.find(thread, thread.place.thread) is not None:
            return True
        return await self._authors.session_of(thread.tenant_id, thread.place) is not None


@asynccontextmanager
async def open_slack(
    settings: Settings,
    database: Database,
    link: SlackLink,
    *,
    acceptance: Accepts,
    inbox: PostgresInbox,
    tools: Tools,
    commands: Instant,
    meter: Meter,
) -> AsyncIterator[SlackParts]:
    """Open Slack as SETTINGS have it; raises UsageError for what cannot be."""
    api, workspaces = link.api, link.workspaces
    kept = KeptThreads(inbox, PostgresAuthors(database))
    people = People(api, parse_rule(settings.slack_administrators))
    uploads, secret = PostgresUploads(database), file_secret(settings)
    tickets = await _tickets(settings, database, link, tools, acceptance)
    home = Home(api, tools)
    interactions = Interactions(
        Means(
            api=api,
            workspaces=workspaces,
            people=people,
            tools=tools,
            uploads=uploads,
            home=home,
            file_secret=secret,
            installations=link.installations,
            tickets=tickets,
            prefix=settings.slack_prefix,
        )
    )
    parts = Parts(
        workspaces=workspaces,
        acceptance=acceptance,
        listening=Listening(tools.channels, kept),
        people=people,
        api=api,
        meter=meter,
        files=FileTickets(uploads, secret),
        interactions=interactions,
        commands=commands,
        show=Shown(api, PostgresOutbox(database)).show,
        files_of=kept.files_of,
        rename=_renaming(tools),
    )
    router = Router(parts, prefix=settings.slack_prefix)
    try:
        channel = SlackChannel(api, entitle=home.entitle)
        parts_of_slack = _parts(settings, link, channel, Dispatcher(router, meter), meter)
        yield replace(parts_of_slack, ticket_target=tickets.where.target if tickets else None)
    finally:
        await asyncio.gather(router.close(), people.close(), interactions.close())


def _renaming(tools: Tools) -> Callable[[int, str, Place, str], Awaitable[None]]:
    async def rename(tenant_id: int, _: str, place: Place, title: str) -> None:
        session_id = await tools.authors.session_of(tenant_id, place)
        if session_id is not None:
            await tools.sessions.rename(tenant_id, session_id, title)

    return rename


def slack_uploads(settings: Settings, uploads: Uploads, link: SlackLink, limit_bytes: int) -> Uploads:
    """Make the uploads for whatever reads files: those of Slack are fetched when they are read."""

    async def token_of(team_id: str) -> str:
        return (await link.workspaces.of(team_id)).bot_token

    files = SlackFiles(link.session, link.api, token_of, api_url=settings.slack_api_url, limit_bytes=limit_bytes)
    return TicketedUploads(uploads, file_secret(settings), files.fetch)


def _parts(settings: Settings, link: SlackLink, channel: Channel, dispatcher: Dispatcher, meter: Meter) -> SlackParts:
    routes = list[web.RouteDef]()
    if settings.slack_signing_secret is not None:
        routes += Listener(dispatcher, settings.slack_signing_secret.get_secret_value(), meter).routes()
    if link.installations is not None:
        routes += _oauth(settings, link.installations, link.workspaces).routes()
    if settings.slack_app_token is None:
        return SlackParts(channel, routes)
    sockets = Sockets(
        link.session,
        settings.slack_app_token.get_secret_value(),
        dispatcher,
        meter,
        api_url=settings.slack_api_url,
        connections=settings.slack_connections,
    )
    return SlackParts(channel, routes, (sockets.run,), (("slack", sockets.look),))


def open_link(settings: Settings, database: Database, session: aiohttp.ClientSession, pacer: Pacer) -> SlackLink:
    """Make the way to Slack; raises UsageError where SETTINGS name no token and no keys."""
    if settings.slack_bot_token is not None:
        token = settings.slack_bot_token.get_secret_value()
        tokens = FixedTokens(token, session, base_url=settings.slack_api_url)
        workspaces: Workspaces = OneWorkspace(tokens, settings.tenant_id)
        installations = None
    elif settings.slack_encryption_keys is not None:
        keys = settings.slack_encryption_keys.get_secret_value().split(",")
        installations = PostgresInstallations(database, Vault([key.strip() for key in keys if key.strip()]))
        workspaces = InstalledTokens(installations)
    else:
        raise UsageError("SLACK_ENCRYPTION_KEYS is not set; the tokens of workspaces are kept encrypted.")
    api = SlackApi(session, workspaces, pacer, base_url=settings.slack_api_url)
    return SlackLink(session, api, workspaces, installations)


def _oauth(settings: Settings, installations: PostgresInstallations, workspaces: Workspaces) -> OAuth:
    if settings.slack_client_id is None or settings.slack_client_secret is None or settings.public_url is None:
        raise UsageError("To install Slack with OAuth, set SLACK_CLIENT_ID, SLACK_CLIENT_SECRET and PUBLIC_URL.")
    app = OAuthApp(
        client_id=settings.slack_client_id,
        client_secret=settings.slack_client_secret.get_secret_value(),
        public_url=settings.public_url,
        api_url=settings.slack_api_url,
        workspaces=settings.slack_workspaces,
    )
    return OAuth(app, settings.tenant_id, installations, workspaces)


async def _tickets(
    settings: Settings, database: Database, link: SlackLink, tools: Tools, acceptance: Accepts
) -> TicketThreads | None:
    """Open the channel in which tickets are answered, where there is one."""
    if settings.slack_ticket_channel is None:
        return None
    if link.installations is not None:
        known = await link.installations.names(settings.tenant_id, Platform.SLACK)
    else:
        known = [(await link.workspaces.of("")).team_id]
    team_id, channel = read_ticket_channel(settings.slack_ticket_channel, known)
    work = TicketWork(tools.tickets, tools.sessions, tools.authors, tools.outbox)
    where = TicketChannel(settings.tenant_id, team_id, channel)
    return TicketThreads(where, PostgresAnnouncements(database), work, acceptance)
