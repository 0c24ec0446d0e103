"""Files of messages: taken in by name, fetched by the worker that answers; core.telegram.org/bots/api#getfile.

An update waits for its acknowledgement and a file may be large, so what is stored with the message is an upload that
holds no bytes but a signed ticket: which file of which bot. Whoever reads the upload gets the file. The signature
keeps others who may upload from having a bot fetch what they cannot read themselves.
"""

import hmac
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from adapters.telegram.api import TelegramApi
from adapters.telegram.limits import DOWNLOAD_BYTES
from adapters.telegram.taken import TOO_LARGE, file_id_of
from core.attached import Upload, Uploads
from core.domain import Attachment
from core.errors import Rejected, StoreUnavailable, UnreadableDocument
from core.inbox import Incoming

TICKET_TYPE = "application/vnd.frontdesk.telegram-file"
_TICKET_BYTES = 2_000
_PURPOSE = "file"

# Reasons, to be read behind "NAME was not read:".
_GONE = "Telegram no longer has it; send it again"
_FORGED = "it did not come through Telegram"
_LOCAL = "the Bot API server keeps its files to itself; start it without --local"


class FileTickets:
    """Keep tickets for the files of a message."""

    def __init__(self, uploads: Uploads) -> None:
        self._uploads = uploads

    async def keep(self, api: TelegramApi, incoming: Incoming) -> Incoming:
        """Keep a ticket for each file that is still to be fetched; raises StoreUnavailable."""
        message = incoming.message
        if not message.attachments:
            return incoming
        kept = [await self._keep(api, message.tenant_id, attachment) for attachment in message.attachments]
        return replace(incoming, message=replace(message, attachments=tuple(kept)))

    async def drop(self, incoming: Incoming, before: Incoming) -> None:
        """Drop tickets that BEFORE had not and nobody will use; where that fails they are purged with the old ones."""
        known = {attachment.upload_id for attachment in before.message.attachments}
        for attachment in incoming.message.attachments:
            if attachment.upload_id is not None and attachment.upload_id not in known:
                with suppress(StoreUnavailable):
                    await self._uploads.delete(incoming.message.tenant_id, attachment.upload_id)

    async def _keep(self, api: TelegramApi, tenant_id: int, attachment: Attachment) -> Attachment:
        file_id = file_id_of(attachment)
        if not file_id:
            return attachment
        ticket = json.dumps([api.bot_id, file_id, api.sign(_PURPOSE, f"{tenant_id}:{file_id}")]).encode()
        if len(ticket) > _TICKET_BYTES:
            return replace(attachment, reason=_GONE)
        upload_id = await self._uploads.put(tenant_id, attachment.name, TICKET_TYPE, ticket, limit_bytes=_TICKET_BYTES)
        return replace(attachment, upload_id=upload_id, reason="")


class TelegramUploads:
    """The Uploads port over another one, where a ticket is the file it names."""

    def __init__(self, uploads: Uploads, bots: Mapping[str, TelegramApi], *, limit_bytes: int = DOWNLOAD_BYTES) -> None:
        self._uploads = uploads
        self._bots = bots  # by their ids
        self._limit_bytes = min(limit_bytes, DOWNLOAD_BYTES)

    async def put(self, tenant_id: int, name: str, media_type: str, data: bytes, *, limit_bytes: int) -> int:
        """Keep a file and return its upload id; raises TooLarge over LIMIT_BYTES."""
        return await self._uploads.put(tenant_id, name, media_type, data, limit_bytes=limit_bytes)

    async def get(self, tenant_id: int, upload_id: int) -> Upload:
        """Return a file; raises NotFound, UnreadableDocument with the reason why Telegram does not give it.

        Raises ChannelUnavailable where Telegram does not answer: it is to be tried again.
        """
        upload = await self._uploads.get(tenant_id, upload_id)
        if upload.media_type != TICKET_TYPE:
            return upload
        api, file_id = self._read(upload.data, tenant_id)
        return Upload(upload.name, "", await self._fetch(api, file_id))

    async def delete(self, tenant_id: int, upload_id: int) -> None:
        """Drop a file; nothing where there is none."""
        await self._uploads.delete(tenant_id, upload_id)

    async def purge(self, tenant_id: int, older_than_s: float) -> int:
        """Drop files older than OLDER_THAN_S that no unfinished job waits for; count them."""
        return await self._uploads.purge(tenant_id, older_than_s)

    def _read(self, data: bytes, tenant_id: int) -> tuple[TelegramApi, str]:
        """Read a ticket; raises UnreadableDocument for one that is not ours, or another tenant's."""
        try:
            bot_id, file_id, signature = map(str, json.loads(data[:_TICKET_BYTES]))
            api = self._bots[bot_id]
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise UnreadableDocument(_FORGED) from error
        if not hmac.compare_digest(signature.encode(), api.sign(_PURPOSE, f"{tenant_id}:{file_id}").encode()):
            raise UnreadableDocument(_FORGED)
        return api, file_id

    async def _fetch(self, api: TelegramApi, file_id: str) -> bytes:
        try:
            found = await api.call("getFile", file_id=file_id)
            path, size = str(found.get("file_path") or ""), found.get("file_size")
            if isinstance(size, int) and size > self._limit_bytes:
                raise UnreadableDocument(TOO_LARGE)
            if not path or path.startswith("/"):
                raise UnreadableDocument(_LOCAL if path else _GONE)
            data = await api.download(path)
        except Rejected as error:
            too_big = "too big" in str(error).lower()
            raise UnreadableDocument(TOO_LARGE if too_big else _GONE) from error
        if len(data) > self._limit_bytes:
            raise UnreadableDocument(TOO_LARGE)
        return data
