"""The retrieval statement: BM25 and vectors fused, inside the tenant and the knowledge bases readable here."""

from collections.abc import Sequence
from typing import Any

import asyncpg
import numpy as np
from pgvector import HalfVector

from adapters.postgres.database import Database
from core.documents import Passage, Query
from core.places import Reader
from core.ranking import RANKING, rerank

# Parameters: 1 tenant, 2 platform, 3 what the reader holds, 4 names of knowledge bases or null, 5 terms, 6 limit, 7 k1,
# 8 b, 9 candidates of each list, 10 ids of knowledge bases or null; with a vector also 11 vector, 12 embedder's name,
# 13 weight of the cosine.
# What the author may read is decided in here, so that no caller can search past it.
_READABLE = """tenant_id = $1 and $2 = any(platforms)
        and (channels && $3::text[] or (channels = '{}' and '*' = any($3::text[])))
        and ($4::text[] is null or name = any($4))"""

_LEXICAL = f"""
with readable as materialized (
    select kb_id, name, embedder_id, chunk_count, term_total
    from knowledge_bases
    where {_READABLE} and ($10::integer[] is null or kb_id = any($10))
), corpus as materialized (
    select array_agg(kb_id) as kb_ids, sum(chunk_count)::float8 as chunks,
        greatest(sum(term_total)::float8 / nullif(sum(chunk_count), 0), 1) as mean_length
    from readable
), weights as materialized (
    select term, ln(1 + (chunks - found + 0.5) / (found + 0.5)) as idf
    from corpus, unnest($5::text[]) as asked(term), lateral (
        select count(*) as found from postings
        where tenant_id = $1 and kb_id = any(corpus.kb_ids) and postings.term = asked.term
    ) as counted
), lexical as materialized (
    select chunk_id, sum(
            idf * frequency * ($7::float8 + 1)
            / (frequency + $7 * (1 - $8::float8 + $8 * length / mean_length))
        ) / (select sum(idf) from weights) as coverage
    from corpus, weights, lateral (
        select chunk_id, frequency, length from postings
        where tenant_id = $1 and kb_id = any(corpus.kb_ids) and postings.term = weights.term
    ) as hits
    group by chunk_id
)"""  # noqa: S608 - only our own constant goes in

_NEAREST = """, asked_vector as materialized (
    select embedder_id from embedders where tenant_id = $1 and name = $12 and dimensions = {dimensions}
), nearest as materialized (
    select chunk_id
    from chunk_vectors
    where tenant_id = $1 and dimensions = {dimensions}
        and embedder_id = (select embedder_id from asked_vector)
        and kb_id = any((
            select array_agg(kb_id) from readable where embedder_id = (select embedder_id from asked_vector)
        )::integer[])
    order by embedding::halfvec({dimensions}) <=> $11::halfvec({dimensions})
    limit $9
)"""

_SCORED_LEXICAL = """, scored as (
    select chunk_id, coverage, null::float8 as cosine, coverage as score from lexical order by coverage desc limit $9
)"""

# "in (...) is true" is answered from a hash table; as a join it would be planned for the few rows PostgreSQL expects.
_SCORED_BOTH = """, candidates as (
    select chunk_id, coverage from lexical where (chunk_id in (select chunk_id from nearest)) is true
    union all (
        select chunk_id, coverage from lexical where (chunk_id in (select chunk_id from nearest)) is not true
        order by coverage desc limit $9
    )
    union all select chunk_id, 0 from nearest where (chunk_id in (select chunk_id from lexical)) is not true
), scored as (
    select chunk_id, coverage, cosine, coverage + $13::float8 * coalesce(cosine, 0) as score
    from candidates left join lateral (
        select 1 - (embedding::halfvec({dimensions}) <=> $11::halfvec({dimensions})) as cosine
        from chunk_vectors
        where chunk_vectors.chunk_id = candidates.chunk_id
            and embedder_id = (select embedder_id from asked_vector)
    ) as compared on true
)"""

_FOUND = """
select chunk_id, document_id, readable.name as kb_name, title, source, heading_path, page, text, score, coverage, cosine
from (select * from scored order by score desc, chunk_id limit $6) as best
join chunks using (chunk_id) join documents using (document_id) join readable on readable.kb_id = chunks.kb_id
order by score desc, chunk_id
"""


def statement(dimensions: int | None) -> str:
    """Write the statement for vectors of DIMENSIONS; without vectors, the lexical half alone."""
    if dimensions is None:
        return _LEXICAL + _SCORED_LEXICAL + _FOUND
    return (_LEXICAL + _NEAREST + _SCORED_BOTH + _FOUND).replace("{dimensions}", str(int(dimensions)))


def parameters(tenant_id: int, query: Query) -> list[Any]:
    """List the statement's parameters in order."""
    values: list[Any] = [
        tenant_id,
        query.reader.place.platform.value,
        list(query.reader.grants),
        list(query.knowledge_bases) or None,
        sorted(set(query.terms)),
        max(query.limit, RANKING.reranked),
        RANKING.k1,
        RANKING.b,
        RANKING.candidates,
        None if query.readable is None else [kb_id for kb_id, _ in query.readable],
    ]
    if query.vector is not None and query.embedder is not None:
        values += [
            HalfVector(np.frombuffer(query.vector, dtype=np.float32)),
            query.embedder.name,
            RANKING.cosine_weight,
        ]
    return values


class PostgresSearch:
    """The Retriever port on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def readable(self, tenant_id: int, reader: Reader, names: Sequence[str]) -> tuple[tuple[int, int], ...]:
        """List id and version of each knowledge base that READER may read; with NAMES, of those only."""
        async with self._database.tenant(tenant_id) as connection:
            rows = await connection.fetch(
                f"select kb_id, version from knowledge_bases where {_READABLE}",  # noqa: S608 - our own constant
                tenant_id,
                reader.place.platform.value,
                list(reader.grants),
                list(names) or None,
            )
        return tuple((row["kb_id"], row["version"]) for row in rows)

    async def search(self, tenant_id: int, query: Query) -> list[Passage]:
        """Find the best passages for QUERY among what its reader may read; best first."""
        dimensions = query.embedder.dimensions if query.vector is not None and query.embedder else None
        async with self._database.tenant(tenant_id) as connection:
            rows = await connection.fetch(statement(dimensions), *parameters(tenant_id, query))
        return rerank(query.terms, [passage_of(row) for row in rows], query.limit)


def passage_of(row: asyncpg.Record) -> Passage:
    """Turn a row of the statement into a passage."""
    return Passage(
        chunk_id=row["chunk_id"],
        document_id=row["document_id"],
        kb_name=row["kb_name"],
        title=row["title"],
        source=row["source"],
        heading_path=tuple(row["heading_path"]),
        page=row["page"],
        text=row["text"],
        score=row["score"],
        coverage=row["coverage"],
        cosine=row["cosine"],
    )
