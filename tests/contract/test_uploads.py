"""The store of uploads on a real PostgreSQL."""

import asyncpg
import pytest

from adapters.postgres.ingestions import PostgresIngestions
from adapters.postgres.knowledge import PostgresKnowledge
from adapters.postgres.uploads import PostgresUploads
from core.domain import Attachment
from core.errors import NotFound, TooLarge
from core.places import EMPLOYEE_PLATFORMS

LIMIT = 1_000


@pytest.fixture
def uploads(database):
    return PostgresUploads(database)


async def test_bytes_come_back_as_they_were_and_are_gone_once_deleted(uploads):
    data = bytes(range(256))
    upload_id = await uploads.put(1, "plan.pdf", "application/pdf", data, limit_bytes=LIMIT)
    upload = await uploads.get(1, upload_id)
    assert (upload.name, upload.media_type, upload.data) == ("plan.pdf", "application/pdf", data)
    await uploads.delete(1, upload_id)
    await uploads.delete(1, upload_id)
    with pytest.raises(NotFound, match="send it again"):
        await uploads.get(1, upload_id)


async def test_a_file_over_the_callers_limit_is_refused_and_one_at_the_limit_is_not(uploads):
    await uploads.put(1, "a.txt", "", b"x" * LIMIT, limit_bytes=LIMIT)
    with pytest.raises(TooLarge, match=r"b\.txt"):
        await uploads.put(1, "b.txt", "", b"x" * (LIMIT + 1), limit_bytes=LIMIT)


async def test_another_tenant_neither_reads_nor_deletes_a_file(uploads, addresses):
    owner = await asyncpg.connect(addresses.owner)
    await owner.execute("insert into tenants (tenant_id, slug, name) values (2, 'other', 'Other')")
    await owner.close()
    upload_id = await uploads.put(1, "a.txt", "", b"secret", limit_bytes=LIMIT)
    with pytest.raises(NotFound):
        await uploads.get(2, upload_id)
    await uploads.delete(2, upload_id)
    assert await uploads.purge(2, 0.0) == 0
    assert (await uploads.get(1, upload_id)).data == b"secret"


async def test_old_files_are_purged_unless_a_job_still_waits_for_them(uploads, database):
    await PostgresKnowledge(database).create(1, "handbook", EMPLOYEE_PLATFORMS)
    wanted, forgotten = [await uploads.put(1, name, "", b"x", limit_bytes=LIMIT) for name in ("a.txt", "b.txt")]
    jobs = PostgresIngestions(database)
    number = await jobs.start(1, "handbook", (), [Attachment("a.txt", "", 1, wanted)])
    assert await uploads.purge(1, 3_600.0) == 0
    assert await uploads.purge(1, 0.0) == 1
    with pytest.raises(NotFound):
        await uploads.get(1, forgotten)
    await uploads.get(1, wanted)
    await jobs.cancel(1, number)
    with pytest.raises(NotFound):
        await uploads.get(1, wanted)
