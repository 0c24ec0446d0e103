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
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    SmallInteger,
    Text,
    UniqueConstraint,
    func,
    literal_column,
)
from sqlalchemy import Uuid as UuidType
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field, SQLModel

INDEXED_DIMENSIONS = (384, 512, 768, 1024, 1536, 3072)
"""Lengths of vectors that have an HNSW index; any other length works by an exact scan."""


def _tenant() -> Any:
    return Column(Integer, ForeignKey("tenants.tenant_id", ondelete="CASCADE"), nullable=False)


def _now() -> Any:
    return Column(DateTime(timezone=True), nullable=False, server_default=func.now())


def _texts() -> Any:
    return Column(ARRAY(Text), nullable=False, server_default=sql("'{}'"))


def _text() -> Any:
    return Column(Text, nullable=False, server_default=sql("''"))


def _number(kind: Any = Integer) -> Any:
    return Column(kind, nullable=False, server_default=sql("0"))


def _json() -> Any:
    return Column(JSONB, nullable=False, server_default=sql("'[]'"))


def _cascade(target: str, kind: Any = Integer, **options: Any) -> Any:
    return Column(kind, ForeignKey(target, ondelete="CASCADE"), nullable=False, **options)


class TenantRow(SQLModel, table=True):
    """An organisation; nothing of one is ever seen by another."""

    __tablename__ = "tenants"
    tenant_id: int = Field(sa_column=Column(Integer, Identity(), primary_key=True))
    slug: str = Field(sa_column=Column(Text, nullable=False, unique=True))
    name: str = Field(sa_column=Column(Text, nullable=False))
    ticket_count: int = Field(sa_column=Column(BigInteger, nullable=False, server_default=sql("0")))
    created_at: datetime = Field(sa_column=_now())


class EmbedderRow(SQLModel, table=True):
    """A model that made vectors; its identity keeps vectors of two models apart."""

    __tablename__ = "embedders"
    __table_args__ = (UniqueConstraint("tenant_id", "name", "dimensions"),)
    embedder_id: int = Field(sa_column=Column(Integer, Identity(), primary_key=True))
    tenant_id: int = Field(sa_column=_tenant())
    name: str = Field(sa_column=Column(Text, nullable=False))
    dimensions: int = Field(sa_column=Column(Integer, nullable=False))


class KnowledgeBaseRow(SQLModel, table=True):
    """A named set of documents, where it answers, and the sums that BM25 needs."""

    __tablename__ = "knowledge_bases"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)
    kb_id: int = Field(sa_column=Column(Integer, Identity(), primary_key=True))
    tenant_id: int = Field(sa_column=_tenant())
    name: str = Field(sa_column=Column(Text, nullable=False))
    platforms: list[str] = Field(sa_column=_texts())
    channels: list[str] = Field(sa_column=_texts())
    embedder_id: int | None = Field(sa_column=Column(Integer, ForeignKey("embedders.embedder_id")))
    chunk_count: int = Field(sa_column=Column(Integer, nullable=False, server_default=sql("0")))
    term_total: int = Field(sa_column=Column(BigInteger, nullable=False, server_default=sql("0")))
    version: int = Field(sa_column=Column(BigInteger, nullable=False, server_default=sql("0")))
    created_at: datetime = Field(sa_column=_now())
    updated_at: datetime = Field(sa_column=_now())


