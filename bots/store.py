"""The database of the settings: one that they name, or the embedded one."""

import asyncio
import logging
import os
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from adapters.embedded.postgres import Attachment, attach
from adapters.postgres.database import Database, open_database
from adapters.postgres.tenants import missing_tenants
from bots.settings import Settings, tenants
from core.errors import FrontdeskError, StoreUnavailable, UsageError
from migrations import HEAD

Say = Callable[[str], None]

_DATABASE = "frontdesk"
_ROLE = "frontdesk"
_LOOK_S = 1.0
_REST_S = 3.0  # between two starts of a server that died

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Store:
    """A database that is open, and where it is."""

    database: Database
    url: str = field(repr=False)
    server: Attachment | None = None  # our own


@asynccontextmanager
async def open_store(settings: Settings, say: Say) -> AsyncIterator[Store]:
    """Open the database of SETTINGS, an embedded one where none is named, and check its login and its tables."""
    async with AsyncExitStack() as stack:
        server = None
        if settings.database_url is not None:
            url = settings.database_url.get_secret_value()
        else:
            server, url = await stack.enter_async_context(_embedded(settings, say))
        database = await stack.enter_async_context(open_database(url))
        await database.check(HEAD)
        if missing := await missing_tenants(database, tenants(settings)):
            named = ", ".join(map(str, missing))
            raise UsageError(f"The settings name the tenant {named}, which is not there; run `frontdesk migrate`.")
        yield Store(database, url, server)


@asynccontextmanager
async def _embedded(settings: Settings, say: Say) -> AsyncIterator[tuple[Attachment, str]]:
    """Run the embedded server with its tables and tenants up to date; yield it with the application's address."""
    home, named = settings.frontdesk_home, tenants(settings)
    attachment = await asyncio.to_thread(attach, home, say=say)
    try:
        owner_url = attachment.owner_url(_DATABASE)
        url = _application_url(owner_url, _password(home / "postgres" / "application-password"))
        if not await _is_current(url, named):
            say("Preparing the tables ...")
            # Alembic takes 0.3 s to import, and most starts need no migration.
            from migrations.run import prepare  # noqa: PLC0415

            await prepare(attachment.owner_url("postgres"), owner_url, url, tenants=named)
        yield attachment, url
    finally:
        await asyncio.to_thread(attachment.leave)


async def keep_alive(server: Attachment) -> None:
    """Start the embedded server again whenever it has died; runs until cancelled."""
    while True:
        await asyncio.sleep(_LOOK_S)
        if await asyncio.to_thread(server.is_dead):
            _log.warning("the embedded PostgreSQL has died and is started again")
            try:
                await asyncio.to_thread(server.revive)
            except FrontdeskError as error:
                _log.error("%s", error)
            await asyncio.sleep(_REST_S)


async def _is_current(url: str, named: Sequence[int]) -> bool:
    try:
        async with open_database(url, size=1) as database:
            await database.check(HEAD)
            return not await missing_tenants(database, named)
    except StoreUnavailable:
        return False


def _password(path: Path) -> str:
    """Read the application role's password, made at the first start; only its owner may read the file."""
    if not path.exists():
        new = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        new.touch(mode=0o600)
        new.write_text(secrets.token_urlsafe(24), encoding="ascii")
        with suppress(FileExistsError):  # of two processes at once, one is first; whole or absent, never empty
            os.link(new, path)
        new.unlink()
    return path.read_text(encoding="ascii")


def _application_url(owner_url: str, password: str) -> str:
    parts = urlsplit(owner_url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{_ROLE}:{password}@{host}"))
