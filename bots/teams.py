"""Microsoft Teams, put together: who may call, what becomes of it, and how it is answered."""

import hashlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from aiohttp import web

from adapters.postgres.authors import PostgresAuthors
from adapters.postgres.conversations import PostgresConversations
from adapters.postgres.inbox import PostgresInbox
from adapters.postgres.outbox import PostgresOutbox
from adapters.postgres.uploads import PostgresUploads
from adapters.teams.authenticate import Authenticates, Authenticator, KeyRing, Unauthenticated, is_loopback
from adapters.teams.channel import TeamsChannel
from adapters.teams.files import TICKET_TYPE, TeamsFiles, redeeming
from adapters.teams.intake import Intake, Parts
from adapters.teams.listen import Listener
from adapters.teams.references import References
from adapters.teams.sources import Shown
from adapters.teams.tokens import IDENTITY_URL, MULTI_TENANT, Grants, ManagedIdentity, Password, Tokens
from adapters.teams.transport import Transport
from bots.settings import Settings
from bots.threads import KeptThreads
from bots.wiring import Frontdesk
from core.attached import Uploads
from core.checks import Look
from core.domain import Author, Message
from core.errors import UsageError
from core.file_tickets import FileTickets, TicketedUploads
from core.inbox import Incoming, Kind
from core.listening import Listening
from core.meter import Meter
from core.outbox import Channel, Target
from core.pacing import Pacer
from core.taking import Accepts

EVERY_TENANT = "*"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TeamsParts:
    """What a process plugs in for Teams."""

    channel: Channel
    routes: Sequence[web.RouteDef] = ()
    background: Sequence[Callable[[], Awaitable[None]]] = ()
    probes: Collection[tuple[str, Look]] = ()


@dataclass(frozen=True, slots=True)
class TeamsLink:
    """The way to Teams that everything of one process shares."""

    session: aiohttp.ClientSession
    transport: Transport
    files: TeamsFiles
    tokens: Tokens | None  # None: authentication is off


def is_wanted(settings: Settings) -> bool:
    """Tell whether SETTINGS name a bot of Teams, or a client that asks for none."""
    return settings.teams_app_id is not None or settings.teams_authentication == "off"


def wrong_settings(settings: Settings, host: str | None = None) -> list[str]:
    """List what is wrong with the settings of Teams, in sentences; HOST is what the server listens on."""
    if not is_wanted(settings):
        return []
    if settings.teams_authentication == "off":
        if host is not None and not is_loopback(host):
            return [
                f"TEAMS_AUTHENTICATION is off and the server listens on {host}; listen on 127.0.0.1, or turn it on."
            ]
        return []
    needed = ["teams_app_id"]
    if settings.teams_app_type != "UserAssignedMSI":
        needed.append("teams_app_password")
    if settings.teams_app_type != "MultiTenant":
        needed.append("teams_tenant_id")
    wrong = [
        f"{name.upper()} is not set; copy it from the bot's registration."
        for name in needed
        if not _has(settings, name)
    ]
    if settings.teams_app_type == "MultiTenant" and not settings.teams_tenants:
        wrong.append("TEAMS_TENANTS is not set; name the directories that are served, or * for every one.")
    return wrong


def _has(settings: Settings, name: str) -> bool:
    value = getattr(settings, name)
    return bool(value.get_secret_value() if hasattr(value, "get_secret_value") else value)


def open_link(settings: Settings, session: aiohttp.ClientSession, pacer: Pacer) -> TeamsLink:
    """Make the way to Teams; raises UsageError for settings that cannot be."""
    if wrong := wrong_settings(settings):
        raise UsageError(" ".join(wrong))
    hosts = tuple(settings.teams_hosts)
    off = settings.teams_authentication == "off"
    tokens = None if off else Tokens(_grants(settings, session))
    transport = Transport(session, tokens, pacer, settings.teams_app_id or "", hosts=hosts)
    limit_bytes = settings.max_file_mb * 1024 * 1024
    return TeamsLink(session, transport, TeamsFiles(session, limit_bytes=limit_bytes, hosts=hosts), tokens)


