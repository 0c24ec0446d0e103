"""Fetch a document from a URL without ever connecting to a private network."""

import asyncio
import re
import socket
import unicodedata
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import urljoin

from aiohttp import (
    AddrInfoType,
    ClientConnectorCertificateError,
    ClientConnectorDNSError,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    TCPConnector,
)
from aiohttp.abc import AbstractResolver
from yarl import URL

from core.errors import Refused, UnreadableDocument

UNKNOWN_TYPE = "application/octet-stream"  # the name and the content decide
MEDIA_TYPES = frozenset(
    {
        "application/csv",
        "application/json",
        "application/jsonl",
        "application/pdf",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "application/x-ndjson",
        "application/xhtml+xml",
        "text/csv",
        "text/html",
        "text/markdown",
        "text/plain",
        "text/tab-separated-values",
        "text/x-markdown",
        UNKNOWN_TYPE,
    }
)
HEADERS = {
    "Accept": ", ".join(sorted(MEDIA_TYPES)),
    "Accept-Encoding": "gzip",  # unpacked here, where its size is counted
    "User-Agent": "frontdesk",
}
REDIRECTS = frozenset({301, 302, 303, 307, 308})
MAX_URL_CHARACTERS = 4096
MAX_NAME_CHARACTERS = 200
GZIP_WINDOW = 16 + zlib.MAX_WBITS
HOST_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?")
NUMERIC_HOST = re.compile(r"(.*\.)?(\d+|0x[0-9a-f]*)\.?")  # "127.1", "2130706433", "0x7f.1": addresses to some parsers

# Not for everyone although Python calls some of them global, or calls them so in one version and not in another.
NEVER_PUBLIC: tuple[IPv4Network | IPv6Network, ...] = (
    IPv4Network("192.0.0.0/24"),  # IETF protocols; a cloud's metadata service
    IPv4Network("192.88.99.0/24"),  # 6to4 relays
    IPv6Network("2001::/23"),  # IETF protocols; Teredo
    IPv6Network("2002::/16"),  # 6to4: an IPv4 address inside
    IPv6Network("3fff::/20"),  # documentation
)
GLOBAL_IPV6 = IPv6Network("2000::/3")
NAT64 = IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """What one fetch may cost."""

    size_bytes: int = 10 * 1024 * 1024  # unpacked
    deadline_s: float = 30.0  # for everything, redirects included
    connect_timeout_s: float = 10.0
    redirects: int = 5


@dataclass(frozen=True, slots=True)
class AllowedTargets:
    """What an operator allows beyond public addresses: FETCH_ALLOW_HOSTS and FETCH_ALLOW_NETWORKS."""

    hosts: frozenset[str] = frozenset()
    networks: tuple[IPv4Network | IPv6Network, ...] = ()


@dataclass(frozen=True, slots=True)
class Fetched:
    """One document as the server gave it."""

    url: str  # after redirects
    media_type: str | None  # None where the server does not know
    data: bytes
    name: str  # the last part of the path, else the host


async def fetch(
    url: str, limits: FetchLimits, allow: AllowedTargets, *, resolver: AbstractResolver | None = None
) -> Fetched:
    """Fetch one document; ``resolver`` replaces the system's.

    Raises Refused where the address is not one to go to, and UnreadableDocument where nothing usable comes back.
    """
    try:
        async with asyncio.timeout(limits.deadline_s):
            return await _follow(parse_url(url), limits, allow, resolver)
    except TimeoutError as error:
        raise UnreadableDocument(f"it did not arrive within {limits.deadline_s:g} s; try again later") from error


