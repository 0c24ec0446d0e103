"""Files of messages: taken in by name, fetched by the worker that answers.

Slack waits three seconds for an acknowledgement and a file may be large, so what is stored with the message is an
upload that holds no bytes but a signed ticket: where the bytes are. Whoever reads the upload gets the file. The
signature keeps others who may upload from having our token fetch what they cannot read themselves.
docs.slack.dev/reference/objects/file-object
"""

import asyncio
import hashlib
import hmac
import json
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp
from yarl import URL

from adapters.slack.inbound import File, attachment
from adapters.slack.payload import Json, object_at, text_at, value_at
from core.attached import MOST_FILES, TOO_MANY, Upload, Uploads
from core.domain import Attachment
from core.errors import ChannelUnavailable, Rejected, StoreUnavailable, UnreadableDocument
from core.inbox import Incoming, Kind

TICKET_TYPE = "application/vnd.frontdesk.slack-file"
_TICKET_BYTES = 2_000
_DEADLINE_S = 60.0
_CONNECT_S = 10.0
_PIECE = 64 * 1024
_WEB_PAGE = "text/html"

# Reasons, to be read behind "NAME was not read:".
_NO_SCOPE = "Slack does not let Frontdesk read files; an administrator must add files:read and install it again"
_NOT_SEEN = "Slack does not show it to Frontdesk; invite Frontdesk to the channel and send it again"
_ELSEWHERE = "it lies outside Slack; send the file itself"
_GONE = "it was deleted in Slack"
_FORGED = "it did not come through Slack"
_ODD_ADDRESS = "its address is not one of Slack's"
_REASONS = {
    "missing_scope": _NO_SCOPE,
    "not_allowed_token_type": _NO_SCOPE,
    "file_not_found": _NOT_SEEN,
    "access_denied": _NOT_SEEN,
    "file_deleted": _GONE,
}

_log = logging.getLogger(__name__)


class Calls(Protocol):
    """The part of SlackApi that is used here."""

    async def call(self, method: str, *, team_id: str, **arguments: Any) -> dict[str, Any]:
        """Call a method of the Web API."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """Which file of which workspace."""

    team_id: str
    file_id: str

    def written(self, secret: bytes, tenant_id: int) -> bytes:
        """Write the ticket for one tenant."""
        named = json.dumps([tenant_id, self.team_id, self.file_id])
        return json.dumps([named, _sign(secret, named)]).encode()


def read_ticket(data: bytes, secret: bytes, tenant_id: int) -> Ticket:
    """Read a ticket; raises UnreadableDocument for one that is not ours, or another tenant's."""
    try:
        named, signature = json.loads(data[:_TICKET_BYTES])
        right = hmac.compare_digest(signature.encode(), _sign(secret, named).encode())
        of_tenant, team_id, file_id = json.loads(named)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise UnreadableDocument(_FORGED) from error
    if not right or of_tenant != tenant_id:
        raise UnreadableDocument(_FORGED)
    return Ticket(str(team_id), str(file_id))


def _sign(secret: bytes, named: str) -> str:
    return hmac.digest(secret, b"frontdesk slack file\x00" + named.encode(), hashlib.sha256).hex()


class FileTickets:
    """Keep tickets for the files of a message."""

    def __init__(self, uploads: Uploads, secret: bytes) -> None:
        self._uploads = uploads
        self._secret = secret

    async def keep(self, incoming: Incoming, files: tuple[File, ...]) -> tuple[Attachment, ...]:
        """Keep a ticket for each file of what will be answered; further ones are named.

        Raises StoreUnavailable.
        """
        if incoming.kind not in (Kind.MESSAGE, Kind.EDIT):
            return ()
        kept = await asyncio.gather(*(self._keep(incoming, file) for file in files[:MOST_FILES]))
        over = (attachment(file, None, TOO_MANY.format(limit=MOST_FILES)) for file in files[MOST_FILES:])
        return (*kept, *over)

    async def drop(self, incoming: Incoming, kept: tuple[Attachment, ...]) -> None:
        """Drop tickets that nobody will use; where that fails they are purged with the old ones."""
        for held in kept:
            if held.upload_id is not None:
                with suppress(StoreUnavailable):
                    await self._uploads.delete(incoming.message.tenant_id, held.upload_id)

    async def _keep(self, incoming: Incoming, file: File) -> Attachment:
        tenant_id = incoming.message.tenant_id
        ticket = Ticket(incoming.installation, file.file_id).written(self._secret, tenant_id)
        upload_id = await self._uploads.put(tenant_id, file.name, TICKET_TYPE, ticket, limit_bytes=_TICKET_BYTES)
        return attachment(file, upload_id)


Fetch = Callable[[Ticket], Awaitable[Upload]]


