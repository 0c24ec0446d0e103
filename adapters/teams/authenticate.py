"""Who sends us activities: the Bot Framework's tokens, checked before anything in a request is believed.

botframework-connector reads and verifies the token: form, issuer, algorithm, signature, times. What it leaves out or
gets wrong is done here: its keys are fetched by a blocking call without a time limit and never again for a new key, it
takes tokens without an expiry and keys without endorsements, and it raises what comes along. Its paths for emulators
and skills, which accept other issuers, are not used.
learn.microsoft.com/azure/bot-service/rest-api/bot-framework-rest-connector-authentication
"""

import asyncio
import ipaddress
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

import aiohttp
import jwt
from aiohttp import web
from botframework.connector.auth import VerifyOptions
from botframework.connector.auth.jwt_token_extractor import JwtTokenExtractor
from jwt.algorithms import RSAAlgorithm

from adapters.teams.payload import CHANNEL
from core.errors import ChannelUnavailable, Refused, UsageError
from core.payloads import Json, objects_at, text_at

METADATA_URL = "https://login.botframework.com/v1/.well-known/openidconfiguration"

_SKEW_S = 5 * 60
_KEYS_S = 24 * 3_600.0  # how long keys are good, as Microsoft advises
_AGAIN_S = 10.0  # between two tries to renew keys that are there
_LOOK_S = 2.0  # between two looks for one that is not: anybody can name one, and Teams comes again within seconds
_FETCH_S = 5.0
_LONGEST_TOKEN = 8_000
_VERIFIED_S, _MOST_VERIFIED = 300.0, 1_000
_MOST_HEADS = 100
_NO_TOKEN = "The request carries no token of the Bot Framework."  # noqa: S105 - no token
_NOT_FOR_US = "The token is not the Bot Framework's for this bot."
# What the library and PyJWT raise for tokens that are not right; it also says so by a plain AttributeError.
_LIBRARY_RAISES = (jwt.PyJWTError, PermissionError, AttributeError, LookupError, TypeError, ValueError, RecursionError)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says; empty where authentication is turned off."""

    audience: str = ""
    service_url: str = ""


class Authenticates(Protocol):
    """The seam: whatever knows who sends."""

    async def authenticate(self, headers: Sequence[str], activity: Json) -> Claims:
        """Check the Authorization HEADERS of a request that brought ACTIVITY.

        Raises Refused where they are not right, and ChannelUnavailable where that cannot be told now.
        """


@dataclass(frozen=True, slots=True)
class Key:
    """A public key, with the names the library reads."""

    public_key: Any
    endorsements: tuple[str, ...]


class KeyRing:
    """The Bot Framework's keys: fetched when they are first needed, each day, and for a key that is not known.

    Only a key that is not among those fetched a moment ago is refused. Where they cannot be fetched, what it signed may
    be genuine, and Teams brings again what is answered with 503, but never what is answered with 401.
    """

    def __init__(
        self, session: aiohttp.ClientSession, url: str = METADATA_URL, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._session = session
        self._url = url
        self._clock = clock
        self._lock = asyncio.Lock()
        self._keys: dict[str, Key] = {}
        self._issuer = ""
        self._fetched_at = self._failed_at = self._missed_at = float("-inf")

    @property
    def issuer(self) -> str:
        """Name who issues the tokens, once a key was looked up."""
        return self._issuer

    async def get(self, key_id: str | None) -> Key:
        """Return a key; raises Refused for one that is not published, ChannelUnavailable where that is not known."""
        if key_id not in self._keys or self._is_old:
            async with self._lock:  # whoever comes while keys are fetched waits for them
                await self._renew(key_id)
        if key_id in self._keys:
            return self._keys[key_id]
        if self._failed_at < self._fetched_at:  # which was a moment ago
            raise Refused(_NOT_FOR_US)
        raise ChannelUnavailable("The Bot Framework's keys cannot be fetched right now; check the network.")

    @property
    def _is_old(self) -> bool:
        return self._clock() - self._fetched_at >= _KEYS_S

    async def _renew(self, key_id: str | None) -> None:
        """Fetch the keys where that is due; those there are stay where it fails."""
        is_known = key_id in self._keys
        pause_s = _AGAIN_S if is_known else _LOOK_S
        if (is_known and not self._is_old) or self._clock() - max(self._failed_at, self._missed_at) < pause_s:
            return
        try:
            await self._fetch()
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, KeyError, jwt.PyJWTError) as error:
            self._failed_at = self._clock()
            _log.warning("The Bot Framework's keys were not fetched: %s", type(error).__name__)
            return
        self._fetched_at = self._clock()
        if key_id not in self._keys:  # one that is found makes no pause: it was published since
            self._missed_at = self._fetched_at

    async def _fetch(self) -> None:
        about = await self._load(self._url)
        issuer = text_at(about, "issuer")
        keys = {text_at(key, "kid"): key for key in objects_at(await self._load(text_at(about, "jwks_uri")), "keys")}
        usable = {kid: _key(key) for kid, key in keys.items() if kid and text_at(key, "kty") == "RSA"}
        if not usable or not issuer:
            raise ValueError("there are no keys")
        self._keys, self._issuer = usable, issuer

    async def _load(self, url: str) -> Any:
        timeout = aiohttp.ClientTimeout(total=_FETCH_S)
        async with self._session.get(url, timeout=timeout, raise_for_status=True) as response:
            return json.loads(await response.read())


def _key(given: Mapping[str, Any]) -> Key:
    endorsed = given.get("endorsements")
    names = tuple(str(name) for name in endorsed) if isinstance(endorsed, list) else ()
    return Key(RSAAlgorithm.from_jwk(json.dumps(given)), names)


class _Extractor(JwtTokenExtractor):  # type: ignore[misc]  # the library has no types
    """The library's check, which would decode a token once more to look at its issuer before it is verified."""

    def _has_allowed_issuer(self, jwt_token: str) -> bool:  # noqa: ARG002 - the library's
        return True  # of the verified claims, Authenticator checks it


