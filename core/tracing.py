"""One id from a request to its reply: in every log line, and the trace of it where traces are kept."""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from types import MappingProxyType
from typing import Protocol

Attribute = str | int | float | bool

request_id: ContextVar[str] = ContextVar("request_id", default="")
_NO_FIELDS: Mapping[str, Attribute] = MappingProxyType({})
_fields: ContextVar[Mapping[str, Attribute]] = ContextVar("fields", default=_NO_FIELDS)


def new_request_id() -> str:
    """Make up an id: 32 hexadecimal digits, which is also what a trace is named by."""
    return secrets.token_hex(16)


@contextmanager
def bound(request: str, **fields: Attribute) -> Iterator[None]:
    """Put the id REQUEST and FIELDS, such as tenant and platform, into every log line within."""
    outer_id, outer = request_id.get(), _fields.get()
    request_id.set(request)
    _fields.set({**outer, **fields})
    try:
        yield
    finally:
        # Not by their tokens: a generator may be closed from another context than the one it began in.
        request_id.set(outer_id)
        _fields.set(outer)


def bound_fields() -> dict[str, Attribute]:
    """Return what belongs into a log line written here."""
    request = request_id.get()
    return {**({"request_id": request} if request else {}), **_fields.get()}


class Span(Protocol):
    """A stretch of work under way."""

    def note(self, **attributes: Attribute) -> None:
        """Add what has become known."""

    def add_steps(self, steps: Mapping[str, float]) -> None:
        """Add what it consisted of, as seconds by name in the order they began."""


class Tracer(Protocol):
    """Record what was done for the bound request and how long it took; nothing here raises or waits."""

    def begin(self, name: str, **attributes: Attribute) -> AbstractContextManager[Span]:
        """Record the first stretch of a request: its acceptance."""

    def span(self, name: str, **attributes: Attribute) -> AbstractContextManager[Span]:
        """Record a stretch within the one that is open here, else within the first one, whichever process that was."""


class _Unrecorded:
    """A Span for nobody."""

    def note(self, **attributes: Attribute) -> None:
        """Note nothing."""

    def add_steps(self, steps: Mapping[str, float]) -> None:
        """Add nothing."""


class Untraced:
    """A Tracer for whoever keeps no traces."""

    def begin(self, name: str, **attributes: Attribute) -> AbstractContextManager[Span]:  # noqa: ARG002
        """Record nothing."""
        return nullcontext(_Unrecorded())

    def span(self, name: str, **attributes: Attribute) -> AbstractContextManager[Span]:  # noqa: ARG002
        """Record nothing."""
        return nullcontext(_Unrecorded())
