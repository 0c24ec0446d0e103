"""Call Slack's Web API: paced, its refusals as our errors, and nothing done twice behind anybody's back.

docs.slack.dev/apis/web-api. The SDK's retry handlers are left out: the one for lost connections posts a second time.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient

from core.errors import Busy, ChannelUnavailable, Rejected, Uncertain
from core.pacing import SLACK_CHANNEL, SLACK_TIERS, Pacer, Rate, Rule, Slot
from core.payloads import Json, parse_object, retry_after_s, text_at

BASE_URL = "https://slack.com/api/"
UNKNOWN_METHOD = "unknown_method"
PATIENCE_S = 5.0  # for a turn, before the caller is told to come back
_TIMEOUT_S = 15.0
_LONGEST_RETRY_AFTER_S = 600.0

# Methods by tier, docs.slack.dev/apis/web-api/rate-limits; those not named here are of the third.
_TIER_2 = {"chat.startStream", "chat.stopStream", "users.list", "usergroups.list", "usergroups.users.list"}
_TIER_4 = {
    "chat.appendStream",
    "chat.postEphemeral",
    "conversations.members",
    "files.completeUploadExternal",
    "files.getUploadURLExternal",
    "files.info",
    "users.info",
    "views.open",
    "views.publish",
    "views.push",
    "views.update",
}
_UNTIERED = {"assistant.threads.setStatus", "auth.test", "chat.getPermalink", "chat.postMessage"}
_TIERS = {**dict.fromkeys(_TIER_2, 2), **dict.fromkeys(_TIER_4, 4)}

# Three at once and three again after three seconds would be six in little more than three.
_POSTS = Rule((*SLACK_CHANNEL.rates, Rate(4, 4.5)))

_MAKING = ("chat.post", "chat.startStream", "files.complete")  # calls that make something new each time
_LATER = {"request_timeout", "service_unavailable", "team_added_to_org", "org_login_required"}
_NO_METHOD = {404, 405, 501}  # of a server that has not all of Slack's methods and does not say so as Slack does
_ESSENTIAL = {"auth.test", "chat.postMessage"}  # without these it is no such server
_PERHAPS = {"fatal_error", "internal_error"}  # "some aspect of the operation" may have succeeded

# The SDK writes whole requests to a logger that is set to nothing; this one is, so that no answer reaches a log.
_quiet = logging.getLogger(f"{__name__}.sdk")
_quiet.setLevel(logging.INFO)


class Refusal(Rejected):
    """Say that Slack refuses a call, and by which code."""

    def __init__(self, method: str, code: str, *, needed: str = "", details: tuple[str, ...] = ()) -> None:
        told = f"Slack refuses {method}: {code}."
        if needed:
            told = f"Slack refuses {method}: add the scope {needed} to the app and install it again."
        super().__init__(told)
        self.method, self.code, self.needed, self.details = method, code, needed, details


@dataclass(frozen=True, slots=True)
class Token:
    """What the app is in one workspace."""

    team_id: str
    bot_token: str = field(repr=False)
    bot_user_id: str = ""
    bot_id: str = ""
    app_id: str = ""  # empty where Slack did not say it


class Tokens(Protocol):
    """Know the app's tokens."""

    async def of(self, team_id: str) -> Token:
        """Look up the token of a workspace; raises Rejected where the app is not installed there."""