def parse_url(text: str) -> URL:
    """Parse an absolute http or https URL; raises Refused for any that two parsers could read in two ways."""
    _check_characters(text)
    scheme, separator, rest = text.partition("://")
    if scheme.lower() not in {"http", "https"} or not separator:
        raise Refused("its address does not begin with http:// or https://; only such addresses are fetched")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" in authority:
        raise Refused("its address holds a user name or password; leave them out")
    try:
        url = URL(text).with_fragment(None)
        host, port = url.raw_host or "", url.port
        _ = url.host  # raises where the name is no valid international one
    except ValueError as error:
        raise Refused("its address cannot be parsed; check how it is written") from error
    if "%" in authority or ("[" in authority) != (":" in host) or not _is_plain_host(host) or not port:
        raise Refused("its address does not name a host in the usual way; check how it is written")
    return url


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Tell whether an address is reachable by everyone, whatever IPv4 address it wraps."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return is_public(address.ipv4_mapped)
        if address in NAT64:
            return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
        if address not in GLOBAL_IPV6:
            return False
    return address.is_global and not address.is_multicast and not _within(address, NEVER_PUBLIC)


def is_allowed(address: str, host: str, allow: AllowedTargets) -> bool:
    """Tell whether to connect to ``address``, which ``host`` resolved to."""
    if host.rstrip(".").lower() in {name.strip("[].").lower() for name in allow.hosts}:
        return True
    parsed = ip_address(address)
    wrapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return is_public(parsed) or _within(parsed, allow.networks) or _within(wrapped or parsed, allow.networks)


def _check_characters(text: str) -> None:
    if len(text) > MAX_URL_CHARACTERS:
        raise Refused(f"its address is longer than {MAX_URL_CHARACTERS} characters; use a shorter one")
    if "\\" in text or any(unicodedata.category(c)[0] in "CZ" for c in text):
        raise Refused("its address holds a space, a backslash or an invisible character; check how it is written")


def _is_plain_host(host: str) -> bool:
    if ":" in host or NUMERIC_HOST.fullmatch(host):
        try:
            return not getattr(ip_address(host), "scope_id", None)
        except ValueError:
            return False
    return len(host) <= 254 and HOST_NAME.fullmatch(host) is not None


