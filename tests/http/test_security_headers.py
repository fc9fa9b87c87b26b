"""What a browser may do with an answer: with a public document much, with everything else as little as possible."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.http.live_server import LiveServer, live_server

NOBODY = "018f3c1a-0000-7000-8000-000000000000"
PREFLIGHT = {"origin": "https://elsewhere.example", "access-control-request-headers": "authorization"}


def operations(server: LiveServer) -> list[tuple[str, str, bool]]:
    """Every documented method and path, and whether it needs a key."""
    paths = server.get("/openapi.json").json()["paths"]
    return [
        (method.upper(), re.sub(r"\{[^}]*\}", NOBODY, path), bool(operation.get("security")))
        for path, methods in paths.items()
        for method, operation in methods.items()
    ]


def test_every_answer_says_what_it_is_and_tells_nobody_where_one_came_from(server: LiveServer) -> None:
    with server.client as client:
        answers = [client.request(method, path) for method, path, _ in operations(server)]
    answers.append(server.get("/nothing/here"))

    for answer in answers:
        assert answer.status_code < 500 or answer.json()["database"]["ok"] is False, answer.url
        assert answer.headers["x-content-type-options"] == "nosniff", answer.url
        assert answer.headers["referrer-policy"] == "no-referrer", answer.url
        assert answer.headers["x-request-id"], answer.url
        assert "server" not in answer.headers, answer.url
        assert "strict-transport-security" not in answer.headers, answer.url


def test_a_guarded_route_answers_nobody_and_lets_no_other_origin_bring_a_key(server: LiveServer) -> None:
    guarded = [(method, path) for method, path, needs_key in operations(server) if needs_key]
    assert len(guarded) > 10
    open_to_all = {(method, path) for method, path, needs_key in operations(server) if not needs_key}
    with server.client as client:
        for method, path in guarded:
            assert client.request(method, path).status_code == 401, (method, path)
            preflight = client.options(path, headers={**PREFLIGHT, "access-control-request-method": method})
            assert "authorization" not in preflight.headers["access-control-allow-headers"].lower()
            if method != "GET" and (method, path) not in open_to_all:
                assert method not in preflight.headers["access-control-allow-methods"], (method, path)


def test_what_a_key_opens_is_for_no_other_origin(server: LiveServer, credential: dict[str, Any]) -> None:
    for path in ("/v3/issuers", "/v3/achievements", "/v3/credentials"):
        answer = server.ask("GET", path)
        assert answer.status_code == 200
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_a_public_document_is_for_every_origin(server: LiveServer, credential: dict[str, Any]) -> None:
    identifier, issuer = credential["id"].rpartition("/")[2], credential["issuer"]["id"]
    achievement = credential["credentialSubject"]["achievement"]["id"]
    public = [
        credential["id"],
        f"{credential['id']}/image",
        issuer,
        f"{issuer}/achievements",
        achievement,
        f"{achievement}/image",
        credential["credentialStatus"]["statusListCredential"],
        f"/v2/assertions/{identifier}",
        f"/v2/assertions/{identifier}/image",
        issuer.replace("/v3/", "/v2/"),
        f"{issuer.replace('/v3/', '/v2/')}/revocations",
        achievement.replace("/v3/achievements", "/v2/badge-classes"),
        "/.well-known/jwks.json",
        "/v3/verify",
    ]
    for address in public:
        answer = server.ask("POST", address, json=credential) if address == "/v3/verify" else server.get(address)
        assert answer.status_code == 200, address
        assert answer.headers["access-control-allow-origin"] == "*", address
        assert answer.headers["cross-origin-resource-policy"] == "cross-origin", address
        assert "RateLimit" in answer.headers["access-control-expose-headers"], address
        assert "access-control-allow-credentials" not in answer.headers, address


@pytest.mark.parametrize(("method", "allowed"), [("POST", "GET, HEAD, POST"), ("GET", "GET, HEAD, POST")])
def test_a_preflight_for_what_anybody_may_post(server: LiveServer, method: str, allowed: str) -> None:
    with server.client as client:
        answer = client.options("/v3/verify", headers={**PREFLIGHT, "access-control-request-method": method})

    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-methods"] == allowed
    assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("path", ["/docs", "/docs/errors", "credential"])
def test_a_page_loads_nothing_and_stands_in_no_frame(server: LiveServer, credential: dict[str, Any], path: str) -> None:
    page = server.get(credential["id"] if path == "credential" else path, accept="text/html")

    assert page.headers["content-type"].startswith("text/html")
    for rule in ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"):
        assert rule in page.headers["content-security-policy"]
    for feature in ("camera", "geolocation", "microphone"):
        assert f"{feature}=()" in page.headers["permissions-policy"]
    assert page.headers["cross-origin-opener-policy"] == "same-origin"


def test_where_the_public_address_is_https_browsers_are_told_to_keep_to_it() -> None:
    with live_server({"SQLITE_FILE": ":memory:", "LAPEL_PUBLIC_URL": "https://badges.example"}) as server:
        local = f"http://127.0.0.1:{server.application.settings.port}"
        with server.client as client:
            for path in ("/health/live", "/docs", "/nothing"):
                answer = client.get(local + path)
                assert answer.headers["strict-transport-security"] == "max-age=31536000"
