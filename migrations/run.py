"""Run the migrations on a database, forward or back."""

from collections.abc import Sequence
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from adapters.postgres.database import mapped_errors, place_of
from adapters.postgres.roles import ensure_database, ensure_role
from adapters.postgres.tenants import ensure_tenants
from core.errors import Refused, UsageError

_LOCK = 4_705_621_083  # any number nobody else uses: two migrations at once wait for each other


def config(connection: Connection | None = None) -> Config:
    """Describe this folder to Alembic."""
    made = Config()
    made.set_main_option("script_location", str(Path(__file__).parent))
    made.attributes["connection"] = connection
    return made


def head() -> str:
    """Name the newest revision."""
    revision = ScriptDirectory.from_config(config()).get_current_head()
    if revision is None:
        raise Refused("This installation carries no migrations; install Frontdesk again.")
    return revision


def _move(connection: Connection, revision: str) -> str:
    connection.execute(text("select pg_advisory_lock(:key)"), {"key": _LOCK})
    connection.commit()
    try:
        before = MigrationContext.configure(connection).get_current_heads()
        going_back = revision == "base" or (revision != "head" and bool(before) and revision < before[0])
        move = command.downgrade if going_back else command.upgrade
        move(config(connection), revision)
        connection.commit()
        after = MigrationContext.configure(connection).get_current_heads()
        return after[0] if after else "base"
    finally:
        connection.rollback()
        connection.execute(text("select pg_advisory_unlock(:key)"), {"key": _LOCK})
        connection.commit()


async def migrate(owner_url: str, revision: str = "head") -> str:
    """Bring the database to REVISION and return the revision it is at.

    Raises StoreUnavailable when the server cannot be reached, Refused when it says no.
    """
    url = make_url(owner_url).set(drivername="postgresql+asyncpg")
    engine = create_async_engine(url, poolclass=NullPool)
    try:
        async with mapped_errors(place_of(owner_url)), engine.connect() as connection:
            return await connection.run_sync(_move, revision)
    except CommandError as error:
        raise UsageError(f"{error}; there are revisions up to {head()}, and base.") from error
    except DBAPIError as error:
        raise Refused(f"PostgreSQL refused the migration: {str(error.orig).splitlines()[0]}") from error
    finally:
        await engine.dispose()


async def prepare(
    maintenance_url: str | None,
    owner_url: str,
    application_url: str,
    revision: str = "head",
    *,
    tenants: Sequence[int] = (),
) -> tuple[str, str]:
    """Migrate the owner's database, make TENANTS and let the application's role in; return the revision and the role.

    With MAINTENANCE_URL the database itself is created where it is missing. At base there is nothing to let in to.
    """
    if maintenance_url is not None:
        await ensure_database(maintenance_url, make_url(owner_url).database or "")
    at = await migrate(owner_url, revision)
    if at == "base":
        return at, ""
    if at == head():
        await ensure_tenants(owner_url, tenants)
    return at, await ensure_role(owner_url, application_url)
