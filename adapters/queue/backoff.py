"""When a job that failed is tried again."""

import asyncio
import datetime
import logging
import random

from procrastinate import exceptions
from procrastinate.jobs import Job
from procrastinate.retry import BaseRetryStrategy, RetryDecision

from core.errors import Busy, FrontdeskError, Overloaded

logger = logging.getLogger(__name__)

LONGEST_S = 60.0
LONGEST_WAIT_S = 3600.0  # whatever a platform asks for


class Backoff(BaseRetryStrategy):
    """Try again after 1, 2, 4 ... 60 s, half of it left to chance; for ever: core/desk.py counts the tries that matter.

    A job broken off because its worker stops is free for the others at once.
    """

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision:
        """Choose the time."""
        if isinstance(exception, asyncio.CancelledError | exceptions.JobAborted):
            return RetryDecision()
        delay_s = exception.retry_after_s if isinstance(exception, Busy | Overloaded) else delay_after(job.attempts)
        delay_s = max(0.0, min(LONGEST_WAIT_S, delay_s))  # in this order it holds for NaN, too
        # Of our own errors the sentence says it all; of others the place matters.
        trace = None if isinstance(exception, FrontdeskError) else exception
        logger.warning(
            "job %s (%s) failed and is tried again in %.1f s: %s",
            job.id,
            job.task_name,
            delay_s,
            exception or type(exception).__name__,
            exc_info=trace,
        )
        return RetryDecision(retry_at=datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=delay_s))


def delay_after(attempts: int) -> float:
    """Return the seconds to wait after ATTEMPTS failures before this one."""
    longest_s = min(LONGEST_S, 2.0 ** min(attempts, 10))
    return longest_s * random.uniform(0.5, 1.0)  # noqa: S311 - spreads, does not protect