class SlackApi:
    """Call methods of the Web API in any workspace."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        tokens: Tokens,
        pacer: Pacer,
        *,
        base_url: str = BASE_URL,
        timeout_s: float = _TIMEOUT_S,
    ) -> None:
        self.tokens = tokens
        self._session = session
        self._pacer = pacer
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._timeout_s = timeout_s
        self._client = AsyncWebClient(base_url=base_url, session=session, retry_handlers=[], logger=_quiet)

    async def call(
        self, method: str, *, team_id: str, patience_s: float = PATIENCE_S, **arguments: Any
    ) -> dict[str, Any]:
        """Call METHOD in a workspace and return what Slack answers; an argument that is None is left out.

        Raises Refusal where Slack refuses, Busy where it would take longer than PATIENCE_S to get a turn or Slack wants
        us to wait, ChannelUnavailable where it does not answer, and Uncertain where that leaves open whether something
        new was made.
        """
        token = await self.tokens.of(team_id)
        slots = slots_of(method, team_id, str(arguments.get("channel", "")))
        await self._pacer.wait(slots, most_s=patience_s)
        try:
            return await call_once(self._client, token.bot_token, method, arguments, timeout_s=self._timeout_s)
        except Busy as busy:
            for slot in slots:
                await self._pacer.hold(slot.key, busy.retry_after_s)
            raise

    async def respond(self, response_url: str, body: Mapping[str, Any]) -> None:
        """Send BODY to a response_url, which is a secret; raises as `call` does.

        docs.slack.dev/interactivity/handling-user-interaction#message_responses
        """
        name = "the response_url"
        async with _mapped(name, made=True), self._post(response_url, json=dict(body)) as response:
            said = (await response.content.read(200)).decode("utf-8", "replace")
            _check_status(response.status, response.headers, name, made=True)
            if response.status != 200:
                raise Refusal(name, said if said.isidentifier() else f"http_{response.status}")

    async def upload(self, upload_url: str, data: bytes) -> None:
        """Put the bytes of a file where files.getUploadURLExternal said; raises as `call` does."""
        name = "the upload"
        async with _mapped(name, made=False), self._post(upload_url, data=data) as response:
            _check_status(response.status, response.headers, name, made=False)
            if response.status != 200:
                raise Refusal(name, f"http_{response.status}")

    def _post(self, url: str, **more: Any) -> Any:
        return self._session.post(url, timeout=self._timeout, allow_redirects=False, **more)


class FixedTokens:
    """The one token of an app that is installed in one workspace; who it is, one auth.test says."""

    def __init__(
        self, token: str, session: aiohttp.ClientSession, *, base_url: str = BASE_URL, app_id: str = ""
    ) -> None:
        self._token = token
        self._app_id = app_id
        self._client = AsyncWebClient(base_url=base_url, session=session, retry_handlers=[], logger=_quiet)
        self._known: Token | None = None
        self._lock = asyncio.Lock()

    async def of(self, team_id: str) -> Token:
        """Return the token; raises Rejected for another workspace, and as SlackApi.call does."""
        known = await self.own()
        if team_id not in ("", known.team_id):
            raise Rejected("Frontdesk is not installed in this workspace; install it there first.")
        return known

    async def own(self) -> Token:
        """Return the token with the ids of its app, whatever the workspace; raises as SlackApi.call does."""
        async with self._lock:
            if self._known is None:
                said = await call_once(self._client, self._token, "auth.test", {})
                if not text_at(said, "team_id") or not text_at(said, "user_id"):
                    raise ChannelUnavailable("Slack does not say whose the token is; check SLACK_API_URL.")
                self._known = Token(
                    team_id=text_at(said, "team_id"),
                    bot_token=self._token,
                    bot_user_id=text_at(said, "user_id"),
                    bot_id=text_at(said, "bot_id"),
                    app_id=text_at(said, "app_id") or self._app_id,
                )
            return self._known


def slots_of(method: str, team_id: str, channel: str = "") -> list[Slot]:
    """Name what a call is paced by: its method in the workspace, and for a post its channel."""
    name = ("slack", method, team_id)
    rates = () if method in _UNTIERED else SLACK_TIERS[_TIERS.get(method, 3)].rates
    slots = [Slot("\x1f".join(name), rates)]
    return [*slots, _POSTS.slot(*name, channel)] if method == "chat.postMessage" else slots


async def call_once(
    client: AsyncWebClient, token: str, method: str, arguments: Mapping[str, Any], *, timeout_s: float = _TIMEOUT_S
) -> dict[str, Any]:
    """Call METHOD at the address of CLIENT without pacing and without a second try; raises as SlackApi.call does.

    Nothing goes into the query string, which proxies log. Everything is sent as a form with structures as JSON in it,
    as Slack's own SDK for JavaScript does: there are methods, and emulators, that read nothing else. The SDK for Python
    takes what is not called JSON for nothing, so that a message would be posted again: the answer is read here. No
    redirect is followed: it would carry the message to whoever it names.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    headers = {"Authorization": f"Bearer {token}"}
    form = {name: _form(value) for name, value in given.items()}
    made = method.startswith(_MAKING)
    url = f"{client.base_url.rstrip('/')}/{method}"
    async with (
        _mapped(method, made=made),
        asyncio.timeout(timeout_s),
        _session_of(client) as session,
        session.post(url, headers=headers, data=form, proxy=client.proxy, allow_redirects=False) as response,
    ):
        data = parse_object(await response.read())
    if response.status == 200 and data is not None and data.get("ok") is True:
        return data
    raise _as_ours(method, response.status, response.headers, data or {}, made=made)


