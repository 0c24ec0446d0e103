"""The application's own role: an ordinary login that may read and write rows and nothing else."""

from urllib.parse import unquote, urlsplit

import asyncpg

from adapters.postgres.database import mapped_errors, place_of
from core.errors import Refused

_GRANTS = (
    "grant usage on schema public to {role}",
    "grant select, insert, update, delete on all tables in schema public to {role}",
    "grant usage on all sequences in schema public to {role}",
    "revoke insert, update, delete on alembic_version from {role}",
    "revoke insert, delete on tenants from {role}",
)
# The workers refresh the statistics of their jobs themselves; before PostgreSQL 17 only an owner could.
_MAINTAIN = "grant maintain on procrastinate_jobs to {role}"
_MAINTAIN_SINCE = 170_000


def quoted(name: str) -> str:
    """Quote an identifier."""
    return '"' + name.replace('"', '""') + '"'


def grants(role: str, version: int = 0) -> list[str]:
    """List the statements that let ROLE work on a server of VERSION, such as 170004."""
    statements = (*_GRANTS, _MAINTAIN) if version >= _MAINTAIN_SINCE else _GRANTS
    return [statement.format(role=quoted(role)) for statement in statements]


async def ensure_database(owner_url: str, name: str) -> None:
    """Create the database NAME on the owner's server where it is missing."""
    async with mapped_errors(place_of(owner_url)):
        connection = await asyncpg.connect(owner_url, timeout=10)
        try:
            if not await connection.fetchval("select 1 from pg_database where datname = $1", name):
                await connection.execute(f"create database {quoted(name)}")
        except (asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
            pass  # another process was faster
        finally:
            await connection.close()


async def ensure_role(owner_url: str, application_url: str) -> str:
    """Create the login that APPLICATION_URL names, where it is missing, and grant it the tables; return its name.

    Raises Refused with the statements to run when the owner may not create roles.
    """
    parts = urlsplit(application_url)
    role, password = unquote(parts.username or ""), unquote(parts.password or "")
    if not role:
        raise Refused("DATABASE_URL names no user; write it as postgresql://USER:PASSWORD@HOST/DATABASE.")
    async with mapped_errors(place_of(owner_url)):
        connection = await asyncpg.connect(owner_url, timeout=10)
        try:
            version = int(await connection.fetchval("show server_version_num"))
            await _create(connection, role, password, version)
            async with connection.transaction():
                for statement in grants(role, version):
                    await connection.execute(statement)
        finally:
            await connection.close()
    return role


async def _create(connection: asyncpg.Connection, role: str, password: str, version: int) -> None:
    known = await connection.fetchrow("select rolsuper, rolbypassrls from pg_roles where rolname = $1", role)
    if known is not None:
        if known["rolsuper"] or known["rolbypassrls"]:
            raise Refused(f"The role {role} is a superuser or has BYPASSRLS; name an ordinary role in DATABASE_URL.")
        return
    literal = await connection.fetchval("select quote_literal($1::text)", password)
    try:
        await connection.execute(
            f"create role {quoted(role)} login nosuperuser nobypassrls nocreatedb nocreaterole password {literal}"
        )
    except (asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError):
        return  # another process was faster
    except asyncpg.InsufficientPrivilegeError as error:
        statements = ";\n  ".join([f"create role {quoted(role)} login password '...'", *grants(role, version)])
        raise Refused(
            "The tables are up to date, but this owner may not create roles; "
            f"let an administrator run:\n  {statements};"
        ) from error
