"""Documents are fetched within limits, and nothing private is ever connected to."""

import asyncio
import datetime
import gzip
import json
import os
import socket
import ssl
import subprocess
import sys
import zlib
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from aiohttp.abc import AbstractResolver
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from core.errors import Refused, UnreadableDocument
from ingest.fetch import AllowedTargets, FetchLimits, fetch

ROOT = Path(__file__).parents[2]
HOSTILE = ROOT / "../shared/data/hostile"
NOBODY = AllowedTargets()
LIMITS = FetchLimits(size_bytes=100_000, deadline_s=10)
PAGE = "<html><body>Grüße</body></html>".encode()


def http(status: int = 200, body: bytes = b"", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode() + body


def page(body: bytes = PAGE, **headers: str) -> bytes:
    return http(200, body, **{"Content_Type": "text/html; charset=utf-8", "Content_Length": str(len(body)), **headers})


@dataclass
class Site:
    """A server that counts connections and answers each path with bytes, or piece by piece."""

    port: int = 0
    answers: dict = field(default_factory=lambda: {"/": page()})
    requests: list = field(default_factory=list)
    hits: int = 0

    async def serve(self, reader, writer):
        self.hits += 1
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.requests.append(head)
            answer = self.answers.get(head.split()[1], http(404))
            if isinstance(answer, bytes):
                writer.write(answer)
            else:
                await answer(writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def url(self, path: str = "/", host: str = "127.0.0.1", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}{path}"


@asynccontextmanager
async def running(host="127.0.0.1", port=0, tls=None):
    site = Site()
    server = await asyncio.start_server(site.serve, host, port, ssl=tls)
    site.port = server.sockets[0].getsockname()[1]
    try:
        yield site
    finally:
        server.close()


@pytest.fixture
async def site():
    async with running() as site:
        yield site


class Names(AbstractResolver):
    """Resolve each name to its next list of addresses; the last one stays."""

    def __init__(self, **names):
        self.names = {name.replace("_", "."): list(answers) for name, answers in names.items()}
        self.asked = []

    async def resolve(self, host, port=0, family=socket.AF_INET):
        self.asked.append(host)
        answers = self.names.get(host, self.names.get("any", [[]]))
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        if not addresses:
            raise OSError("no such name")
        return [
            {
                "hostname": host,
                "host": address,
                "port": port,
                "family": socket.AF_INET6 if ":" in address else socket.AF_INET,
                "proto": 0,
                "flags": socket.AI_NUMERICHOST,
            }
            for address in addresses
        ]

    async def close(self):
        pass


LOCAL = AllowedTargets(networks=(IPv4Network("127.0.0.1/32"),))

# Addresses this process connected to; the hook cannot be taken out again, so tests look at what was added.
connected: list = []


def _watch(event, arguments):
    if event == "socket.connect":
        connected.append(arguments[1])


sys.addaudithook(_watch)


# What is fetched.


async def test_a_page_is_fetched_with_its_name_and_type(site):
    site.answers["/guides/Travel%20policy.html?v=2"] = page()
    found = await fetch(site.url("/guides/Travel%20policy.html?v=2#meals"), LIMITS, LOCAL)
    assert (found.data, found.media_type, found.name) == (PAGE, "text/html", "Travel policy.html")
    assert found.url == site.url("/guides/Travel%20policy.html?v=2")


@pytest.mark.parametrize(
    ("body", "charset", "read"),
    [
        ("Größe".encode("latin-1"), "iso-8859-1", "Größe".encode()),
        ("Größe".encode(), "iso-8859-1", "Größe".encode()),
        ("Größe".encode("latin-1"), "no-such-charset", "Größe".encode("latin-1")),
        ("\u0434\u0430".encode("koi8-r"), "koi8-r", "\u0434\u0430".encode()),
    ],
)
async def test_a_text_comes_in_utf8_whatever_character_set_its_server_states(site, body, charset, read):
    site.answers["/"] = page(body, Content_Type=f"text/html; charset={charset}")
    assert (await fetch(site.url(), LIMITS, LOCAL)).data == read


async def test_a_page_without_a_name_is_named_by_its_host(site):
    assert (await fetch(site.url(), LIMITS, LOCAL)).name == "127.0.0.1"


async def test_a_name_holds_no_control_characters(site):
    site.answers["/a%1B%5B31m%0Ab.html"] = page()
    assert (await fetch(site.url("/a%1B%5B31m%0Ab.html"), LIMITS, LOCAL)).name == "a[31mb.html"


async def test_the_request_says_who_asks_and_carries_no_credentials(site, monkeypatch, tmp_path):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    site.answers["/"] = http(302, Location="/next", Set_Cookie="session=1; Path=/")
    site.answers["/next"] = page()
    await fetch(site.url(), LIMITS, LOCAL)
    for head in site.requests:
        names = {line.partition(":")[0].lower() for line in head.splitlines()[1:] if line}
        assert names == {"host", "accept", "accept-encoding", "user-agent", "connection"}
        assert "User-Agent: frontdesk\r\n" in head


async def test_a_proxy_named_in_the_environment_is_not_used(site, monkeypatch):
    async with running() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url())
        await fetch(site.url(), LIMITS, LOCAL)
        with pytest.raises(Refused):
            await fetch("http://10.0.0.1/", LIMITS, LOCAL)
    assert (site.hits, proxy.hits) == (1, 0)


@pytest.mark.parametrize("chunked", [True, False])
async def test_packed_pages_are_unpacked(site, chunked):
    body = gzip.compress(PAGE * 100)
    if chunked:
        packed = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        site.answers["/"] = http(
            200, packed, Transfer_Encoding="chunked", Content_Type="text/html", Content_Encoding="gzip"
        )
    else:
        site.answers["/"] = page(body, Content_Encoding="gzip")
    assert (await fetch(site.url(), LIMITS, LOCAL)).data == PAGE * 100


@pytest.mark.parametrize("content_type", ["application/octet-stream", "", "nonsense"])
async def test_a_server_that_does_not_know_the_type_leaves_it_open(site, content_type):
    site.answers["/a.pdf"] = page(b"%PDF-1.7", Content_Type=content_type)
    found = await fetch(site.url("/a.pdf"), LIMITS, LOCAL)
    assert (found.media_type, found.name) == (None, "a.pdf")


@pytest.mark.parametrize("content_type", ["image/png", "application/zip", "text/javascript", "video/mp4"])
async def test_other_types_are_refused_before_they_are_read(site, content_type):
    site.answers["/"] = http(200, Content_Type=content_type, Content_Length="99999")
    with pytest.raises(UnreadableDocument, match=content_type):
        await fetch(site.url(), LIMITS, LOCAL)


@pytest.mark.parametrize("status", [201, 204, 304, 401, 403, 404, 410, 429, 500, 503])
async def test_only_200_is_a_document(site, status):
    site.answers["/"] = http(status, Content_Type="text/html", Content_Length="0")
    with pytest.raises(UnreadableDocument, match=str(status)):
        await fetch(site.url(), LIMITS, LOCAL)


# Limits.


async def test_a_document_at_the_limit_is_taken_and_one_byte_more_is_not(site):
    site.answers["/full"] = page(b"x" * LIMITS.size_bytes)
    assert len((await fetch(site.url("/full"), LIMITS, LOCAL)).data) == LIMITS.size_bytes
    site.answers["/over"] = http(200, b"x" * (LIMITS.size_bytes + 1), Content_Type="text/html")
    with pytest.raises(UnreadableDocument, match="have the limit raised"):
        await fetch(site.url("/over"), LIMITS, LOCAL)


async def test_a_stated_length_over_the_limit_is_refused_at_once(site):
    async def boast(writer):
        writer.write(http(200, Content_Type="text/html", Content_Length=str(10**12)))
        await writer.drain()
        await asyncio.sleep(60)

    site.answers["/"] = boast
    with pytest.raises(UnreadableDocument, match="have the limit raised"):
        await fetch(site.url(), LIMITS, LOCAL)


async def test_an_endless_body_ends_at_the_limit(site):
    sent = 0

    async def flood(writer):
        nonlocal sent
        writer.write(http(200, Content_Type="text/html"))
        while True:
            writer.write(b"x" * 10_000)
            await writer.drain()
            sent += 10_000

    site.answers["/"] = flood
    with pytest.raises(UnreadableDocument, match="have the limit raised"):
        await fetch(site.url(), LIMITS, LOCAL)
    assert sent < 50_000_000


@pytest.mark.parametrize("layers", [1, 2])
async def test_a_bomb_is_not_unpacked(site, layers):
    bomb = b"\0" * 100_000_000
    for _ in range(layers):
        bomb = gzip.compress(bomb, 6)
    site.answers["/"] = page(bomb, Content_Encoding=", ".join(["gzip"] * layers))
    limits = FetchLimits(size_bytes=1_000_000)
    with pytest.raises(UnreadableDocument, match="have the limit raised" if layers == 1 else "was not asked for"):
        await fetch(site.url(), limits, LOCAL)


@pytest.mark.parametrize(
    ("encoding", "body", "words"),
    [
        ("gzip", b"this is not gzip", "damaged"),
        ("gzip", gzip.compress(PAGE, mtime=0)[:-12], "incomplete"),
        ("gzip", gzip.compress(PAGE, mtime=0)[:-4] + b"\xff\xff\xff\xff", "damaged"),
        ("deflate", zlib.compress(PAGE), "was not asked for"),
        ("br", b"\x0b\x02\x80", "was not asked for"),
        ("zstd", b"\x28\xb5\x2f\xfd", "was not asked for"),
    ],
)
async def test_a_body_packed_wrongly_is_refused(site, encoding, body, words):
    site.answers["/"] = page(body, Content_Encoding=encoding)
    with pytest.raises(UnreadableDocument, match=words):
        await fetch(site.url(), LIMITS, LOCAL)


async def drip_body(writer):
    writer.write(http(200, Content_Type="text/html"))
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


async def drip_head(writer):
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X: y\r\n")
        await writer.drain()
        await asyncio.sleep(0.02)


async def say_nothing(writer):
    await asyncio.sleep(60)


@pytest.mark.parametrize("answer", [drip_body, drip_head, say_nothing])
async def test_a_slow_server_is_left_at_the_deadline(site, answer):
    site.answers["/"] = answer
    with pytest.raises(UnreadableDocument, match=r"within 0\.5 s"):
        await asyncio.wait_for(fetch(site.url(), FetchLimits(deadline_s=0.5), LOCAL), 10)


async def test_the_deadline_covers_all_redirects_together(site):
    async def wait_and_move(writer):
        await asyncio.sleep(0.2)
        writer.write(http(302, Location="/"))

    site.answers["/"] = wait_and_move
    with pytest.raises(UnreadableDocument, match="within"):
        await fetch(site.url(), FetchLimits(deadline_s=0.5, redirects=50), LOCAL)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x00\xff garbage\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\nContent-Type: text/html\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000,
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1_000_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/html\r\n\r\nzz\r\nx",
    ],
)
async def test_broken_answers_are_one_sentence(site, answer):
    site.answers["/"] = answer
    with pytest.raises(UnreadableDocument) as caught:
        await fetch(site.url(), LIMITS, LOCAL)
    assert "\n" not in str(caught.value)


