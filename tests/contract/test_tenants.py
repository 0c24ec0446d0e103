import pytest

from adapters.postgres.knowledge import PostgresKnowledge
from adapters.postgres.tenants import ensure_tenants, missing_tenants
from bots.settings import Settings
from bots.store import open_store
from core.errors import UsageError
from core.places import EMPLOYEE_PLATFORMS


async def test_tenants_are_made_once_and_those_made_later_get_other_numbers(addresses, database, owner):
    assert await missing_tenants(database, (1, 4, 2)) == [4, 2]
    for _ in range(2):
        await ensure_tenants(addresses.owner, (1, 4, 2))
    assert await missing_tenants(database, (1, 4, 2)) == []
    made = await owner.fetchval("insert into tenants (slug, name) values ('new', 'New') returning tenant_id")
    assert made > 4
    knowledge = PostgresKnowledge(database)
    await knowledge.create(4, "handbook", EMPLOYEE_PLATFORMS)
    assert await knowledge.knowledge_bases(2) == []


async def test_a_tenant_that_the_settings_name_and_nobody_made_is_named(addresses):
    settings = Settings(database_url=addresses.application, teams_tenants={"one": 7})
    with pytest.raises(UsageError, match="tenant 7, which is not there; run `frontdesk migrate`"):
        async with open_store(settings, lambda _: None):
            pass
