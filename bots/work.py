"""A worker inside a command, so that it works alone, too."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from bots.console import Console
from bots.store import keep_alive
from core.errors import FrontdeskError, StoreUnavailable

CONCURRENCY = 2
DRAIN_S = 2.0
_LOOK_S = 2.0

_log = logging.getLogger(__name__)


@asynccontextmanager
async def working(console: Console) -> AsyncIterator[None]:
    """Run a worker beside a block where no other process does, and keep the embedded server alive."""
    server = console.frontdesk.store.server
    tasks = [asyncio.create_task(_work_where_nobody_does(console))]
    if server is not None:
        tasks.append(asyncio.create_task(keep_alive(server)))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _work_where_nobody_does(console: Console) -> None:
    """Leave the work to a worker that was there before: it knows the platforms that a laptop may not be told of."""
    while True:
        with suppress(StoreUnavailable):
            if not await console.does_anybody_work():
                break
        await asyncio.sleep(_LOOK_S)
    try:
        await _work(console)
    except FrontdeskError as error:
        _log.error("this process answers nothing: %s", error)


async def _work(console: Console) -> None:
    # The web server and the engine of the jobs take a quarter of a second to import.
    from adapters.queue.worker import Worker  # noqa: PLC0415
    from bots.service import extend  # noqa: PLC0415

    async with extend(console.frontdesk) as service:
        url = console.frontdesk.store.url
        worker = Worker(
            url, service.tasks, concurrency=CONCURRENCY, name="terminal", meter=service.meter, sweep=service.sweep
        )
        run = asyncio.create_task(worker.run(), name="worker")
        try:
            await asyncio.Event().wait()
        finally:
            await worker.drain(DRAIN_S)
            await run
