"""Over HTTP an issuer's keys are listed, rotated and given up; what another process signs is waited for, not long."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.http.live_server import LiveServer, live_server
from tests.support.postgres_server import PostgresServer
from tests.support.signer_process import SignerProcess
from tests.support.waiting import eventually


def keys_of(server: LiveServer, issuer: dict[str, Any]) -> list[dict[str, Any]]:
    response = server.ask("GET", f"{issuer['id'].removeprefix(server.url)}/keys")
    assert response.status_code == 200, response.text
    items: list[dict[str, Any]] = response.json()["items"]
    return items


def test_a_key_is_rotated_and_given_up(server: LiveServer, credential: dict[str, Any], issuer: dict[str, Any]) -> None:
    path = issuer["id"].removeprefix(server.url)
    [first] = keys_of(server, issuer)
    assert (first["algorithm"], first["state"]) == ("Ed25519", "active")

    response = server.ask("POST", f"{path}/keys", json={})
    assert response.status_code == 201, response.text
    second = response.json()
    assert response.headers["location"] == second["id"] != first["id"]
    assert server.get(second["id"].removeprefix(server.url)).json()["kty"] == "OKP"
    assert [key["state"] for key in keys_of(server, issuer)] == ["retired", "active"]
    assert server.ask("POST", "/v3/verify", json=credential).json()["valid"] is True

    change = f"{first['id'].removeprefix(server.url)}/status"
    response = server.ask("POST", change, json={"state": "compromised", "since": "2020-01-01T00:00:00Z"})
    assert (response.status_code, response.json()["state"]) == (200, "compromised")
    report = server.ask("POST", "/v3/verify", json=credential).json()
    assert report["valid"] is False
    assert "key_revoked" in {check.get("problem") for check in report["checks"]}


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({"state": "active"}, {"/state"}),
        ({"state": "retired", "since": "2020-01-01T00:00:00Z"}, {"/since"}),
        ({"state": "compromised", "since": "2999-01-01T00:00:00Z"}, {"/since"}),
    ],
)
def test_a_state_that_cannot_be_is_refused(
    server: LiveServer, issuer: dict[str, Any], body: dict[str, Any], pointers: set[str]
) -> None:
    key = keys_of(server, issuer)[0]["id"].removeprefix(server.url)
    response = server.ask("POST", f"{key}/status", json=body)
    assert response.status_code == 422
    assert {entry["pointer"] for entry in response.json()["errors"]} == pointers


def test_the_key_of_a_did_key_stays(server: LiveServer) -> None:
    issuer = server.ask("POST", "/v3/issuers", json={"name": "By DID", "identity": "did:key"}).headers["location"]
    response = server.ask("POST", f"{issuer.removeprefix(server.url)}/keys", json={})
    assert (response.status_code, response.json()["code"]) == (409, "key_is_issuer")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def signed_outside(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[LiveServer, SignerProcess]]:
    """A server, and the process that is to hold its keys and does not run yet."""
    folder = tmp_path_factory.mktemp("outside")
    signer = SignerProcess(folder)
    environment = {"LAPEL_SIGNER_SOCKET": str(signer.socket), "LAPEL_SIGNER_TIMEOUT_MS": "2000"}
    environment |= {"LAPEL_RATE_LIMIT": "0", "LAPEL_MASTER_KEY": "6b1f0c9d" * 8}
    dsn = None
    if request.param == "postgresql":
        postgres: PostgresServer = request.getfixturevalue("postgres")
        dsn = environment["DATABASE_URL"] = postgres.create_database()
    else:
        environment["SQLITE_FILE"] = str(folder / "lapel.sqlite")
    try:
        with live_server(environment) as server:
            yield server, signer
    finally:
        signer.end()
        if dsn is not None:
            postgres.drop_database(dsn)


def test_a_signer_that_is_slow_or_away_costs_a_503_and_nothing_else(
    signed_outside: tuple[LiveServer, SignerProcess],
) -> None:
    server, signer = signed_outside
    refused = server.ask("POST", "/v3/issuers", json={"name": "Too early"})
    assert (refused.status_code, refused.json()["code"]) == (503, "signer_unavailable")
    away = server.get("/health/ready")
    assert (away.status_code, away.json()["signer"]) == (200, {"ok": False})
    assert str(signer.socket) not in away.text
    signer.start()
    assert server.get("/health/ready").json()["signer"] == {"ok": True}
    issuer = server.create("/v3/issuers", name="Signed elsewhere")
    described = {"issuer": issuer["id"], "name": "Knots", "description": "Ties knots."}
    achievement = server.create("/v3/achievements", **described, criteria={"narrative": "Tie ten."})
    award = {"achievement": achievement["id"], "recipient": {"type": "email", "identity": "ada@school.example"}}
    for form in ({}, {"format": "vc-jwt", "jwtAlgorithm": "ES256"}):
        badge = server.ask("POST", "/v3/credentials", json=award | form)
        assert badge.status_code == 201, badge.text
        report = server.ask("POST", "/v3/verify", content=badge.content, headers={"content-type": "text/plain"})
        assert report.json()["valid"] is True, report.text
    issued = server.ask("GET", "/v3/credentials").json()["items"]
    assert sorted(file.suffix for file in signer.keys.iterdir()) == [".pem", ".pem"]

    signer.freeze()
    with ThreadPoolExecutor(8) as pool:
        slow = [pool.submit(server.ask, "POST", "/v3/credentials", json=award) for _ in range(8)]
        assert eventually(lambda: _waiting(server) > 0)
        assert server.get("/health/ready").json()["database"]["openTransactions"] == 0
        assert server.create("/v3/achievements", **described, criteria={"narrative": "Tie two."})
    signer.end()
    answers = [*(answer.result() for answer in slow), server.ask("POST", "/v3/credentials", json=award)]
    for response in answers:
        assert (response.status_code, response.json()["code"]) == (503, "signer_unavailable")
        assert int(response.headers["retry-after"]) >= 1
    assert server.ask("GET", "/v3/credentials").json()["items"] == issued

    signer.start()
    assert server.ask("POST", "/v3/credentials", json=award).status_code == 201


def _waiting(server: LiveServer) -> int:
    outside = server.application.outside_signer
    assert outside is not None
    return outside.waiting


@pytest.mark.parametrize("format_", ["eddsa-rdfc-2022", "vc-jwt"])
def test_the_page_of_a_badge_believes_a_key_as_long_as_verifiers_do(server: LiveServer, format_: str) -> None:
    issuer = server.create("/v3/issuers", name="School")
    words = {"name": "Knots", "description": "Ties.", "criteria": {"narrative": "Tie ten."}}
    achievement = server.create("/v3/achievements", issuer=issuer["id"], **words)["id"]
    recipient = {"type": "email", "identity": "ada@school.example"}

    def issued() -> tuple[str, str]:
        answer = server.ask(
            "POST",
            "/v3/credentials",
            json={"achievement": achievement, "recipient": recipient, "format": format_},
        )
        return answer.headers["location"], answer.text

    def told(badge: tuple[str, str]) -> tuple[bool, bool]:
        address, signed = badge
        media_type = "application/vc+jwt" if format_ == "vc-jwt" else "application/vc"
        page = server.get(address, accept="text/html").text
        report = server.ask("POST", "/v3/verify", content=signed, headers={"content-type": media_type}).json()
        return "<strong>Valid.</strong>" in page, report["valid"]

    badge = issued()
    key = keys_of(server, issuer)[-1]["id"]
    assert told(badge) == (True, True)

    for since, holds in ({}, True), ({"since": "2020-01-01T00:00:00Z"}, False):
        assert server.ask("POST", f"{key}/status", json={"state": "compromised", **since}).status_code == 200
        assert told(badge) == (holds, holds)
    assert told(issued()) == (True, True)
    assert "<strong>Not valid.</strong> <span>Others knew the key" in server.get(badge[0], accept="text/html").text
