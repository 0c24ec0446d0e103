"""The schema: forward, back, forward again, and equal to the tables the code declares."""

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from sqlmodel import SQLModel

from adapters.postgres import tables, tables_service  # noqa: F401
from core.errors import StoreUnavailable, UsageError
from migrations import HEAD
from migrations.run import head, migrate

WITHOUT_TENANT = {"pacing"}  # rates of platforms; nothing of anybody's


def ours(name: str | None, kind: str, _: object) -> bool:
    return not (kind == "table" and name and name.startswith("procrastinate_"))


def differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"include_name": ours})
    return list(compare_metadata(context, SQLModel.metadata))


async def test_the_named_revision_is_the_newest_one():
    assert head() == HEAD


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
