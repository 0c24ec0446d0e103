"""Row-level security holds whatever the statements above it forget."""

import pytest

from adapters.postgres.database import open_database
from adapters.postgres.roles import ensure_role
from core.errors import Refused, StoreUnavailable
from migrations import HEAD

ROWS_OF_A_TENANT = """
insert into knowledge_bases (tenant_id, name, platforms) values ($1, 'handbook', '{console}') returning kb_id
"""


@pytest.fixture
async def two_tenants(database, other_tenant):
    for tenant_id in (1, other_tenant):
        async with database.tenant(tenant_id) as connection:
            await connection.fetchval(ROWS_OF_A_TENANT, tenant_id)
    return database


async def test_a_tenant_sees_its_own_rows_only(two_tenants):
    async with two_tenants.tenant(1) as connection:
        rows = await connection.fetch("select tenant_id from knowledge_bases")
    assert [row["tenant_id"] for row in rows] == [1]


async def test_without_a_tenant_there_are_no_rows_even_on_a_used_connection(two_tenants):
    async with two_tenants.tenant(1) as connection:
        await connection.fetch("select * from knowledge_bases")
    async with two_tenants._pool.acquire() as connection:
        assert await connection.fetchval("select current_setting('frontdesk.tenant_id', true)") in (None, "")
        for table in ("tenants", "knowledge_bases", "documents", "chunks", "sessions", "turns", "tickets"):
            assert await connection.fetchval(f"select count(*) from {table}") == 0


async def test_a_row_of_another_tenant_cannot_be_written_changed_or_removed(two_tenants):
    with pytest.raises(Refused, match="denied"):
        async with two_tenants.tenant(1) as connection:
            await connection.execute("insert into knowledge_bases (tenant_id, name) values (2, 'planted')")
    async with two_tenants.tenant(1) as connection:
        assert await connection.execute("update knowledge_bases set name = 'x' where tenant_id = 2") == "UPDATE 0"
        assert await connection.execute("delete from knowledge_bases where tenant_id = 2") == "DELETE 0"


@pytest.mark.parametrize(
    "statement",
    [
        "alter table turns disable row level security",
        "drop table turns",
        "create table mine (a int)",
        "insert into tenants (slug, name) values ('new', 'New')",
        "update alembic_version set version_num = '0'",
    ],
)
async def test_the_application_may_not_change_the_house(database, statement):
    with pytest.raises(Refused):
        async with database.tenant(1) as connection:
            await connection.execute(statement)


async def test_the_applications_login_passes_the_check(database):
    await database.check(HEAD)


async def test_a_superuser_is_refused_with_the_reason(addresses):
    async with open_database(addresses.owner) as database:
        with pytest.raises(Refused, match="is a superuser"):
            await database.check(HEAD)


@pytest.mark.parametrize(("attribute", "reason"), [("bypassrls", "has BYPASSRLS"), ("nobypassrls", "owns the tables")])
async def test_a_login_that_row_level_security_does_not_bind_is_refused(addresses, owner, attribute, reason):
    role = f"loose_{attribute}"
    await owner.execute(f"drop role if exists {role}")
    await owner.execute(f"create role {role} login {attribute} password 'p'")
    if reason == "owns the tables":
        await owner.execute(f"alter table tenants owner to {role}")
    await owner.execute(f"grant select on alembic_version to {role}")
    try:
        async with open_database(addresses.application.replace("application:a password", f"{role}:p")) as database:
            with pytest.raises(Refused, match=reason):
                await database.check(HEAD)
    finally:
        await owner.execute(f"drop owned by {role} cascade")
        await owner.execute(f"drop role {role}")


async def test_tables_of_another_version_are_refused_with_the_command_to_run(database):
    with pytest.raises(StoreUnavailable, match="frontdesk migrate"):
        await database.check("9999")


async def test_an_owner_who_may_not_create_roles_gets_the_statements_to_run(addresses, owner):
    await owner.execute("drop role if exists plain")
    await owner.execute("create role plain login password 'p'")
    plain = addresses.owner.replace(addresses.owner.split("//")[1].split("@")[0], "plain:p")
    try:
        with pytest.raises(Refused, match=r'create role "newcomer" login') as refusal:
            await ensure_role(plain, addresses.application.replace("application:a password", "newcomer:secret"))
        assert "grant select, insert, update, delete" in str(refusal.value)
        assert "secret" not in str(refusal.value)
    finally:
        await owner.execute("drop role plain")


async def test_a_role_that_is_already_there_is_granted_the_tables_again(addresses):
    assert await ensure_role(addresses.owner, addresses.application) == "application"
