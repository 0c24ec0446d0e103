"""Knowledge bases and their documents."""

from collections.abc import Sequence
from typing import Any

import asyncpg

from adapters.postgres.chunks import save_chunks, save_vectors
from adapters.postgres.database import Connection, Database
from core.documents import (
    DocumentRecord,
    DocumentVersion,
    EmbedderIdentity,
    Fingerprint,
    IndexedChunk,
    KnowledgeBase,
    Outcome,
    Vector,
)
from core.errors import NotFound, UsageError
from core.places import Platform

_KNOWLEDGE_BASES = """
select kb_id, kb.name, platforms, channels, embedders.name as embedder_name, dimensions, kb.version, kb.updated_at,
    (select count(*) from documents where documents.kb_id = kb.kb_id and documents.outcome = 'indexed') as documents,
    kb.chunk_count as chunks
from knowledge_bases kb left join embedders using (embedder_id)
where ($1::text is null or kb.name = $1)
order by kb.name
"""

_SAVE_DOCUMENT = """
insert into documents
    (tenant_id, kb_id, source, title, format, sha256, pipeline, size_bytes, outcome, reason, pages,
    chunk_count, term_total)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
on conflict (kb_id, source) do update set
    title = excluded.title, format = excluded.format, sha256 = excluded.sha256, pipeline = excluded.pipeline,
    size_bytes = excluded.size_bytes, outcome = excluded.outcome, reason = excluded.reason, pages = excluded.pages,
    chunk_count = excluded.chunk_count, term_total = excluded.term_total, updated_at = now()
returning document_id
"""

_CHANGED = """
update knowledge_bases
set chunk_count = chunk_count + $2, term_total = term_total + $3, version = version + 1, updated_at = now()
where kb_id = $1
"""