@asynccontextmanager
async def _session_of(client: AsyncWebClient) -> AsyncIterator[aiohttp.ClientSession]:
    if client.session is not None:
        yield client.session
    else:
        async with aiohttp.ClientSession() as session:
            yield session


def _form(value: Any) -> str:
    if isinstance(value, dict | list | tuple | bool):
        return json.dumps(value)
    return str(value).encode("utf-8", "replace").decode()


@asynccontextmanager
async def _mapped(name: str, *, made: bool) -> AsyncIterator[None]:
    """Turn aiohttp's errors into ours."""
    try:
        yield
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as error:
        raise ChannelUnavailable("Slack cannot be reached; check the network and SLACK_API_URL.") from error
    except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:  # noqa: UP041 - its own name for readers
        if made:
            raise Uncertain(f"Slack did not answer {name}, so it may have done it or not.") from error
        raise ChannelUnavailable(f"Slack did not answer {name}; it is tried again.") from error


def _as_ours(method: str, status: int, headers: Mapping[str, str], data: Json, *, made: bool) -> Exception:
    if status in _NO_METHOD and method not in _ESSENTIAL and not text_at(data, "error"):
        return Refusal(method, UNKNOWN_METHOD)
    try:
        _check_status(status, headers, method, made=made)
    except ChannelUnavailable as ours:
        return ours
    code = text_at(data, "error")
    if made and 200 <= status < 300 and not code and data.get("ok") is not False:
        return Uncertain(f"Slack answered {method} with {status} and no JSON, so it may have done it or not.")
    if not code or 300 <= status < 400:
        return ChannelUnavailable(f"Slack answered {method} with {status} and no JSON; it is tried again.")
    return _of_code(method, data, made=made)


def _of_code(method: str, data: Mapping[str, Any], *, made: bool) -> Exception:
    code = str(data["error"])
    if code in ("ratelimited", "rate_limited"):
        return Busy("Slack wants us to wait.", 1.0)
    if code in _LATER or code in _PERHAPS:
        if made and code in _PERHAPS:
            return Uncertain(f"Slack answers {method} with {code}, so it may have done it or not.")
        return ChannelUnavailable(f"Slack answers {method} with {code}; it is tried again.")
    details = (data.get("response_metadata") or {}).get("messages") or ()
    return Refusal(method, code, needed=str(data.get("needed") or ""), details=tuple(map(str, details)))


def _check_status(status: int, headers: Mapping[str, str], name: str, *, made: bool) -> None:
    """Raise what a status alone says."""
    if status == 429:
        raise Busy("Slack wants us to wait.", retry_after_s(headers.get("Retry-After", ""), _LONGEST_RETRY_AFTER_S))
    if status >= 500:
        if made and status != 503:  # only this one says that nothing was begun
            raise Uncertain(f"Slack answers {name} with {status}, so it may have done it or not.")
        raise ChannelUnavailable(f"Slack answers {name} with {status}; it is tried again.")
