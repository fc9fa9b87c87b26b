"""Whose address counts: nobody can choose his own, whatever he writes into a header."""

from __future__ import annotations

from typing import cast

import pytest
from litestar.types import HTTPScope

from lapel.config.rules import networks_in
from lapel.http.limits.client_address import TRUSTED_PROXIES, TrustedProxies, client_address

PROXIES = TrustedProxies(networks_in("10.0.0.0/8, 2001:db8:1::/48"))
PROXY = "10.0.0.1"


def address(peer: str | None, *headers: tuple[str, str], trusted: TrustedProxies = PROXIES) -> str:
    scope = cast(
        "HTTPScope",
        {
            "client": None if peer is None else (peer, 1),
            "state": {TRUSTED_PROXIES: trusted},
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers],
        },
    )
    return client_address(scope)


@pytest.mark.parametrize(
    ("peer", "expected"),
    [("192.0.2.1", "192.0.2.1"), ("::ffff:192.0.2.1", "192.0.2.1"), ("2001:db8::1", "2001:db8::1"), (None, "unknown")],
)
def test_without_a_proxy_it_is_the_other_end_of_the_connection(peer: str | None, expected: str) -> None:
    assert address(peer) == expected


@pytest.mark.parametrize("name", ["Forwarded", "X-Forwarded-For"])
@pytest.mark.parametrize("trusted", [TrustedProxies(), PROXIES])
def test_nobody_else_is_believed(name: str, trusted: TrustedProxies) -> None:
    assert address("127.0.0.1", (name.lower(), "for=192.0.2.7"), trusted=trusted) == "127.0.0.1"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("198.51.100.9, 192.0.2.1", "192.0.2.1"),
        ("198.51.100.9, 192.0.2.1, 10.9.9.9", "192.0.2.1"),
        ("10.7.7.7, 10.9.9.9", "10.7.7.7"),
        ("192.0.2.1:4711", "192.0.2.1"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("192.0.2.1, unknown", PROXY),
        ("192.0.2.1, unknown, 10.9.9.9", "10.9.9.9"),
        ("192.0.2.1,", PROXY),
        ("", PROXY),
        (", ".join(["192.0.2.1", *["10.9.9.9"] * 40]), "10.9.9.9"),
    ],
)
def test_x_forwarded_for_names_the_right_most_who_is_no_proxy(value: str, expected: str) -> None:
    assert address(PROXY, ("x-forwarded-for", value)) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("for=192.0.2.1", "192.0.2.1"),
        ("For = 192.0.2.1 ; proto=https;by=10.0.0.1", "192.0.2.1"),
        ('proto=https;for="[2001:db8::1]:4711"', "2001:db8::1"),
        ('for="192.0.2.1:4711"', "192.0.2.1"),
        ("for=198.51.100.9, for=192.0.2.1, for=10.9.9.9", "192.0.2.1"),
        ("for=192.0.2.1, for=_hidden", PROXY),
        ("for=192.0.2.1, for=unknown", PROXY),
        ("for=192.0.2.1, proto=https", PROXY),
        ("for=192.0.2.1;for=192.0.2.2", PROXY),
        ("192.0.2.1", PROXY),
        # What a client had already written cannot swallow what the proxy adds.
        ('for="198.51.100.9, for=192.0.2.1', "192.0.2.1"),
        ('for=198.51.100.9;x=", for="[2001:db8::1]"', "2001:db8::1"),
        ('for="\\", for="[2001:db8::1]"', "2001:db8::1"),
        # Nor what the proxy repeats of the client's Host.
        ('for=192.0.2.1;host="x,for=198.51.100.9;y="', "192.0.2.1"),
        ('for=192.0.2.1;host="x;for=198.51.100.9;y"', "192.0.2.1"),
        ('for=192.0.2.1;host="x\\",for=198.51.100.9;y=\\""', PROXY),
    ],
)
def test_forwarded_names_the_right_most_who_is_no_proxy(value: str, expected: str) -> None:
    assert address(PROXY, ("forwarded", value)) == expected


def test_the_lines_of_a_header_are_one() -> None:
    lines = [("x-forwarded-for", "198.51.100.9"), ("x-forwarded-for", "192.0.2.1"), ("x-forwarded-for", "10.9.9.9")]
    assert address(PROXY, *lines) == "192.0.2.1"


@pytest.mark.parametrize(("other", "expected"), [("for=192.0.2.1", "192.0.2.1"), ("for=198.51.100.9", PROXY)])
def test_where_both_headers_are_there_they_must_agree(other: str, expected: str) -> None:
    """A proxy writes one of them and hands on what its client wrote into the other."""
    assert address(PROXY, ("forwarded", other), ("x-forwarded-for", "192.0.2.1")) == expected