async def test_a_host_that_is_not_there_is_one_sentence():
    with pytest.raises(UnreadableDocument, match="there is no host nowhere"):
        await fetch("http://nowhere.example/", LIMITS, NOBODY, resolver=Names())
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(UnreadableDocument, match="cannot be reached"):
            await fetch(f"http://127.0.0.1:{taken.getsockname()[1]}/", LIMITS, LOCAL)
    with pytest.raises(UnreadableDocument):
        await fetch(f"http://{'a' * 60}.{'.'.join(['b' * 60] * 3)}.example/", LIMITS, NOBODY)


# Where it may go.


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "LOCALHOST"])
async def test_nothing_private_is_connected_to_unless_allowed(site, host):
    with pytest.raises(Refused, match="FETCH_ALLOW_HOSTS") as caught:
        await fetch(site.url(host=host), LIMITS, NOBODY)
    assert "FETCH_ALLOW_NETWORKS" in str(caught.value)
    assert site.hits == 0


async def test_an_allowed_host_is_fetched_from(site):
    allow = AllowedTargets(hosts=frozenset({"wiki.corp"}))
    found = await fetch(site.url(host="wiki.corp"), LIMITS, allow, resolver=Names(wiki_corp=[["127.0.0.1"]]))
    assert found.data == PAGE
    assert f"Host: wiki.corp:{site.port}" in site.requests[0]


