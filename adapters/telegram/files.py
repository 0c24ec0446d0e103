"""Files of messages, fetched by the worker that answers; core.telegram.org/bots/api#getfile."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from adapters.telegram.api import TelegramApi
from adapters.telegram.limits import DOWNLOAD_BYTES
from adapters.telegram.taken import TOO_LARGE, file_id_of
from core.attached import Upload
from core.domain import Attachment
from core.errors import Rejected, UnreadableDocument
from core.file_tickets import Ticket, Ticketed, read_ticket
from core.payloads import text_at, value_at

TICKET_TYPE = "application/vnd.frontdesk.telegram-file"

# Reasons, to be read behind "NAME was not read:".
_GONE = "Telegram no longer has it; send it again"
_LOCAL = "the Bot API server keeps its files to itself; start it without --local"


def ticketed(attachment: Attachment, api: TelegramApi, tenant_id: int) -> Ticketed:
    """Write the ticket of a file that is still to be fetched; empty for what is refused, or was kept before."""
    file_id = file_id_of(attachment)
    if not file_id:
        return Ticketed(attachment, b"")
    ticket = Ticket(tenant_id, (api.bot_id, file_id))
    return Ticketed(replace(attachment, reason=_GONE), ticket.written(api.file_secret))


class TelegramFiles:
    """Fetch files with the token of the bot that was sent them."""

    def __init__(self, bots: Mapping[str, TelegramApi], *, limit_bytes: int = DOWNLOAD_BYTES) -> None:
        self._bots = bots  # by their ids
        self._limit_bytes = min(limit_bytes, DOWNLOAD_BYTES)

    async def fetch(self, tenant_id: int, upload: Upload) -> Upload:
        """Fetch the file of a ticket.

        Raises UnreadableDocument with the reason why Telegram does not give it, ChannelUnavailable where it does not
        answer: it is to be tried again.
        """
        bot_id, file_id = read_ticket(upload.data, tenant_id, self._secret_of)
        return Upload(upload.name, "", await self._fetch(self._bots[bot_id], file_id))

    def _secret_of(self, named: Sequence[str]) -> bytes:
        return self._bots[named[0]].file_secret

    async def _fetch(self, api: TelegramApi, file_id: str) -> bytes:
        try:
            found = await api.call("getFile", file_id=file_id)
            path, size = text_at(found, "file_path"), value_at(found, "file_size")
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
