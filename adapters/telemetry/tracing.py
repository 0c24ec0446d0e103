"""Traces for OpenTelemetry, from the acceptance of a message to its reply; import this only where it is configured.

Acceptance and answer are two processes, and nothing but the row of the inbox passes between them. It needs no
traceparent: trace id and id of the first span follow from the request id, which every row carries, so the worker knows
its parent. For the same reason sampling goes by the trace id alone: every process decides alike.
"""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from core.tracing import Attribute, request_id

EXPORT_TIMEOUT_S = 2  # a collector that is away must not keep a process from stopping
_HEX = re.compile("(?!0{32})[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class _First:
    trace_id: int
    span_id: int


_first: ContextVar[_First | None] = ContextVar("first", default=None)


def trace_id_of(request: str) -> int:
    """Return the trace id of a request: the request id itself where it is one of ours, else its hash."""
    if _HEX.fullmatch(request):
        return int(request, 16)
    return int.from_bytes(hashlib.sha256(request.encode()).digest()[:16]) or 1


def first_span_id_of(request: str) -> int:
    """Return the id of the first span of a request."""
    return int.from_bytes(hashlib.sha256(f"first {request}".encode()).digest()[:8]) or 1


class _Ids(RandomIdGenerator):
    """Random ids but for the first span of a request."""

    def generate_trace_id(self) -> int:
        first = _first.get()
        return first.trace_id if first else super().generate_trace_id()

    def generate_span_id(self) -> int:
        first = _first.get()
        return first.span_id if first else super().generate_span_id()


class OpenTelemetrySpan:
    """A Span of the SDK."""

    def __init__(self, tracer: trace.Tracer, span: trace.Span) -> None:
        self._tracer = tracer
        self._span = span

    def note(self, **attributes: Attribute) -> None:
        """Add what has become known."""
        self._span.set_attributes(attributes)

    def add_steps(self, steps: Mapping[str, float]) -> None:
        """Lay STEPS end to end from the span's start: of each only the sum of its seconds is known."""
        if not isinstance(self._span, ReadableSpan) or self._span.start_time is None:
            return
        context = trace.set_span_in_context(self._span)
        at = self._span.start_time
        for name, seconds in steps.items():
            span = self._tracer.start_span(name, context, start_time=at)
            at += round(seconds * 1e9)
            span.end(at)


class OpenTelemetryTracer:
    """A Tracer that hands its spans to an exporter in the background."""

    def __init__(self, provider: TracerProvider) -> None:
        self._tracer = provider.get_tracer("frontdesk")

    @contextmanager
    def begin(self, name: str, **attributes: Attribute) -> Iterator[OpenTelemetrySpan]:
        """Record the first stretch of the bound request."""
        request = request_id.get()
        token = _first.set(_First(trace_id_of(request), first_span_id_of(request)) if request else None)
        try:
            span = self._tracer.start_span(name, trace.set_span_in_context(trace.INVALID_SPAN), attributes=attributes)
        finally:
            _first.reset(token)
        with trace.use_span(span, end_on_exit=True):
            yield OpenTelemetrySpan(self._tracer, span)

    @contextmanager
    def span(self, name: str, **attributes: Attribute) -> Iterator[OpenTelemetrySpan]:
        """Record a stretch within the one that is open here, else within the first one."""
        with self._tracer.start_as_current_span(name, _context(), attributes=attributes) as span:
            yield OpenTelemetrySpan(self._tracer, span)


def _context() -> Context | None:
    request, current = request_id.get(), trace.get_current_span().get_span_context()
    if not request or (current.is_valid and current.trace_id == trace_id_of(request)):
        return None
    flags = TraceFlags(TraceFlags.SAMPLED)
    parent = SpanContext(trace_id_of(request), first_span_id_of(request), is_remote=True, trace_flags=flags)
    return trace.set_span_in_context(NonRecordingSpan(parent))


@asynccontextmanager
async def open_tracer(
    endpoint: str, *, ratio: float = 1.0, service: str = "frontdesk", exporter: SpanExporter | None = None
) -> AsyncIterator[OpenTelemetryTracer]:
    """Send RATIO of all traces to the OTLP/HTTP collector at ENDPOINT (`.../v1/traces`), or to EXPORTER."""
    provider = TracerProvider(
        sampler=TraceIdRatioBased(ratio),
        resource=Resource.create({"service.name": service}),
        id_generator=_Ids(),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(
        BatchSpanProcessor(exporter or OTLPSpanExporter(endpoint=endpoint, timeout=EXPORT_TIMEOUT_S))
    )
    try:
        yield OpenTelemetryTracer(provider)
    finally:
        await asyncio.to_thread(provider.shutdown)
