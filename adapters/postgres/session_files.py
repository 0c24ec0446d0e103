"""Files read for one session alone, with their chunks and vectors in the row."""

from typing import Any
from uuid import UUID

import asyncpg

from adapters.postgres.database import Database
from core.attached import FileChunk, SessionFile, pack, unpack
from core.documents import EmbedderIdentity, Outcome

# The upload goes as the row comes, so that of two workers with one message only one keeps its file.
_ADD = """
with read as (
    delete from uploads where upload_id = $7 returning upload_id
)
insert into session_files (tenant_id, session_id, name, outcome, reason, chunks)
select $1, $2, $3, $4, $5, $6 from read
returning file_id
"""


class PostgresSessionFiles:
    """The SessionFiles port on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, tenant_id: int, session_id: UUID, file: SessionFile) -> bool:
        """Keep FILE and drop its upload; False, with nothing kept, where that upload was read before or is gone."""
        async with self._database.tenant(tenant_id) as connection:
            kept = await connection.fetchval(
                _ADD,
                tenant_id,
                session_id,
                file.name,
                file.outcome.value,
                file.reason,
                _content(file),
                file.upload_id,
            )
        return kept is not None

    async def files(self, tenant_id: int, session_id: UUID) -> list[SessionFile]:
        """List a session's files with their chunks, the oldest first."""
        return await self._list(tenant_id, session_id, "chunks")

    async def taken(self, tenant_id: int, session_id: UUID) -> list[SessionFile]:
        """List a session's files without their chunks, the oldest first."""
        return await self._list(tenant_id, session_id, "chunks - 'chunks' as chunks")

    async def _list(self, tenant_id: int, session_id: UUID, column: str) -> list[SessionFile]:
        async with self._database.tenant(tenant_id) as connection:
            rows = await connection.fetch(
                f"select file_id, name, outcome, reason, {column} from session_files "  # noqa: S608 - our own words
                "where session_id = $1 order by file_id",
                session_id,
            )
        return [_file(row) for row in rows]


def _content(file: SessionFile) -> dict[str, Any]:
    """Write everything of a file besides its columns as JSON."""
    return {
        "title": file.title,
        "upload_id": file.upload_id,
        "embedder": [file.embedder.name, file.embedder.dimensions] if file.embedder else None,
        "chunks": [
            {
                "text": chunk.text,
                "heading_path": list(chunk.heading_path),
                "page": chunk.page,
                "terms": dict(chunk.terms),
                "vector": pack(chunk.vector) if chunk.vector else None,
            }
            for chunk in file.chunks
        ],
    }


def _file(row: asyncpg.Record) -> SessionFile:
    content = row["chunks"] or {}
    return SessionFile(
        name=row["name"],
        outcome=Outcome(row["outcome"]),
        reason=row["reason"],
        title=content["title"],
        embedder=EmbedderIdentity(*content["embedder"]) if content["embedder"] else None,
        chunks=tuple(_chunk(chunk) for chunk in content.get("chunks", ())),
        upload_id=content["upload_id"],
        file_id=row["file_id"],
    )


def _chunk(chunk: dict[str, Any]) -> FileChunk:
    return FileChunk(
        text=chunk["text"],
        heading_path=tuple(chunk["heading_path"]),
        page=chunk["page"],
        terms=chunk["terms"],
        vector=unpack(chunk["vector"]) if chunk["vector"] else None,
    )
