"""The chunks of a document with what finds them: postings for words, vectors for meaning."""

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
from pgvector import HalfVector

from adapters.postgres.database import Connection
from core.documents import IndexedChunk, Vector

_AT_ONCE = 200
"""Chunks, or vectors, in one statement."""

_SAVE_CHUNKS = """
with saved as (
    insert into chunks (tenant_id, kb_id, document_id, position, text, heading_path, page)
    select $1, $2, $3, position, text, heading_path, page
    from jsonb_to_recordset($4) as new(position integer, text text, heading_path text[], page integer)
    returning chunk_id, position
)
select chunk_id from saved order by position
"""

_SAVE_POSTINGS = """
insert into postings (chunk_id, term, tenant_id, kb_id, frequency, length)
select chunk_id, term, $1, $2, least(frequency, 32767), length
from unnest($3::bigint[], $4::text[], $5::integer[], $6::integer[]) as new(chunk_id, term, frequency, length)
"""

_SAVE_VECTOR = """
insert into chunk_vectors (tenant_id, kb_id, embedder_id, dimensions, chunk_id, embedding)
values ($1, $2, $3, $4, $5, $6)
on conflict do nothing
"""


async def save_chunks(
    connection: Connection, tenant_id: int, kb_id: int, document_id: int, chunks: Sequence[IndexedChunk]
) -> list[int]:
    """Save the chunks and their postings and return the ids of the chunks.

    Some at a time: the driver packs a statement's values on the event loop.
    """
    chunk_ids: list[int] = []
    for start in range(0, len(chunks), _AT_ONCE):
        some = chunks[start : start + _AT_ONCE]
        rows = await connection.fetch(
            _SAVE_CHUNKS,
            tenant_id,
            kb_id,
            document_id,
            [{"position": start + position, **asdict(chunk.chunk)} for position, chunk in enumerate(some)],
        )
        ids = [row["chunk_id"] for row in rows]
        await _save_postings(connection, tenant_id, kb_id, list(zip(ids, some, strict=True)))
        chunk_ids += ids
    return chunk_ids


async def _save_postings(
    connection: Connection, tenant_id: int, kb_id: int, chunks: Sequence[tuple[int, IndexedChunk]]
) -> None:
    postings = [
        (chunk_id, term, frequency, length)
        for chunk_id, chunk in chunks
        for length in (sum(chunk.terms.values()),)
        for term, frequency in chunk.terms.items()
    ]
    if postings:
        await connection.execute(
            _SAVE_POSTINGS, tenant_id, kb_id, *(list(column) for column in zip(*postings, strict=True))
        )


async def save_vectors(
    connection: Connection, tenant_id: int, kb_id: int, embedder_id: int, vectors: Sequence[tuple[int, Vector]]
) -> None:
    """Save vectors by the ids of their chunks; those that are there already stay."""
    for start in range(0, len(vectors), _AT_ONCE):
        await connection.executemany(
            _SAVE_VECTOR,
            [
                (tenant_id, kb_id, embedder_id, len(vector), chunk_id, HalfVector(np.frombuffer(vector, np.float32)))
                for chunk_id, vector in vectors[start : start + _AT_ONCE]
            ],
        )
