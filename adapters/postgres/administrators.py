"""Who may administer, and the hashes of the codes that let somebody in."""

import hashlib
import hmac
from datetime import timedelta

from adapters.postgres.database import Database
from core.access import TRIES, TRIES_WITHIN, Administrator
from core.domain import Author
from core.places import Platform

_ADD = """
insert into administrators (tenant_id, platform, installation, author_id, name) values ($1, $2, $3, $4, $5)
on conflict (tenant_id, platform, installation, author_id) do update set name = excluded.name
"""

# All processes count the tries of an author together, in the table that paces calls: it may be lost, and so may these.
_TRY = """
with clock as materialized (
    select (extract(epoch from clock_timestamp()) * 1e6)::bigint as now, ($2 * 1e6)::bigint as span
)
insert into pacing as known (key, times, idle_at) select $1, array[now], now + span from clock
on conflict (key) do update set
    idle_at = excluded.idle_at,
    times = excluded.times || array(
        select tried from clock, unnest(known.times) as tried where tried > now - span
    )
    where (select count(*) from clock, unnest(known.times) as tried where tried > now - span) < $3
returning key
"""


class PostgresAdministrators:
    """The AdministratorStore port on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def is_administrator(self, tenant_id: int, platform: Platform, installation: str, author_id: str) -> bool:
        """Tell whether an author is listed."""
        async with self._database.tenant(tenant_id) as connection:
            found = await connection.fetchval(
                "select true from administrators where platform = $1 and installation = $2 and author_id = $3",
                platform.value,
                installation,
                author_id,
            )
        return bool(found)

    async def administrators(self, tenant_id: int) -> list[Administrator]:
        """List them by platform and id."""
        async with self._database.tenant(tenant_id) as connection:
            rows = await connection.fetch("select * from administrators order by platform, installation, author_id")
        return [
            Administrator(
                Platform(row["platform"]), row["installation"], Author(row["author_id"], row["name"]), row["created_at"]
            )
            for row in rows
        ]

    async def remove(self, tenant_id: int, author_id: str, platform: Platform | None = None) -> int:
        """Take an author from the list, on every platform where PLATFORM is None; tell how many entries went."""
        async with self._database.tenant(tenant_id) as connection:
            rows = await connection.fetch(
                "delete from administrators where author_id = $1 and ($2::text is null or platform = $2) returning 1",
                author_id,
                platform.value if platform else None,
            )
        return len(rows)

    async def keep_code(self, tenant_id: int, code_sha256: bytes, valid_for: timedelta) -> None:
        """Keep the hash of a code and drop those that are too old."""
        async with self._database.tenant(tenant_id) as connection:
            await connection.execute("delete from administrator_codes where expires_at < now()")
            await connection.execute(
                "insert into administrator_codes (tenant_id, code_sha256, expires_at) values ($1, $2, now() + $3)",
                tenant_id,
                code_sha256,
                valid_for,
            )

    async def allow_try(self, tenant_id: int, administrator: Administrator) -> bool:
        """Count a try; False where there were too many of late, whichever process took them."""
        author_id = administrator.author.author_id
        who = "\x1f".join((str(tenant_id), administrator.platform, administrator.installation, author_id))
        key = f"administrator code {hashlib.sha256(who.encode()).hexdigest()}"
        async with self._database.tenant(tenant_id) as connection:
            return await connection.fetchval(_TRY, key, TRIES_WITHIN.total_seconds(), TRIES) is not None

    async def redeem(self, tenant_id: int, code_sha256: bytes, administrator: Administrator) -> bool:
        """Use up the code and list ADMINISTRATOR in one transaction; False where there is no such code."""
        async with self._database.tenant(tenant_id) as connection:
            rows = await connection.fetch(
                "select code_sha256 from administrator_codes where used_at is null and expires_at > now() for update"
            )
            # All are compared, each in constant time: how long it takes says nothing about what is kept.
            same = [row["code_sha256"] for row in rows if hmac.compare_digest(row["code_sha256"], code_sha256)]
            if not same:
                return False
            await connection.execute("update administrator_codes set used_at = now() where code_sha256 = $1", same[0])
            author = administrator.author
            await connection.execute(
                _ADD,
                tenant_id,
                administrator.platform.value,
                administrator.installation,
                author.author_id,
                author.name,
            )
        return True
