"""Which addresses and URLs a document may be fetched from."""

import re
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Refused
from ingest.fetch import AllowedTargets, is_allowed, is_public, parse_url

NOBODY = AllowedTargets()

PUBLIC = [
    "8.8.8.8",
    "1.1.1.1",
    "93.184.215.14",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "100.63.255.255",
    "100.128.0.0",
    "223.255.255.255",
    "2606:4700::1111",
    "2a00:1450:4001::200e",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
]
PRIVATE = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.9",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::8.8.8.8",
    "100::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:2::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:808:808::",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]


def test_everyones_addresses_are_public_and_all_others_are_not():
    assert [address for address in [*PUBLIC, *PRIVATE] if is_public(ip_address(address))] == PUBLIC
    assert [address for address in [*PUBLIC, *PRIVATE] if is_allowed(address, "example.com", NOBODY)] == PUBLIC


PRIVATE_IPV4 = [IPv4Network(n) for n in ("10.0.0.0/8", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]


@given(st.ip_addresses(v=4))
def test_wrapping_an_address_never_makes_it_public(address):
    wrapped = [IPv6Address(f"{prefix}{address}") for prefix in ("::ffff:", "64:ff9b::", "::")]
    wrapped.append(IPv6Address(int(IPv6Address("2002::")) | int(address) << 80))
    assert not any(is_public(w) for w in wrapped) or is_public(address)
    if any(address in network for network in PRIVATE_IPV4) or address.is_multicast:
        assert not is_public(address)


@given(st.ip_addresses(v=6))
def test_only_global_unicast_is_public(address):
    plain = address not in IPv6Network("2000::/3") and not address.ipv4_mapped
    if plain and address not in IPv6Network("64:ff9b::/96"):
        assert not is_public(address)


@given(st.ip_addresses(), st.integers(0, 32))
def test_an_allowed_network_allows_what_is_in_it_and_nothing_else(address, length):
    if isinstance(address, IPv4Address):
        network = IPv4Network((address, length), strict=False)
    else:
        network = IPv6Network((address, 96 + length), strict=False)
    allow = AllowedTargets(networks=(network,))
    assert is_allowed(str(address), "host", allow)
    assert is_allowed("127.0.0.1", "host", allow) == (IPv4Address("127.0.0.1") in network)


def test_an_allowed_network_counts_for_mapped_addresses_too():
    allow = AllowedTargets(networks=(IPv4Network("10.1.0.0/16"),))
    assert is_allowed("::ffff:10.1.2.3", "host", allow)
    assert not is_allowed("::ffff:10.2.2.3", "host", allow)


@pytest.mark.parametrize("written", ["wiki.corp", "WIKI.corp", "wiki.corp."])
def test_an_allowed_host_is_allowed_however_it_is_written(written):
    assert is_allowed("10.0.0.1", "Wiki.Corp.", AllowedTargets(hosts=frozenset({written})))


def test_an_allowed_host_allows_no_other():
    allow = AllowedTargets(hosts=frozenset({"wiki.corp"}))
    for host in ("corp", "x.wiki.corp", "wiki.corp.evil", "10.0.0.1"):
        assert not is_allowed("10.0.0.1", host, allow)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a",
        "example.com",
        "//example.com/",
        "http:",
        "http:/example.com",
        "http:example.com",
        "http://",
        "http:///path",
        "http://?q",
        "http://#f",
        "file:///etc/passwd",
        "ftp://example.com/",
        "gopher://example.com/",
        "data:text/plain,x",
        "javascript:alert(1)",
        "http://user@example.com/",
        "http://user:secret@example.com/",
        "http://@example.com/",
        "http://example.com@127.0.0.1/",
        "http://example.com\\@127.0.0.1/",
        "http:\\\\example.com\\",
        "http://exa mple.com/",
        " http://example.com/",
        "http://example.com/\n",
        "http://example.com/a\tb",
        "http://example.com/\x00",
        "http://example.com/\u200b",
        "http://example.com/\u202e",
        "http://example.com/\u2028",
        "http://ex%61mple.com/",
        "http://127.0.0.1%2f@example.com/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.1/",
        "http://0x7f.0.0.0x/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://127.0.0.1.2/",
        "http://1.2.3.08/",
        "http://foo.1/",
        "http://256.1.1.1/",
        "http://[::1/",
        "http://[::1%eth0]/",
        "http://[fe80::1%25eth0]/",
        "http://[v1.x]/",
        "http://[]/",
        "http://a..b/",
        "http://.example.com/",
        "http://-example.com/",
        "http://example.com:99999/",
        "http://example.com:0/",
        "http://example.com:x/",
        "http://" + "a" * 64 + ".com/",
        "http://example.com/" + "a" * 5000,
    ],
)
def test_odd_addresses_are_refused(url):
    with pytest.raises(Refused, match="its address") as caught:
        parse_url(url)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://example.com", "example.com"),
        ("HTTPS://EXAMPLE.com:8443/a/b.pdf?x=1#part", "example.com"),
        ("https://example.com./", "example.com."),
        ("https://m\u00fcnchen.example/", "xn--mnchen-3ya.example"),
        ("https://my_host/wiki/Stra\u00dfe", "my_host"),
        ("http://8.8.8.8/", "8.8.8.8"),
        ("http://[2606:4700::1111]:8080/", "2606:4700::1111"),
        ("http://\uff11\uff12\uff17.0.0.1/", "127.0.0.1"),  # a disguise that parsing removes; the address is checked
    ],
)
def test_usual_addresses_are_parsed(url, host):
    assert parse_url(url).raw_host == host


@given(st.text(alphabet="htps:/@\\#?.[]%0x127a \t\u00ad\uff0e\u3002e-_", max_size=40))
def test_what_is_parsed_can_be_read_in_one_way_only(text):
    try:
        url = parse_url("http://" + text)
    except Refused:
        return
    assert re.fullmatch(r"[a-z0-9._-]+|[0-9a-f:.]+", url.raw_host)
    assert (url.scheme, url.user, url.password) == ("http", None, None)
    assert parse_url(str(url)) == url


@given(st.text(max_size=60))
def test_any_text_is_parsed_or_refused(text):
    with suppress(Refused):
        assert parse_url(text).scheme in {"http", "https"}
