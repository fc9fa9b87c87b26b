"""One address cannot keep the verifier busy for all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from lapel.domain.access import Principal
from lapel.errors import TooManyRequests
from lapel.http.limits.rate_limit import RateLimit, RateLimits, network_of
from tests.http.live_server import LiveServer, live_server
from tests.support.work import calls_made

EMPTY_BADGE = {"@context": "https://w3id.org/openbadges/v2", "type": "Assertion"}


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_of_a_minutes_worth_is_let_through_and_no_more() -> None:
    limit = RateLimit("some", 3, seconds=Clock())
    for _ in range(3):
        limit.take("a")

    with pytest.raises(TooManyRequests) as caught:
        limit.take("a")
    assert 1 <= caught.value.retry_after_seconds <= 20


@pytest.mark.parametrize(
    ("name", "counted"),
    [
        ("requests", "requests from this address"),
        ("verifications", "verifications from this address"),
        ("failures", "wrong keys from this address"),
        ("changes", "changes with this key"),
    ],
)
def test_who_is_refused_is_told_which_limit_it_is_and_for_how_long(name: str, counted: str) -> None:
    limit: RateLimit = getattr(RateLimits(requests=1, verifications=1, failures=1, changes=1), name)
    limit.take("a")

    with pytest.raises(TooManyRequests) as caught:
        limit.take("a")
    assert caught.value.detail == f"There were too many {counted}: at most 1 a minute are allowed."
    assert caught.value.hint == f"Try again in {caught.value.retry_after_seconds} seconds."


def test_time_gives_turns_back() -> None:
    clock = Clock()
    limit = RateLimit("some", 3, seconds=clock)
    for _ in range(3):
        limit.take("a")
    with pytest.raises(TooManyRequests) as caught:
        limit.take("a")

    clock.now += caught.value.retry_after_seconds
    limit.take("a")


def test_addresses_do_not_share_turns() -> None:
    limit = RateLimit("some", 1, seconds=Clock())
    limit.take("a")
    limit.take("b")

    with pytest.raises(TooManyRequests):
        limit.take("a")


def test_zero_is_no_limit() -> None:
    limit = RateLimit("some", 0, seconds=Clock())
    for _ in range(1000):
        limit.take("a")


def test_only_so_many_addresses_are_remembered() -> None:
    limit = RateLimit("some", 1, max_callers=2, seconds=Clock())
    for name in "abc":
        limit.take(name)

    limit.take("a")  # forgotten
    with pytest.raises(TooManyRequests):
        limit.take("c")


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:1", "2001:db8::/64"),
        ("unknown", "unknown"),
        ("testclient", "testclient"),
    ],
)
def test_an_ipv6_caller_is_known_by_the_network(host: str, network: str) -> None:
    assert network_of(host) == network


def test_what_is_left_is_told_as_a_structured_field() -> None:
    """draft-ietf-httpapi-ratelimit-headers-10, 3 and 4."""
    clock = Clock()
    limit = RateLimit("some", 60, seconds=clock)
    for _ in range(50):
        limit.take("a")
    clock.now += 20

    assert limit.fields("a") == {"ratelimit-policy": '"some";q=60;w=60', "ratelimit": '"some";r=30;t=30'}
    assert limit.fields("b") == {"ratelimit-policy": '"some";q=60;w=60', "ratelimit": '"some";r=60;t=0'}
    assert RateLimit("none", 0).fields("a") == {}


def test_to_check_counts_nothing_and_refuses_as_to_take_does() -> None:
    limit = RateLimit("some", 2, seconds=Clock())
    for _ in range(2):
        for _ in range(5):
            limit.check("a")
        limit.take("a")

    with pytest.raises(TooManyRequests):
        limit.check("a")
    limit.check("b")


def test_the_memory_of_a_flood_is_bounded() -> None:
    limit = RateLimit("some", 1, max_callers=100, seconds=Clock())
    work = [calls_made(lambda: limit.take(0))]
    for number in range(10_000):
        limit.take(number + 1)
    work.append(calls_made(lambda: limit.take(-1)))

    assert len(limit._busy_until) == 100
    assert work[1] <= work[0] + 5


@contextmanager
def watched(server: LiveServer, secrets: list[str]) -> Iterator[None]:
    """Notes the keys that are looked up meanwhile."""
    services = server.application.services
    look_up = services.api_keys.authenticate

    async def noted(secret: str) -> Principal:
        secrets.append(secret)
        return await look_up(secret)

    services.api_keys.authenticate = noted  # type: ignore[method-assign]
    try:
        yield
    finally:
        services.api_keys.authenticate = look_up  # type: ignore[method-assign]


def refused(response: httpx.Response) -> bool:
    if response.status_code != 429:
        return False
    assert response.json()["code"] == "too_many_requests"
    assert int(response.headers["retry-after"]) >= 1
    assert re.fullmatch(r'"[a-z]+";r=0;t=\d+', response.headers["ratelimit"])
    assert re.fullmatch(r'"[a-z]+";q=\d+;w=60', response.headers["ratelimit-policy"])
    return True


def test_verifications_are_few_and_each_answer_says_how_many_are_left() -> None:
    with live_server({"SQLITE_FILE": ":memory:", "LAPEL_RATE_LIMIT": "2"}) as server, server.client as client:
        answered = [client.post("/v3/verify", json=EMPTY_BADGE) for _ in range(2)]
        assert refused(client.post("/v3/verify", json=EMPTY_BADGE))
        page = client.post("/v3/verify", json=EMPTY_BADGE, headers={"accept": "text/html"})
        assert client.get("/health/live").status_code == 200

    assert (page.status_code, page.headers["content-type"]) == (429, "text/html; charset=utf-8")
    assert {"retry-after", "ratelimit", "ratelimit-policy", "content-security-policy"} <= page.headers.keys()
    assert [response.status_code for response in answered] == [200, 200]
    assert [response.headers["ratelimit"].partition(";t=")[0] for response in answered] == [
        '"verifications";r=1',
        '"verifications";r=0',
    ]


def test_wrong_keys_are_few_and_good_ones_go_on() -> None:
    """Whoever shares an address with somebody who guesses is not shut out, nor let in by guessing."""
    with live_server({"SQLITE_FILE": ":memory:", "LAPEL_RATE_LIMIT_FAILURES": "3"}) as server:
        assert server.ask("GET", "/v3/issuers").status_code == 200
        statuses = [server.ask("GET", "/v3/issuers", key=f"lapel_wrong{number}").status_code for number in range(3)]
        assert statuses == [401, 401, 401]
        looked_up: list[str] = []
        with watched(server, looked_up):
            assert refused(server.ask("GET", "/v3/issuers", key="lapel_wrong4"))
            assert looked_up == []
            assert server.ask("GET", "/v3/issuers").status_code == 200
        assert server.get("/v3/issuers").status_code == 401  # no key is no guess


def test_a_key_changes_only_so_much_and_reads_on() -> None:
    with live_server({"SQLITE_FILE": ":memory:", "LAPEL_RATE_LIMIT_CHANGES": "2"}) as server:
        for name in "ab":
            server.create("/v3/issuers", name=name)
        assert refused(server.ask("POST", "/v3/issuers", json={"name": "c"}))
        assert [item["name"] for item in server.ask("GET", "/v3/issuers").json()["items"]] == ["b", "a"]


def test_an_address_asks_only_so_much() -> None:
    with live_server({"SQLITE_FILE": ":memory:", "LAPEL_RATE_LIMIT_REQUESTS": "2"}) as server:
        for _ in range(2):
            assert server.get("/docs").status_code == 200
        assert refused(server.get("/docs"))


def test_zero_turns_all_of_them_off() -> None:
    ones = dict.fromkeys(("REQUESTS", "CHANGES", "FAILURES"), "1")
    settings = {"LAPEL_RATE_LIMIT": "0", **{f"LAPEL_RATE_LIMIT_{name}": value for name, value in ones.items()}}
    with live_server({"SQLITE_FILE": ":memory:", **settings}) as server:
        for name in "abc":
            server.create("/v3/issuers", name=name)
            assert server.ask("GET", "/v3/issuers", key="wrong").status_code == 401
            verified = server.get("/docs"), server.ask("POST", "/v3/verify", json=EMPTY_BADGE)
            assert [response.status_code for response in verified] == [200, 200]
            assert "ratelimit" not in verified[1].headers


def test_behind_a_trusted_proxy_each_client_has_its_own_turns() -> None:
    settings = {"SQLITE_FILE": ":memory:", "LAPEL_RATE_LIMIT_REQUESTS": "1"}
    with live_server({**settings, "LAPEL_TRUSTED_PROXIES": "127.0.0.1"}) as server:
        assert server.get("/docs", x_forwarded_for="192.0.2.1").status_code == 200
        assert server.get("/docs", x_forwarded_for="6.6.6.6, 192.0.2.2").status_code == 200
        assert refused(server.get("/docs", x_forwarded_for="7.7.7.7, 192.0.2.2"))
    with live_server(settings) as server:
        assert server.get("/docs", x_forwarded_for="192.0.2.1").status_code == 200
        assert refused(server.get("/docs", x_forwarded_for="192.0.2.2"))


def test_every_way_to_verify_shares_the_turns() -> None:
    ways = ("/v3/verify", "/vc-api/credentials/verify", "/vc-api/presentations/verify")
    with live_server({"SQLITE_FILE": ":memory:", "LAPEL_RATE_LIMIT": "3"}) as server, server.client as client:
        statuses = [client.post(way, json={}).status_code for way in (*ways, *ways)]

    assert 429 not in statuses[:3]
    assert statuses[3:] == [429] * 3
