"""The fast path answers as Litestar's route does, which is still reached by another slash, or an unusual host."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from litestar import Litestar, Request, Response, post
from litestar.exceptions import ImproperlyConfiguredException
from litestar.params import JSONBody

from lapel.http.fast_path import FAST as FAST_ROUTE
from lapel.http.fast_path import FastPath
from tests.http.live_server import LiveServer

FAST, USUAL = "/v3/credentials", "/v3/credentials/"
JSON = {"content-type": "application/json"}
WAYS: tuple[dict[str, str], ...] = ({}, {"host": "an_unusual.host"})
"""What a GET sends to be answered on the fast path, and as ever."""


def award(achievement: dict[str, Any], **changes: object) -> bytes:
    recipient = {"type": "email", "identity": "ada@example.org"}
    return json.dumps({"achievement": achievement["id"], "recipient": recipient, **changes}).encode()


@pytest.mark.parametrize("path", [FAST, USUAL])
def test_both_ways_issue(server: LiveServer, achievement: dict[str, Any], path: str) -> None:
    response = server.ask("POST", path, content=award(achievement), headers=JSON)

    assert response.status_code == 201
    assert response.headers["content-type"] == "application/vc"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["location"] == response.json()["id"]
    assert server.get(response.json()["id"].removeprefix(server.url)).content == response.content


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"", {}, 400),
        (b"", JSON, 400),
        (b" ", JSON, 400),
        (b"{", JSON, 400),
        (b'{"achievement": 1}', JSON, 422),
        (b"\xff", JSON, 400),
        (b"[" * 100_000, JSON, 400),
        (b"{}", {"content-type": "text/plain"}, 415),
        (b"{}", {"content-type": "application/json; charset=utf-8"}, 422),
        (b"{}", {"content-type": "application/ld+json"}, 422),
        (b"{}", {**JSON, "authorization": "Basic eA=="}, 401),
        (b"{}", {**JSON, "authorization": "Bearer wrong"}, 401),
        (b" " * 2_000_001, JSON, 413),
        (b"{}", {**JSON, "host": "not a host"}, 400),
    ],
)
def test_both_ways_refuse_alike(server: LiveServer, content: bytes, headers: dict[str, str], status: int) -> None:
    fast, usual = (server.ask("POST", path, content=content, headers=headers) for path in (FAST, USUAL))

    assert (fast.status_code, usual.status_code) == (status, status)
    one, other = fast.json(), usual.json()
    assert one.pop("request_id") == fast.headers["x-request-id"]
    del other["request_id"]
    assert one == other
    for name in ("content-type", "cache-control", "access-control-allow-origin", "www-authenticate"):
        assert fast.headers.get(name) == usual.headers.get(name)


@pytest.mark.parametrize(
    ("accept", "status"),
    [("*/*", 200), ("application/json", 200), ("text/html", 200), ("image/png", 303), ("x/y", 406)],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_both_ways_show_alike(
    server: LiveServer, achievement: dict[str, Any], accept: str, status: int, method: str
) -> None:
    path = server.ask("POST", FAST, content=award(achievement), headers=JSON).json()["id"].removeprefix(server.url)

    fast, usual = (server.ask(method, path, headers={"accept": accept, **way}) for way in WAYS)

    assert (fast.status_code, usual.status_code) == (status, status)
    names = {"request_id": "", "x-request-id": "", "date": ""}
    assert {**fast.headers, **names} == {**usual.headers, **names}
    if status < 400:
        assert fast.content == usual.content


@pytest.mark.parametrize("accept", ["*/*", "text/html"])
@pytest.mark.parametrize("segment", ["018f0000-0000-7000-8000-000000000000", "nothing", "urn:uuid:x", "%2e", "a%2Fb"])
def test_both_ways_miss_alike(server: LiveServer, segment: str, accept: str) -> None:
    fast, usual = (server.ask("GET", f"{FAST}/{segment}", headers={"accept": accept, **way}) for way in WAYS)

    assert fast.status_code == usual.status_code == 404
    assert fast.headers["content-type"] == usual.headers["content-type"]


@pytest.mark.parametrize("segment", ["batch", "status"])
def test_what_is_spelt_out_there_is_no_credential(server: LiveServer, segment: str) -> None:
    # Past `server.ask`, which holds answers against a description that knows only of credentials there.
    answers = [httpx.get(f"{server.url}{FAST}/{segment}", headers=way, trust_env=False) for way in WAYS]

    assert [answer.status_code for answer in answers] == [405, 405]
    assert [answer.headers["allow"] for answer in answers] == ["OPTIONS, POST"] * 2


def test_a_body_that_comes_in_pieces_is_read_whole(server: LiveServer, achievement: dict[str, Any]) -> None:
    body = award(achievement, narrative="a" * 90_000)
    pieces = (body[at : at + 7_000] for at in range(0, len(body), 7_000))

    assert server.ask("POST", FAST, content=pieces, headers=JSON).status_code == 201


def test_other_methods_of_the_address_are_answered_as_ever(server: LiveServer) -> None:
    assert server.ask("GET", FAST).status_code == 200
    assert server.ask("DELETE", FAST).headers["allow"] == "GET, HEAD, OPTIONS, POST"


def test_it_is_counted_under_its_route(server: LiveServer) -> None:
    server.ask("POST", FAST, content=b"{}", headers=JSON)

    server.ask("GET", f"{FAST}/nothing")

    counted = 'lapel_http_requests_total{method="%s",route="/v3/credentials%s",status="%s"}'
    text = server.get("/metrics").text
    assert counted % ("POST", "", 422) in text
    assert counted % ("GET", "/{credential_id}", 404) in text


async def changed(response: Response[None]) -> Response[None]:
    return response


@pytest.mark.parametrize(
    "more",
    [{"guards": [lambda *_: None]}, {"after_request": changed}, {"path": "/more/{one:str}"}],
    ids=["a guard", "a hook", "a parameter and a body"],
)
def test_a_route_that_counts_on_more_is_refused_at_the_start(more: dict[str, Any]) -> None:
    @post(**{"path": "/more", "opt": FAST_ROUTE, "sync_to_thread": False, **more})
    def more_than_plain(request: Request[Any, Any, Any], data: JSONBody[dict[str, str]]) -> None: ...

    with pytest.raises(ImproperlyConfiguredException, match="POST /more"):
        FastPath(Litestar([more_than_plain]))