class TicketedUploads:
    """The Uploads port over another one, where a ticket is the file it names."""

    def __init__(self, uploads: Uploads, secret: bytes, fetch: Fetch) -> None:
        self._uploads = uploads
        self._secret = secret
        self._fetch = fetch

    async def put(self, tenant_id: int, name: str, media_type: str, data: bytes, *, limit_bytes: int) -> int:
        """Keep a file and return its upload id; raises TooLarge over LIMIT_BYTES."""
        return await self._uploads.put(tenant_id, name, media_type, data, limit_bytes=limit_bytes)

    async def get(self, tenant_id: int, upload_id: int) -> Upload:
        """Return a file; raises NotFound, UnreadableDocument with the reason why Slack does not give it.

        Raises ChannelUnavailable where Slack does not answer: it is to be tried again.
        """
        upload = await self._uploads.get(tenant_id, upload_id)
        if upload.media_type != TICKET_TYPE:
            return upload
        fetched = await self._fetch(read_ticket(upload.data, self._secret, tenant_id))
        return Upload(upload.name, fetched.media_type, fetched.data)

    async def delete(self, tenant_id: int, upload_id: int) -> None:
        """Drop a file; nothing where there is none."""
        await self._uploads.delete(tenant_id, upload_id)

    async def purge(self, tenant_id: int, older_than_s: float) -> int:
        """Drop files older than OLDER_THAN_S that no unfinished job waits for; count them."""
        return await self._uploads.purge(tenant_id, older_than_s)


class SlackFiles:
    """Fetch files with the app's token, from Slack's own hosts alone."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        api: Calls,
        token_of: Callable[[str], Awaitable[str]],
        *,
        api_url: str,
        limit_bytes: int = 10 * 1024 * 1024,
        deadline_s: float = _DEADLINE_S,
    ) -> None:
        self._session = session
        self._api = api
        self._token_of = token_of  # the bot token of a workspace
        self._api_url = URL(api_url)
        self._limit_bytes = limit_bytes
        self._timeout = aiohttp.ClientTimeout(total=deadline_s, connect=_CONNECT_S)

    async def fetch(self, ticket: Ticket) -> Upload:
        """Fetch a file; raises UnreadableDocument with the reason, ChannelUnavailable where Slack does not answer."""
        try:
            answer = await self._api.call("files.info", team_id=ticket.team_id, file=ticket.file_id)
            token = await self._token_of(ticket.team_id)
        except Rejected as error:
            raise UnreadableDocument(_REASONS.get(getattr(error, "code", ""), _NOT_SEEN)) from error
        file = object_at(answer, "file")
        url = self._address(file)
        size = value_at(file, "size")
        if isinstance(size, int) and size > self._limit_bytes:
            raise UnreadableDocument(self._too_large(size))
        data = await self._download(url, token, file)
        return Upload(text_at(file, "name"), text_at(file, "mimetype"), data)

    def _address(self, file: Json) -> URL:
        if value_at(file, "is_external") is True or text_at(file, "mode") == "external":
            raise UnreadableDocument(_ELSEWHERE)
        try:
            url = URL(text_at(file, "url_private_download") or text_at(file, "url_private"))
        except ValueError as error:
            raise UnreadableDocument(_ODD_ADDRESS) from error
        if not is_slacks(url, self._api_url):
            raise UnreadableDocument(_ODD_ADDRESS)
        return url

    async def _download(self, url: URL, token: str, file: Json) -> bytes:
        headers = {"Authorization": f"Bearer {token}", "Accept-Encoding": "identity"}
        try:
            # A redirect leads to the sign-in page or to another host; our token is for neither.
            async with self._session.get(
                url, headers=headers, timeout=self._timeout, allow_redirects=False
            ) as response:
                _check(response, file)
                data = await self._read(response)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ChannelUnavailable("Slack does not give the file; it is tried again.") from error
        size = value_at(file, "size")
        if response.content_type == _WEB_PAGE and isinstance(size, int) and len(data) != size:
            raise UnreadableDocument(_NO_SCOPE)
        return data

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        data = bytearray()
        async for piece in response.content.iter_chunked(_PIECE):
            data += piece
            if len(data) > self._limit_bytes:
                raise UnreadableDocument(self._too_large(len(data)))
        return bytes(data)

    def _too_large(self, size: int) -> str:
        return f"it has {size / 1e6:.1f} MB and the limit is {self._limit_bytes / 1e6:.1f}; split it and try again"


def is_slacks(url: URL, api_url: URL) -> bool:
    """Tell whether URL is on the hosts of the API at API_URL: the same address, or one under the same domain.

    https://slack.com/api/ has its files at https://files.slack.com; an emulator has them where it is itself.
    """
    if url.scheme != api_url.scheme or url.port != api_url.port or url.user is not None or not url.host:
        return False
    host, api_host = url.host.lower(), (api_url.host or "").lower()
    return host == api_host or (api_url.scheme == "https" and host.endswith(f".{api_host.removeprefix('www.')}"))


def _check(response: aiohttp.ClientResponse, file: Json) -> None:
    """Refuse everything but the file: without the right to read files, Slack sends its sign-in page with 200."""
    if 300 <= response.status < 400 or response.status in (401, 403):
        raise UnreadableDocument(_NO_SCOPE)
    if response.status in (404, 410):
        raise UnreadableDocument(_GONE)
    if response.status != 200:
        raise aiohttp.ClientError(f"status {response.status}")
    if response.content_type == _WEB_PAGE and _WEB_PAGE not in text_at(file, "mimetype"):
        raise UnreadableDocument(_NO_SCOPE)
