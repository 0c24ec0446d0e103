"""Is everything there that answering needs? Each part is asked in short, and said in one word."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from core.errors import FrontdeskError

Look = Callable[[], Awaitable[Mapping[str, float]]]
"""Look at one part and return its figures, by name with the unit; raises an error of ours where it is not well."""

_log = logging.getLogger(__name__)


class PartState(StrEnum):
    """How a part is."""

    OK = "ok"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Probe:
    """One part to look at."""

    look: Look
    required: bool = True  # whether nothing can be accepted without it


@dataclass(frozen=True, slots=True)
class Part:
    """What was seen of one part."""

    state: PartState
    required: bool
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """What was seen of all parts."""

    parts: Mapping[str, Part]

    @property
    def ready(self) -> bool:
        """Tell whether messages can be accepted."""
        return all(part.state is PartState.OK for part in self.parts.values() if part.required)


class Health:
    """Look at the parts, at most once in a while however often it is asked."""

    def __init__(self, probes: Mapping[str, Probe], *, timeout_s: float = 2.0, fresh_s: float = 1.0) -> None:
        self._probes = probes
        self._timeout_s = timeout_s
        self._fresh_s = fresh_s
        self._turn = asyncio.Lock()
        self._report: Report | None = None
        self._seen_at = 0.0

    async def report(self) -> Report:
        """Say how each part is; what was seen a moment ago is said again."""
        async with self._turn:
            if self._report is None or time.monotonic() - self._seen_at > self._fresh_s:
                parts = await asyncio.gather(*(self._look(name, probe) for name, probe in self._probes.items()))
                self._report = Report(dict(zip(self._probes, parts, strict=True)))
                self._seen_at = time.monotonic()
            return self._report

    async def _look(self, name: str, probe: Probe) -> Part:
        try:
            async with asyncio.timeout(self._timeout_s):
                return Part(PartState.OK, probe.required, await probe.look())
        except TimeoutError:
            _log.warning("Health: %s did not answer within %s s.", name, self._timeout_s)
        except FrontdeskError as error:  # its sentence may name hosts: it is for the log alone
            _log.warning("Health: %s: %s", name, error)
        return Part(PartState.DOWN, probe.required)
