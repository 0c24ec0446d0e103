"""The tenants themselves: made by the owner of the tables, for the application may not."""

from collections.abc import Sequence

import asyncpg

from adapters.postgres.database import Database, mapped_errors, place_of

_MAKE = """
insert into tenants (tenant_id, slug, name)
select number, 'tenant-' || number, 'Tenant ' || number from unnest($1::integer[]) as named(number)
on conflict do nothing
"""
_GO_ON = """
select setval(pg_get_serial_sequence('tenants', 'tenant_id'), greatest(max(tenant_id), 1)) from tenants
"""


async def ensure_tenants(owner_url: str, numbers: Sequence[int]) -> None:
    """Make the tenants NUMBERS where they are missing; raises StoreUnavailable."""
    async with mapped_errors(place_of(owner_url)):
        connection = await asyncpg.connect(owner_url, timeout=10)
        try:
            async with connection.transaction():
                await connection.execute(_MAKE, list(numbers))
                await connection.execute(_GO_ON)
        finally:
            await connection.close()


async def missing_tenants(database: Database, numbers: Sequence[int]) -> list[int]:
    """List which of the tenants NUMBERS there are not."""
    missing = []
    for number in numbers:
        async with database.tenant(number) as connection:
            if not await connection.fetchval("select exists (select from tenants where tenant_id = $1)", number):
                missing.append(number)
    return missing
