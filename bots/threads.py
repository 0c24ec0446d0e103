"""What the inbox and the sessions know of threads, for whoever decides what is answered in them."""

from adapters.postgres.authors import PostgresAuthors
from adapters.postgres.inbox import PostgresInbox
from core.domain import Attachment
from core.inbox import Thread


class KeptThreads:
    """Look threads up."""

    def __init__(self, inbox: PostgresInbox, authors: PostgresAuthors) -> None:
        self._inbox = inbox
        self._authors = authors

    async def has_message(self, thread: Thread, message_id: str) -> bool:
        """Tell whether a message was taken in."""
        return await self._inbox.find(thread, message_id) is not None

    async def files_of(self, thread: Thread, message_id: str) -> tuple[Attachment, ...]:
        """List the files that came with a message."""
        entry = await self._inbox.find(thread, message_id)
        return entry.incoming.message.attachments if entry is not None else ()

    async def has_spoken(self, thread: Thread, root: str) -> bool:
        """Tell whether THREAD began with ROOT as a question to us, or we have answered in it since."""
        return await self.has_message(thread, root) or (
            await self._authors.session_of(thread.tenant_id, thread.place) is not None
        )
