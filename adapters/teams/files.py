"""Files: those of messages, taken in by address and fetched by the worker that answers, and those we give.

What is stored with a message is an upload that holds no bytes but a signed ticket: the address Teams gave, which is
good for some minutes. Whoever reads the upload gets the file. The signature keeps others who may upload from having us
fetch what they name. learn.microsoft.com/microsoftteams/platform/bots/how-to/bots-filesv4
"""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Sequence
from contextlib import suppress

import aiohttp
from yarl import URL

from adapters.teams.inbound import Heard
from adapters.teams.limits import FILE_HOSTS
from adapters.teams.payload import Json, host_allowed, text_at
from adapters.teams.reading import FOREIGN_HOST, REFERENCE, File
from core.attached import MOST_FILES, TOO_MANY, Upload, Uploads
from core.domain import Attachment
from core.domain import File as GivenFile
from core.errors import ChannelUnavailable, Rejected, StoreUnavailable, UnreadableDocument
from core.inbox import Incoming, Kind

TICKET_TYPE = "application/vnd.frontdesk.teams-file"
_TICKET_BYTES = 6_000
_TIMEOUT = aiohttp.ClientTimeout(total=60, connect=10)
_PIECE = 64 * 1024

# Reasons, to be read behind "NAME was not read:".
_GONE = "Teams no longer gives it; send it again"
_FORGED = "it did not come through Teams"
_TOO_LARGE = "it has over {limit:.1f} MB; split it and try again"


class FileTickets:
    """Keep tickets for the files of a message."""

    def __init__(self, uploads: Uploads, secret: bytes) -> None:
        self._uploads = uploads
        self._secret = secret

    async def keep(self, heard: Heard) -> tuple[Attachment, ...]:
        """Keep a ticket for each file of what will be answered; further ones are named. Raises StoreUnavailable.

        Those of an edit came with the message itself.
        """
        incoming, files = heard.incoming, heard.files
        if incoming.kind is not Kind.MESSAGE:
            return ()
        kept = await asyncio.gather(*(self._keep(incoming, file) for file in files[:MOST_FILES]))
        over = (
            Attachment(file.name, file.media_type, 0, reason=TOO_MANY.format(limit=MOST_FILES))
            for file in files[MOST_FILES:]
        )
        return (*kept, *over)

    async def drop(self, incoming: Incoming) -> None:
        """Drop tickets that nobody will use; where that fails they are purged with the old ones."""
        for held in incoming.message.attachments:
            if held.upload_id is not None:
                with suppress(StoreUnavailable):
                    await self._uploads.delete(incoming.message.tenant_id, held.upload_id)

    async def _keep(self, incoming: Incoming, file: File) -> Attachment:
        tenant_id = incoming.message.tenant_id
        ticket = _write_ticket(self._secret, tenant_id, file.reference.removeprefix(REFERENCE))
        if len(ticket) > _TICKET_BYTES:
            return Attachment(file.name, file.media_type, 0, reason=_GONE)
        upload_id = await self._uploads.put(tenant_id, file.name, TICKET_TYPE, ticket, limit_bytes=_TICKET_BYTES)
        return Attachment(file.name, file.media_type, 0, upload_id=upload_id)


def _write_ticket(secret: bytes, tenant_id: int, url: str) -> bytes:
    named = json.dumps([tenant_id, url])
    return json.dumps([named, _sign(secret, named)]).encode()


def _read_ticket(data: bytes, secret: bytes, tenant_id: int) -> str:
    """Return the address of a ticket; raises UnreadableDocument for one that is not ours, or another tenant's."""
    try:
        named, signature = json.loads(data[:_TICKET_BYTES])
        right = hmac.compare_digest(signature.encode(), _sign(secret, named).encode())
        of_tenant, url = json.loads(named)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise UnreadableDocument(_FORGED) from error
    if not right or of_tenant != tenant_id:
        raise UnreadableDocument(_FORGED)
    return str(url)


