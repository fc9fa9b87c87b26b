"""Which addresses count as the public Internet."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapel.fetching.addresses import is_loopback, is_public, parse_address

REFUSED = {
    "unspecified": "0.0.0.0",  # noqa: S104 - to see it refused
    "this network": "0.1.2.3",
    "private 10": "10.0.0.1",
    "private 172.16": "172.31.255.255",
    "private 192.168": "192.168.1.1",
    "loopback": "127.0.0.1",
    "loopback, elsewhere": "127.255.0.1",
    "link-local": "169.254.1.1",
    "cloud metadata": "169.254.169.254",
    "Azure's agent": "168.63.129.16",
    "carrier": "100.64.0.1",
    "carrier, last": "100.127.255.255",
    "IETF": "192.0.0.8",
    "documentation 1": "192.0.2.1",
    "documentation 2": "198.51.100.1",
    "documentation 3": "203.0.113.1",
    "benchmark": "198.19.255.255",
    "6to4 relay": "192.88.99.1",
    "multicast": "224.0.0.1",
    "reserved": "240.0.0.1",
    "broadcast": "255.255.255.255",
    "v6 unspecified": "::",
    "v6 loopback": "::1",
    "v6 link-local": "fe80::1",
    "v6 site-local": "fec0::1",
    "v6 unique local": "fd00:ec2::254",
    "v6 multicast": "ff02::1",
    "v6 documentation": "2001:db8::1",
    "v6 documentation, new": "3fff::1",
    "v6 benchmark": "2001:2::1",
    "v6 discard": "100::1",
    "v6 reserved": "4000::1",
    "v6 with a zone": "2606:4700:4700::1111%eth0",
    "IPv4-mapped loopback": "::ffff:127.0.0.1",
    "IPv4-mapped private": "::ffff:10.0.0.1",
    "IPv4-compatible loopback": "::127.0.0.1",
    "6to4 of loopback": "2002:7f00:1::1",
    "6to4 of private": "2002:a00:1::1",
    "Teredo": "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "NAT64 of loopback": "64:ff9b::127.0.0.1",
    "NAT64 of metadata": "64:ff9b::169.254.169.254",
    "NAT64, local use": "64:ff9b:1::8.8.8.8",
}
PUBLIC = ["8.8.8.8", "1.1.1.1", "100.63.255.255", "100.128.0.0", "172.32.0.1", "198.20.0.1", "223.255.255.255"]
PUBLIC_V6 = ["2606:4700:4700::1111", "2001:4860:4860::8888", "2a00:1450::1", "64:ff9b::8.8.8.8"]


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED.keys())
def test_an_address_that_is_not_on_the_public_internet_is_told(text: str) -> None:
    assert not is_public(ip_address(text))


@pytest.mark.parametrize("text", PUBLIC + PUBLIC_V6)
def test_an_ordinary_address_is_public(text: str) -> None:
    assert is_public(ip_address(text))


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_nothing_is_public_that_python_knows_to_be_otherwise(address: IPv4Address | IPv6Address) -> None:
    nat64 = str(address).startswith("64:ff9b:")
    if is_public(address) and not nat64:
        assert not any(
            (
                address.is_private,
                address.is_loopback,
                address.is_link_local,
                address.is_multicast,
                address.is_reserved,
                address.is_unspecified,
            )
        )


@pytest.mark.parametrize("text", ["127.1", "0x7f.1", "2130706433", "0177.0.0.1", "", "[::1]", "1.2.3.4 "])
def test_only_canonical_notation_is_an_address(text: str) -> None:
    assert parse_address(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("10.0.0.1", False), ("::1%eth0", False)],
)
def test_loopback_is_told(text: str, expected: bool) -> None:
    assert is_loopback(ip_address(text)) is expected
