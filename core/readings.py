"""What is read off when somebody looks, rather than counted as it happens."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Gauged(StrEnum):
    """What can be read off."""

    QUEUED = "queued"  # jobs that wait; queue, tenant
    OLDEST = "oldest"  # seconds the oldest of them has waited; queue, tenant
    UNSETTLED = "unsettled"  # deliveries of the outbox that have not ended; tenant
    CONNECTIONS = "connections"  # of the pool to PostgreSQL; state: used, idle


@dataclass(frozen=True, slots=True)
class Reading:
    """One value as it is now."""

    what: Gauged
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)