@pytest.mark.parametrize(
    "target",
    ["http://127.0.0.1:{port}/", "http://other.corp:{port}/", "//127.0.0.1:{port}/", "http://[::ffff:7f00:1]:{port}/"],
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_an_allowed_host_lets_only_its_own_name_through(site, target, status):
    site.answers["/"] = http(status, Location=target.format(port=site.port))
    allow = AllowedTargets(hosts=frozenset({"wiki.corp"}))
    names = Names(any=[["127.0.0.1"]])
    with pytest.raises(Refused, match="private network"):
        await fetch(site.url(host="wiki.corp"), LIMITS, allow, resolver=names)
    assert site.hits == 1


async def test_a_name_that_changes_its_address_between_requests_is_caught(site):
    site.answers["/"] = http(302, Location="/again")
    names = Names(rebind_example=[["127.0.0.1"], ["127.0.0.2"]])
    async with running("127.0.0.2", site.port) as inner:
        with pytest.raises(Refused, match=r"127\.0\.0\.2"):
            await fetch(site.url(host="rebind.example"), LIMITS, LOCAL, resolver=names)
    assert (site.hits, inner.hits) == (1, 0)
    assert names.asked == ["rebind.example"] * 2


async def test_among_several_addresses_only_the_allowed_ones_are_used(site):
    names = Names(mixed_example=[["127.0.0.2", "10.0.0.1", "127.0.0.1", "::1"]])
    before = len(connected)
    async with running("127.0.0.2", site.port) as inner:
        await fetch(site.url(host="mixed.example"), LIMITS, LOCAL, resolver=names)
    assert (site.hits, inner.hits) == (1, 0)
    assert [address[0] for address in connected[before:]] == ["127.0.0.1"]


async def test_redirects_are_followed_to_the_end(site):
    site.answers |= {f"/{i}": http(302, Location=f"{i + 1}") for i in range(5)}
    site.answers["/5"] = page()
    assert (await fetch(site.url("/0"), LIMITS, LOCAL)).url == site.url("/5")


async def test_too_many_redirects_are_refused(site):
    site.answers["/"] = http(302, Location="/")
    with pytest.raises(Refused, match="more than 5 times"):
        await fetch(site.url(), LIMITS, LOCAL)
    assert site.hits == 6


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "gopher://127.0.0.1/",
        "javascript:alert(1)",
        "data:text/html,x",
        "http://user:secret@127.0.0.1/",
        "http://2130706433/",
        "http://127.1/",
        "http://0x7f000001/",
        "http:\\\\127.0.0.1\\",
        "http://[/",
        "http://example.com:99999/",
        "http://exam ple.com/",
        "http://\xc3\xa9xample .com/",
        "/" + "a" * 5000,
    ],
)
async def test_odd_redirects_are_refused(site, location):
    site.answers["/"] = http(302, Location=location)
    with pytest.raises(Refused, match="it"):
        await fetch(site.url(), LIMITS, LOCAL)
    assert site.hits == 1


