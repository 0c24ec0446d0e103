"""Show that somebody is at it for as long as that is true."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from core.errors import FrontdeskError
from core.outbox import Channel, Target

WORKING_EVERY_S = 4.0
"""Telegram's typing is gone after 5 s, Teams' a little later."""


@asynccontextmanager
async def working(channel: Channel, target: Target, every_s: float = WORKING_EVERY_S) -> AsyncIterator[None]:
    """Signal at once and every EVERY_S seconds until the end of the block; a signal that fails is missed by nobody."""
    signalling = asyncio.ensure_future(_signal(channel, target, every_s))
    try:
        yield
    finally:
        signalling.cancel()
        await asyncio.gather(signalling, return_exceptions=True)


async def _signal(channel: Channel, target: Target, every_s: float) -> None:
    while True:
        with suppress(FrontdeskError):
            await channel.working(target)
        await asyncio.sleep(every_s)