class PostgresKnowledge:
    """The KnowledgeStore port on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def knowledge_bases(self, tenant_id: int) -> list[KnowledgeBase]:
        """List the knowledge bases by name."""
        async with self._database.tenant(tenant_id) as connection:
            return [_knowledge_base(row) for row in await connection.fetch(_KNOWLEDGE_BASES, None)]

    async def knowledge_base(self, tenant_id: int, name: str) -> KnowledgeBase:
        """Look one up by name; raises NotFound with the names there are."""
        async with self._database.tenant(tenant_id) as connection:
            row = await connection.fetchrow(_KNOWLEDGE_BASES, name)
            if row is None:
                raise await _no_such(connection, name)
            return _knowledge_base(row)

    async def create(self, tenant_id: int, name: str, platforms: Sequence[Platform]) -> KnowledgeBase:
        """Create the knowledge base NAME where it is missing and return it."""
        if not name.strip() or len(name) > 60 or not name.isprintable():
            raise UsageError("A knowledge base needs a name of 1 to 60 printable characters.")
        async with self._database.tenant(tenant_id) as connection:
            await connection.execute(
                "insert into knowledge_bases (tenant_id, name, platforms) values ($1, $2, $3) on conflict do nothing",
                tenant_id,
                name,
                [platform.value for platform in platforms],
            )
            return _knowledge_base(await connection.fetchrow(_KNOWLEDGE_BASES, name))

    async def set_scope(
        self, tenant_id: int, name: str, platforms: Sequence[Platform], channels: Sequence[str]
    ) -> KnowledgeBase:
        """Set the platforms and channels the knowledge base NAME answers in; no channels means all."""
        async with self._database.tenant(tenant_id) as connection:
            found = await connection.fetchval(
                "update knowledge_bases set platforms = $2, channels = $3, version = version + 1, updated_at = now() "
                "where name = $1 returning kb_id",
                name,
                [platform.value for platform in platforms],
                list(channels),
            )
            if found is None:
                raise await _no_such(connection, name)
            return _knowledge_base(await connection.fetchrow(_KNOWLEDGE_BASES, name))

    async def remove(self, tenant_id: int, name: str) -> None:
        """Remove the knowledge base NAME with all its documents."""
        async with self._database.tenant(tenant_id) as connection:
            if await connection.fetchval("delete from knowledge_bases where name = $1 returning kb_id", name) is None:
                raise await _no_such(connection, name)

    async def documents(self, tenant_id: int, kb_id: int) -> list[DocumentRecord]:
        """List the documents of a knowledge base by source."""
        async with self._database.tenant(tenant_id) as connection:
            rows = await connection.fetch(
                "select document_id, source, title, outcome, reason, size_bytes, chunk_count, updated_at "
                "from documents where kb_id = $1 order by source",
                kb_id,
            )
        return [_document(row) for row in rows]

    async def remove_document(self, tenant_id: int, kb_id: int, source: str) -> None:
        """Remove one document; from then on no answer can rest on it."""
        async with self._database.tenant(tenant_id) as connection:
            row = await connection.fetchrow(
                "delete from documents where kb_id = $1 and source = $2 returning chunk_count, term_total",
                kb_id,
                source,
            )
            if row is None:
                raise NotFound(f"There is no document {source} in this knowledge base; `frontdesk kb show` lists them.")
            await connection.execute(_CHANGED, kb_id, -row["chunk_count"], -row["term_total"])

    async def fingerprints(self, tenant_id: int, kb_id: int) -> dict[str, Fingerprint]:
        """Map each source to what tells whether it must be read again."""
        async with self._database.tenant(tenant_id) as connection:
            rows = await connection.fetch(
                "select source, sha256, pipeline, outcome, reason from documents where kb_id = $1", kb_id
            )
        return {
            row["source"]: Fingerprint(row["sha256"], row["pipeline"], Outcome(row["outcome"]), row["reason"])
            for row in rows
        }

    async def save(
        self,
        tenant_id: int,
        kb_id: int,
        version: DocumentVersion,
        chunks: Sequence[IndexedChunk],
        embedder: EmbedderIdentity | None,
    ) -> None:
        """Replace the document's old version with this one in one transaction.

        A version that holds no text or was refused leaves an older, indexed one in place.
        """
        async with self._database.tenant(tenant_id) as connection:
            # Two ingestions of one knowledge base take turns here, so that its sums stay right.
            row = await connection.fetchrow(
                "select embedder_id from knowledge_bases where kb_id = $1 for update", kb_id
            )
            if row is None:
                raise NotFound("The knowledge base was removed while its documents were being read.")
            old = await connection.fetchrow(
                "select document_id, outcome, chunk_count, term_total from documents where kb_id = $1 and source = $2",
                kb_id,
                version.source,
            )
            if version.outcome is not Outcome.INDEXED and old is not None and old["outcome"] == Outcome.INDEXED:
                await _keep_older(connection, old["document_id"], version)
                return
            await self._replace(connection, tenant_id, kb_id, version, chunks, old, embedder)

    async def _replace(
        self,
        connection: Connection,
        tenant_id: int,
        kb_id: int,
        version: DocumentVersion,
        chunks: Sequence[IndexedChunk],
        old: asyncpg.Record | None,
        embedder: EmbedderIdentity | None,
    ) -> None:
        if old is not None:
            await connection.execute("delete from chunks where document_id = $1", old["document_id"])
        term_total = sum(sum(chunk.terms.values()) for chunk in chunks)
        document_id = await connection.fetchval(
            _SAVE_DOCUMENT, tenant_id, kb_id, *_columns(version), len(chunks), term_total
        )
        chunk_ids = await save_chunks(connection, tenant_id, kb_id, document_id, chunks)
        if embedder is not None:
            embedder_id = await _adopt_embedder(connection, tenant_id, kb_id, embedder)
            vectors = [(i, chunk.vector) for i, chunk in zip(chunk_ids, chunks, strict=True) if chunk.vector]
            await save_vectors(connection, tenant_id, kb_id, embedder_id, vectors)
        before = (old["chunk_count"], old["term_total"]) if old is not None else (0, 0)
        await connection.execute(_CHANGED, kb_id, len(chunks) - before[0], term_total - before[1])

    async def chunks_without_vector(
        self, tenant_id: int, kb_id: int, embedder: EmbedderIdentity, limit: int
    ) -> list[tuple[int, str, tuple[str, ...], str]]:
        """List chunks EMBEDDER has not embedded yet: id, title, heading path and text."""
        async with self._database.tenant(tenant_id) as connection:
            rows = await connection.fetch(
                "select chunk_id, title, heading_path, text from chunks join documents using (document_id) "
                "where chunks.kb_id = $1 and not exists (select from chunk_vectors join embedders using (embedder_id) "
                "where chunk_vectors.chunk_id = chunks.chunk_id and name = $2 and embedders.dimensions = $3) "
                "order by chunk_id limit $4",
                kb_id,
                embedder.name,
                embedder.dimensions,
                limit,
            )
        return [(row["chunk_id"], row["title"], tuple(row["heading_path"]), row["text"]) for row in rows]

    async def save_vectors(
        self, tenant_id: int, kb_id: int, embedder: EmbedderIdentity, vectors: Sequence[tuple[int, Vector]]
    ) -> None:
        """Add vectors of another embedder beside those in use."""
        async with self._database.tenant(tenant_id) as connection:
            embedder_id = await _embedder_id(connection, tenant_id, embedder)
            alive = set(
                await connection.fetchval(
                    "select coalesce(array_agg(chunk_id), '{}') from chunks where chunk_id = any($1::bigint[])",
                    [chunk_id for chunk_id, _ in vectors],
                )
            )
            kept = [pair for pair in vectors if pair[0] in alive]
            await save_vectors(connection, tenant_id, kb_id, embedder_id, kept)

    async def switch_embedder(self, tenant_id: int, kb_id: int, embedder: EmbedderIdentity) -> None:
        """Search with EMBEDDER's vectors from now on and drop the others."""
        async with self._database.tenant(tenant_id) as connection:
            embedder_id = await _embedder_id(connection, tenant_id, embedder)
            await connection.execute(
                "update knowledge_bases set embedder_id = $2, version = version + 1, updated_at = now() "
                "where kb_id = $1",
                kb_id,
                embedder_id,
            )
            await connection.execute(
                "delete from chunk_vectors where kb_id = $1 and embedder_id <> $2", kb_id, embedder_id
            )