class Authenticator:
    """Check tokens for one bot."""

    def __init__(self, app_id: str, keys: KeyRing) -> None:
        """Check tokens for APP_ID; raises UsageError where it is empty, with which nobody would be refused."""
        if not app_id.strip():
            raise UsageError("TEAMS_APP_ID is not set; without it anybody could speak as Microsoft Teams.")
        self._app_id = app_id
        self._keys = keys
        self._verified: dict[str, tuple[float, Mapping[str, Any]]] = {}
        self._heads: dict[str, str] = {}  # of tokens as they are sent: the key each names
        options = VerifyOptions(issuer=[], audience=None, clock_tolerance=_SKEW_S, ignore_expiration=False)
        # The address only names an entry of the library's own cache, which is not asked.
        self._extractor = _Extractor(options, METADATA_URL, ["RS256"])
        self._extractor.open_id_metadata = keys

    async def authenticate(self, headers: Sequence[str], activity: Json) -> Claims:
        """Check the one header and that its token is for this activity; raises Refused, ChannelUnavailable."""
        token = _token_of(headers)
        channel = text_at(activity, "channelId")
        known = self._verified.get(token)
        if known is not None and channel == CHANNEL and time.time() < known[0]:
            return self._check_claims(known[1], activity)
        claims = await self._verify(token, channel)
        checked = self._check_claims(claims, activity)
        self._remember(token, claims)
        return checked

    def _remember(self, token: str, claims: Mapping[str, Any]) -> None:
        """Keep what a token says for a while: the Bot Framework sends the same one for many activities."""
        if len(self._verified) >= _MOST_VERIFIED:
            self._verified.clear()
        self._verified[token] = (min(time.time() + _VERIFIED_S, float(claims["exp"])), claims)

    async def _verify(self, token: str, channel: str) -> Mapping[str, Any]:
        try:
            await self._check_key(token, channel)
            identity = await self._extractor.get_identity("Bearer", token, channel)
        except _LIBRARY_RAISES as error:
            raise Refused(_NOT_FOR_US) from error
        claims: Mapping[str, Any] = identity.claims if identity is not None else {}
        return claims

    async def _check_key(self, token: str, channel: str) -> None:
        """Refuse by its head what the library would refuse in other ways, or not at all."""
        begin = token.partition(".")[0]
        kid = self._heads.get(begin) or _key_id(token)
        if channel != CHANNEL or channel not in (await self._keys.get(kid)).endorsements:
            raise Refused(_NOT_FOR_US)
        if len(self._heads) >= _MOST_HEADS:
            self._heads.clear()
        self._heads[begin] = kid  # all tokens of one key begin alike

    def _check_claims(self, claims: Mapping[str, Any], activity: Json) -> Claims:
        service_url = text_at(activity, "serviceUrl")
        right = (
            claims.get("aud") == self._app_id
            and claims.get("iss") == self._keys.issuer
            and isinstance(claims.get("exp"), int | float)
            and bool(service_url)
            and claims.get("serviceurl") == service_url
        )
        if not right:
            raise Refused(_NOT_FOR_US)
        return Claims(self._app_id, service_url)


def _key_id(token: str) -> str:
    """Read which key a token names; raises Refused for another algorithm than the Bot Framework's, or no key."""
    head = jwt.get_unverified_header(token)
    kid = head.get("kid")
    if head.get("alg") != "RS256" or not isinstance(kid, str) or not kid:
        raise Refused(_NOT_FOR_US)
    return kid


def _token_of(headers: Sequence[str]) -> str:
    scheme, _, token = headers[0].partition(" ") if len(headers) == 1 else ("", "", "")
    if scheme != "Bearer" or not token or not token.isascii() or " " in token or len(token) > _LONGEST_TOKEN:
        raise Refused(_NO_TOKEN)
    return token


class Unauthenticated:
    """Believe everybody, for clients on this machine; adapters/teams/listen.py lets nobody else in."""

    def __init__(self) -> None:
        _log.warning("TEAMS_AUTHENTICATION=off: whoever reaches this port speaks as Microsoft Teams")

    async def authenticate(self, headers: Sequence[str], activity: Json) -> Claims:  # noqa: ARG002 - the seam's
        """Check nothing."""
        return Claims()


_FOREIGN = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via", "Origin")


def is_loopback(host: str) -> bool:
    """Tell whether HOST is this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_local(request: web.Request) -> bool:
    """Tell whether a program of this machine sent a request to this machine: no proxy, and no page of a browser.

    A page of any site can have its reader's browser send here: then Origin names it, or Host what it calls us.
    """
    peer = request.transport.get_extra_info("peername") if request.transport else None
    own = request.transport.get_extra_info("sockname") if request.transport else None
    foreign = any(name in request.headers for name in _FOREIGN) or not is_loopback(_host_of(request))
    return bool(peer and own and is_loopback(str(peer[0])) and is_loopback(str(own[0])) and not foreign)


def _host_of(request: web.Request) -> str:
    try:
        return urlsplit(f"//{request.headers.get('Host', '')}").hostname or ""
    except ValueError:
        return ""
