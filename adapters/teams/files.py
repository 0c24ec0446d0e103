"""Files: those of messages, fetched by the worker that answers, and those we give.

The address that Teams gives of a file is good for some minutes.
learn.microsoft.com/microsoftteams/platform/bots/how-to/bots-filesv4
"""

from collections.abc import Sequence

import aiohttp
from yarl import URL

from adapters.teams.limits import FILE_HOSTS
from adapters.teams.payload import host_allowed
from adapters.teams.reading import FOREIGN_HOST, REFERENCE, File
from core.attached import Upload
from core.domain import Attachment
from core.domain import File as GivenFile
from core.errors import ChannelUnavailable, Rejected, TooLarge, UnreadableDocument
from core.file_tickets import Fetch, Ticket, Ticketed, read_ticket
from core.payloads import Json, read_capped, text_at

TICKET_TYPE = "application/vnd.frontdesk.teams-file"
_TIMEOUT = aiohttp.ClientTimeout(total=60, connect=10)
_PIECE = 64 * 1024

# Reasons, to be read behind "NAME was not read:".
_GONE = "Teams no longer gives it; send it again"
_TOO_LARGE = "it has over {limit:.1f} MB; split it and try again"


def ticketed(file: File, tenant_id: int, secret: bytes) -> Ticketed:
    """Write the ticket of a file; the reason beside it is for one whose address is too long to be kept."""
    ticket = Ticket(tenant_id, (file.reference.removeprefix(REFERENCE),))
    return Ticketed(Attachment(file.name, file.media_type, 0, reason=_GONE), ticket.written(secret))


def redeeming(files: "TeamsFiles", secret: bytes) -> Fetch:
    """Make what fetches the file of a ticket."""

    async def fetch(tenant_id: int, upload: Upload) -> Upload:
        (url,) = read_ticket(upload.data, tenant_id, lambda _: secret)
        return Upload(upload.name, "", await files.fetch(url))

    return fetch


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
                return await read_capped(response.content.iter_chunked(_PIECE), at_most=self._limit_bytes)
        except TooLarge as error:
            raise UnreadableDocument(_TOO_LARGE.format(limit=self._limit_bytes / 1e6)) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ChannelUnavailable("The file's server does not answer; it is tried again.") from error

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
