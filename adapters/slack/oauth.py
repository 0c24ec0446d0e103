"""Install the app into workspaces with OAuth, and hand out their tokens.

docs.slack.dev/authentication/installing-with-oauth. The state of an installation works once, for five minutes, and
only in the browser that began it: its hash is kept in the store and the state itself in a cookie.
"""

import asyncio
import hashlib
import hmac
import html
import logging
import secrets
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol
from urllib.parse import urlencode, urljoin

import aiohttp
from aiohttp import web
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from adapters.slack.api import BASE_URL, FixedTokens, Token, call_once
from adapters.slack.manifest import INSTALL_PATH, REDIRECT_PATH, SCOPES
from core.errors import ChannelUnavailable, Refused, Rejected, StoreUnavailable, UsageError
from core.installations import Installations, Installed
from core.payloads import text_at
from core.places import Platform

STATE_S = 300
TOKEN_S = 60.0
"""How long a process uses a token without asking the store: so late does it hear of a removal elsewhere."""
EVERY_WORKSPACE = "*"

_COOKIE = "frontdesk_slack_state"
_TIMEOUT_S = 10
_BEGIN_AGAIN = "This link was used before, is older than five minutes, or was begun in another browser. Begin again."
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_LATER = (429, 500, 502, 503, 504, "ratelimited", "internal_error", "fatal_error", "service_unavailable")

_log = logging.getLogger(__name__)
# The SDK writes whole requests, secrets included, to a logger that listens to everything.
_quiet = logging.getLogger(f"{__name__}.sdk")
_quiet.setLevel(logging.INFO)


class Workspaces(Protocol):
    """Tell tokens and tenants of workspaces."""

    async def of(self, team_id: str) -> Token:
        """Return the token of a workspace; raises Rejected where the app is not installed there."""

    async def tenant_of(self, team_id: str) -> int | None:
        """Tell whose a workspace is; None where it is nobody's."""

    def forget(self, team_id: str) -> None:
        """Ask anew at the next call: the token is worth nothing any more, or there is another one."""


class InstalledTokens:
    """Hand out the tokens of the workspaces where the app was installed."""

    def __init__(self, installations: Installations, *, kept_s: float = TOKEN_S) -> None:
        self._installations = installations
        self._kept_s = kept_s
        self._known: dict[str, tuple[float, int, Token]] = {}
        self._asking = asyncio.Lock()

    async def of(self, team_id: str) -> Token:
        """Return the token of a workspace.

        Raises Rejected where the app is not installed there or its token cannot be decrypted.
        """
        found = await self._find(team_id)
        if found is None:
            raise Rejected(f"Frontdesk is not installed in workspace {team_id}; install it there again.")
        return found[1]

    async def tenant_of(self, team_id: str) -> int | None:
        """Tell whose a workspace is, None where the app is not installed there."""
        found = await self._find(team_id)
        return found[0] if found else None

    def forget(self, team_id: str) -> None:
        """Ask the store at the next call."""
        self._known.pop(team_id, None)

    async def _find(self, team_id: str) -> tuple[int, Token] | None:
        if found := self._fresh(team_id):
            return found
        async with self._asking:  # of many events at once, the first one asks for all
            if found := self._fresh(team_id):
                return found
            try:
                installed = await self._installations.installed(Platform.SLACK, team_id)
            except Refused as error:
                raise Rejected(str(error)) from error
            if installed is None:
                self.forget(team_id)
                return None
            token = _token(installed)
            self._known[team_id] = (time.monotonic(), installed.tenant_id, token)
            return installed.tenant_id, token

    def _fresh(self, team_id: str) -> tuple[int, Token] | None:
        asked_at, tenant_id, token = self._known.get(team_id, (0.0, 0, None))
        return (tenant_id, token) if token is not None and time.monotonic() - asked_at < self._kept_s else None


class OneWorkspace:
    """Hand out the one token of the settings."""

    def __init__(self, tokens: FixedTokens, tenant_id: int) -> None:
        self._tokens = tokens
        self._tenant_id = tenant_id

    async def of(self, team_id: str) -> Token:
        """Return the token; raises Rejected for another workspace than its own, and as SlackApi.call does."""
        return await self._tokens.of(team_id)

    async def tenant_of(self, team_id: str) -> int | None:
        """Tell whose a workspace is; None for another one than the token's."""
        return self._tenant_id if (await self._tokens.own()).team_id == team_id else None

    def forget(self, team_id: str) -> None:
        """Keep the token: it stays the only one until the settings change."""


