"""What the workers tidy up beside their work; each does it, and in several at once it is as right as in one."""

import time

from adapters.postgres.inbox import PostgresInbox
from adapters.postgres.pacing import PostgresPacing
from adapters.postgres.uploads import PostgresUploads
from bots.settings import tenants
from bots.wiring import Frontdesk

ORPHAN_S = 30.0  # how long a row may wait without a job before it is given one
PURGE_S = 600.0
UPLOAD_S = 86_400.0  # a file that nobody has read by then was sent with a message that was refused


class Housekeeping:
    """The inbox, files and paces of the tenants that the settings name, kept in order."""

    def __init__(self, frontdesk: Frontdesk, inbox: PostgresInbox) -> None:
        self._tenants = tenants(frontdesk.settings)
        self._inbox_days = frontdesk.settings.inbox_days
        self._inbox = inbox
        self._announcer = frontdesk.announcer
        self._uploads = PostgresUploads(frontdesk.database)
        self._pacing = PostgresPacing(frontdesk.database)
        self._purged_at = float("-inf")

    async def sweep(self) -> None:
        """Give a job to every row that has none, whatever became of it; now and then drop what nobody needs.

        Raises StoreUnavailable.
        """
        for tenant_id in self._tenants:
            for thread in await self._inbox.orphans(tenant_id, ORPHAN_S):
                await self._inbox.wake(thread)
        await self._announcer.announce()
        if time.monotonic() - self._purged_at >= PURGE_S:
            await self.purge()
            self._purged_at = time.monotonic()

    async def purge(self) -> None:
        """Drop what nobody needs any more; raises StoreUnavailable."""
        for tenant_id in self._tenants:
            await self._inbox.purge(tenant_id, self._inbox_days)
            await self._uploads.purge(tenant_id, UPLOAD_S)
        await self._pacing.purge()
