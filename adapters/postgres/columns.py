"""Columns that many tables have, as fields of SQLModel; none may be null unless it says so."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Integer,
    Text,
    func,
)
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field


def serial(kind: Any = BigInteger) -> Any:
    """Declare a primary key that PostgreSQL counts up."""
    return Field(sa_column=Column(kind, Identity(), primary_key=True))


def key(kind: Any = Text) -> Any:
    """Declare a part of the primary key."""
    return Field(sa_column=Column(kind, primary_key=True, autoincrement=False))


def tenant() -> Any:
    """Declare whose the row is; it goes with its tenant."""
    return cascade("tenants.tenant_id")


def tenant_key() -> Any:
    """Declare whose the row is, as a part of the primary key."""
    return cascade_key("tenants.tenant_id", Integer)


def cascade(target: str, kind: Any = Integer) -> Any:
    """Declare a reference to TARGET; the row goes with what it names."""
    return Field(sa_column=Column(kind, ForeignKey(target, ondelete="CASCADE"), nullable=False))


def cascade_key(target: str, kind: Any = BigInteger) -> Any:
    """Declare a reference to TARGET as a part of the primary key; the row goes with what it names."""
    parent = ForeignKey(target, ondelete="CASCADE")
    return Field(sa_column=Column(kind, parent, primary_key=True, autoincrement=False))


def reference(target: str, kind: Any = Integer) -> Any:
    """Declare a reference to TARGET that may be null, and is once what it names is gone."""
    return Field(sa_column=Column(kind, ForeignKey(target, ondelete="SET NULL")))


def plain(kind: Any = Text, *, unique: bool | None = None) -> Any:
    """Declare a column without a default."""
    return Field(sa_column=Column(kind, nullable=False, unique=unique))


def optional(kind: Any = Text) -> Any:
    """Declare a column that may be null."""
    return Field(sa_column=Column(kind))


def text(default: str = "") -> Any:
    """Declare a text with a default."""
    return Field(sa_column=Column(Text, nullable=False, server_default=sql(f"'{default}'")))


def number(kind: Any = Integer, default: int = 0) -> Any:
    """Declare a number with a default."""
    return Field(sa_column=Column(kind, nullable=False, server_default=sql(str(default))))


def flag(*, default: bool) -> Any:
    """Declare a yes or no with a default."""
    return Field(sa_column=Column(Boolean, nullable=False, server_default=sql(str(default).lower())))


def array(kind: Any = Text) -> Any:
    """Declare an array, empty by default."""
    return Field(sa_column=Column(ARRAY(kind), nullable=False, server_default=sql("'{}'")))


def json_list() -> Any:
    """Declare a list in JSON, empty by default."""
    return Field(sa_column=Column(JSONB, nullable=False, server_default=sql("'[]'")))


def now() -> Any:
    """Declare a time, that of the transaction by default."""
    return Field(sa_column=Column(DateTime(timezone=True), nullable=False, server_default=func.now()))


def moment(*, required: bool = False) -> Any:
    """Declare a time without a default; it may be null unless it is REQUIRED."""
    return Field(sa_column=Column(DateTime(timezone=True), nullable=not required))
