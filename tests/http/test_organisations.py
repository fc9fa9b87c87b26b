"""Organisations and their API keys, over HTTP."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.http.live_server import LiveServer


@pytest.fixture(scope="module")
def school(server: LiveServer, owner: str) -> dict[str, Any]:
    made = server.ask("POST", "/v3/organisations", key=owner, json={"name": "Riverside School"})
    assert made.status_code == 201, made.text
    assert made.headers["location"] == made.json()["id"]
    created: dict[str, Any] = made.json()
    return created


def path(server: LiveServer, resource: dict[str, Any]) -> str:
    return str(resource["id"]).removeprefix(server.url)


def test_a_new_organisation_begins_with_its_owners_key(server: LiveServer, owner: str, school: dict[str, Any]) -> None:
    theirs = school["ownerKey"]["key"]
    current = server.ask("GET", "/v3/organisations/current", key=theirs)
    assert current.json() == {name: school[name] for name in ("id", "name", "createdAt")}
    assert server.ask("GET", path(server, school), key=theirs).json() == current.json()
    assert server.ask("GET", path(server, school), key=owner).json() == current.json()
    assert server.ask("POST", "/v3/issuers", key=theirs, json={"name": "Riverside"}).status_code == 201
    listed = server.ask("GET", "/v3/organisations", key=owner).json()["items"]
    assert listed[0]["name"] == "Riverside School"
    assert theirs not in server.ask("GET", "/v3/api-keys", key=theirs).text


def test_an_operator_renames_it(server: LiveServer, owner: str) -> None:
    made = server.ask("POST", "/v3/organisations", key=owner, json={"name": "Lakeside"}).json()
    changed = server.ask("PATCH", path(server, made), key=owner, json={"name": "Lakeside School"})
    assert changed.json()["name"] == "Lakeside School"
    assert server.ask("PATCH", path(server, made), key=owner, json={}).json() == changed.json()
    refused = server.ask("PATCH", path(server, made), key=owner, json={"name": " "})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/name")


def test_nobody_else_makes_organisations(server: LiveServer, school: dict[str, Any]) -> None:
    for key in (school["ownerKey"]["key"], None):
        answer = server.ask("POST", "/v3/organisations", json={"name": "Mine"}, **({"key": key} if key else {}))
        assert answer.status_code == 403
        assert "organisations:admin" in answer.json()["detail"]
        # Within their own organisation there is no key that could.
        assert ("owner of the default organisation" in answer.json()["hint"]) == (key is not None)


def test_a_key_is_made_listed_shown_and_revoked(server: LiveServer, school: dict[str, Any]) -> None:
    theirs = school["ownerKey"]["key"]
    body = {"name": "award script", "role": "issuer", "scopes": ["credentials:issue"]}
    body["expiresAt"] = "2036-01-01T00:00:00Z"
    made = server.ask("POST", "/v3/api-keys", key=theirs, json=body)
    assert made.status_code == 201, made.text
    new = made.json()
    assert {name: new[name] for name in body} == body
    assert made.headers["location"] == new["id"]
    assert made.headers["cache-control"] == "no-store"
    shown = server.ask("GET", path(server, new), key=theirs).json()
    assert shown == {name: value for name, value in new.items() if name != "key"}
    assert shown in server.ask("GET", "/v3/api-keys", key=theirs).json()["items"]
    assert server.ask("GET", "/v3/issuers", key=new["key"]).status_code == 403
    revoked = server.ask("DELETE", path(server, new), key=theirs)
    assert (revoked.status_code, sorted(revoked.json())) == (200, sorted([*shown, "revokedAt"]))
    assert server.ask("GET", "/v3/issuers", key=new["key"]).status_code == 401
    assert server.ask("DELETE", path(server, new), key=theirs).json() == revoked.json()


def test_nobody_gives_more_than_he_has(server: LiveServer, school: dict[str, Any]) -> None:
    theirs = school["ownerKey"]["key"]

    def made(key: str, **body: Any) -> Any:
        return server.ask("POST", "/v3/api-keys", key=key, json={"name": "new", **body})

    admin = made(theirs, role="admin").json()["key"]
    narrow = made(theirs, role="admin", scopes=["keys:admin", "read"]).json()["key"]
    issuer = made(theirs, role="issuer").json()["key"]
    assert made(admin, role="admin").status_code == 201
    assert made(admin, role="owner").status_code == 403
    assert made(issuer, role="viewer").status_code == 403
    assert made(narrow, role="viewer").status_code == 201
    refused = made(narrow, role="issuer")
    assert (refused.status_code, "credentials:issue" in refused.json()["detail"]) == (403, True)
    assert server.ask("DELETE", path(server, school["ownerKey"]), key=admin).status_code == 403


def test_two_owners_who_revoke_each_other_at_once_leave_one(server: LiveServer, owner: str) -> None:
    for _ in range(4):
        one = server.ask("POST", "/v3/organisations", key=owner, json={"name": "Hillside"}).json()["ownerKey"]
        other = server.ask("POST", "/v3/api-keys", key=one["key"], json={"name": "second", "role": "owner"}).json()
        with ThreadPoolExecutor(2) as threads:
            first = threads.submit(server.ask, "DELETE", path(server, other), key=one["key"])
            second = threads.submit(server.ask, "DELETE", path(server, one), key=other["key"])
        statuses = sorted((first.result().status_code, second.result().status_code))
        assert statuses in ([200, 401], [200, 409]), statuses


def test_the_last_owners_key_stays(server: LiveServer, owner: str) -> None:
    new = server.ask("POST", "/v3/organisations", key=owner, json={"name": "Hillside"}).json()["ownerKey"]
    refused = server.ask("DELETE", path(server, new), key=new["key"])
    assert (refused.status_code, refused.json()["code"]) == (409, "last_owner_key")
    other = server.ask("POST", "/v3/api-keys", key=new["key"], json={"name": "second", "role": "owner"}).json()
    assert server.ask("DELETE", path(server, new), key=new["key"]).status_code == 200
    assert server.ask("DELETE", path(server, other), key=other["key"]).status_code == 409
