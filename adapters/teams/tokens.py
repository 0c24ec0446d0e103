"""The bot's own token for the connector: fetched once for all who wait, kept until shortly before it expires.

learn.microsoft.com/azure/bot-service/rest-api/bot-framework-rest-connector-authentication
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import aiohttp

from core.errors import ChannelUnavailable, UsageError
from core.payloads import text_at

LOGIN_URL = "https://login.microsoftonline.com"
IDENTITY_URL = "http://169.254.169.254/metadata/identity/oauth2/token"
RESOURCE = "https://api.botframework.com"
MULTI_TENANT = "botframework.com"

_TIMEOUT = aiohttp.ClientTimeout(total=15, connect=5)
_EARLY_S = 300.0
_SHORTEST_S = 30.0
_PAUSE_S = 2.0  # after a fetch that failed: many may wait for a token
_REFUSED = "Microsoft gives the bot no token ({why}); check TEAMS_APP_ID, TEAMS_APP_PASSWORD and TEAMS_TENANT_ID."
_AWAY = "Microsoft's sign-in does not answer; it is tried again."


@dataclass(frozen=True, slots=True)
class Grant:
    """A token and for how long it is good."""

    token: str = field(repr=False)
    seconds: float = 0.0


class Grants(Protocol):
    """Where tokens come from."""

    async def fetch(self) -> Grant:
        """Fetch a token; raises ChannelUnavailable."""


class Password:
    """Tokens for the secret of a registration."""

    def __init__(
        self, session: aiohttp.ClientSession, app_id: str, password: str, tenant: str, login_url: str = LOGIN_URL
    ) -> None:
        """Sign in at the directory TENANT, or MULTI_TENANT; raises UsageError where something is missing."""
        if not (app_id and password and tenant):
            raise UsageError("TEAMS_APP_ID, TEAMS_APP_PASSWORD and TEAMS_TENANT_ID are needed to answer in Teams.")
        self._session = session
        self._url = f"{login_url.rstrip('/')}/{tenant}/oauth2/v2.0/token"
        self._form = {
            "grant_type": "client_credentials",
            "client_id": app_id,
            "client_secret": password,
            "scope": f"{RESOURCE}/.default",
        }

    async def fetch(self) -> Grant:
        """Sign in; raises ChannelUnavailable."""
        try:
            async with self._session.post(self._url, data=self._form, timeout=_TIMEOUT) as response:
                return _grant(response.status, await response.text())
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ChannelUnavailable(_AWAY) from error


class ManagedIdentity:
    """Tokens for the identity that Azure gives the machine; learn.microsoft.com/entra/identity/managed-identities."""

    def __init__(self, session: aiohttp.ClientSession, app_id: str, url: str = IDENTITY_URL, header: str = "") -> None:
        """Ask at URL, with HEADER where an App Service gives one."""
        self._session = session
        self._url = url
        version = "2019-08-01" if header else "2018-02-01"
        self._query = {"api-version": version, "resource": RESOURCE, "client_id": app_id}
        self._headers = {"X-IDENTITY-HEADER": header} if header else {"Metadata": "true"}

    async def fetch(self) -> Grant:
        """Ask the machine; raises ChannelUnavailable."""
        try:
            async with self._session.get(
                self._url, params=self._query, headers=self._headers, timeout=_TIMEOUT
            ) as response:
                return _grant(response.status, await response.text())
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ChannelUnavailable(_AWAY) from error


def _grant(status: int, body: str) -> Grant:
    try:
        found: Any = json.loads(body)
    except ValueError:
        found = {}
    token = text_at(found, "access_token")
    if status >= 500:
        raise ChannelUnavailable(_AWAY)
    if not token:
        said = text_at(found, "error_description").partition(":")[0] or text_at(found, "error") or str(status)
        raise ChannelUnavailable(_REFUSED.format(why=said[:100]))
    return Grant(token, _seconds(found))


def _seconds(found: Mapping[str, Any]) -> float:
    """Read for how long a token is good; an App Service says only until when."""
    try:
        if "expires_in" in found:
            return float(found["expires_in"])
        return float(found["expires_on"]) - time.time()
    except (KeyError, TypeError, ValueError):
        return 0.0


class Tokens:
    """The token in use."""

    def __init__(self, grants: Grants, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._grants = grants
        self._clock = clock
        self._lock = asyncio.Lock()
        self._token = ""
        self._until = self._again_at = float("-inf")

    async def get(self) -> str:
        """Return a token that is good for a while; raises ChannelUnavailable."""
        if self._clock() < self._until:
            return self._token
        async with self._lock:
            if self._clock() < self._again_at:
                raise ChannelUnavailable(_AWAY)
            if self._clock() >= self._until:
                self._again_at = self._clock() + _PAUSE_S
                grant = await self._grants.fetch()
                self._again_at = float("-inf")
                self._token = grant.token
                self._until = self._clock() + max(_SHORTEST_S, grant.seconds - _EARLY_S)
            return self._token

    def drop(self, token: str) -> None:
        """Use TOKEN no longer: it was refused."""
        if token == self._token:
            self._until = float("-inf")
