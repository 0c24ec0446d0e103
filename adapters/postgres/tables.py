"""The tables, for the schema and its migrations; the statements on them stand in the other files of this folder.

Every table carries ``tenant_id`` and forced row-level security (migrations/versions); reasons: docs/decisions.md.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    SmallInteger,
    UniqueConstraint,
    literal_column,
)
from sqlalchemy import Uuid as UuidType
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from adapters.postgres import columns

INDEXED_DIMENSIONS = (384, 512, 768, 1024, 1536, 3072)
"""Lengths of vectors that have an HNSW index; any other length works by an exact scan."""


class TenantRow(SQLModel, table=True):
    """An organisation; nothing of one is ever seen by another."""

    __tablename__ = "tenants"
    tenant_id: int = columns.serial(Integer)
    slug: str = columns.plain(unique=True)
    name: str = columns.plain()
    ticket_count: int = columns.number(BigInteger)
    created_at: datetime = columns.now()


class EmbedderRow(SQLModel, table=True):
    """A model that made vectors; its identity keeps vectors of two models apart."""

    __tablename__ = "embedders"
    __table_args__ = (UniqueConstraint("tenant_id", "name", "dimensions"),)
    embedder_id: int = columns.serial(Integer)
    tenant_id: int = columns.tenant()
    name: str = columns.plain()
    dimensions: int = columns.plain(Integer)


class KnowledgeBaseRow(SQLModel, table=True):
    """A named set of documents, where it answers, and the sums that BM25 needs."""

    __tablename__ = "knowledge_bases"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)
    kb_id: int = columns.serial(Integer)
    tenant_id: int = columns.tenant()
    name: str = columns.plain()
    platforms: list[str] = columns.array()
    channels: list[str] = columns.array()
    embedder_id: int | None = Field(sa_column=Column(Integer, ForeignKey("embedders.embedder_id")))
    chunk_count: int = columns.number()
    term_total: int = columns.number(BigInteger)
    version: int = columns.number(BigInteger)
    created_at: datetime = columns.now()
    updated_at: datetime = columns.now()


class DocumentRow(SQLModel, table=True):
    """One file or page; a refused one is kept too, with its reason."""

    __tablename__ = "documents"
    __table_args__ = (UniqueConstraint("kb_id", "source"), Index("documents_tenant", "tenant_id"))
    document_id: int = columns.serial()
    tenant_id: int = columns.tenant()
    kb_id: int = columns.cascade("knowledge_bases.kb_id")
    source: str = columns.plain()
    title: str = columns.plain()
    format: str = columns.text()
    sha256: bytes = columns.plain(LargeBinary)
    pipeline: int = columns.plain(Integer)
    size_bytes: int = columns.plain(BigInteger)
    outcome: str = columns.plain()
    reason: str = columns.text()
    pages: int | None = columns.optional(Integer)
    chunk_count: int = columns.number()
    term_total: int = columns.number(BigInteger)
    created_at: datetime = columns.now()
    updated_at: datetime = columns.now()


class ChunkRow(SQLModel, table=True):
    """A piece of a document; its only foreign key is the document, because each one is checked for every row saved."""

    __tablename__ = "chunks"
    __table_args__ = (UniqueConstraint("document_id", "position"), Index("chunks_kb", "tenant_id", "kb_id"))
    chunk_id: int = columns.serial()
    tenant_id: int = columns.plain(Integer)
    kb_id: int = columns.plain(Integer)
    document_id: int = columns.cascade("documents.document_id", BigInteger)
    position: int = columns.plain(Integer)
    text: str = columns.plain()
    heading_path: list[str] = columns.array()
    page: int | None = columns.optional(Integer)


class VectorRow(SQLModel, table=True):
    """A chunk's vector, in a table of its own: a row of text and vector together would not fit a page."""

    __tablename__ = "chunk_vectors"
    __table_args__ = (
        Index("chunk_vectors_kb", "tenant_id", "kb_id", "embedder_id"),
        *(
            Index(
                f"chunk_vectors_hnsw_{length}",
                literal_column(f"(embedding::halfvec({length}))").label("direction"),
                postgresql_using="hnsw",
                postgresql_ops={"direction": "halfvec_cosine_ops"},
                postgresql_where=sql(f"dimensions = {length}"),
            )
            for length in INDEXED_DIMENSIONS
        ),
    )
    chunk_id: int = columns.cascade_key("chunks.chunk_id")
    embedder_id: int = columns.key(Integer)
    tenant_id: int = columns.plain(Integer)
    kb_id: int = columns.plain(Integer)
    dimensions: int = columns.plain(SmallInteger)
    embedding: Any = columns.plain(HALFVEC())


