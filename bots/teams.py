"""Microsoft Teams, put together: who may call, what becomes of it, and how it is answered."""

import hashlib
import logging
import os
import re
import secrets
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

from adapters.postgres.authors import PostgresAuthors
from adapters.postgres.conversations import PostgresConversations
from adapters.postgres.inbox import PostgresInbox
from adapters.postgres.outbox import PostgresOutbox
from adapters.postgres.uploads import PostgresUploads
from adapters.teams.authenticate import Authenticates, Authenticator, KeyRing, Unauthenticated, is_loopback
from adapters.teams.channel import TeamsChannel
from adapters.teams.earlier import EarlierAnswers
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
from core.errors import UsageError
from core.file_tickets import FileTickets, TicketedUploads
from core.listening import Listening
from core.meter import Meter
from core.outbox import Channel
from core.pacing import Pacer
from core.taking import Accepts, stopping

EVERY_TENANT = "*"
_GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)

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


def wrong_settings(settings: Settings, host: str | None = None) -> list[str]:
    """List what is wrong with the settings of Teams, in sentences; HOST is what the server listens on."""
    if settings.teams_authentication == "off":
        if host is not None and not is_loopback(host):
            return [
                f"TEAMS_AUTHENTICATION is off and the server listens on {host}; listen on 127.0.0.1, or turn it on."
            ]
        return _wrong_directories(settings)
    wrong = [
        f"{name.upper()} is not set; copy it from the bot's registration."
        for name in _needed(settings)
        if not _has(settings, name)
    ]
    if settings.teams_app_type == "MultiTenant" and not settings.teams_tenants:
        wrong.append("TEAMS_TENANTS is not set; name the directories that are served, or * for every one.")
    return wrong + _wrong_directories(settings)


def _needed(settings: Settings) -> list[str]:
    """List the settings that the kind of registration asks for."""
    needed = ["teams_app_id"]
    if settings.teams_app_type != "UserAssignedMSI":
        needed.append("teams_app_password")
    # A managed identity signs in by its machine: the directory only says who is served.
    if settings.teams_app_type == "SingleTenant" or (
        settings.teams_app_type == "UserAssignedMSI" and not settings.teams_tenants
    ):
        needed.append("teams_tenant_id")
    return needed


def _wrong_directories(settings: Settings) -> list[str]:
    """Say which directories are named by anything else than their id, which is all that Teams tells of them."""
    named = {f"TEAMS_TENANTS names {name!r}": name for name in settings.teams_tenants if name != EVERY_TENANT}
    if settings.teams_tenant_id and not settings.teams_tenants:
        named["TEAMS_TENANT_ID is no id"] = settings.teams_tenant_id
    return [
        f"{said}; write a directory as its id, such as 00000000-0000-0000-0000-000000000000"
        f"{', or * for every one' if said.startswith('TEAMS_TENANTS') else ''}."
        for said, name in named.items()
        if not _GUID.fullmatch(name)
    ]


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
    """Return what addresses of files are signed with, the same in every process of this app.

    That is made of the app's own password; without one, of that to the database; where that has none either, it lies
    in FRONTDESK_HOME beside the embedded database. Raises UsageError where nothing can be written there.
    """
    if settings.teams_app_password is not None:
        known = settings.teams_app_password.get_secret_value().encode()
    else:
        url = settings.database_url
        password = urlsplit(url.get_secret_value()).password if url else None
        known = password.encode() if password else _kept_secret(settings.frontdesk_home / "teams-files.secret")
    return hashlib.sha256(b"teams" + known).digest()


def _kept_secret(path: Path) -> bytes:
    """Read a secret, which is made where there is none; two processes that make it at once both read the first."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            fresh = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
            fresh.touch(mode=0o600)
            fresh.write_bytes(secrets.token_bytes(32))
            with suppress(FileExistsError):
                os.link(fresh, path)
            fresh.unlink()
        return path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{path} cannot be kept ({error.strerror}); set FRONTDESK_HOME to a folder of ours."
        ) from error


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

    async def look() -> Mapping[str, float]:
        if link.tokens is not None:
            await link.tokens.get()
        return {}

    try:
        earlier = EarlierAnswers(inbox, outbox)
        channel = TeamsChannel(link.transport, references, on_stop=stopping(acceptance), earlier=earlier)
        background = (_warn,) if settings.teams_authentication == "off" else ()
        yield TeamsParts(channel, tuple(listener.routes()), background, (("teams", look),))
    finally:
        await intake.close()


async def _warn() -> None:
    """Tell whoever started a process that listens what it lets happen."""
    sys.stderr.write(
        "WARNING: TEAMS_AUTHENTICATION is off. Every program of this machine may speak as anybody in Microsoft Teams.\n"
    )
    sys.stderr.flush()


def _authenticator(settings: Settings, link: TeamsLink) -> Authenticates:
    if settings.teams_authentication == "off":
        return Unauthenticated()
    return Authenticator(settings.teams_app_id or "", KeyRing(link.session, settings.teams_metadata_url))
