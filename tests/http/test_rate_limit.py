"""One address cannot keep the verifier busy for all."""

from __future__ import annotations

from pathlib import Path

import pytest

from lapel.errors import TooManyRequests
from lapel.http.rate_limit import RateLimit, network_of
from tests.http.live_server import live_server


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_of_a_minutes_worth_is_let_through_and_no_more() -> None:
    limit = RateLimit(3, seconds=Clock())
    for _ in range(3):
        limit.take("a")

    with pytest.raises(TooManyRequests) as caught:
        limit.take("a")
    assert 1 <= caught.value.retry_after_seconds <= 20


def test_time_gives_turns_back() -> None:
    clock = Clock()
    limit = RateLimit(3, seconds=clock)
    for _ in range(3):
        limit.take("a")
    with pytest.raises(TooManyRequests) as caught:
        limit.take("a")

    clock.now += caught.value.retry_after_seconds
    limit.take("a")


def test_addresses_do_not_share_turns() -> None:
    limit = RateLimit(1, seconds=Clock())
    limit.take("a")
    limit.take("b")

    with pytest.raises(TooManyRequests):
        limit.take("a")


def test_zero_is_no_limit() -> None:
    limit = RateLimit(0, seconds=Clock())
    for _ in range(1000):
        limit.take("a")


def test_only_so_many_addresses_are_remembered() -> None:
    limit = RateLimit(1, most_networks=2, seconds=Clock())
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
        (None, "unknown"),
        ("testclient", "testclient"),
    ],
)
def test_an_ipv6_caller_is_known_by_the_network(host: str | None, network: str) -> None:
    assert network_of(host) == network


def test_the_server_says_when_to_come_again(tmp_path: Path) -> None:
    with live_server({"SQLITE_FILE": ":memory:", "LAPEL_RATE_LIMIT": "2"}) as server, server.client as client:
        statuses = [client.post("/v3/verify", json={}).status_code for _ in range(2)]
        refused = client.post("/v3/verify", json={})

    assert 429 not in statuses
    assert refused.status_code == 429
    assert refused.json()["code"] == "too_many_requests"
    assert int(refused.headers["retry-after"]) >= 1


def test_every_way_to_verify_shares_the_turns() -> None:
    ways = ("/v3/verify", "/vc-api/credentials/verify", "/vc-api/presentations/verify")
    with live_server({"SQLITE_FILE": ":memory:", "LAPEL_RATE_LIMIT": "3"}) as server, server.client as client:
        statuses = [client.post(way, json={}).status_code for way in (*ways, *ways)]

    assert 429 not in statuses[:3]
    assert statuses[3:] == [429] * 3