async def _no_such(connection: Connection, name: str) -> NotFound:
    names = [row["name"] for row in await connection.fetch("select name from knowledge_bases order by name")]
    known = f"there are: {', '.join(names)}" if names else "there is none yet; `frontdesk ingest` makes one"
    return NotFound(f"There is no knowledge base {name!r}; {known}.")


async def _keep_older(connection: Connection, document_id: int, version: DocumentVersion) -> None:
    await connection.execute(
        "update documents set reason = $2 where document_id = $1",
        document_id,
        f"the version before is kept; the newer file was not indexed: {version.reason}",
    )


def _columns(version: DocumentVersion) -> tuple[Any, ...]:
    return (
        version.source,
        version.title,
        version.format,
        version.sha256,
        version.pipeline,
        version.size_bytes,
        version.outcome.value,
        version.reason,
        version.pages,
    )


async def _embedder_id(connection: Connection, tenant_id: int, embedder: EmbedderIdentity) -> int:
    await connection.execute(
        "insert into embedders (tenant_id, name, dimensions) values ($1, $2, $3) on conflict do nothing",
        tenant_id,
        embedder.name,
        embedder.dimensions,
    )
    found: int = await connection.fetchval(
        "select embedder_id from embedders where name = $1 and dimensions = $2", embedder.name, embedder.dimensions
    )
    return found


async def _adopt_embedder(connection: Connection, tenant_id: int, kb_id: int, embedder: EmbedderIdentity) -> int:
    """Let a knowledge base without an embedder take this one; one that has another must be switched first."""
    embedder_id = await _embedder_id(connection, tenant_id, embedder)
    current = await connection.fetchval(
        "update knowledge_bases set embedder_id = coalesce(embedder_id, $2) where kb_id = $1 returning embedder_id",
        kb_id,
        embedder_id,
    )
    if current != embedder_id:
        raise UsageError("This knowledge base was embedded by another model; run `frontdesk kb reembed` on it first.")
    return embedder_id


def _knowledge_base(row: asyncpg.Record) -> KnowledgeBase:
    embedder = EmbedderIdentity(row["embedder_name"], row["dimensions"]) if row["embedder_name"] else None
    return KnowledgeBase(
        kb_id=row["kb_id"],
        name=row["name"],
        platforms=tuple(Platform(name) for name in row["platforms"]),
        channels=tuple(row["channels"]),
        embedder=embedder,
        documents=row["documents"],
        chunks=row["chunks"],
        version=row["version"],
        updated_at=row["updated_at"],
    )


def _document(row: asyncpg.Record) -> DocumentRecord:
    return DocumentRecord(
        document_id=row["document_id"],
        source=row["source"],
        title=row["title"],
        outcome=Outcome(row["outcome"]),
        reason=row["reason"],
        size_bytes=row["size_bytes"],
        chunks=row["chunk_count"],
        updated_at=row["updated_at"],
    )
