"""What the tests share: a real PostgreSQL of their own, a fresh database for each test that asks, and its stores."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import pytest
from hypothesis import settings

if TYPE_CHECKING:  # the drivers are imported where they are used: a unit test needs none of them
    import asyncpg

    from adapters.embedded.postgres import Attachment
    from adapters.postgres.database import Database
    from adapters.postgres.inbox import PostgresInbox
    from adapters.postgres.knowledge import PostgresKnowledge
    from adapters.postgres.sessions import PostgresSessions
    from adapters.postgres.tickets import PostgresTickets
    from core.documents import KnowledgeBase

# A machine that is busy with something else is no defect; HYPOTHESIS_PROFILE=thorough looks longer.
settings.register_profile("quick", max_examples=25, deadline=None)
settings.register_profile("thorough", max_examples=2_000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

TEMPLATE = "frontdesk_template"
SHARED_DATA = Path(__file__).parents[1].parent / "shared" / "data"


@pytest.fixture(autouse=True, scope="session")
def plain_environment() -> Iterator[None]:
    """Keep a developer's own settings out of the tests."""
    names = (
        "DATABASE_",
        "OPENAI_",
        "EMBEDDING_",
        "FRONTDESK_",
        "FETCH_",
        "TENANT_",
        "TICKETS",
        "TOP_K",
        "MAX_",
        "LOG_",
        "REDIS_",
        "MODEL",
        "MODE",
        "CURRENCY",
        "HISTORY_",
        "CACHE_",
        "HTTP_",
        "WORKER_",
        "WAITING_",
        "AUTHOR_",
        "INBOX_",
        "ADMINS_",
        "DRAIN_",
        "PUBLIC_",
        "METRICS_",
        "OTEL_",
        "SLACK_",
        "TEAMS_",
        "TELEGRAM_",
        "IDENTITY_",
    )
    kept = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(names)}
    yield
    os.environ.update(kept)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of public data sets, which lies beside a checkout where it is there at all."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"the public data sets are not at {SHARED_DATA}")
    return SHARED_DATA


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    """Make a folder for the embedded server that every account may enter, as root's own server needs it."""
    folder = Path(tempfile.mkdtemp(prefix="frontdesk-tests-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def server(home: Path) -> "Iterator[Attachment]":
    """Run the embedded PostgreSQL for the whole run."""
    from adapters.embedded.postgres import attach

    with attach(home) as attachment:
        yield attachment


@dataclass(frozen=True)
class Addresses:
    """One database, as its owner and as the application."""

    owner: str
    application: str


def _with_login(url: str, user: str, password: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{user}:{password}@{parts.netloc.rpartition('@')[2]}"))


@pytest.fixture(scope="session")
def template(server: "Attachment") -> Callable[[str], Addresses]:
    """Migrate one database; the others are copies of it."""
    from migrations.run import prepare

    def addresses(name: str) -> Addresses:
        owner = server.owner_url(name)
        return Addresses(owner, _with_login(owner, "application", "a password"))

    made = addresses(TEMPLATE)
    asyncio.run(prepare(server.owner_url("postgres"), made.owner, made.application))
    return addresses


@pytest.fixture(scope="session")
def copied(template: Callable[[str], Addresses]) -> str:
    """Name the database that a test's own is a copy of."""
    return TEMPLATE


@pytest.fixture
async def addresses(
    server: "Attachment", template: Callable[[str], Addresses], copied: str
) -> AsyncIterator[Addresses]:
    """Copy the migrated database for one test."""
    import asyncpg

    connection = await asyncpg.connect(server.owner_url("postgres"))
    name = f"test_{os.urandom(6).hex()}"
    try:
        await connection.execute(f"create database {name} template {copied}")
        yield template(name)
        await connection.execute(f"drop database {name} with (force)")
    finally:
        await connection.close()


@pytest.fixture
async def database(addresses: Addresses) -> "AsyncIterator[Database]":
    """Open the test's database as the application."""
    from adapters.postgres.database import open_database

    async with open_database(addresses.application) as opened:
        yield opened


@pytest.fixture
async def owner(addresses: Addresses) -> "AsyncIterator[asyncpg.Connection]":
    """Connect to the test's database as its owner, who sees every row."""
    import asyncpg

    connection = await asyncpg.connect(addresses.owner)
    yield connection
    await connection.close()


@pytest.fixture
async def other_tenant(owner: "asyncpg.Connection") -> int:
    """Make a second tenant; return its id."""
    await owner.execute("insert into tenants (tenant_id, slug, name) values (2, 'other', 'Other')")
    return 2


@pytest.fixture
def knowledge(database: "Database") -> "PostgresKnowledge":
    """Return the knowledge bases of the test's database."""
    from adapters.postgres.knowledge import PostgresKnowledge

    return PostgresKnowledge(database)


@pytest.fixture
async def kb(knowledge: "PostgresKnowledge") -> "KnowledgeBase":
    """Make the empty knowledge base "handbook", which employees may read."""
    from core.places import EMPLOYEE_PLATFORMS

    return await knowledge.create(1, "handbook", EMPLOYEE_PLATFORMS)


@pytest.fixture
def inbox(database: "Database") -> "PostgresInbox":
    """Return the inbox of the test's database."""
    from adapters.postgres.inbox import PostgresInbox

    return PostgresInbox(database)


@pytest.fixture
def sessions(database: "Database") -> "PostgresSessions":
    """Return the sessions of the test's database."""
    from adapters.postgres.sessions import PostgresSessions

    return PostgresSessions(database)


@pytest.fixture
def tickets(database: "Database") -> "PostgresTickets":
    """Return the tickets of the test's database."""
    from adapters.postgres.tickets import PostgresTickets

    return PostgresTickets(database)
