"""The bytes of files on their way to a knowledge base or a session; any worker can read them."""

from datetime import timedelta

from adapters.postgres.database import Database
from core.attached import Upload
from core.errors import NotFound, TooLarge

_PURGE = """
with dropped as (
    delete from uploads
    where created_at < now() - $1::interval and not exists (
        select from ingestions
        where state in ('waiting', 'running')
            and sources @> jsonb_build_array(jsonb_build_object('upload_id', uploads.upload_id))
    )
    returning 1
)
select count(*) from dropped
"""


class PostgresUploads:
    """The Uploads port on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, tenant_id: int, name: str, media_type: str, data: bytes, *, limit_bytes: int) -> int:
        """Keep a file and return its upload id; raises TooLarge over LIMIT_BYTES."""
        if len(data) > limit_bytes:
            raise TooLarge(
                f"{name} has {len(data) / 1e6:.1f} MB and the limit is {limit_bytes / 1e6:.1f}; split it and try again."
            )
        async with self._database.tenant(tenant_id) as connection:
            upload_id: int = await connection.fetchval(
                "insert into uploads (tenant_id, name, media_type, size_bytes, data) values ($1, $2, $3, $4, $5) "
                "returning upload_id",
                tenant_id,
                name.replace("\0", ""),
                media_type.replace("\0", ""),
                len(data),
                data,
            )
        return upload_id

    async def get(self, tenant_id: int, upload_id: int) -> Upload:
        """Return a file; raises NotFound."""
        async with self._database.tenant(tenant_id) as connection:
            row = await connection.fetchrow(
                "select name, media_type, data from uploads where upload_id = $1", upload_id
            )
        if row is None:
            raise NotFound("This file is no longer kept; send it again.")
        return Upload(row["name"], row["media_type"], row["data"])

    async def delete(self, tenant_id: int, upload_id: int) -> None:
        """Drop a file; nothing where there is none."""
        async with self._database.tenant(tenant_id) as connection:
            await connection.execute("delete from uploads where upload_id = $1", upload_id)

    async def purge(self, tenant_id: int, older_than_s: float) -> int:
        """Drop files older than OLDER_THAN_S that no unfinished job waits for; count them."""
        async with self._database.tenant(tenant_id) as connection:
            dropped: int = await connection.fetchval(_PURGE, timedelta(seconds=older_than_s))
        return dropped
