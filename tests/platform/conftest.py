"""A database with the handbook in it, made once: each test of a house has a copy."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from adapters.embedded.postgres import Attachment
    from tests.conftest import Addresses

FURNISHED = "frontdesk_furnished"


@pytest.fixture(scope="session")
def copied(server: "Attachment", template: "Callable[[str], Addresses]", copied: str) -> str:
    """Name the database that a test's own is a copy of."""
    asyncio.run(_make(server, template(FURNISHED), copied))
    return FURNISHED


async def _make(server: "Attachment", addresses: "Addresses", copied: str) -> None:
    # Here, not above: most tests of this folder need no house.
    import asyncpg

    from tests.platform import house

    connection = await asyncpg.connect(server.owner_url("postgres"))
    try:
        await connection.execute(f"create database {FURNISHED} template {copied}")
    finally:
        await connection.close()
    await house.furnish(addresses)