class PostingRow(SQLModel, table=True):
    """How often a term stands in a chunk, and the chunk's length in terms: all that BM25 reads.

    The primary key finds the rows of a chunk to delete; the covering index answers a search without touching the table.
    """

    __tablename__ = "postings"
    __table_args__ = (
        Index(
            "postings_search",
            "tenant_id",
            "kb_id",
            "term",
            postgresql_include=["chunk_id", "frequency", "length"],
        ),
    )
    chunk_id: int = columns.cascade_key("chunks.chunk_id")
    term: str = columns.key()
    tenant_id: int = columns.plain(Integer)
    kb_id: int = columns.plain(Integer)
    frequency: int = columns.plain(SmallInteger)
    length: int = columns.plain(Integer)


class SessionRow(SQLModel, table=True):
    """A conversation; at most one is current in a platform's thread."""

    __tablename__ = "sessions"
    __table_args__ = (
        Index(
            "sessions_current",
            "tenant_id",
            "platform",
            "channel",
            "thread",
            unique=True,
            postgresql_where=sql("current"),
        ),
        Index("sessions_author", "tenant_id", "author_id", "updated_at"),
    )
    session_id: UUID = Field(sa_column=Column(UuidType, primary_key=True, server_default=sql("gen_random_uuid()")))
    tenant_id: int = columns.tenant()
    platform: str = columns.plain()
    channel: str = columns.plain()
    thread: str = columns.plain()
    author_id: str = columns.plain()
    title: str = columns.text()
    favourite: bool = columns.flag(default=False)
    current: bool = columns.flag(default=True)
    created_at: datetime = columns.now()
    updated_at: datetime = columns.now()
    mode: str | None = columns.optional()
    language: str = columns.text()
    summary: str = columns.text()
    summarised_turn_id: int = columns.number(BigInteger)
    language_chosen: bool = columns.flag(default=False)
    taken_over: bool = columns.flag(default=False)


class TurnRow(SQLModel, table=True):
    """What the author, Frontdesk or a person said, with what was retrieved for it."""

    __tablename__ = "turns"
    __table_args__ = (
        Index("turns_session", "session_id", "turn_id"),
        Index("turns_tenant", "tenant_id"),
        Index("turns_outbox", "outbox_id", "role", unique=True, postgresql_where=sql("outbox_id is not null")),
    )
    turn_id: int = columns.serial()
    tenant_id: int = columns.tenant()
    session_id: UUID = columns.cascade("sessions.session_id", UuidType)
    role: str = columns.plain()
    text: str = columns.plain()
    question: str = columns.text()
    origin: str | None = columns.optional()
    citations: Any = columns.json_list()
    context: Any = columns.json_list()
    created_at: datetime = columns.now()
    model: str = columns.text()
    input_tokens: int = columns.number()
    output_tokens: int = columns.number()
    cost: Decimal | None = columns.optional(Numeric(12, 6))
    currency: str = columns.text()
    private: bool = columns.flag(default=False)
    outbox_id: int | None = columns.optional(BigInteger)


class BotRow(SQLModel, table=True):
    """How one bot answers."""

    __tablename__ = "bot_configurations"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)
    bot_id: int = columns.serial(Integer)
    tenant_id: int = columns.tenant()
    name: str = columns.plain()
    prompt: str = columns.plain()
    mode: str = columns.plain()
    knowledge_bases: list[str] = columns.array()
    models: list[str] = columns.array()
    temperature: float = columns.plain(Double)
    max_tokens: int = columns.plain(Integer)
    top_k: int = columns.plain(Integer)
    threshold: float | None = columns.optional(Double)
    version: int = columns.number(BigInteger, 1)
    updated_at: datetime = columns.now()


class ChannelBotRow(SQLModel, table=True):
    """Which bot answers in a channel; the empty channel stands for the rest of the platform."""

    __tablename__ = "channel_bots"
    __table_args__ = (Index("channel_bots_bot", "bot_id"),)
    tenant_id: int = columns.tenant_key()
    platform: str = columns.key()
    channel: str = columns.key()
    bot_id: int = columns.cascade("bot_configurations.bot_id")


class TicketRow(SQLModel, table=True):
    """A question handed to a person."""

    __tablename__ = "tickets"
    __table_args__ = (UniqueConstraint("tenant_id", "number"), Index("tickets_session", "session_id"))
    ticket_id: int = columns.serial()
    tenant_id: int = columns.tenant()
    number: int = columns.plain(BigInteger)
    session_id: UUID | None = columns.reference("sessions.session_id", UuidType)
    state: str = columns.plain()
    question: str = columns.plain()
    transcript: str = columns.plain()
    reason: str = columns.plain()
    answer: str = columns.text()
    created_at: datetime = columns.now()
    updated_at: datetime = columns.now()
    target: Any = columns.optional(JSONB)
