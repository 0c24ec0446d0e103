"""The pool of connections, and the one way to a tenant's rows."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TypeAlias
from urllib.parse import urlsplit

import asyncpg
from pgvector.asyncpg import register_vector

from core.errors import FrontdeskError, Refused, StoreUnavailable, UsageError

Connection: TypeAlias = asyncpg.pool.PoolConnectionProxy

NO_TENANT = 0
"""No tenant has this id: under it only those rows are seen that belong to nobody, or that everybody may read."""

# iterative_scan and ef_search: an HNSW walk filtered afterwards must go on until 200 rows have passed the filter.
# force_custom_plan: a generic plan walks the HNSW index for a tenant of 600 rows, 15 times slower than reading them.
_SETTINGS = {
    "application_name": "frontdesk",
    "hnsw.ef_search": "200",
    "hnsw.iterative_scan": "relaxed_order",
    "jit": "off",
    "plan_cache_mode": "force_custom_plan",
    "timezone": "UTC",
}

_LOGIN = """
select rolname as role, rolsuper as superuser, rolbypassrls as bypasses,
    exists (select from pg_class where relname = 'tenants' and relowner = pg_roles.oid) as owns,
    to_regclass('alembic_version') is not null as migrated
from pg_roles where rolname = current_user
"""


_UNREADABLE = (
    "DATABASE_URL cannot be read; percent-encode special characters of the password: "
    "postgresql://USER:PASSWORD@HOST/DATABASE"
)

_UNKNOWN = (
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedColumnError,
    asyncpg.UndefinedFunctionError,
    asyncpg.UndefinedObjectError,
)

_GONE = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # it stops, or an administrator ended the connection
    asyncpg.InsufficientResourcesError,
    asyncpg.InterfaceError,
    OSError,
    TimeoutError,
)


def _line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def place_of(url: str) -> str:
    """Name a database address for people, without its password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # several hosts, or a password that is not percent-encoded: it must not be shown
        return "the address given"
    return f"{parts.hostname or 'a local socket'}{f':{port}' if port else ''}{parts.path}"


@asynccontextmanager
async def mapped_errors(place: str) -> AsyncIterator[None]:
    """Turn the driver's errors into ours."""
    try:
        yield
    except (ValueError, asyncpg.ClientConfigurationError) as error:
        raise UsageError(_UNREADABLE) from error
    except asyncpg.InvalidPasswordError as error:
        raise StoreUnavailable(f"PostgreSQL at {place} refused the login; check the user and password.") from error
    except asyncpg.InvalidCatalogNameError as error:
        raise StoreUnavailable(f"There is no database {place}; create it or correct DATABASE_URL.") from error
    except asyncpg.InsufficientPrivilegeError as error:
        raise Refused(
            f"PostgreSQL at {place} denied it: {error}; run `frontdesk migrate` with the owner's address."
        ) from error
    except _UNKNOWN as error:
        raise StoreUnavailable(
            f"The tables at {place} are not those of this version; run `frontdesk migrate`."
        ) from error
    except asyncpg.DiskFullError as error:
        raise StoreUnavailable(f"The disk of PostgreSQL at {place} is full; nothing was saved.") from error
    except _GONE as error:
        raise StoreUnavailable(f"PostgreSQL at {place} does not answer ({_line(error)}); try again soon.") from error
    except asyncpg.DataError as error:
        # Its words repeat the value, which may be somebody's message: neither an error nor a log may show it.
        kind = type(error).__name__
        raise FrontdeskError(f"PostgreSQL at {place} takes no such value ({kind}); nothing was saved.") from None
    except asyncpg.PostgresError as error:
        refusal = f"PostgreSQL at {place} refused a statement ({_line(error)}); nothing was saved."
        raise FrontdeskError(refusal) from error


async def _prepare(connection: asyncpg.Connection) -> None:
    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)
    with suppress(ValueError):  # the types are not there before the first migration; check() says so
        await register_vector(connection)


class Database:
    """Connections of the application's own, ordinary role."""

    def __init__(self, pool: asyncpg.Pool, place: str) -> None:
        self._pool = pool
        self.place = place

    @asynccontextmanager
    async def tenant(self, tenant_id: int) -> AsyncIterator[Connection]:
        """Open a transaction that sees the rows of TENANT_ID and no others."""
        async with (
            mapped_errors(self.place),
            self._pool.acquire(timeout=10) as connection,
            connection.transaction(),
        ):
            await connection.execute("select set_config('frontdesk.tenant_id', $1, true)", str(tenant_id))
            with self._readable():
                yield connection

    @contextmanager
    def _readable(self) -> Iterator[None]:
        """Say of a value that no codec or type takes what it is: the address, which was read long ago, is right."""
        try:
            yield
        except ValueError as error:
            kind = type(error).__name__
            raise FrontdeskError(f"PostgreSQL at {self.place} has or is given what cannot be read ({kind}).") from error

    @asynccontextmanager
    async def connection(self, timeout_s: float) -> AsyncIterator[Connection]:
        """Lend a connection without a transaction or tenant for at most TIMEOUT_S, waiting for one included."""
        async with mapped_errors(self.place), asyncio.timeout(timeout_s):
            connection = await self._pool.acquire()
            try:
                with self._readable():
                    yield connection
            except asyncio.CancelledError:
                connection.terminate()  # the release waits until a server that hangs has cancelled the statement
                raise
            finally:
                await self._pool.release(connection)

    async def check(self, expected: str) -> None:
        """Refuse a login that row-level security would not bind, and tables of another version."""
        async with mapped_errors(self.place), self._pool.acquire(timeout=10) as connection:
            login = await connection.fetchrow(_LOGIN)
            revision = (
                await connection.fetchval("select version_num from alembic_version") if login["migrated"] else None
            )
        for fact, reason in (
            ("superuser", "is a superuser"),
            ("bypasses", "has BYPASSRLS"),
            ("owns", "owns the tables"),
        ):
            if login[fact]:
                raise Refused(
                    f"The login {login['role']} {reason}, so row-level security would not keep tenants apart; "
                    "name an ordinary role in DATABASE_URL (`frontdesk migrate` creates it)."
                )
        if revision != expected:
            raise StoreUnavailable(
                f"The tables at {self.place} are at revision {revision or 'none'}, this version needs {expected}; "
                "run `frontdesk migrate`."
            )

    def pool_use(self) -> tuple[int, int]:
        """Count the connections that are used, and those that are idle."""
        size, idle = self._pool.get_size(), self._pool.get_idle_size()
        return size - idle, idle

    async def version(self) -> str:
        """Name the server's version."""
        async with mapped_errors(self.place), self._pool.acquire(timeout=10) as connection:
            return str(await connection.fetchval("show server_version"))


@asynccontextmanager
async def open_database(url: str, *, size: int = 10) -> AsyncIterator[Database]:
    """Open a pool on URL and close it at the end.

    Raises StoreUnavailable when the server cannot be reached within 10 s.
    """
    place = place_of(url)
    async with mapped_errors(place):
        pool = await asyncpg.create_pool(
            url,
            min_size=1,
            max_size=size,
            timeout=10,
            command_timeout=60,
            init=_prepare,
            server_settings=_SETTINGS,
        )
    try:
        yield Database(pool, place)
    finally:
        with suppress(OSError, asyncpg.PostgresError):
            await _close(pool)


async def _close(pool: asyncpg.Pool) -> None:
    """Wait five seconds for statements under way, then cut them off."""
    try:
        async with asyncio.timeout(5):
            await pool.close()
    except TimeoutError:
        pool.terminate()
