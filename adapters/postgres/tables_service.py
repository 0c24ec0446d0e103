"""The tables of the running service: what comes in, what goes out, who decides, and jobs.

Beside these stand the tables of procrastinate, the engine of the jobs (migrations/versions/0003), which carry ids only.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Text,
    func,
)
from sqlalchemy import Uuid as UuidType
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field, SQLModel


def _tenant() -> Any:
    return Column(Integer, ForeignKey("tenants.tenant_id", ondelete="CASCADE"), nullable=False)


def _tenant_key() -> Any:
    return Column(Integer, ForeignKey("tenants.tenant_id", ondelete="CASCADE"), primary_key=True)


def _when(*, set_by_us: bool = False) -> Any:
    return Column(DateTime(timezone=True), nullable=set_by_us, server_default=None if set_by_us else func.now())


def _id() -> Any:
    return Column(BigInteger, Identity(), primary_key=True)


def _key(kind: Any = Text) -> Any:
    return Column(kind, primary_key=True, autoincrement=False)


def _text(*, default: bool = False) -> Any:
    return Column(Text, nullable=False, server_default=sql("''") if default else None)


def _number(kind: Any = Integer, default: str | None = None) -> Any:
    return Column(kind, nullable=False, server_default=sql(default) if default else None)


def _json(default: str | None = None) -> Any:
    return Column(JSONB, nullable=False, server_default=sql(default) if default else None)


class InboxRow(SQLModel, table=True):
    """One event of a platform; core/inbox.py tells what the words mean."""

    __tablename__ = "inbox"
    __table_args__ = (
        Index("inbox_event", "event_id", "tenant_id", "platform", "installation", unique=True),
        Index(
            "inbox_message",
            "message_id",
            "tenant_id",
            "platform",
            "installation",
            "channel",
            "kind",
            "revision",
            unique=True,
        ),
        Index(
            "inbox_thread",
            "tenant_id",
            "platform",
            "installation",
            "channel",
            "thread",
            "inbox_id",
            postgresql_where=sql("state <> 'ended'"),
        ),
        Index("inbox_waiting", "tenant_id", postgresql_where=sql("state = 'waiting'")),
        Index("inbox_author", "author_id", "tenant_id", "platform", "received_at"),
    )
    inbox_id: int = Field(sa_column=_id())
    tenant_id: int = Field(sa_column=_tenant())
    platform: str = Field(sa_column=_text())
    installation: str = Field(sa_column=_text())
    event_id: str = Field(sa_column=_text())
    channel: str = Field(sa_column=_text())
    thread: str = Field(sa_column=_text())
    message_id: str = Field(sa_column=_text())
    kind: str = Field(sa_column=_text())
    revision: int = Field(sa_column=_number(BigInteger))
    author_id: str = Field(sa_column=_text())
    body: Any = Field(sa_column=_json())
    request_id: str = Field(sa_column=_text())
    state: str = Field(sa_column=Column(Text, nullable=False, server_default=sql("'waiting'")))
    answered_by: int | None = Field(sa_column=Column(BigInteger))
    interrupted_by: str | None = Field(sa_column=Column(Text))
    claim: int = Field(sa_column=_number(BigInteger, "0"))
    tries: int = Field(sa_column=_number(default="0"))
    ending: str | None = Field(sa_column=Column(Text))
    reason: str = Field(sa_column=_text(default=True))
    ticket_number: int | None = Field(sa_column=Column(BigInteger))
    received_at: datetime = Field(sa_column=_when())
    ended_at: datetime | None = Field(sa_column=_when(set_by_us=True))


class OutboxRow(SQLModel, table=True):
    """Something sent or to be sent; core/outbox.py tells what the words mean."""

    __tablename__ = "outbox"
    __table_args__ = (
        Index("outbox_inbox", "inbox_id", unique=True),
        Index("outbox_place", "tenant_id", "platform", "installation", "channel", "created_at"),
        Index("outbox_unsettled", "tenant_id", postgresql_where=sql("settled is null")),
    )
    outbox_id: int = Field(sa_column=_id())
    tenant_id: int = Field(sa_column=_tenant())
    inbox_id: int | None = Field(sa_column=Column(BigInteger, ForeignKey("inbox.inbox_id", ondelete="SET NULL")))
    purpose: str = Field(sa_column=_text())
    platform: str = Field(sa_column=_text())
    installation: str = Field(sa_column=_text())
    channel: str = Field(sa_column=_text())
    thread: str = Field(sa_column=_text())
    author_id: str = Field(sa_column=_text())
    address: Any = Field(sa_column=_json())
    message_id: str = Field(sa_column=_text(default=True))
    request_id: str = Field(sa_column=_text(default=True))
    content: Any = Field(sa_column=Column(JSONB))
    partial: str = Field(sa_column=_text(default=True))
    sent: Any = Field(sa_column=_json("'[]'"))
    begun: int | None = Field(sa_column=Column(Integer))
    claim: int = Field(sa_column=_number(BigInteger, "0"))
    doubts: int = Field(sa_column=_number(default="0"))
    settled: str | None = Field(sa_column=Column(Text))
    reason: str = Field(sa_column=_text(default=True))
    created_at: datetime = Field(sa_column=_when())
    settled_at: datetime | None = Field(sa_column=_when(set_by_us=True))


class AnswerEventRow(SQLModel, table=True):
    """One piece of an answer, for clients that read it from here, whichever process writes it."""

    __tablename__ = "answer_events"
    inbox_id: int = Field(
        sa_column=Column(
            BigInteger, ForeignKey("inbox.inbox_id", ondelete="CASCADE"), primary_key=True, autoincrement=False
        )
    )
    position: int = Field(sa_column=_key(Integer))
    tenant_id: int = Field(sa_column=_number())
    kind: str = Field(sa_column=_text())
    data: Any = Field(sa_column=_json())
    created_at: datetime = Field(sa_column=_when())


class FeedbackRow(SQLModel, table=True):
    """What an author thinks of an answer; the last word counts."""

    __tablename__ = "feedback"
    tenant_id: int = Field(sa_column=_tenant())
    outbox_id: int = Field(
        sa_column=Column(
            BigInteger, ForeignKey("outbox.outbox_id", ondelete="CASCADE"), primary_key=True, autoincrement=False
        )
    )
    author_id: str = Field(sa_column=_key())
    rating: int = Field(sa_column=_number())
    reason: str = Field(sa_column=_text(default=True))
    created_at: datetime = Field(sa_column=_when())


class AdministratorRow(SQLModel, table=True):
    """Who may administer, beside those the platform names."""

    __tablename__ = "administrators"
    tenant_id: int = Field(sa_column=_tenant_key())
    platform: str = Field(sa_column=_key())
    installation: str = Field(sa_column=_key())
    author_id: str = Field(sa_column=_key())
    name: str = Field(sa_column=_text(default=True))
    created_at: datetime = Field(sa_column=_when())


class AdministratorCodeRow(SQLModel, table=True):
    """A code that makes one author an administrator once; only its hash is kept."""

    __tablename__ = "administrator_codes"
    tenant_id: int = Field(sa_column=_tenant())
    code_sha256: bytes = Field(sa_column=_key(LargeBinary))
    expires_at: datetime = Field(sa_column=Column(_when().type, nullable=False))
    used_at: datetime | None = Field(sa_column=_when(set_by_us=True))
    created_at: datetime = Field(sa_column=_when())


class ChannelSettingsRow(SQLModel, table=True):
    """What an administrator decided for one channel."""

    __tablename__ = "channel_settings"
    tenant_id: int = Field(sa_column=_tenant_key())
    platform: str = Field(sa_column=_key())
    channel: str = Field(sa_column=_key())
    listens: str | None = Field(sa_column=Column(Text))
    knowledge_bases: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False, server_default=sql("'{}'")))
    threshold: float | None = Field(sa_column=Column(Double))
    language: str = Field(sa_column=_text(default=True))
    tickets: str | None = Field(sa_column=Column(Text))
    follow_ups: bool = Field(sa_column=Column(Boolean, nullable=False, server_default=sql("true")))
    version: int = Field(sa_column=_number(BigInteger, "1"))
    updated_at: datetime = Field(sa_column=_when())


class UploadRow(SQLModel, table=True):
    """The bytes of a file on its way to a knowledge base or a session; any worker can read them."""

    __tablename__ = "uploads"
    __table_args__ = (Index("uploads_tenant", "tenant_id", "created_at"),)
    upload_id: int = Field(sa_column=_id())
    tenant_id: int = Field(sa_column=_tenant())
    name: str = Field(sa_column=_text())
    media_type: str = Field(sa_column=_text(default=True))
    size_bytes: int = Field(sa_column=_number(BigInteger))
    data: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    created_at: datetime = Field(sa_column=_when())


class SessionFileRow(SQLModel, table=True):
    """A file read for one session alone."""

    __tablename__ = "session_files"
    __table_args__ = (Index("session_files_session", "session_id"),)
    file_id: int = Field(sa_column=_id())
    tenant_id: int = Field(sa_column=_tenant())
    session_id: UUID = Field(
        sa_column=Column(UuidType, ForeignKey("sessions.session_id", ondelete="CASCADE"), nullable=False)
    )
    name: str = Field(sa_column=_text())
    outcome: str = Field(sa_column=_text())
    reason: str = Field(sa_column=_text(default=True))
    chunks: Any = Field(sa_column=_json("'[]'"))
    created_at: datetime = Field(sa_column=_when())


class IngestionRow(SQLModel, table=True):
    """An ingestion in the background, with its progress."""

    __tablename__ = "ingestions"
    __table_args__ = (Index("ingestions_tenant", "tenant_id", "ingestion_id"), Index("ingestions_kb", "kb_id"))
    ingestion_id: int = Field(sa_column=_id())
    tenant_id: int = Field(sa_column=_tenant())
    kb_id: int = Field(
        sa_column=Column(Integer, ForeignKey("knowledge_bases.kb_id", ondelete="CASCADE"), nullable=False)
    )
    sources: Any = Field(sa_column=_json())
    state: str = Field(sa_column=Column(Text, nullable=False, server_default=sql("'waiting'")))
    done: int = Field(sa_column=_number(default="0"))
    total: int = Field(sa_column=_number())
    activity: str = Field(sa_column=_text(default=True))
    results: Any = Field(sa_column=_json("'[]'"))
    reason: str = Field(sa_column=_text(default=True))
    cancelled: bool = Field(sa_column_kwargs={"server_default": sql("false")})
    tries: int = Field(sa_column=_number(default="0"))
    author_id: str = Field(sa_column=_text(default=True))
    target: Any = Field(sa_column=Column(JSONB))
    outbox_id: int | None = Field(sa_column=Column(BigInteger))
    created_at: datetime = Field(sa_column=_when())
    updated_at: datetime = Field(sa_column=_when())
    ended_at: datetime | None = Field(sa_column=_when(set_by_us=True))


class InstallationRow(SQLModel, table=True):
    """Frontdesk in one workspace, with its token encrypted; without one where it was revoked."""

    __tablename__ = "installations"
    tenant_id: int = Field(sa_column=_tenant_key())
    platform: str = Field(sa_column=_key())
    installation: str = Field(sa_column=_key())
    name: str = Field(sa_column=_text(default=True))
    app_id: str = Field(sa_column=_text(default=True))
    bot_user_id: str = Field(sa_column=_text(default=True))
    bot_id: str = Field(sa_column=_text(default=True))
    secret: bytes | None = Field(sa_column=Column(LargeBinary))
    scopes: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False, server_default=sql("'{}'")))
    installed_by: str = Field(sa_column=_text(default=True))
    installed_at: datetime = Field(sa_column=_when())
    revoked_at: datetime | None = Field(sa_column=_when(set_by_us=True))
    reason: str = Field(sa_column=_text(default=True))


class InstallationTenantRow(SQLModel, table=True):
    """Whose a workspace is: every tenant may read it, because who brings an event names only the workspace."""

    __tablename__ = "installation_tenants"
    platform: str = Field(sa_column=_key())
    installation: str = Field(sa_column=_key())
    tenant_id: int = Field(sa_column=_tenant())
    created_at: datetime = Field(sa_column=_when())


class InstallationStateRow(SQLModel, table=True):
    """The state of an installation under way, used once; only its hash is kept."""

    __tablename__ = "installation_states"
    tenant_id: int = Field(sa_column=_tenant())
    state_sha256: bytes = Field(sa_column=_key(LargeBinary))
    expires_at: datetime = Field(sa_column=Column(_when().type, nullable=False))
    created_at: datetime = Field(sa_column=_when())


class TicketAnnouncementRow(SQLModel, table=True):
    """A ticket that was told to those who answer tickets, by the delivery that tells it."""

    __tablename__ = "ticket_announcements"
    tenant_id: int = Field(sa_column=_tenant_key())
    number: int = Field(sa_column=_key(Integer))
    outbox_id: int | None = Field(sa_column=Column(BigInteger))
    created_at: datetime = Field(sa_column=_when())


class ConversationRow(SQLModel, table=True):
    """Where a conversation is reached now, for platforms whose addresses change, and whether it was greeted."""

    __tablename__ = "conversations"
    tenant_id: int = Field(sa_column=_tenant_key())
    platform: str = Field(sa_column=_key())
    installation: str = Field(sa_column=_key())
    channel: str = Field(sa_column=_key())
    address: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    greeted_at: datetime | None = Field(sa_column=_when(set_by_us=True))
    updated_at: datetime = Field(sa_column=_when())


class PacingRow(SQLModel, table=True):
    """When the calls of a platform's API under one key went out; it belongs to no tenant and may be lost.

    Times are microseconds since 1970; core/pacing.py, class Book, tells what the rest means.
    """

    __tablename__ = "pacing"
    __table_args__ = ({"prefixes": ["UNLOGGED"]},)
    key: str = Field(sa_column=_key())
    held_from: int = Field(sa_column=_number(BigInteger, "0"))
    held_until: int = Field(sa_column=_number(BigInteger, "0"))
    newest: int = Field(sa_column=_number(BigInteger, "0"))
    times: list[int] = Field(sa_column=Column(ARRAY(BigInteger), nullable=False, server_default=sql("'{}'")))
    numbers: list[int] = Field(sa_column=Column(ARRAY(BigInteger), nullable=False, server_default=sql("'{}'")))
    idle_at: int = Field(sa_column=_number(BigInteger, "0"))
