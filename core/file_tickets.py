"""Files of messages that a platform keeps: taken in by name, fetched by the worker that answers.

A platform waits some seconds for an acknowledgement and a file may be large, so what is stored with the message is an
upload that holds no bytes but a signed ticket: where the bytes are. Whoever reads the upload gets the file. The
signature keeps others who may upload from having our token fetch what they cannot read themselves.
"""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from core.attached import MOST_FILES, TOO_MANY, Upload, Uploads
from core.domain import Attachment
from core.errors import StoreUnavailable, UnreadableDocument

_TICKET_BYTES = 6_000

# A reason, to be read behind "NAME was not read:".
FORGED = "it did not come through the platform"


@dataclass(frozen=True, slots=True)
class Ticket:
    """Which file of a tenant's platform: what it is called there, in as many words as it needs."""

    tenant_id: int
    named: tuple[str, ...]

    def written(self, secret: bytes) -> bytes:
        """Write the ticket, signed with SECRET."""
        said = json.dumps([self.tenant_id, *self.named])
        return json.dumps([said, _sign(secret, said)]).encode()


def read_ticket(data: bytes, tenant_id: int, secret_of: Callable[[Sequence[str]], bytes]) -> tuple[str, ...]:
    """Return what a ticket names; SECRET_OF tells the secret for it.

    Raises UnreadableDocument for one that is not ours, or another tenant's.
    """
    try:
        said, signature = json.loads(data[:_TICKET_BYTES])
        of_tenant, *named = json.loads(said)
        right = hmac.compare_digest(signature.encode(), _sign(secret_of(named), said).encode())
    except (ValueError, TypeError, AttributeError, LookupError, RecursionError) as error:
        raise UnreadableDocument(FORGED) from error
    if not right or of_tenant != tenant_id:
        raise UnreadableDocument(FORGED)
    return tuple(map(str, named))


def _sign(secret: bytes, said: str) -> str:
    return hmac.digest(secret, b"frontdesk file\x00" + said.encode(), hashlib.sha256).hex()


@dataclass(frozen=True, slots=True)
class Ticketed:
    """A file that came with a message, and the ticket with which it is fetched; empty where it cannot be."""

    attachment: Attachment
    ticket: bytes


class FileTickets:
    """Keep tickets for the files of a message."""

    def __init__(self, uploads: Uploads, media_type: str) -> None:
        """Keep them in UPLOADS, as uploads of MEDIA_TYPE."""
        self._uploads = uploads
        self._media_type = media_type

    async def keep(self, tenant_id: int, files: Sequence[Ticketed]) -> tuple[Attachment, ...]:
        """Keep a ticket for each of FILES; those over the most that is read with one message are named.

        Raises StoreUnavailable.
        """
        if not files:
            return ()
        kept = await asyncio.gather(*(self.keep_one(tenant_id, file) for file in files[:MOST_FILES]))
        over = (replace(file.attachment, reason=TOO_MANY.format(limit=MOST_FILES)) for file in files[MOST_FILES:])
        return (*kept, *over)

    async def drop(self, tenant_id: int, kept: Sequence[Attachment]) -> None:
        """Drop tickets that nobody will use; where that fails they are purged with the old ones."""
        for held in kept:
            if held.upload_id is not None:
                with suppress(StoreUnavailable):
                    await self._uploads.delete(tenant_id, held.upload_id)

    async def keep_one(self, tenant_id: int, file: Ticketed) -> Attachment:
        """Keep the ticket of a file; raises StoreUnavailable."""
        held = file.attachment
        if not file.ticket or len(file.ticket) > _TICKET_BYTES:
            return held
        upload_id = await self._uploads.put(
            tenant_id, held.name, self._media_type, file.ticket, limit_bytes=_TICKET_BYTES
        )
        return replace(held, upload_id=upload_id, reason="")


Fetch = Callable[[int, Upload], Awaitable[Upload]]
"""Fetch the file that an upload of a tenant is the ticket for."""


class TicketedUploads:
    """The Uploads port over another one, where a ticket is the file it names."""

    def __init__(self, uploads: Uploads, media_type: str, fetch: Fetch) -> None:
        """Read uploads of MEDIA_TYPE by FETCH.

        FETCH raises UnreadableDocument with the reason why the platform does not give a file, and ChannelUnavailable
        where it does not answer: it is to be tried again.
        """
        self._uploads = uploads
        self._media_type = media_type
        self._fetch = fetch

    async def put(self, tenant_id: int, name: str, media_type: str, data: bytes, *, limit_bytes: int) -> int:
        """Keep a file and return its upload id; raises TooLarge over LIMIT_BYTES."""
        return await self._uploads.put(tenant_id, name, media_type, data, limit_bytes=limit_bytes)

    async def get(self, tenant_id: int, upload_id: int) -> Upload:
        """Return a file; raises NotFound, and what the fetching raises."""
        upload = await self._uploads.get(tenant_id, upload_id)
        if upload.media_type != self._media_type:
            return upload
        fetched = await self._fetch(tenant_id, upload)
        return replace(fetched, name=upload.name)

    async def delete(self, tenant_id: int, upload_id: int) -> None:
        """Drop a file; nothing where there is none."""
        await self._uploads.delete(tenant_id, upload_id)

    async def purge(self, tenant_id: int, older_than_s: float) -> int:
        """Drop files older than OLDER_THAN_S that no unfinished job waits for; count them."""
        return await self._uploads.purge(tenant_id, older_than_s)
