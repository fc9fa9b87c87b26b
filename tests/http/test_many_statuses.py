"""The standing of many credentials at once: all or nothing, or each for itself."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from tests.http.live_server import LiveServer
from tests.http.test_concurrency import awards, new_achievement

PATH = "/v3/credentials/status"


@pytest.fixture(scope="module")
def suspendable(server: LiveServer) -> dict[str, Any]:
    return new_achievement(server, suspendable=True)[1]


def issued(server: LiveServer, achievement: dict[str, Any], count: int) -> list[str]:
    return [server.create(path, **body)["id"] for path, body in awards(achievement, count)]  # type: ignore[arg-type]  # an object


def statuses(server: LiveServer, achievement: dict[str, Any], urls: list[str]) -> list[str]:
    items = server.ask("GET", "/v3/credentials", params={"achievement": achievement["id"], "limit": 100}).json()[
        "items"
    ]
    found = {item["id"]: item["status"] for item in items}
    return [found[url] for url in urls]


def test_all_are_changed_and_shown_in_order(server: LiveServer, suspendable: dict[str, Any]) -> None:
    urls = issued(server, suspendable, 70)
    mixed = [urls[0], urls[1].rpartition("/")[2], f"urn:uuid:{urls[2].rpartition('/')[2]}", *urls[3:]]

    for status in ("suspended", "active", "revoked", "revoked"):
        answer = server.ask("POST", PATH, json={"ids": mixed, "status": status, "reason": "All of them."})
        assert answer.status_code == 200, answer.text
        assert answer.json()["failed"] == 0
        assert [(item["id"], item["status"]) for item in answer.json()["items"]] == [(url, status) for url in urls]
        assert {item["statusReason"] for item in answer.json()["items"]} == {"All of them."}
    credential = server.get(urls[69]).json()
    assert server.ask("POST", "/v3/verify", json=credential).json()["valid"] is False


def test_all_or_nothing_names_every_one_that_stands_in_the_way(server: LiveServer) -> None:
    _, achievement = new_achievement(server)
    urls = issued(server, achievement, 3)
    server.ask("POST", f"{urls[1]}/status", json={"status": "revoked"})

    final = server.ask("POST", PATH, json={"ids": urls, "status": "active"})
    assert (final.status_code, final.json()["code"]) == (409, "conflict")
    assert [error["pointer"] for error in final.json()["errors"]] == ["/ids/1"]
    ids = [urls[0], str(uuid4()), "nonsense", urls[0], urls[2]]
    wrong = server.ask("POST", PATH, json={"ids": ids, "status": "revoked"})
    assert wrong.status_code == 422
    assert [error["pointer"] for error in wrong.json()["errors"]] == ["/ids/1", "/ids/2", "/ids/3"]
    cannot = server.ask("POST", PATH, json={"ids": [urls[0]], "status": "suspended"})
    assert (cannot.status_code, cannot.json()["errors"][0]["code"]) == (409, "not_suspendable")
    assert statuses(server, achievement, urls) == ["active", "revoked", "active"]


def test_each_for_itself_answers_item_by_item(server: LiveServer, suspendable: dict[str, Any]) -> None:
    urls = issued(server, suspendable, 3)
    server.ask("POST", f"{urls[1]}/status", json={"status": "revoked"})
    ids = [urls[0], urls[1], str(uuid4()), "nonsense", urls[0], urls[2]]

    answer = server.ask("POST", f"{PATH}?atomic=false", json={"ids": ids, "status": "suspended"})

    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["failed"] == 4
    found = [item["status"] if "status" in item else item["problem"]["status"] for item in body["items"]]
    assert found == ["suspended", 409, 404, 422, 422, "suspended"]
    assert [error["pointer"] for error in body["items"][3]["problem"]["errors"]] == ["/ids/3"]
    assert statuses(server, suspendable, urls) == ["suspended", "revoked", "suspended"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"ids": [], "status": "revoked"}, 422),
        ({"ids": ["x"], "status": "gone"}, 422),
        ({"ids": ["x"], "status": "revoked", "reason": ""}, 422),
        ({"ids": ["x"] * 1_001, "status": "revoked"}, 413),
        ({"status": "revoked"}, 422),
    ],
)
@pytest.mark.parametrize("query", ["", "?atomic=false"])
def test_what_cannot_be_asked_for_is_refused(server: LiveServer, body: dict[str, Any], status: int, query: str) -> None:
    assert server.ask("POST", PATH + query, json=body).status_code == status


def test_a_thousand_are_changed_in_one_go(server: LiveServer) -> None:
    ids = [str(uuid4()) for _ in range(1_000)]

    answer = server.ask("POST", f"{PATH}?atomic=false", json={"ids": ids, "status": "revoked"})

    assert (answer.status_code, answer.json()["failed"]) == (200, 1_000)


def test_what_names_no_list_of_ours_is_refused_as_one_by_one_and_again(
    server: LiveServer, suspendable: dict[str, Any]
) -> None:
    (url,) = issued(server, suspendable, 1)
    issuer = new_achievement(server)[0]["id"]
    subject = {"id": "did:example:ada"}
    entry = {"id": "did:example:status", "type": "https://status.example/Kind"}
    draft = {"@context": ["https://www.w3.org/ns/credentials/v2"], "type": ["VerifiableCredential"], "issuer": issuer}
    credential = {**draft, "credentialSubject": subject, "credentialStatus": entry}
    made = server.ask("POST", "/vc-api/credentials/issue", json={"credential": credential})
    assert made.status_code == 201, made.text
    body = {"ids": [made.headers["location"], url], "status": "revoked"}

    refused = server.ask("POST", PATH, json=body)
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (409, "status_elsewhere")
    assert statuses(server, suspendable, [url]) == ["active"]
    key = {"idempotency-key": str(uuid4())}
    first, again = (server.ask("POST", f"{PATH}?atomic=false", json=body, headers=key) for _ in range(2))
    assert first.json()["items"][0]["problem"]["code"] == "status_elsewhere"
    assert (first.status_code, first.content) == (again.status_code, again.content)


def test_what_could_not_be_changed_is_told_alike_again(server: LiveServer, suspendable: dict[str, Any]) -> None:
    urls = issued(server, suspendable, 4)
    _, other = new_achievement(server)
    (final,) = issued(server, other, 1)
    server.ask("POST", f"{urls[0]}/status", json={"status": "revoked"})
    server.ask("DELETE", urls[1])
    body = {"ids": [*urls, final, urls[2], "nonsense", str(uuid4())], "status": "suspended"}
    key = {"idempotency-key": str(uuid4())}

    first, again = (server.ask("POST", f"{PATH}?atomic=false", json=body, headers=key) for _ in range(2))

    assert first.json()["failed"] == 6
    assert (first.status_code, first.content) == (again.status_code, again.content)


@pytest.mark.parametrize("path", [PATH, "/v3/credentials/batch"])
def test_what_was_erased_since_is_not_told_again(server: LiveServer, suspendable: dict[str, Any], path: str) -> None:
    urls = issued(server, suspendable, 2)
    asked: Any = {"ids": urls, "status": "revoked"}
    if path != PATH:
        asked = [body for _, body in awards(suspendable, 2)]
    key = {"idempotency-key": str(uuid4())}
    items = server.ask("POST", path, json=asked, headers=key).json()["items"]
    server.ask("DELETE", items[0]["id"])

    again = server.ask("POST", path, json=asked, headers=key).json()

    assert again["failed"] == 1
    assert again["items"][0]["problem"]["code"] == "credential_erased"
    assert again["items"][1]["id"] == items[1]["id"]
