"""Structured log lines on stderr, each with the id of its request, without secrets."""

import logging
import re
import sys
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from typing import Any

import structlog

from core.redact import RedactionPolicy, redact
from core.tracing import bound_fields

_HIDDEN = "[hidden]"
# What our own programs handle, whatever it looks like: passwords in addresses, bearer tokens, tokens of Slack and
# Telegram, JSON Web Tokens, keys of model servers. Everything else that looks like a secret is found by redact().
_SECRETS = re.compile(
    r"(?<=://)[^/\s:@]*:[^/\s]+(?=@)|\bBearer\s+[^\s\"',]+|\bsk-[A-Za-z0-9_-]{8,}|\b(?:xox[a-z]|xapp)[-.][\w.-]{6,}|"
    r"(?<!\d)\d{6,12}:[\w-]{30,}|-----BEGIN[ A-Z]{0,40}PRIVATE KEY-----[^-]*(?:-----END[ A-Z]{0,40}-----)?|"
    r"\beyJ[\w-]{4,}\.[\w-]{2,}(?:\.[\w-]*)*"
)
_NAMES = re.compile(
    r"(?:.*[_-])?(?:password|passwd|secret|token|authorization|cookie|api[_-]?key|credentials?|signature)",
    re.IGNORECASE,
)
_POLICY = RedactionPolicy()
_SHORTEST_SEARCHED, _LONGEST_SEARCHED = 12, 4_000  # characters of a line; beyond that a line is cut
_TRACEBACK = "Traceback (most recent call last):"
_OURS = frozenset(("request_id", "timestamp", "level", "logger"))
_PLAIN = (int, float, bool, type(None))
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
_QUIET = ("procrastinate", "asyncio", "httpx", "httpcore", "markdown_it", "openai", "opentelemetry")
"""They tell every step they take."""

Event = MutableMapping[str, Any]


def _hider(secrets: Iterable[str]) -> Callable[[str], str]:
    """Make a function that hides the SECRETS of the settings, and what looks like one, in a text."""
    words = sorted({secret for secret in secrets if len(secret) >= 6}, key=len, reverse=True)
    known = re.compile("|".join(map(re.escape, words))) if words else None

    def hide(text: str) -> str:
        text = known.sub(_HIDDEN, text) if known else text
        return _search(_SECRETS.sub(_HIDDEN, text))

    return hide


def _search(text: str) -> str:
    """Hide what looks like a secret, line by line; the indented lines of a traceback are code, and many."""
    if len(text) < _SHORTEST_SEARCHED:
        return text
    code = _TRACEBACK in text
    return "".join(
        line if code and line.startswith(" ") else redact(line[:_LONGEST_SEARCHED], _POLICY).text
        for line in text.splitlines(keepends=True)
    )


def _clean(value: Any, hide: Callable[[str], str]) -> Any:
    """Hide secrets in VALUE, however deep they are; whatever is no JSON becomes its description."""
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, Mapping):
        return {hide(str(name)): _field(str(name), held, hide) for name, held in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(held, hide) for held in value]
    return hide(repr(value))


def _field(name: str, value: Any, hide: Callable[[str], str]) -> Any:
    if isinstance(value, str | bytes) and value and _NAMES.fullmatch(name):
        return _HIDDEN
    return _clean(value, hide)


def _filter(hide: Callable[[str], str]) -> structlog.typing.Processor:
    def process(_: Any, __: str, event: Event) -> Event:
        for name, value in event.items():
            if name not in _OURS and not name.startswith("_"):
                event[name] = _field(name, value, hide)
        return event

    return process


def _add_bound(_: Any, __: str, event: Event) -> Event:
    for name, value in bound_fields().items():
        event.setdefault(name, value)
    return event


def _add_extra(_: Any, __: str, event: Event) -> Event:
    """Add what a library, or our access log, gave as EXTRA."""
    record = event.get("_record")
    if isinstance(record, logging.LogRecord):
        for name, value in record.__dict__.items():
            if name not in _STANDARD and not name.startswith("_"):
                event.setdefault(name, value)
    return event


def configure(level: str, secrets: Iterable[str] = ()) -> None:
    """Send the logs of LEVEL and above, ours and the libraries', to stderr as one JSON object a line.

    SECRETS are the values of the settings that must appear nowhere; they are hidden wherever they stand.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso"),
        _add_bound,
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, _add_extra],
            processors=[
                structlog.processors.format_exc_info,
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _filter(_hider(secrets)),
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
