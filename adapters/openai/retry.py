"""When to ask again, how long to wait first, and when to leave a server alone."""

import math
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how patiently one answer is asked for."""

    tries: int = 3  # in all
    base_s: float = 0.5  # ceiling of the first pause; each further one is twice as high
    cap_s: float = 8.0

    def pause_s(self, failed_tries: int, retry_after_s: float | None, left_s: float) -> float | None:
        """Choose how long to wait before the next try; None where there is none.

        The server's own word comes first. Otherwise exponential backoff with full jitter:
        https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
        """
        if failed_tries >= self.tries:
            return None
        pause_s = retry_after_s
        if pause_s is None:
            ceiling_s = min(self.cap_s, self.base_s * 2 ** (failed_tries - 1))
            pause_s = random.uniform(0, ceiling_s)  # noqa: S311  # jitter is no secret
        return pause_s if pause_s < left_s else None


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Read how long a server asks to wait, from retry-after-ms or Retry-After in either form of RFC 9110, 10.2.3."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    seconds = _number(value)
    return seconds if seconds is not None else _seconds_until(value, headers.get("date"))


def _number(value: str | None) -> float | None:
    try:
        number = float(value or "")
    except ValueError:
        return None
    return None if math.isnan(number) else max(0.0, number)


def _seconds_until(value: str | None, server_date: str | None) -> float | None:
    """Count from the server's own clock where it tells it, as ours may be wrong."""
    moment = _moment(value)
    if moment is None:
        return None
    return max(0.0, (moment - (_moment(server_date) or datetime.now(UTC))).total_seconds())


def _moment(value: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value or "")
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class Breaker:
    """Leave a failing server alone for a while, then let one request see whether it is back."""

    def __init__(self, *, failures: int = 5, rest_s: float = 30.0, now: Callable[[], float] = time.monotonic) -> None:
        """Open after FAILURES in a row, for REST_S."""
        self._limit = failures
        self._rest_s = rest_s
        self._now = now
        self._failures = 0
        self._closed_until = 0.0

    @property
    def open(self) -> bool:
        """Tell whether the server has failed too often since it last answered."""
        return self._failures >= self._limit

    def admit(self) -> bool:
        """Tell whether a request may go out; while open, one in each rest, which is the probe."""
        if not self.open:
            return True
        if self._now() < self._closed_until:
            return False
        # A probe that is cancelled and so never reports cannot keep the breaker open for longer than one rest.
        self._closed_until = self._now() + self._rest_s
        return True

    def succeed(self) -> None:
        """Note that the server answered."""
        self._failures = 0

    def fail(self) -> None:
        """Note that the server failed."""
        self._failures += 1
        self._closed_until = self._now() + self._rest_s