class DocumentRow(SQLModel, table=True):
    """One file or page; a refused one is kept too, with its reason."""

    __tablename__ = "documents"
    __table_args__ = (UniqueConstraint("kb_id", "source"), Index("documents_tenant", "tenant_id"))
    document_id: int = Field(sa_column=Column(BigInteger, Identity(), primary_key=True))
    tenant_id: int = Field(sa_column=_tenant())
    kb_id: int = Field(sa_column=_cascade("knowledge_bases.kb_id"))
    source: str = Field(sa_column=Column(Text, nullable=False))
    title: str = Field(sa_column=Column(Text, nullable=False))
    format: str = Field(sa_column=Column(Text, nullable=False, server_default=sql("''")))
    sha256: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    pipeline: int = Field(sa_column=Column(Integer, nullable=False))
    size_bytes: int = Field(sa_column=Column(BigInteger, nullable=False))
    outcome: str = Field(sa_column=Column(Text, nullable=False))
    reason: str = Field(sa_column=Column(Text, nullable=False, server_default=sql("''")))
    pages: int | None = Field(sa_column=Column(Integer))
    chunk_count: int = Field(sa_column=Column(Integer, nullable=False, server_default=sql("0")))
    term_total: int = Field(sa_column=Column(BigInteger, nullable=False, server_default=sql("0")))
    created_at: datetime = Field(sa_column=_now())
    updated_at: datetime = Field(sa_column=_now())


class ChunkRow(SQLModel, table=True):
    """A piece of a document; its only foreign key is the document, because each one is checked for every row saved."""

    __tablename__ = "chunks"
    __table_args__ = (UniqueConstraint("document_id", "position"), Index("chunks_kb", "tenant_id", "kb_id"))
    chunk_id: int = Field(sa_column=Column(BigInteger, Identity(), primary_key=True))
    tenant_id: int = Field(sa_column=Column(Integer, nullable=False))
    kb_id: int = Field(sa_column=Column(Integer, nullable=False))
    document_id: int = Field(sa_column=_cascade("documents.document_id", BigInteger))
    position: int = Field(sa_column=Column(Integer, nullable=False))
    text: str = Field(sa_column=Column(Text, nullable=False))
    heading_path: list[str] = Field(sa_column=_texts())
    page: int | None = Field(sa_column=Column(Integer))


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
    chunk_id: int = Field(sa_column=_cascade("chunks.chunk_id", BigInteger, primary_key=True))
    embedder_id: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    tenant_id: int = Field(sa_column=Column(Integer, nullable=False))
    kb_id: int = Field(sa_column=Column(Integer, nullable=False))
    dimensions: int = Field(sa_column=Column(SmallInteger, nullable=False))
    embedding: Any = Field(sa_column=Column(HALFVEC(), nullable=False))


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
    chunk_id: int = Field(sa_column=_cascade("chunks.chunk_id", BigInteger, primary_key=True))
    term: str = Field(sa_column=Column(Text, primary_key=True))
    tenant_id: int = Field(sa_column=Column(Integer, nullable=False))
    kb_id: int = Field(sa_column=Column(Integer, nullable=False))
    frequency: int = Field(sa_column=Column(SmallInteger, nullable=False))
    length: int = Field(sa_column=Column(Integer, nullable=False))


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
    tenant_id: int = Field(sa_column=_tenant())
    platform: str = Field(sa_column=Column(Text, nullable=False))
    channel: str = Field(sa_column=Column(Text, nullable=False))
    thread: str = Field(sa_column=Column(Text, nullable=False))
    author_id: str = Field(sa_column=Column(Text, nullable=False))
    title: str = Field(sa_column=Column(Text, nullable=False, server_default=sql("''")))
    favourite: bool = Field(sa_column_kwargs={"server_default": sql("false")})
    current: bool = Field(sa_column_kwargs={"server_default": sql("true")})
    created_at: datetime = Field(sa_column=_now())
    updated_at: datetime = Field(sa_column=_now())
    mode: str | None = Field(sa_column=Column(Text))
    language: str = Field(sa_column=_text())
    summary: str = Field(sa_column=_text())
    summarised_turn_id: int = Field(sa_column=_number(BigInteger))
    language_chosen: bool = Field(sa_column_kwargs={"server_default": sql("false")})
    taken_over: bool = Field(sa_column_kwargs={"server_default": sql("false")})