def _grants(settings: Settings, session: aiohttp.ClientSession) -> Grants:
    app_id, secret = settings.teams_app_id or "", settings.teams_app_password
    if settings.teams_app_type == "UserAssignedMSI":
        header = settings.identity_header
        url = settings.identity_endpoint or IDENTITY_URL
        return ManagedIdentity(session, app_id, url, header.get_secret_value() if header else "")
    tenant = MULTI_TENANT if settings.teams_app_type == "MultiTenant" else settings.teams_tenant_id or ""
    return Password(session, app_id, secret.get_secret_value() if secret else "", tenant, settings.teams_login_url)


def teams_uploads(settings: Settings, uploads: Uploads, link: TeamsLink) -> Uploads:
    """Make the uploads for whatever reads files: those of Teams are fetched when they are read."""
    return TicketedUploads(uploads, TICKET_TYPE, redeeming(link.files, file_secret(settings)))


def file_secret(settings: Settings) -> bytes:
    """Return what addresses of files are signed with: every process of this app has the same."""
    known = settings.teams_app_password or settings.database_url
    return hashlib.sha256(b"teams" + (known.get_secret_value().encode() if known else b"")).digest()


def tenants(settings: Settings) -> Callable[[str], int | None]:
    """Make what tells whose a directory is; None for those that are not served."""
    served = dict(settings.teams_tenants)
    if not served and settings.teams_authentication == "off":
        served = {EVERY_TENANT: 0}
    if not served and settings.teams_tenant_id:
        served = {settings.teams_tenant_id.lower(): 0}

    def tenant_of(directory: str) -> int | None:
        if not directory:
            return None
        number = served.get(directory.lower(), served.get(EVERY_TENANT))
        return None if number is None else number or settings.tenant_id

    return tenant_of


@asynccontextmanager
async def open_teams(
    settings: Settings,
    frontdesk: Frontdesk,
    link: TeamsLink,
    acceptance: Accepts,
    inbox: PostgresInbox,
    meter: Meter,
) -> AsyncIterator[TeamsParts]:
    """Connect LINK with the rest; raises UsageError where the settings do not fit together."""
    database = frontdesk.database
    conversations, outbox = PostgresConversations(database), PostgresOutbox(database)
    references = References(conversations)
    parts = Parts(
        acceptance=acceptance,
        listening=Listening(frontdesk.tools.channels, KeptThreads(inbox, PostgresAuthors(database))),
        files=FileTickets(PostgresUploads(database), TICKET_TYPE),
        file_secret=file_secret(settings),
        shown=Shown(outbox, frontdesk.tickets, link.files, link.transport, references),
        transport=link.transport,
        references=references,
        greetings=conversations,
        outbox=outbox,
        commands=frontdesk.actions,
        meter=meter,
        file_hosts=link.files.hosts,
    )
    intake = Intake(parts, tenants(settings))
    listener = Listener(_authenticator(settings, link), intake, link.transport, meter)

    async def stop(target: Target) -> None:
        await acceptance.accept(stopped(target))

    async def look() -> Mapping[str, float]:
        if link.tokens is not None:
            await link.tokens.get()
        return {}

    try:
        channel = TeamsChannel(link.transport, references, on_stop=stop)
        yield TeamsParts(channel, tuple(listener.routes()), (), (("teams", look),))
    finally:
        await intake.close()


def _authenticator(settings: Settings, link: TeamsLink) -> Authenticates:
    if settings.teams_authentication == "off":
        return Unauthenticated()
    return Authenticator(settings.teams_app_id or "", KeyRing(link.session, settings.teams_metadata_url))


def stopped(target: Target) -> Incoming:
    """Make the event of a reader who pressed Stop, which Teams tells only as a refusal."""
    event_id = f"stopped:{target.place.thread}:{target.message_id}"
    author = Author(target.author_id)
    message = Message(target.tenant_id, target.place, author, "", installation=target.installation)
    return Incoming(
        message=message,
        installation=target.installation,
        event_id=event_id,
        message_id=event_id,
        kind=Kind.STOP,
        target=target.message_id,
        address=target.address,
        request_id=target.request_id,
    )
