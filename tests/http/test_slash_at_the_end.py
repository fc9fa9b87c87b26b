"""An address with a slash at its end leads to the one without, which alone a page's links fit."""

from __future__ import annotations

from typing import Any

import pytest

from tests.http.hostile import HOST, exchange
from tests.http.live_server import LiveServer

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize("what", ["issuer", "achievement", "credential", "form"])
@pytest.mark.parametrize("accept", ["*/*", BROWSER])
def test_who_reads_is_led_to_the_address_itself(
    server: LiveServer, request: pytest.FixtureRequest, what: str, accept: str
) -> None:
    address = f"{server.url}/verify" if what == "form" else request.getfixturevalue(what)["id"]

    led = server.get(f"{address}/", accept=accept)

    assert led.status_code == 301
    assert led.next_request is not None
    assert led.next_request.url == address
    assert led.headers["location"] == f"../{address.rpartition('/')[2]}"
    assert led.headers["access-control-allow-origin"] == "*"
    with server.client as client:
        assert client.get(f"{address}/", follow_redirects=True, headers={"accept": accept}).status_code == 200
        assert client.head(f"{address}/").status_code == 301


def test_what_is_asked_for_goes_along(server: LiveServer, credential: dict[str, Any]) -> None:
    with server.client as client:
        found = client.get(f"{credential['id']}/?format=html", follow_redirects=True)

    assert found.url == f"{credential['id']}?format=html"
    assert found.headers["content-type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize(
    "path",
    [
        b"//evil.example/",
        b"///evil.example/",
        b"//evil.example//",
        b"/\\evil.example/",
        b"/https://evil.example/",
        b"/%0d%0aa:b/",
        b"/../",
    ],
)
def test_it_leads_to_no_other_server(server: LiveServer, path: bytes) -> None:
    (reply,) = exchange(server, b"GET " + path + b" HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n")

    if reply.status == 301:
        assert reply.headers["location"].startswith("../")
        assert "a" not in reply.headers
    else:
        assert "location" not in reply.headers


def test_the_root_and_what_is_written_need_no_leading(server: LiveServer) -> None:
    assert server.get("/").headers["location"] == "docs"
    assert server.ask("POST", "/v3/issuers/", json={"name": "School"}).status_code == 201
