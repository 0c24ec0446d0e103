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
from adapters.slack.files import TICKET_TYPE, SlackFiles, redeeming
from adapters.slack.forms import Means
from adapters.slack.home import Home
from adapters.slack.interactions import Interactions
from adapters.slack.listen import Dispatcher, Listener
from adapters.slack.oauth import EVERY_WORKSPACE, InstalledTokens, OAuth, OAuthApp, OneWorkspace
from adapters.slack.outsiders import Outsiders
from adapters.slack.parts import Parts
from adapters.slack.people import People, Rule, parse_rule
from adapters.slack.router import Router
from adapters.slack.socket import Sockets
from adapters.slack.sources import Shown
from adapters.slack.tickets import TicketChannel, TicketThreads, is_answer, read_ticket_channel
from bots.platforms import wants_slack
from bots.settings import Settings
from bots.threads import KeptThreads
from core.actions_call import Tools, ticket_work
from core.attached import Uploads
from core.checks import Look
from core.commands import parse
from core.domain import Ticket
from core.errors import NotFound, UsageError
from core.file_tickets import FileTickets, TicketedUploads
from core.inbox import Thread
from core.listening import Listening
from core.meter import Meter
from core.outbox import Channel, Delivery, Target
from core.pacing import Pacer
from core.places import Place, Platform
from core.taking import Accepts, Instant, stopping

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
        make_rule(settings)
    except UsageError as error:
        wrong.append(str(error))
    return wrong


def make_rule(settings: Settings) -> Rule:
    """Say whom Slack makes administrators; raises UsageError for a rule that makes none whom it names."""
    homes = home_workspaces(settings)
    rule = parse_rule(settings.slack_administrators, homes)
    if homes is not None and not homes and (rule.groups or any("/" not in user for user in rule.users)):
        raise UsageError(
            "SLACK_ADMINISTRATORS: with several workspaces write T.../U... for a person, or set SLACK_HOME_WORKSPACES."
        )
    return rule


def home_workspaces(settings: Settings) -> frozenset[str] | None:
    """List the workspaces whose own administrators administer; None where there is only one workspace."""
    if settings.slack_bot_token is not None:
        return None
    installing = settings.slack_workspaces
    alone = installing if len(installing) == 1 and EVERY_WORKSPACE not in installing else frozenset()
    return settings.slack_home_workspaces or alone


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
    tickets = await _tickets(settings, database, link, tools, acceptance, inbox)
    people = People(link.api, make_rule(settings))
    outsiders = Outsiders(people, guests_allowed=settings.slack_guests == "allow")
    home = Home(link.api, tools, outsiders=outsiders, people=people)
    means = _means(settings, database, link, tools, home, people, tickets)
    interactions = Interactions(means)
    kept = KeptThreads(inbox, PostgresAuthors(database))
    parts = Parts(
        workspaces=link.workspaces,
        acceptance=acceptance,
        listening=Listening(tools.channels, kept),
        people=means.people,
        api=link.api,
        meter=meter,
        files=means.files,
        file_secret=means.file_secret,
        outsiders=outsiders,
        interactions=interactions,
        commands=commands,
        show=Shown(link.api, PostgresOutbox(database), question_of=_asking(tools, inbox), people=people).show,
        files_of=kept.files_of,
        is_answering=inbox.is_answering,
        ticket_of=_ticket_of(tools, inbox),
        rename=_renaming(tools),
    )
    router = Router(parts, prefix=settings.slack_prefix)
    try:
        channel = SlackChannel(
            link.api,
            on_stop=stopping(acceptance),
            entitle=home.entitle,
            question_of=_asking(tools, inbox),
            asker_of=tools.authors.asker,
        )
        parts_of_slack = _parts(settings, link, channel, Dispatcher(router, meter), meter)
        yield replace(parts_of_slack, ticket_target=tickets.where.target if tickets else None)
    finally:
        await asyncio.gather(router.close(), means.people.close(), interactions.close())


def _means(
    settings: Settings,
    database: Database,
    link: SlackLink,
    tools: Tools,
    home: Home,
    people: People,
    tickets: TicketThreads | None,
) -> Means:
    return Means(
        api=link.api,
        workspaces=link.workspaces,
        people=people,
        tools=tools,
        files=FileTickets(PostgresUploads(database), TICKET_TYPE),
        home=home,
        file_secret=file_secret(settings),
        installations=link.installations,
        tickets=tickets,
        prefix=settings.slack_prefix,
    )


def _asking(tools: Tools, inbox: PostgresInbox) -> Callable[[Delivery], Awaitable[str]]:
    async def question_of(delivery: Delivery) -> str:
        """Return the words that a delivery answers; empty where they are gone."""
        tenant_id, content = delivery.target.tenant_id, delivery.content
        try:
            if delivery.inbox_id is not None:
                text = (await inbox.entry(tenant_id, delivery.inbox_id)).incoming.message.text
                parsed = parse(text)
                return parsed.text if parsed is not None and parsed.name == "ask" else text
            if content is not None and content.ticket_number is not None:
                return (await tools.tickets.ticket(tenant_id, content.ticket_number)).question
        except NotFound:  # erased meanwhile
            pass
        return ""

    return question_of


def _ticket_of(tools: Tools, inbox: PostgresInbox) -> Callable[[Thread, str], Awaitable[Ticket | None]]:
    async def ticket_of(thread: Thread, message_id: str) -> Ticket | None:
        entry = await inbox.find(thread, message_id)
        number = entry.ticket_number if entry is not None else None
        return await tools.tickets.ticket(thread.tenant_id, number) if number is not None else None

    return ticket_of


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
    return TicketedUploads(uploads, TICKET_TYPE, redeeming(files, file_secret(settings)))


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
    settings: Settings, database: Database, link: SlackLink, tools: Tools, acceptance: Accepts, inbox: PostgresInbox
) -> TicketThreads | None:
    """Open the channel in which tickets are answered, where there is one."""
    if settings.slack_ticket_channel is None:
        return None
    if link.installations is not None:
        known = await link.installations.names(settings.tenant_id, Platform.SLACK)
    else:
        known = [(await link.workspaces.of("")).team_id]
    team_id, channel = read_ticket_channel(settings.slack_ticket_channel, known)
    work = ticket_work(tools)
    where = TicketChannel(settings.tenant_id, team_id, channel)
    was_answer = answers_of(inbox)
    return TicketThreads(where, PostgresAnnouncements(database), work, acceptance, was_taken=was_answer)


def answers_of(inbox: PostgresInbox) -> Callable[[Thread, str], Awaitable[bool]]:
    """Make what tells whether a message was taken in as the answer to a ticket."""

    async def was_answer(thread: Thread, message_id: str) -> bool:
        entry = await inbox.find(thread, message_id)
        return entry is not None and is_answer(entry.incoming.message.text)

    return was_answer
