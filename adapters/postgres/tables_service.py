"""The tables of the running service: what comes in, what goes out, who decides, and jobs.

Beside these stand the tables of procrastinate, the engine of the jobs (migrations/versions/0003), which carry ids only.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Double,
    Index,
    Integer,
    LargeBinary,
)
from sqlalchemy import Uuid as UuidType
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import SQLModel

from adapters.postgres import columns


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
    inbox_id: int = columns.serial()
    tenant_id: int = columns.tenant()
    platform: str = columns.plain()
    installation: str = columns.plain()
    event_id: str = columns.plain()
    channel: str = columns.plain()
    thread: str = columns.plain()
    message_id: str = columns.plain()
    kind: str = columns.plain()
    revision: int = columns.plain(BigInteger)
    author_id: str = columns.plain()
    body: Any = columns.plain(JSONB)
    request_id: str = columns.plain()
    state: str = columns.text("waiting")
    answered_by: int | None = columns.optional(BigInteger)
    interrupted_by: str | None = columns.optional()
    claim: int = columns.number(BigInteger)
    tries: int = columns.number()
    ending: str | None = columns.optional()
    reason: str = columns.text()
    ticket_number: int | None = columns.optional(BigInteger)
    received_at: datetime = columns.now()
    ended_at: datetime | None = columns.moment()


class OutboxRow(SQLModel, table=True):
    """Something sent or to be sent; core/outbox.py tells what the words mean."""

    __tablename__ = "outbox"
    __table_args__ = (
        Index("outbox_inbox", "inbox_id", unique=True),
        Index("outbox_place", "tenant_id", "platform", "installation", "channel", "created_at"),
        Index("outbox_unsettled", "tenant_id", postgresql_where=sql("settled is null")),
    )
    outbox_id: int = columns.serial()
    tenant_id: int = columns.tenant()
    inbox_id: int | None = columns.reference("inbox.inbox_id", BigInteger)
    purpose: str = columns.plain()
    platform: str = columns.plain()
    installation: str = columns.plain()
    channel: str = columns.plain()
    thread: str = columns.plain()
    author_id: str = columns.plain()
    address: Any = columns.plain(JSONB)
    message_id: str = columns.text()
    request_id: str = columns.text()
    content: Any = columns.optional(JSONB)
    partial: str = columns.text()
    sent: Any = columns.json_list()
    begun: int | None = columns.optional(Integer)
    claim: int = columns.number(BigInteger)
    doubts: int = columns.number()
    settled: str | None = columns.optional()
    reason: str = columns.text()
    created_at: datetime = columns.now()
    settled_at: datetime | None = columns.moment()


class AnswerEventRow(SQLModel, table=True):
    """One piece of an answer, for clients that read it from here, whichever process writes it."""

    __tablename__ = "answer_events"
    inbox_id: int = columns.cascade_key("inbox.inbox_id")
    position: int = columns.key(Integer)
    tenant_id: int = columns.plain(Integer)
    kind: str = columns.plain()
    data: Any = columns.plain(JSONB)
    created_at: datetime = columns.now()


class FeedbackRow(SQLModel, table=True):
    """What an author thinks of an answer; the last word counts."""

    __tablename__ = "feedback"
    tenant_id: int = columns.tenant()
    outbox_id: int = columns.cascade_key("outbox.outbox_id")
    author_id: str = columns.key()
    rating: int = columns.plain(Integer)
    reason: str = columns.text()
    created_at: datetime = columns.now()


class AdministratorRow(SQLModel, table=True):
    """Who may administer, beside those the platform names."""

    __tablename__ = "administrators"
    tenant_id: int = columns.tenant_key()
    platform: str = columns.key()
    installation: str = columns.key()
    author_id: str = columns.key()
    name: str = columns.text()
    created_at: datetime = columns.now()


class AdministratorCodeRow(SQLModel, table=True):
    """A code that makes one author an administrator once; only its hash is kept."""

    __tablename__ = "administrator_codes"
    tenant_id: int = columns.tenant()
    code_sha256: bytes = columns.key(LargeBinary)
    expires_at: datetime = columns.moment(required=True)
    used_at: datetime | None = columns.moment()
    created_at: datetime = columns.now()


class ChannelSettingsRow(SQLModel, table=True):
    """What an administrator decided for one channel."""

    __tablename__ = "channel_settings"
    tenant_id: int = columns.tenant_key()
    platform: str = columns.key()
    channel: str = columns.key()
    listens: str | None = columns.optional()
    knowledge_bases: list[str] = columns.array()
    threshold: float | None = columns.optional(Double)
    language: str = columns.text()
    tickets: str | None = columns.optional()
    follow_ups: bool = columns.flag(default=True)
    version: int = columns.number(BigInteger, 1)
    updated_at: datetime = columns.now()


class UploadRow(SQLModel, table=True):
    """The bytes of a file on its way to a knowledge base or a session; any worker can read them."""

    __tablename__ = "uploads"
    __table_args__ = (Index("uploads_tenant", "tenant_id", "created_at"),)
    upload_id: int = columns.serial()
    tenant_id: int = columns.tenant()
    name: str = columns.plain()
    media_type: str = columns.text()
    size_bytes: int = columns.plain(BigInteger)
    data: bytes = columns.plain(LargeBinary)
    created_at: datetime = columns.now()


class SessionFileRow(SQLModel, table=True):
    """A file read for one session alone."""

    __tablename__ = "session_files"
    __table_args__ = (Index("session_files_session", "session_id"),)
    file_id: int = columns.serial()
    tenant_id: int = columns.tenant()
    session_id: UUID = columns.cascade("sessions.session_id", UuidType)
    name: str = columns.plain()
    outcome: str = columns.plain()
    reason: str = columns.text()
    chunks: Any = columns.json_list()
    created_at: datetime = columns.now()


class IngestionRow(SQLModel, table=True):
    """An ingestion in the background, with its progress."""

    __tablename__ = "ingestions"
    __table_args__ = (Index("ingestions_tenant", "tenant_id", "ingestion_id"), Index("ingestions_kb", "kb_id"))
    ingestion_id: int = columns.serial()
    tenant_id: int = columns.tenant()
    kb_id: int = columns.cascade("knowledge_bases.kb_id")
    sources: Any = columns.plain(JSONB)
    state: str = columns.text("waiting")
    done: int = columns.number()
    total: int = columns.plain(Integer)
    activity: str = columns.text()
    results: Any = columns.json_list()
    reason: str = columns.text()
    cancelled: bool = columns.flag(default=False)
    tries: int = columns.number()
    author_id: str = columns.text()
    target: Any = columns.optional(JSONB)
    outbox_id: int | None = columns.optional(BigInteger)
    created_at: datetime = columns.now()
    updated_at: datetime = columns.now()
    ended_at: datetime | None = columns.moment()


class InstallationRow(SQLModel, table=True):
    """Frontdesk in one workspace, with its token encrypted; without one where it was revoked."""

    __tablename__ = "installations"
    tenant_id: int = columns.tenant_key()
    platform: str = columns.key()
    installation: str = columns.key()
    name: str = columns.text()
    app_id: str = columns.text()
    bot_user_id: str = columns.text()
    bot_id: str = columns.text()
    secret: bytes | None = columns.optional(LargeBinary)
    scopes: list[str] = columns.array()
    installed_by: str = columns.text()
    installed_at: datetime = columns.now()
    revoked_at: datetime | None = columns.moment()
    reason: str = columns.text()


class InstallationTenantRow(SQLModel, table=True):
    """Whose a workspace is: every tenant may read it, because who brings an event names only the workspace."""

    __tablename__ = "installation_tenants"
    platform: str = columns.key()
    installation: str = columns.key()
    tenant_id: int = columns.tenant()
    created_at: datetime = columns.now()


class InstallationStateRow(SQLModel, table=True):
    """The state of an installation under way, used once; only its hash is kept."""

    __tablename__ = "installation_states"
    tenant_id: int = columns.tenant()
    state_sha256: bytes = columns.key(LargeBinary)
    expires_at: datetime = columns.moment(required=True)
    created_at: datetime = columns.now()


class TicketAnnouncementRow(SQLModel, table=True):
    """A ticket that was told to those who answer tickets, by the delivery that tells it."""

    __tablename__ = "ticket_announcements"
    tenant_id: int = columns.tenant_key()
    number: int = columns.key(Integer)
    outbox_id: int | None = columns.optional(BigInteger)
    created_at: datetime = columns.now()


class ConversationRow(SQLModel, table=True):
    """Where a conversation is reached now, for platforms whose addresses change, and whether it was greeted."""

    __tablename__ = "conversations"
    tenant_id: int = columns.tenant_key()
    platform: str = columns.key()
    installation: str = columns.key()
    channel: str = columns.key()
    address: dict[str, Any] = columns.plain(JSONB)
    greeted_at: datetime | None = columns.moment()
    updated_at: datetime = columns.now()


class PacingRow(SQLModel, table=True):
    """When the calls of a platform's API under one key went out; it belongs to no tenant and may be lost.

    Times are microseconds since 1970; core/pacing.py, class Book, tells what the rest means.
    """

    __tablename__ = "pacing"
    __table_args__ = ({"prefixes": ["UNLOGGED"]},)
    key: str = columns.key()
    held_from: int = columns.number(BigInteger)
    held_until: int = columns.number(BigInteger)
    newest: int = columns.number(BigInteger)
    times: list[int] = columns.array(BigInteger)
    numbers: list[int] = columns.array(BigInteger)
    idle_at: int = columns.number(BigInteger)