def _within(address: IPv4Address | IPv6Address, networks: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    return any(address in network for network in networks)


async def _follow(url: URL, limits: FetchLimits, allow: AllowedTargets, resolver: AbstractResolver | None) -> Fetched:
    for _ in range(limits.redirects + 1):
        found = await _visit(url, limits, allow, resolver)
        if isinstance(found, Fetched):
            return found
        if url.scheme == "https" and found.scheme == "http":
            raise Refused(f"it redirects from https to {found}, which anyone on the way could change")
        url = found
    raise Refused(f"it redirects more than {limits.redirects} times; give the address it ends at")


async def _visit(
    url: URL, limits: FetchLimits, allow: AllowedTargets, resolver: AbstractResolver | None
) -> Fetched | URL:
    """Send one request; return the document, or where it has moved."""
    blocked: list[str] = []
    # A connector of its own for each request: its sockets may go where this host name may, and nowhere else.
    connector = TCPConnector(
        socket_factory=_guard(url.raw_host or "", allow, blocked), resolver=resolver, force_close=True
    )
    session = ClientSession(
        connector=connector,
        headers=HEADERS,
        cookie_jar=DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        timeout=ClientTimeout(total=None, sock_connect=limits.connect_timeout_s),
    )
    try:
        async with session, session.get(url, allow_redirects=False) as response:
            if response.status in REDIRECTS:
                return _read_location(url, response)
            return await _read(response, limits)
    except ClientError as error:
        raise _explain(error, url, blocked) from error


def _guard(host: str, allow: AllowedTargets, blocked: list[str]) -> Callable[[AddrInfoType], socket.socket]:
    """Make the sockets for one host; this sees the very address that is about to be connected to."""

    def open_socket(target: AddrInfoType) -> socket.socket:
        family, kind, protocol, _, address = target
        ip = str(address[0])
        if family not in {socket.AF_INET, socket.AF_INET6} or not is_allowed(ip, host, allow):
            blocked.append(ip)
            raise OSError(f"{ip} is not allowed")
        return socket.socket(family, kind, protocol)

    return open_socket


def _read_location(url: URL, response: ClientResponse) -> URL:
    location = response.headers.get("Location", "")
    if not location:
        raise UnreadableDocument(f"it answers with {response.status} but does not say where it moved")
    _check_characters(location)  # before urljoin, which drops some of them silently
    try:
        return parse_url(urljoin(str(url), location))
    except ValueError as error:
        raise Refused("it redirects to an address that cannot be parsed") from error


async def _read(response: ClientResponse, limits: FetchLimits) -> Fetched:
    if response.status != 200:
        raise UnreadableDocument(f"the server answers with {response.status}; check that the page is public")
    media_type = response.content_type.lower()
    if media_type not in MEDIA_TYPES:
        raise UnreadableDocument(f"it is {media_type}, which is not read; give a page, a PDF, a DOCX or a text file")
    if (response.content_length or 0) > limits.size_bytes:
        raise _too_large(limits)
    data = await _read_body(response, limits)
    if media_type.startswith("text/") and response.charset:
        data = _in_utf8(data, response.charset)
    name = "".join(c for c in response.url.name if c.isprintable())[:MAX_NAME_CHARACTERS]
    return Fetched(
        str(response.url), None if media_type == UNKNOWN_TYPE else media_type, data, name or str(response.url.host)
    )


def _in_utf8(data: bytes, charset: str) -> bytes:
    """Recode a text in the character set its server states, which the readers do not see; sound UTF-8 stays."""
    try:
        return data.decode(charset if not _is_utf8(data) else "utf-8").encode()
    except (LookupError, UnicodeError):  # stated wrongly: the readers guess
        return data


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


async def _read_body(response: ClientResponse, limits: FetchLimits) -> bytes:
    unpack = _Unpacker(response.headers.get("Content-Encoding", "").strip().lower(), limits)
    async for chunk in response.content.iter_any():
        unpack.feed(chunk)
    return unpack.finish()


class _Unpacker:
    """Collect a body, at most ``limits.size_bytes`` of it, however small it was packed."""

    def __init__(self, encoding: str, limits: FetchLimits) -> None:
        if encoding not in {"", "identity", "gzip", "x-gzip"}:
            raise UnreadableDocument(f"the server packs it as {encoding[:20]}, which was not asked for")
        self._gzip = zlib.decompressobj(GZIP_WINDOW) if encoding.endswith("gzip") else None
        self._limits = limits
        self._data = bytearray()

    def feed(self, chunk: bytes) -> None:
        room = self._limits.size_bytes - len(self._data) + 1
        try:
            self._data += self._gzip.decompress(chunk, room) if self._gzip else chunk[:room]
        except zlib.error as error:
            raise UnreadableDocument("it arrived damaged; try again later") from error
        if len(self._data) > self._limits.size_bytes:
            raise _too_large(self._limits)

    def finish(self) -> bytes:
        if self._gzip and not self._gzip.eof and self._data:
            raise UnreadableDocument("it arrived incomplete; try again later")
        return bytes(self._data)


def _too_large(limits: FetchLimits) -> UnreadableDocument:
    return UnreadableDocument(f"it is larger than {limits.size_bytes / 1e6:.0f} MB; split it, or have the limit raised")


def _explain(error: ClientError, url: URL, blocked: list[str]) -> Refused:
    if blocked:
        return Refused(
            f"{url.host} is on a private network ({blocked[0]}); "
            "where it may be read, name the host in FETCH_ALLOW_HOSTS or the network in FETCH_ALLOW_NETWORKS"
        )
    if isinstance(error, ClientConnectorDNSError):
        return UnreadableDocument(f"there is no host {url.host}; check how it is written")
    if isinstance(error, ClientConnectorCertificateError):
        return UnreadableDocument(f"the certificate of {url.host} is not trusted; check the address")
    return UnreadableDocument(f"{url.host} cannot be reached or broke off; check the address, or try again later")
