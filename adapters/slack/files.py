"""Files of messages, fetched by the worker that answers; docs.slack.dev/reference/objects/file-object."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import aiohttp
from yarl import URL

from adapters.slack.inbound import File, attachment
from core.attached import Upload
from core.errors import ChannelUnavailable, Rejected, TooLarge, UnreadableDocument
from core.file_tickets import Fetch, Ticket, Ticketed, read_ticket
from core.payloads import Json, object_at, read_capped, text_at, value_at

TICKET_TYPE = "application/vnd.frontdesk.slack-file"
_DEADLINE_S = 60.0
_CONNECT_S = 10.0
_PIECE = 64 * 1024
_WEB_PAGE = "text/html"
_THIS_MACHINE = {"localhost", "127.0.0.1", "::1"}

# Reasons, to be read behind "NAME was not read:".
_NO_SCOPE = "Slack does not let Frontdesk read files; an administrator must add files:read and install it again"
_NOT_SEEN = "Slack does not show it to Frontdesk; invite Frontdesk to the channel and send it again"
_ELSEWHERE = "it lies outside Slack; send the file itself"
_GONE = "it was deleted in Slack"
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


def ticketed(file: File, team_id: str, tenant_id: int, secret: bytes) -> Ticketed:
    """Write the ticket of a file of a workspace."""
    return Ticketed(attachment(file), Ticket(tenant_id, (team_id, file.file_id)).written(secret))


def redeeming(files: "SlackFiles", secret: bytes) -> Fetch:
    """Make what fetches the file of a ticket."""

    async def fetch(tenant_id: int, upload: Upload) -> Upload:
        team_id, file_id = read_ticket(upload.data, tenant_id, lambda _: secret)
        return await files.fetch(team_id, file_id)

    return fetch


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

    async def fetch(self, team_id: str, file_id: str) -> Upload:
        """Fetch a file; raises UnreadableDocument with the reason, ChannelUnavailable where Slack does not answer."""
        try:
            answer = await self._api.call("files.info", team_id=team_id, file=file_id)
            token = await self._token_of(team_id)
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
                data = await read_capped(response.content.iter_chunked(_PIECE), at_most=self._limit_bytes)
        except TooLarge as error:
            raise UnreadableDocument(self._too_large()) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ChannelUnavailable("Slack does not give the file; it is tried again.") from error
        size = value_at(file, "size")
        if response.content_type == _WEB_PAGE and isinstance(size, int) and len(data) != size:
            raise UnreadableDocument(_NO_SCOPE)
        return data

    def _too_large(self, size: int | None = None) -> str:
        has = f"{size / 1e6:.1f} MB" if size is not None else "more than Slack said of it"
        return f"it has {has} and the limit is {self._limit_bytes / 1e6:.1f} MB; split it and try again"


def is_slacks(url: URL, api_url: URL) -> bool:
    """Tell whether URL is on the hosts of the API at API_URL: the same address, or one under the same domain.

    https://slack.com/api/ has its files at https://files.slack.com; an emulator has them where it is itself, and on one
    machine may call itself by another name.
    """
    if url.scheme != api_url.scheme or url.port != api_url.port or url.user is not None or not url.host:
        return False
    host, api_host = url.host.lower(), (api_url.host or "").lower()
    here = {host, api_host} <= _THIS_MACHINE
    return (
        here or host == api_host or (api_url.scheme == "https" and host.endswith(f".{api_host.removeprefix('www.')}"))
    )


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
