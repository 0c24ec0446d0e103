"""Count and time for Prometheus, in a registry of our own."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import choose_encoder

from core.domain import Origin
from core.errors import FrontdeskError
from core.inbox import Kind
from core.meter import Counted, Timed
from core.places import Platform
from core.readings import Gauged, Reading

READ_TIMEOUT_S = 2.0
OTHER = "other"
_MOST_VALUES = 50  # of a label that has no list

_log = logging.getLogger(__name__)


class _Metric(NamedTuple):
    help: str
    labels: tuple[str, ...]
    buckets: tuple[float, ...] = ()


_QUICK = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 3.0)  # a platform resends after 3 s
_STEPS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_ANSWERS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_BY_TENANT = ("platform", "tenant")

COUNTERS = {
    Counted.ACCEPTED: _Metric("Events stored in the inbox.", (*_BY_TENANT, "kind")),
    Counted.DUPLICATES: _Metric("Events that were in the inbox already.", _BY_TENANT),
    Counted.REFUSED: _Metric("Events that were not stored.", (*_BY_TENANT, "reason")),
    Counted.ANSWERED: _Metric("Answers given, by what they rest on.", (*_BY_TENANT, "origin")),
    Counted.RETRIES: _Metric("Messages tried again.", _BY_TENANT),
    Counted.DEAD_LETTERS: _Metric("Messages given up.", _BY_TENANT),
    Counted.TICKETS: _Metric("Tickets opened.", _BY_TENANT),
    Counted.DOUBTS: _Metric("Posts whose acceptance by the platform was not known.", _BY_TENANT),
    Counted.INTERRUPTED: _Metric("Answers interrupted.", (*_BY_TENANT, "kind")),
    Counted.RESCUED: _Metric("Jobs of dead workers taken over.", ()),
}
TIMERS = {
    Timed.ACKNOWLEDGED: _Metric("From a request to its 2xx.", ("platform",), _QUICK),
    Timed.WAITED: _Metric("From the inbox to the worker.", ("platform",), _ANSWERS),
    Timed.ANSWERED: _Metric("From the inbox to the settled delivery.", ("platform",), _ANSWERS),
    Timed.STEP: _Metric("One step of the engine.", ("step",), _STEPS),
    Timed.MODEL: _Metric("What a language model took to answer.", ("model",), _ANSWERS),
    Timed.SEND: _Metric("One call of a platform's API.", ("platform",), _STEPS),
}
TIMER_NAMES = {Timed.ANSWERED: "answer"}  # frontdesk_answered_total is the counter's
GAUGES = {
    Gauged.QUEUED: ("jobs_queued", _Metric("Jobs that wait.", ("queue", "tenant"))),
    Gauged.OLDEST: ("job_oldest_seconds", _Metric("How long the oldest job has waited.", ("queue", "tenant"))),
    Gauged.UNSETTLED: ("deliveries_unsettled", _Metric("Deliveries that have not ended.", ("tenant",))),
    Gauged.CONNECTIONS: ("database_connections", _Metric("Connections of the pool to PostgreSQL.", ("state",))),
}
_LISTED: Mapping[str, Collection[str]] = {
    "platform": frozenset(Platform),
    "kind": frozenset(Kind),
    "origin": frozenset(Origin),
    "reason": frozenset(("overloaded", "unavailable", "forged", "unreadable")),
    "state": frozenset(("used", "idle")),
}


class _Labels:
    """Keep the values of labels few: whoever sends us names must not fill the memory of who watches."""

    def __init__(self, tenants: Iterable[int], *, strict: bool) -> None:
        self._strict = strict
        self._listed = {**_LISTED, "tenant": frozenset(map(str, tenants))}
        self._seen: dict[str, set[str]] = {}

    def know_tenants(self, tenants: Iterable[int]) -> None:
        self._listed["tenant"] = frozenset(map(str, tenants))

    def values(self, names: Sequence[str], given: Mapping[str, str]) -> list[str]:
        """Return a value for each of NAMES."""
        if self._strict and set(given) != set(names):
            raise ValueError(f"The labels are {sorted(names)}, not {sorted(given)}.")
        return [self._bounded(name, given.get(name, "")) for name in names]

    def _bounded(self, name: str, value: str) -> str:
        if name in self._listed:
            if value in self._listed[name]:
                return value
            if self._strict:
                raise ValueError(f"{value!r} is no known {name}.")
            return OTHER
        seen = self._seen.setdefault(name, set())
        if value not in seen and len(seen) >= _MOST_VALUES:
            return OTHER
        seen.add(value)
        return value


class PrometheusMeter:
    """A Meter that can be scraped; READERS are asked for their readings at each scrape.

    STRICT, for tests, raises ValueError for labels and values that are not known; else those are counted as "other".
    """

    def __init__(
        self,
        *,
        tenants: Iterable[int] = (),
        readers: Sequence[Callable[[], Awaitable[Iterable[Reading]]]] = (),
        strict: bool = False,
    ) -> None:
        self.registry = CollectorRegistry()
        self._labels = _Labels(tenants, strict=strict)
        self._readers = readers
        self._counters = {
            what: Counter(f"frontdesk_{what}", metric.help, metric.labels, registry=self.registry)
            for what, metric in COUNTERS.items()
        }
        self._timers = {
            what: Histogram(
                f"frontdesk_{TIMER_NAMES.get(what, what)}_seconds",
                metric.help,
                metric.labels,
                buckets=metric.buckets,
                registry=self.registry,
            )
            for what, metric in TIMERS.items()
        }
        self._gauges = {
            what: Gauge(f"frontdesk_{name}", metric.help, metric.labels, registry=self.registry)
            for what, (name, metric) in GAUGES.items()
        }
        self._readable = Gauge("frontdesk_readings_up", "Whether the gauges could be read.", registry=self.registry)
        ProcessCollector(registry=self.registry)

    def know_tenants(self, tenants: Iterable[int]) -> None:
        """Name the tenants that exist; the others are counted together."""
        self._labels.know_tenants(tenants)

    def count(self, what: Counted, by: int = 1, **labels: str) -> None:
        """Add BY to a counter."""
        counter, values = self._counters[what], self._labels.values(COUNTERS[what].labels, labels)
        (counter.labels(*values) if values else counter).inc(by)

    def time(self, what: Timed, seconds: float, **labels: str) -> None:
        """Add one observation."""
        values = self._labels.values(TIMERS[what].labels, labels)
        self._timers[what].labels(*values).observe(max(0.0, seconds))

    async def expose(self, accept: str = "") -> tuple[bytes, str]:
        """Write everything in the format that the header ACCEPT asks for; return it with its content type."""
        await self._read()
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type

    async def _read(self) -> None:
        try:
            async with asyncio.timeout(READ_TIMEOUT_S):
                readings = [reading for read in self._readers for reading in await read()]
        except (FrontdeskError, TimeoutError) as error:
            # The counters are worth a scrape that cannot ask PostgreSQL; old readings would look like new ones.
            _log.warning("The gauges cannot be read: %s", error)
            readings = []
            self._readable.set(0)
        else:
            self._readable.set(1)
        for gauge in self._gauges.values():
            gauge.clear()
        for reading in readings:
            values = self._labels.values(GAUGES[reading.what][1].labels, reading.labels)
            self._gauges[reading.what].labels(*values).inc(reading.value)