@dataclass(frozen=True, slots=True)
class OAuthApp:
    """What Slack knows the app by, and where it finds us."""

    client_id: str
    client_secret: str = field(repr=False)
    public_url: str  # of the web server, https://HOST
    api_url: str = BASE_URL
    workspaces: Collection[str] = ()  # team ids that may install it; EVERY_WORKSPACE for all
    scopes: Collection[str] = SCOPES

    @property
    def authorize_url(self) -> str:
        """Name where the browser is sent to: beside the Web API, which an emulator may stand in for."""
        return urljoin(self.api_url.rstrip("/") + "/", "../oauth/v2/authorize")

    @property
    def redirect_url(self) -> str:
        """Name where Slack sends the browser back to."""
        return self.public_url.rstrip("/") + REDIRECT_PATH


class OAuth:
    """The two pages of an installation."""

    def __init__(self, app: OAuthApp, tenant_id: int, installations: Installations, workspaces: Workspaces) -> None:
        self._app = app
        self._tenant_id = tenant_id
        self._installations = installations
        self._workspaces = workspaces
        # A code works once, so a lost reply is no reason to send it again.
        base_url = app.api_url.rstrip("/") + "/"
        self._client = AsyncWebClient(base_url=base_url, timeout=_TIMEOUT_S, retry_handlers=[], logger=_quiet)

    def routes(self) -> list[web.RouteDef]:
        """List where they are served."""
        return [web.get(INSTALL_PATH, self.install), web.get(REDIRECT_PATH, self.come_back)]

    async def install(self, _: web.Request) -> web.StreamResponse:
        """Send the browser to Slack with a new state."""
        state = secrets.token_urlsafe(32)
        try:
            await self._installations.begin(self._tenant_id, _sha256(state), timedelta(seconds=STATE_S))
        except StoreUnavailable:
            return _page("Not now", "The database does not answer. Please try again in a few minutes.", 503)
        app = self._app
        asked = {"client_id": app.client_id, "scope": ",".join(app.scopes), "state": state}
        location = f"{app.authorize_url}?{urlencode({**asked, 'redirect_uri': app.redirect_url})}"
        response = web.Response(status=302, headers={**_HEADERS, "Location": location})
        secure = app.public_url.startswith("https://")
        response.set_cookie(
            _COOKIE, state, max_age=STATE_S, path=REDIRECT_PATH, httponly=True, secure=secure, samesite="Lax"
        )
        return response

    async def come_back(self, request: web.Request) -> web.StreamResponse:
        """Check the state, exchange the code and keep the token."""
        try:
            response = await self._come_back(request)
        except Refused as error:
            response = _page("Not installed", str(error), 403)
        except UsageError as error:
            response = _page("Not installed", str(error), 400)
        except StoreUnavailable:
            response = _page("Not now", "The database does not answer. Please begin again in a few minutes.", 503)
        except ChannelUnavailable:
            response = _page("Not now", "Slack does not answer. Please begin again in a few minutes.", 502)
        response.del_cookie(_COOKIE, path=REDIRECT_PATH)
        return response

    async def _come_back(self, request: web.Request) -> web.Response:
        query, cookie = request.query, request.cookies.get(_COOKIE, "")
        state = query.get("state", "")
        same = bool(state) and hmac.compare_digest(state.encode(), cookie.encode())
        if not same or not await self._installations.finish(self._tenant_id, _sha256(state)):
            raise UsageError(_BEGIN_AGAIN)
        if query.get("error"):
            raise UsageError("Slack says that the installation was not allowed or was cancelled.")
        if not query.get("code"):
            raise UsageError(_BEGIN_AGAIN)
        installed = await self._install(query["code"])
        self._workspaces.forget(installed.installation)
        _log.info("installed in workspace %s by %s", installed.installation, installed.installed_by)
        return _page(
            "Installed", f"Frontdesk is in {installed.name or 'your workspace'} now. Write to it in Slack.", 200
        )

    async def _install(self, code: str) -> Installed:
        """Exchange CODE for a token and keep it; a token that is not kept is given back to Slack."""
        app, client = self._app, self._client
        login = (app.client_id, app.client_secret)
        answer = await _exchange(client, login, code=code, redirect_uri=app.redirect_url)
        bot_token = text_at(answer, "access_token")
        try:
            self._check(answer)
            installed = self._read(answer, await _identify(client, bot_token))
            await self._installations.save(installed)
        except (Refused, ChannelUnavailable, StoreUnavailable):
            await _give_back(client, bot_token)
            raise
        return installed

    def _check(self, answer: Mapping[str, Any]) -> None:
        """Refuse what may not be installed."""
        team_id, allowed = text_at(answer, "team", "id"), self._app.workspaces
        if answer.get("is_enterprise_install") or not team_id:
            raise Refused("Frontdesk is installed into one workspace at a time; choose a workspace instead of the org.")
        if EVERY_WORKSPACE not in allowed and team_id not in allowed:
            raise Refused(
                f"Workspace {team_id} may not install this app; whoever runs Frontdesk adds it to SLACK_WORKSPACES."
            )

    def _read(self, answer: Mapping[str, Any], token: Token) -> Installed:
        return Installed(
            tenant_id=self._tenant_id,
            platform=Platform.SLACK,
            installation=text_at(answer, "team", "id"),
            token=token.bot_token,
            name=text_at(answer, "team", "name"),
            app_id=text_at(answer, "app_id") or token.app_id,
            bot_user_id=token.bot_user_id,
            bot_id=token.bot_id,
            scopes=tuple(part for part in text_at(answer, "scope").split(",") if part),
            installed_by=text_at(answer, "authed_user", "id"),
        )


