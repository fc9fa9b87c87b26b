"""Access tokens of an identity provider, from its address to what they may do."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from lapel.cli.running import OPERATOR
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID
from tests.http.live_server import ADMIN_KEY, LiveServer, live_server
from tests.support.postgres_server import PostgresServer

KEY = ECKey.generate_key("P-256", {"kid": "one"})


@contextmanager
def provider() -> Iterator[str]:
    """Its issuer name, which is where it describes itself."""

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer = f"http://{self.headers['host']}"
            pages = {
                "/.well-known/openid-configuration": {"issuer": issuer, "jwks_uri": f"{issuer}/keys"},
                "/keys": {"keys": [KEY.as_dict(private=False)]},
            }
            body = json.dumps(pages[self.path]).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as site:
        thread = threading.Thread(target=site.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{site.server_address[1]}"
        finally:
            site.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with provider() as issuer:
        yield issuer


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """The settings of an empty database."""
    if request.param == "sqlite":
        yield {"SQLITE_FILE": ":memory:"}
        return
    postgres: PostgresServer = request.getfixturevalue("postgres")
    dsn = postgres.create_database()
    try:
        yield {"DATABASE_URL": dsn, "LAPEL_MASTER_KEY": "6b1f0c9d" * 8}
    finally:
        postgres.drop_database(dsn)


@pytest.fixture(scope="module")
def server(issuer: str, database: dict[str, str]) -> Iterator[LiveServer]:
    with live_server(
        {
            **database,
            "LAPEL_FETCH_ALLOW_LOOPBACK": "true",
            "LAPEL_OIDC_ISSUER": issuer,
            "LAPEL_OIDC_AUDIENCE": "lapel",
            "LAPEL_OIDC_ROLES": "badge-admins=admin, teachers=issuer, heads=owner",
            "LAPEL_OIDC_ROLE_CLAIM": "/realm_access/roles",
            "LAPEL_OIDC_ORGANISATION_CLAIM": "organisation",
        }
    ) as server:
        yield server


def token(issuer: str, *roles: str, **claims: Any) -> str:
    content = {"iss": issuer, "aud": ["account", "lapel"], "sub": "ada", "exp": int(time.time()) + 600}
    content |= {"realm_access": {"roles": [*roles, "offline_access"]}, "organisation": str(DEFAULT_ORGANISATION_ID)}
    return jwt.encode({"alg": "ES256", "kid": "one", "typ": "at+jwt"}, {**content, **claims}, KEY)


def test_a_token_opens_what_its_role_may(server: LiveServer, issuer: str) -> None:
    made = server.ask("POST", "/v3/issuers", key=token(issuer, "badge-admins"), json={"name": "Riverside School"})
    assert made.status_code == 201, made.text
    assert server.ask("GET", "/v3/issuers").json()["items"][0]["name"] == "Riverside School"
    refused = server.ask("POST", "/v3/issuers", key=token(issuer, "teachers"), json={"name": "Mine"})
    assert refused.status_code == 403
    assert "issuers:write" in refused.json()["detail"]
    assert "a token whose role has it" in refused.json()["hint"]


def test_a_token_that_is_not_believed_is_told_so(server: LiveServer, issuer: str) -> None:
    for wrong in (token(issuer, "teachers", aud="account"), token(issuer, "teachers", exp=1), token("https://x", "a")):
        refused = server.ask("GET", "/v3/issuers", key=wrong)
        assert refused.status_code == 401
        assert refused.json()["code"] == "invalid_token"
        assert refused.headers["www-authenticate"] == 'Bearer realm="lapel", error="invalid_token"'
    nobody = server.ask("GET", "/v3/issuers", key=token(issuer))
    assert (nobody.status_code, nobody.json()["code"]) == (403, "forbidden")


def test_api_keys_open_as_before(server: LiveServer, issuer: str) -> None:
    assert server.ask("GET", "/v3/issuers", key=ADMIN_KEY).status_code == 200
    with server.client as client:
        assert client.get("/v3/issuers", headers={"x-api-key": ADMIN_KEY}).status_code == 200
        assert client.get("/v3/issuers", headers={"x-api-key": "lapel_x"}).status_code == 401


def test_a_token_comes_as_a_bearer_only(server: LiveServer, issuer: str) -> None:
    with server.client as client:
        refused = client.get("/v3/issuers", headers={"x-api-key": token(issuer, "heads")})
    assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized")


def test_who_has_lost_a_right_is_not_answered_again(server: LiveServer, issuer: str) -> None:
    def asked(role: str) -> tuple[int, str | None]:
        once = {"Idempotency-Key": "once-an-owner"}
        answer = server.ask("POST", "/v3/issuers", key=token(issuer, role), json={"name": "School"}, headers=once)
        return answer.status_code, answer.headers.get("idempotency-replayed")

    assert asked("heads") == (201, None)
    assert asked("teachers") == (403, None)
    assert asked("badge-admins") == (201, "true")


def test_a_token_is_for_one_organisation(server: LiveServer, issuer: str) -> None:
    other, first = server.run(server.application.services.organisations.create(OPERATOR, "Lakeside School"))
    theirs = token(issuer, "heads", organisation=str(other.id))
    assert server.ask("GET", "/v3/organisations/current", key=theirs).json()["name"] == "Lakeside School"
    assert server.ask("GET", "/v3/issuers", key=theirs).json()["items"] == []
    listed = server.ask("GET", "/v3/api-keys", key=theirs).json()["items"]
    assert [key["id"].rpartition("/")[2] for key in listed] == [str(first.key.id)]
    assert server.ask("POST", "/v3/organisations", key=theirs, json={"name": "Mine"}).status_code == 403
    ours = server.ask("POST", "/v3/organisations", key=token(issuer, "heads"), json={"name": "Hillside School"})
    assert ours.status_code == 201, ours.text
