"""The schema: forward, back, forward again, and equal to the tables the code declares."""

import hashlib
from pathlib import Path

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from sqlmodel import SQLModel

import migrations
from adapters.postgres import tables, tables_service  # noqa: F401
from adapters.postgres.database import open_database
from adapters.postgres.inbox import PostgresInbox
from core.domain import Author, Message
from core.errors import StoreUnavailable, UsageError
from core.inbox import Accepted, Incoming
from core.places import Place, Platform
from migrations import HEAD
from migrations.run import head, migrate

DELIVERED = {
    "0003_accept.sql": "b82160cae3907b28937b9f21b4c4cacb0fcc2e95d61938040fabd9065daaf8c0",
    "0003_pacing.sql": "780c1617115e677b52cd6572a9e01d08e2c0f3a10720ea2380ce40a1178df5fd",
}
"""SHA-256 of scripts that databases have run: what they should do otherwise is a revision of its own."""
WITHOUT_TENANT = {"pacing"}  # rates of platforms; nothing of anybody's


def ours(name: str | None, kind: str, _: object) -> bool:
    return not (kind == "table" and name and name.startswith("procrastinate_"))


def differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"include_name": ours})
    return list(compare_metadata(context, SQLModel.metadata))


async def test_the_named_revision_is_the_newest_one():
    assert head() == HEAD


@pytest.mark.parametrize("name", DELIVERED)
def test_a_script_that_was_delivered_stays_as_it_is(name):
    script = Path(migrations.__file__).parent / "sql" / name
    assert hashlib.sha256(script.read_bytes()).hexdigest() == DELIVERED[name]


async def test_the_migrated_tables_equal_the_declared_ones(addresses):
    engine = create_async_engine(addresses.owner.replace("postgresql:", "postgresql+asyncpg:"), poolclass=NullPool)
    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()


async def test_migrations_run_back_to_nothing_and_forward_again(addresses):
    assert await migrate(addresses.owner, "base") == "base"
    connection = await asyncpg.connect(addresses.owner)
    left = await connection.fetchval(
        "select count(*) from pg_tables where schemaname = 'public' and tablename <> 'alembic_version'"
    )
    assert left == 0
    assert await migrate(addresses.owner) == HEAD
    assert await connection.fetchval("select slug from tenants") == "default"
    await connection.close()


async def test_what_an_earlier_version_took_in_is_known_to_this_one(addresses):
    assert await migrate(addresses.owner, "0003") == "0003"
    connection = await asyncpg.connect(addresses.owner)
    names = ("api", "app", "lobby", "one", "e1", "m1", "message", 0, "U1", "", "{}", "r1", 400, 1_000, 30)
    places = ", ".join(f"${place}" for place in range(1, len(names) + 1))
    earlier = await connection.fetchrow(f"select * from frontdesk_accept(1, {places})", *names)
    await connection.close()
    assert await migrate(addresses.owner) == HEAD
    message = Message(1, Place(Platform.API, "lobby", "one"), Author("U1"), "Again?")
    async with open_database(addresses.application) as database:
        accepted = await PostgresInbox(database).accept(Incoming(message, "app", "e1", "m1"))
    assert (earlier["outcome"], accepted) == ("stored", Accepted(earlier["id"], duplicate=True))


async def test_migrating_what_is_current_changes_nothing(addresses):
    assert await migrate(addresses.owner) == HEAD


async def test_every_table_of_ours_forces_row_level_security(addresses):
    connection = await asyncpg.connect(addresses.owner)
    rows = await connection.fetch(
        "select relname, relrowsecurity and relforcerowsecurity as forced from pg_class "
        "where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and relname <> 'alembic_version' "
        "and not starts_with(relname, 'procrastinate_')"
    )
    await connection.close()
    assert {row["relname"] for row in rows} == set(SQLModel.metadata.tables)
    assert {row["relname"] for row in rows if not row["forced"]} == WITHOUT_TENANT


async def test_an_unknown_revision_is_refused(addresses):
    with pytest.raises(UsageError, match="9999"):
        await migrate(addresses.owner, "9999")


async def test_a_server_that_is_not_there_is_named():
    with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1"):
        await migrate("postgresql://owner:secret@127.0.0.1:1/nowhere")