@pytest.mark.parametrize("headers", [{}, {"Location": ""}])
async def test_a_redirect_to_nowhere_is_refused(site, headers):
    site.answers["/"] = http(302, **headers)
    with pytest.raises(UnreadableDocument, match="where it moved"):
        await fetch(site.url(), LIMITS, LOCAL)


def hostile_urls():
    files = [HOSTILE / name for name in ("ssrf.jsonl", "url_parse.jsonl")]
    return [json.loads(line)["url"] for file in files for line in file.read_text("utf-8").splitlines()]


@pytest.mark.skipif(not HOSTILE.is_dir(), reason="the hostile data set is not here")
@pytest.mark.parametrize("private", ["127.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1", "64:ff9b::7f00:1"])
async def test_no_hostile_url_leads_to_a_connection(private):
    names = Names(any=[[private]])  # the attacker's own DNS: every name is private
    before = len(connected)
    for url in hostile_urls():
        with pytest.raises(Refused):
            await fetch(url, LIMITS, NOBODY, resolver=names)
    assert connected[before:] == []
    assert len(names.asked) > 40


async def test_the_watch_on_connections_sees_them(site):
    before = len(connected)
    await fetch(site.url(), LIMITS, LOCAL)
    assert connected[before:] == [("127.0.0.1", site.port)]


# TLS.


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for localhost that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def tls(certificate):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


async def test_an_untrusted_certificate_is_refused(tls):
    async with running(tls=tls) as site:
        with pytest.raises(UnreadableDocument, match="certificate of localhost is not trusted"):
            await fetch(site.url(host="localhost", scheme="https"), LIMITS, LOCAL)
    assert site.requests == []


async def test_https_never_leads_to_http(site, tls, certificate):
    # In a child, because the trusted certificates are read once, when the process starts.
    code = """
import asyncio, sys
from ipaddress import ip_network
from core.errors import Refused
from ingest.fetch import AllowedTargets, FetchLimits, fetch
try:
    print(len(asyncio.run(fetch(sys.argv[1], FetchLimits(), AllowedTargets(networks=(ip_network("127.0.0.1"),)))).data))
except Refused as error:
    print(error)
"""

    async def run(url):
        environment = {**os.environ, "SSL_CERT_FILE": str(certificate)}
        command = [sys.executable, "-c", code, url]
        done = await asyncio.to_thread(
            subprocess.run, command, capture_output=True, text=True, env=environment, cwd=ROOT, timeout=60, check=True
        )
        return done.stdout

    async with running(tls=tls) as secure:
        secure.answers["/down"] = http(302, Location=site.url())
        secure.answers["/up"] = http(302, Location=secure.url(host="localhost", scheme="https"))
        assert await run(secure.url("/up", host="localhost", scheme="https")) == f"{len(PAGE)}\n"
        assert "redirects from https to http" in await run(secure.url("/down", host="localhost", scheme="https"))
    assert site.hits == 0
