"""`/metrics`: what is counted, with few labels, and only for whoever has the key where there is one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from lapel.database.metrics import MEASUREMENTS
from lapel.domain.credential import CredentialStatus
from tests.http.live_server import AnyServer, LiveServer, live_server

KEY = "a-key-for-the-metrics-0123456789abcdef"
MONITORING = Path(__file__).resolve().parents[2] / "docs" / "monitoring.md"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    file = tmp_path_factory.mktemp("guarded") / "lapel.sqlite"
    with live_server({"SQLITE_FILE": str(file), "LAPEL_METRICS_KEY": KEY}) as server:
        yield server


def measured(server: AnyServer, **headers: str) -> dict[str, float]:
    """Every sample, by its name with its labels."""
    found = {}
    for family in text_string_to_metric_families(server.get("/metrics", **headers).text):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def test_what_was_done_is_counted(server: LiveServer) -> None:
    before = measured(server)
    issuer = server.create("/v3/issuers", name="Harbour University")
    achievement = server.create(
        "/v3/achievements", issuer=issuer["id"], name="Knots", description="-", criteria={"narrative": "-"}
    )
    recipient = {"type": "email", "identity": "ada@harbour.example"}
    credential = server.create("/v3/credentials", achievement=achievement["id"], recipient=recipient)
    server.ask("POST", "/v3/verify", json=credential)
    server.ask("POST", "/v3/verify", json={**credential, "name": "Another"})
    server.ask("POST", f"{credential['id'].removeprefix(server.url)}/status", json={"status": "revoked"})
    server.get("/v3/no/such/address")

    after = measured(server)

    def grown(name: str) -> float:
        return after[name] - before.get(name, 0)

    assert grown("lapel_credentials_issued_total{format=eddsa-rdfc-2022}") == 1
    assert grown("lapel_verifications_total{verdict=valid}") == 1
    assert grown("lapel_verifications_total{verdict=not_valid}") == 1
    assert grown("lapel_status_changes_total{status=revoked}") == 1
    assert grown("lapel_signing_seconds_count") >= 1
    assert grown("lapel_http_requests_total{method=POST,route=/v3/credentials,status=201}") == 1
    assert grown("lapel_http_requests_total{method=GET,route=unmatched,status=404}") == 1
    assert grown("lapel_http_request_duration_seconds_bucket{le=+Inf,route=/v3/credentials}") == 1
    assert grown("lapel_database_operation_seconds_count{operation=issuers.create}") == 1
    assert after["lapel_http_requests_in_progress"] == 1
    assert {f"lapel_database_{name}" for name in MEASUREMENTS if "group_" not in name} <= set(after)
    assert any(name.startswith("lapel_build_info{") for name in after)
    assert "process_resident_memory_bytes" in after


def test_whatever_is_issued_or_changes_its_standing_is_counted_once_it_is_stored(server: LiveServer) -> None:
    issuer = server.create("/v3/issuers", name="Harbour University")
    words = {"name": "Knots", "description": "-", "criteria": {"narrative": "-"}, "suspendable": True}
    achievement = server.create("/v3/achievements", issuer=issuer["id"], **words)["id"]
    award = {"achievement": achievement, "recipient": {"type": "email", "identity": "ada@harbour.example"}}
    draft = {"@context": ["https://www.w3.org/ns/credentials/v2"], "type": ["VerifiableCredential"]}
    foreign = {**draft, "issuer": issuer["id"], "credentialSubject": {"id": "did:example:ada"}}
    before = measured(server)

    batch = server.ask("POST", "/v3/credentials/batch", json=[award] * 3).json()["items"]
    ids = [item["id"] for item in batch]
    server.create("/v3/endorsements", issuer=issuer["id"], endorsed="https://example.org/x")
    assert server.ask("POST", "/vc-api/credentials/issue", json={"credential": foreign}).status_code == 201
    server.ask("POST", f"{ids[0]}/replace", json={"recipient": award["recipient"]})
    for status in ("suspended", "active", "active"):  # the last one changes nothing
        server.ask("POST", "/v3/credentials/status", json={"ids": ids[1:], "status": status})
    server.ask("POST", "/v3/credentials/status", json={"ids": [*ids, "nonsense"], "status": "revoked"})  # none is

    after = measured(server)

    def grown(name: str) -> float:
        return after[name] - before[name]

    assert grown("lapel_credentials_issued_total{format=eddsa-rdfc-2022}") == 6
    assert [grown(f"lapel_status_changes_total{{status={each}}}") for each in CredentialStatus] == [2, 2, 1]


def test_no_label_holds_what_a_client_writes(server: LiveServer) -> None:
    with server.client as client:
        client.get("/v3/issuers/not-an-id-of-anything")
        client.get("/no/such/address?x=1")
        client.request("PROPFIND", "/v3/issuers")

    text = server.get("/metrics").text

    for word in ("not-an-id-of-anything", "no/such/address", "PROPFIND"):
        assert word not in text


def test_with_a_key_nobody_else_may_ask(guarded: LiveServer) -> None:
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": f"Basic {KEY}"}, {"authorization": KEY}):
        refused = guarded.get("/metrics", **headers)
        assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized")
        assert KEY not in refused.text
    with guarded.client as client:
        odd = client.get("/metrics", headers={b"authorization": "Bearer ü".encode()})
    assert odd.status_code == 401
    assert "lapel_database_up" in measured(guarded, authorization=f"Bearer {KEY}")


@pytest.mark.parametrize(
    "path",
    ["/metrics/", "/metrics%2f", "//metrics", "/health/ready/", "/health//ready", "/health/ready%2F"],
)
def test_what_a_proxy_hides_has_one_spelling(server: LiveServer, path: str) -> None:
    with server.client as client:
        found = client.get(f"{server.url}{path}")

    assert found.status_code in (301, 404)  # 301 leads to what the proxy hides


def test_every_metric_of_ours_is_explained(server: LiveServer) -> None:
    text = MONITORING.read_text(encoding="utf-8")
    families = {family.name for family in text_string_to_metric_families(server.get("/metrics").text)}
    names = {name for name in families if name.startswith("lapel_")}
    shown = {name.removeprefix("lapel_database_") for name in names}
    assert [name for name in sorted(shown) if name not in text] == []


def named(server: LiveServer, name: bytes) -> str:
    """What the server calls a request that comes with that name."""
    with server.client as client:
        response = client.get("/v3/nothing", headers={b"x-request-id": name})
    assert response.headers["x-request-id"] == response.json()["request_id"]
    return response.headers["x-request-id"]


def test_a_request_keeps_the_name_that_a_trusted_proxy_gives_it_if_that_is_fit_for_a_log() -> None:
    with live_server({"SQLITE_FILE": ":memory:", "LAPEL_TRUSTED_PROXIES": "127.0.0.1"}) as behind_a_proxy:
        assert named(behind_a_proxy, b"4bf92f35-77b3_4da6.A") == "4bf92f35-77b3_4da6.A"
        for unfit in (b"a b", b"x" * 129, "ü".encode(), b'"', b"a\tb", b""):
            given = named(behind_a_proxy, unfit)
            assert given.isalnum()
            assert given.encode() != unfit


def test_nobody_else_gives_a_request_its_name(server: LiveServer) -> None:
    assert named(server, b"ada-lovelace") != "ada-lovelace"
    with live_server({"SQLITE_FILE": ":memory:", "LAPEL_TRUSTED_PROXIES": "192.0.2.1"}) as behind_another:
        assert named(behind_another, b"ada-lovelace") != "ada-lovelace"


def test_the_access_log_names_route_and_key_and_nothing_that_is_anybodys(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {"SQLITE_FILE": str(tmp_path / "lapel.sqlite"), "LAPEL_ACCESS_LOG": "true", "LAPEL_LOG_FORMAT": "json"}
    with live_server(settings) as server:
        server.create("/v3/issuers", name="Harbour University")
        server.get("/v3/issuers/some-secret?q=x")

    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if '"lapel.access"' in line]
    made, missing = lines[-2:]
    assert (made["method"], made["route"], made["status"]) == ("POST", "/v3/issuers", 201)
    assert made["actor"].startswith("api-key:")
    assert made["organisation"]
    assert missing["status"] == 404
    assert "actor" not in missing
    assert "some-secret" not in json.dumps(lines)