def _sign(secret: bytes, named: str) -> str:
    return hmac.digest(secret, b"frontdesk teams file\x00" + named.encode(), hashlib.sha256).hex()


class TeamsUploads:
    """The Uploads port over another one, where a ticket is the file it names."""

    def __init__(self, uploads: Uploads, secret: bytes, files: "TeamsFiles") -> None:
        self._uploads = uploads
        self._secret = secret
        self._files = files

    async def put(self, tenant_id: int, name: str, media_type: str, data: bytes, *, limit_bytes: int) -> int:
        """Keep a file and return its upload id; raises TooLarge over LIMIT_BYTES."""
        return await self._uploads.put(tenant_id, name, media_type, data, limit_bytes=limit_bytes)

    async def get(self, tenant_id: int, upload_id: int) -> Upload:
        """Return a file; raises NotFound, UnreadableDocument with the reason why Teams does not give it.

        Raises ChannelUnavailable where the file's server does not answer: it is to be tried again.
        """
        upload = await self._uploads.get(tenant_id, upload_id)
        if upload.media_type != TICKET_TYPE:
            return upload
        data = await self._files.fetch(_read_ticket(upload.data, self._secret, tenant_id))
        return Upload(upload.name, "", data)

    async def delete(self, tenant_id: int, upload_id: int) -> None:
        """Drop a file; nothing where there is none."""
        await self._uploads.delete(tenant_id, upload_id)

    async def purge(self, tenant_id: int, older_than_s: float) -> int:
        """Drop files older than OLDER_THAN_S that no unfinished job waits for; count them."""
        return await self._uploads.purge(tenant_id, older_than_s)


class TeamsFiles:
    """Fetch and put files at the tenants' own servers, whose addresses need no token."""

    def __init__(
        self, session: aiohttp.ClientSession, *, limit_bytes: int = 10 * 1024 * 1024, hosts: Sequence[str] = ()
    ) -> None:
        """Take files of up to LIMIT_BYTES; HOSTS are allowed beside Microsoft's."""
        self._session = session
        self._limit_bytes = limit_bytes
        self.hosts = (*FILE_HOSTS, *hosts)

    async def fetch(self, url: str) -> bytes:
        """Fetch a file; raises UnreadableDocument with the reason, ChannelUnavailable where nobody answers."""
        if not host_allowed(url, self.hosts):
            raise UnreadableDocument(FOREIGN_HOST)
        try:
            # A redirect would lead past the list of hosts.
            async with self._session.get(
                URL(url, encoded=True), timeout=_TIMEOUT, allow_redirects=False, headers={"Accept-Encoding": "identity"}
            ) as response:
                if response.status >= 500 or response.status == 429:
                    raise ChannelUnavailable("The file's server does not give it now; it is tried again.")
                if response.status != 200:
                    raise UnreadableDocument(_GONE)
                return await self._read(response)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ChannelUnavailable("The file's server does not answer; it is tried again.") from error

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        data = bytearray()
        async for piece in response.content.iter_chunked(_PIECE):
            data += piece
            if len(data) > self._limit_bytes:
                raise UnreadableDocument(_TOO_LARGE.format(limit=self._limit_bytes / 1e6))
        return bytes(data)

    async def put(self, info: Json, file: GivenFile) -> None:
        """Put FILE where the uploadInfo of a consent says; raises Rejected, ChannelUnavailable."""
        url, data = text_at(info, "uploadUrl"), file.text.encode()
        if not host_allowed(url, self.hosts):
            raise Rejected("The address for the file is not one of Microsoft's; it was not sent.")
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Range": f"bytes 0-{len(data) - 1}/{len(data)}",
        }
        try:
            async with self._session.put(
                URL(url, encoded=True), data=data, headers=headers, timeout=_TIMEOUT, allow_redirects=False
            ) as response:
                if not 200 <= response.status < 300:
                    raise Rejected(f"The file's server refuses it with {response.status}.")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ChannelUnavailable("The file's server does not answer.") from error