class TurnRow(SQLModel, table=True):
    """What the author, Frontdesk or a person said, with what was retrieved for it."""

    __tablename__ = "turns"
    __table_args__ = (
        Index("turns_session", "session_id", "turn_id"),
        Index("turns_tenant", "tenant_id"),
        Index("turns_outbox", "outbox_id", "role", unique=True, postgresql_where=sql("outbox_id is not null")),
    )
    turn_id: int = Field(sa_column=Column(BigInteger, Identity(), primary_key=True))
    tenant_id: int = Field(sa_column=_tenant())
    session_id: UUID = Field(sa_column=_cascade("sessions.session_id", UuidType))
    role: str = Field(sa_column=Column(Text, nullable=False))
    text: str = Field(sa_column=Column(Text, nullable=False))
    question: str = Field(sa_column=Column(Text, nullable=False, server_default=sql("''")))
    origin: str | None = Field(sa_column=Column(Text))
    citations: Any = Field(sa_column=_json())
    context: Any = Field(sa_column=_json())
    created_at: datetime = Field(sa_column=_now())
    model: str = Field(sa_column=_text())
    input_tokens: int = Field(sa_column=_number())
    output_tokens: int = Field(sa_column=_number())
    cost: Decimal | None = Field(sa_column=Column(Numeric(12, 6)))
    currency: str = Field(sa_column=_text())
    private: bool = Field(sa_column_kwargs={"server_default": sql("false")})
    outbox_id: int | None = Field(sa_column=Column(BigInteger))


class BotRow(SQLModel, table=True):
    """How one bot answers."""

    __tablename__ = "bot_configurations"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)
    bot_id: int = Field(sa_column=Column(Integer, Identity(), primary_key=True))
    tenant_id: int = Field(sa_column=_tenant())
    name: str = Field(sa_column=Column(Text, nullable=False))
    prompt: str = Field(sa_column=Column(Text, nullable=False))
    mode: str = Field(sa_column=Column(Text, nullable=False))
    knowledge_bases: list[str] = Field(sa_column=_texts())
    models: list[str] = Field(sa_column=_texts())
    temperature: float = Field(sa_column=Column(Double, nullable=False))
    max_tokens: int = Field(sa_column=Column(Integer, nullable=False))
    top_k: int = Field(sa_column=Column(Integer, nullable=False))
    threshold: float | None = Field(sa_column=Column(Double))
    version: int = Field(sa_column=Column(BigInteger, nullable=False, server_default=sql("1")))
    updated_at: datetime = Field(sa_column=_now())


class ChannelBotRow(SQLModel, table=True):
    """Which bot answers in a channel; the empty channel stands for the rest of the platform."""

    __tablename__ = "channel_bots"
    __table_args__ = (Index("channel_bots_bot", "bot_id"),)
    tenant_id: int = Field(
        sa_column=Column(Integer, ForeignKey("tenants.tenant_id", ondelete="CASCADE"), primary_key=True)
    )
    platform: str = Field(sa_column=Column(Text, primary_key=True))
    channel: str = Field(sa_column=Column(Text, primary_key=True))
    bot_id: int = Field(sa_column=_cascade("bot_configurations.bot_id"))


class TicketRow(SQLModel, table=True):
    """A question handed to a person."""

    __tablename__ = "tickets"
    __table_args__ = (UniqueConstraint("tenant_id", "number"), Index("tickets_session", "session_id"))
    ticket_id: int = Field(sa_column=Column(BigInteger, Identity(), primary_key=True))
    tenant_id: int = Field(sa_column=_tenant())
    number: int = Field(sa_column=Column(BigInteger, nullable=False))
    session_id: UUID | None = Field(sa_column=Column(UuidType, ForeignKey("sessions.session_id", ondelete="SET NULL")))
    state: str = Field(sa_column=Column(Text, nullable=False))
    question: str = Field(sa_column=Column(Text, nullable=False))
    transcript: str = Field(sa_column=Column(Text, nullable=False))
    reason: str = Field(sa_column=Column(Text, nullable=False))
    answer: str = Field(sa_column=Column(Text, nullable=False, server_default=sql("''")))
    created_at: datetime = Field(sa_column=_now())
    updated_at: datetime = Field(sa_column=_now())
    target: Any = Field(sa_column=Column(JSONB))
