"""Which URLs are refused, without and with their addresses."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapel.domain.fetching import FetchRefused
from lapel.fetching.targets import Policy, parse_target

REFUSED = [
    "http://example.org/",
    "ftp://example.org/",
    "file:///etc/passwd",
    "data:application/json,{}",
    "gopher://example.org/",
    "//example.org/x",
    "/x",
    "",
    "https:",
    "https:example.org/x",
    "https:///x",
    "https://user@example.org/",
    "https://user:pass@example.org/",
    "https://example.org\\@evil.example/",
    "https://example.org:8443/",
    "https://example.org:80/",
    "https://example.org:0/",
    "https://example.org:65536/",
    "https://example.org:99999999999/",
    "https://localhost/",
    "https://LOCALHOST./",
    "https://a.localhost/",
    "https://printer/",
    "https://printer.local/",
    "https://metadata.google.internal/",
    "https://router.home.arpa/",
    "https://127.1/",
    "https://0x7f.0.0.1/",
    "https://2130706433/",
    "https://0177.0.0.1/",
    "https://1.2.3.4.5/",
    "https://example.0x/",
    "https://exa mple.org/",
    "https://exa%6dple.org/",
    "https://example.org%00.evil.example/",
    "https://*.example.org/",
    "https://example..org/",
    f"https://{'a' * 64}.example.org/",
    f"https://example.org/{'a' * 4096}",
    "https://①②⑦.0.0.1/",
    "https://example.org/\n",
    "https://example.org/\ud800",
    "https://[::1",
    "https://[fe80::1%25eth0]/",
    "https://[v1.x]/",
]


@pytest.mark.parametrize("url", REFUSED)
def test_a_url_that_is_not_plain_https_to_a_public_name_is_refused(url: str) -> None:
    with pytest.raises(FetchRefused):
        Policy().check_url(parse_target(url), came_from=None)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://example.org", "https://example.org/"),
        ("HTTPS://Example.ORG:443/a?b=c#d", "https://example.org/a?b=c"),
        ("https://example.org./", "https://example.org/"),
        ("https://bücher.example/ü", "https://xn--bcher-kva.example/%C3%BC"),
        ("https://8.8.8.8/", "https://8.8.8.8/"),
        ("https://[2606:4700:4700:0::1111]/", "https://[2606:4700:4700::1111]/"),
        ("https://a_b.example.org/", "https://a_b.example.org/"),
    ],
)
def test_a_plain_https_url_is_accepted_and_spelled_in_one_way(url: str, expected: str) -> None:
    target = parse_target(url)
    Policy().check_url(target, came_from=None)
    assert target.url == expected


def test_further_ports_are_a_setting() -> None:
    Policy(ports={443, 8443}).check_url(parse_target("https://example.org:8443/"), came_from=None)


@given(st.one_of(st.text(max_size=60), st.text(max_size=40).map("https://".__add__)))
def test_no_text_raises_anything_else(url: str) -> None:
    try:
        target = parse_target(url)
    except FetchRefused:
        return
    assert parse_target(target.url) == target


@pytest.mark.parametrize(
    "addresses",
    [["10.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["8.8.8.8", "::1"], ["127.0.0.1"], [], ["8.8.8.8"] * 33],
)
def test_a_name_is_refused_if_any_of_its_addresses_is(addresses: list[str]) -> None:
    target = parse_target("https://example.org/")
    with pytest.raises(FetchRefused) as caught:
        Policy().check_addresses(target, [ip_address(text) for text in addresses], came_from=None)
    assert "10.0.0.1" not in str(caught.value)


def test_a_name_with_public_addresses_is_accepted() -> None:
    addresses = [ip_address("8.8.8.8"), ip_address("2606:4700:4700::1111")]
    Policy().check_addresses(parse_target("https://example.org/"), addresses, came_from=None)


@pytest.mark.parametrize("url", ["http://localhost:8000/", "http://127.0.0.1/", "https://[::1]:9000/"])
def test_the_development_switch_opens_this_machine_over_any_port(url: str) -> None:
    policy, target = Policy(allow_loopback_http=True), parse_target(url)
    policy.check_url(target, came_from=None)
    policy.check_addresses(target, [ip_address("127.0.0.1"), ip_address("::1")], came_from=None)


@pytest.mark.parametrize(
    ("url", "addresses"),
    [
        ("http://example.org/", ["8.8.8.8"]),
        ("https://example.org:8443/", ["8.8.8.8"]),
        ("http://example.org/", ["10.0.0.1"]),
        ("http://localhost/", ["127.0.0.1", "10.0.0.1"]),
        ("https://example.org/", ["127.0.0.1", "8.8.8.8"]),
        ("http://169.254.169.254/", ["169.254.169.254"]),
    ],
)
def test_the_development_switch_opens_nothing_else(url: str, addresses: list[str]) -> None:
    policy, target = Policy(allow_loopback_http=True), parse_target(url)
    policy.check_url(target, came_from=None)
    with pytest.raises(FetchRefused):
        policy.check_addresses(target, [ip_address(text) for text in addresses], came_from=None)


def test_under_the_development_switch_the_internet_may_not_redirect_to_this_machine() -> None:
    policy = Policy(allow_loopback_http=True)
    with pytest.raises(FetchRefused):
        policy.check_url(parse_target("https://127.0.0.1/"), came_from=parse_target("https://example.org/"))


def test_a_redirect_from_https_to_http_is_refused_on_this_machine_too() -> None:
    policy = Policy(allow_loopback_http=True)
    with pytest.raises(FetchRefused):
        policy.check_url(parse_target("http://127.0.0.1/"), came_from=parse_target("https://127.0.0.1/"))