def _token(installed: Installed) -> Token:
    return Token(
        bot_token=installed.token,
        bot_user_id=installed.bot_user_id,
        bot_id=installed.bot_id,
        app_id=installed.app_id,
        team_id=installed.installation,
    )


async def _identify(client: AsyncWebClient, bot_token: str) -> Token:
    said = await call_once(client, bot_token, "auth.test", {})
    return Token(
        bot_token=bot_token,
        bot_user_id=str(said.get("user_id") or ""),
        bot_id=str(said.get("bot_id") or ""),
        app_id=str(said.get("app_id") or ""),
        team_id=str(said.get("team_id") or ""),
    )


async def _exchange(client: AsyncWebClient, login: tuple[str, str], **arguments: str) -> Mapping[str, Any]:
    """Exchange a code, once; raises Rejected where Slack refuses, ChannelUnavailable where it does not answer."""
    try:
        # The SDK's own oauth_v2_access builds its header in a way that aiohttp gives up.
        headers = {"Authorization": aiohttp.encode_basic_auth(*login)}
        data = (await client.api_call("oauth.v2.access", headers=headers, data=arguments)).data
    except SlackApiError as error:
        response: Any = error.response
        code = response.data.get("error", "") if isinstance(response.data, dict) else ""
        _log.warning("Slack refused an installation: %s", code or response.status_code)
        if response.status_code in _LATER or code in _LATER:
            raise ChannelUnavailable("Slack does not answer; try again in a few minutes.") from None
        raise Rejected("Slack refused the installation; begin again, and check the app's id and secret.") from None
    except (aiohttp.ClientError, TimeoutError, OSError, SlackClientError) as error:
        raise ChannelUnavailable("Slack does not answer; try again in a few minutes.") from error
    return data if isinstance(data, dict) else {}


async def _give_back(client: AsyncWebClient, token: str) -> None:
    try:
        await call_once(client, token, "auth.revoke", {})
    except (Rejected, ChannelUnavailable) as error:
        _log.warning("a token that was not kept could not be given back: %s", error)


def _page(title: str, text: str, status: int) -> web.Response:
    body = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<h1>{html.escape(title)}</h1><p>{html.escape(text)}</p></html>"
    )
    return web.Response(text=body, status=status, content_type="text/html", headers=_HEADERS)


def _sha256(state: str) -> bytes:
    return hashlib.sha256(state.encode()).digest()
