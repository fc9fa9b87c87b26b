"""The audit log over HTTP: whatever changes something leaves an entry, and only those read it who may."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from lapel.domain.access import Role
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID
from lapel.http.app import HANDLERS
from tests.http.live_server import ADMIN_KEY, LiveServer
from tests.support.badge_images import png

WRITES_NOTHING = {
    ("POST", "/v3/verify"),
    ("POST", "/vc-api/credentials/verify"),
    ("POST", "/vc-api/presentations/verify"),
}


@dataclass
class World:
    """A server with one of everything."""

    server: LiveServer
    issuer: str
    achievement: str
    owner: str

    def credential(self, email: str = "ada@example.org") -> str:
        recipient = {"type": "email", "identity": email}
        created: str = self.server.create("/v3/credentials", achievement=self.achievement, recipient=recipient)["id"]
        return created

    def key(self) -> str:
        listed = self.server.ask("GET", f"{self.path(self.issuer)}/keys").json()["items"]
        found: str = next(key["id"] for key in listed if key["state"] == "active")
        return self.path(found)

    def path(self, address: str) -> str:
        return address.removeprefix(self.server.url)

    def award(self) -> dict[str, Any]:
        return {"achievement": self.achievement, "recipient": {"type": "email", "identity": "ada@example.org"}}

    def unused(self, collection: str) -> str:
        """An issuer, or an achievement, on which nothing hangs."""
        described = {"name": "Sails", "description": "Mends them.", "criteria": {"narrative": "Mend one."}}
        body = {"name": "Former"} if collection == "issuers" else {"issuer": self.issuer, **described}
        return self.path(self.server.create(f"/v3/{collection}", **body)["id"])

    def v2(self, address: str) -> str:
        return address.replace("/v3/", "/v2/").replace("/achievements/", "/badge-classes/")

    def api_key(self) -> str:
        made = self.do("POST", "/v3/api-keys", json={"name": "script", "role": "issuer"}).json()
        return self.path(made["id"])

    def do(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self.server.ask(method, path, **options)

    def log(self, *, key: str = ADMIN_KEY, **filters: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        path: str | None = "/v3/audit-log"
        parameters: dict[str, str] | None = {"limit": "100", **filters}
        while path:
            response = self.server.ask("GET", path, key=key, params=parameters)
            assert response.status_code == 200, response.text
            items += response.json()["items"]
            path, parameters = response.json()["next"], None
        return items


@pytest.fixture(scope="module")
def world(server: LiveServer, issuer: dict[str, Any], achievement: dict[str, Any]) -> World:
    keys = server.application.services.api_keys
    owner = server.run(keys.create_for(DEFAULT_ORGANISATION_ID, name="operator", role=Role.OWNER)).secret
    return World(server, issuer["id"], achievement["id"], owner)


Deed = Callable[[World], httpx.Response]

# For each route that changes something: a request that does, and the actions that the log then tells.
DEEDS: dict[tuple[str, str], tuple[Deed, set[str]]] = {
    ("POST", "/v3/issuers"): (
        lambda world: world.do("POST", "/v3/issuers", json={"name": "Another"}),
        {"issuer.created", "signing_key.created"},
    ),
    ("PATCH", "/v3/issuers/{issuer_id}"): (
        lambda world: world.do("PATCH", world.path(world.issuer), json={"description": "We teach."}),
        {"issuer.changed"},
    ),
    ("DELETE", "/v3/issuers/{issuer_id}"): (
        lambda world: world.do("DELETE", world.unused("issuers")),
        {"issuer.deleted"},
    ),
    ("POST", "/v3/issuers/{issuer_id}/keys"): (
        lambda world: world.do("POST", f"{world.path(world.issuer)}/keys", json={"algorithm": "P-256"}),
        {"signing_key.created"},
    ),
    ("POST", "/v3/issuers/{issuer_id}/keys/{key_id}/status"): (
        lambda world: world.do("POST", f"{world.key()}/status", json={"state": "retired"}),
        {"signing_key.retired", "signing_key.created"},
    ),
    ("POST", "/v3/achievements"): (
        lambda world: world.do(
            "POST",
            "/v3/achievements",
            json={
                "issuer": world.issuer,
                "name": "Sails",
                "description": "Mends them.",
                "criteria": {"narrative": "Mend one."},
            },
        ),
        {"achievement.created"},
    ),
    ("PATCH", "/v3/achievements/{achievement_id}"): (
        lambda world: world.do("PATCH", world.path(world.achievement), json={"description": "Ties it all."}),
        {"achievement.changed"},
    ),
    ("DELETE", "/v3/achievements/{achievement_id}"): (
        lambda world: world.do("DELETE", world.unused("achievements")),
        {"achievement.deleted"},
    ),
    ("PUT", "/v3/achievements/{achievement_id}/image"): (
        lambda world: world.do(
            "PUT", f"{world.path(world.achievement)}/image", content=png(), headers={"content-type": "image/png"}
        ),
        {"image.added", "achievement.changed"},
    ),
    ("POST", "/v3/credentials"): (
        lambda world: world.do("POST", "/v3/credentials", json=world.award()),
        {"credential.issued"},
    ),
    ("POST", "/v3/credentials/batch"): (
        lambda world: world.do("POST", "/v3/credentials/batch", json=[world.award()]),
        {"credential.issued"},
    ),
    ("POST", "/v3/credentials/status"): (
        lambda world: world.do(
            "POST",
            "/v3/credentials/status",
            json={"ids": [world.credential(), world.credential()], "status": "revoked"},
        ),
        {"credential.revoked"},
    ),
    ("POST", "/v3/credentials/{credential_id}/replace"): (
        lambda world: world.do(
            "POST",
            f"{world.path(world.credential())}/replace",
            json={**world.award(), "reason": "The name was misspelt."},
        ),
        {"credential.issued", "credential.replaced"},
    ),
    ("POST", "/v2/issuers"): (
        lambda world: world.do(
            "POST",
            "/v2/issuers",
            json={"type": "Issuer", "name": "Museum", "url": "https://museum.example", "email": "a@museum.example"},
        ),
        {"issuer.created", "signing_key.created"},
    ),
    ("POST", "/v2/badge-classes"): (
        lambda world: world.do(
            "POST",
            "/v2/badge-classes",
            json={
                "type": "BadgeClass",
                "issuer": world.v2(world.issuer),
                "name": "Splices",
                "description": "Joins two ropes.",
                "criteria": {"narrative": "Splice five."},
            },
        ),
        {"achievement.created"},
    ),
    ("POST", "/v2/assertions"): (
        lambda world: world.do(
            "POST",
            "/v2/assertions",
            json={
                "type": "Assertion",
                "badge": world.v2(world.achievement),
                "recipient": {"type": "email", "hashed": False, "identity": "ada@example.org"},
                "issuedOn": "2026-01-31T12:00:00Z",
            },
        ),
        {"credential.issued"},
    ),
    ("POST", "/v3/credentials/{credential_id}/status"): (
        lambda world: world.do("POST", f"{world.path(world.credential())}/status", json={"status": "revoked"}),
        {"credential.revoked"},
    ),
    ("DELETE", "/v3/credentials/{credential_id}"): (
        lambda world: world.do("DELETE", world.path(world.credential())),
        {"credential.erased"},
    ),
    ("POST", "/v3/recipients/erase"): (
        lambda world: (
            world.credential("eve@example.org"),
            world.do("POST", "/v3/recipients/erase", json={"type": "email", "identity": "eve@example.org"}),
        )[1],
        {"credential.erased"},
    ),
    ("POST", "/v3/api-keys"): (
        lambda world: world.do("POST", "/v3/api-keys", json={"name": "script", "role": "viewer"}),
        {"api_key.created"},
    ),
    ("DELETE", "/v3/api-keys/{key_id}"): (lambda world: world.do("DELETE", world.api_key()), {"api_key.revoked"}),
    ("POST", "/vc-api/credentials/issue"): (
        lambda world: world.do(
            "POST",
            "/vc-api/credentials/issue",
            json={
                "credential": {
                    "@context": ["https://www.w3.org/ns/credentials/v2"],
                    "type": ["VerifiableCredential"],
                    "issuer": world.issuer,
                    "credentialSubject": {"id": "did:example:ada"},
                }
            },
        ),
        {"credential.issued"},
    ),
    ("POST", "/vc-api/credentials/status"): (
        lambda world: world.do(
            "POST",
            "/vc-api/credentials/status",
            json={
                "credentialId": world.credential(),
                "credentialStatus": {"type": "BitstringStatusListEntry", "statusPurpose": "revocation"},
                "status": True,
            },
        ),
        {"credential.revoked"},
    ),
    ("POST", "/v3/endorsements"): (
        lambda world: world.do(
            "POST", "/v3/endorsements", json={"issuer": world.issuer, "endorsed": world.achievement, "comment": "Good."}
        ),
        {"credential.issued"},
    ),
}

OPERATORS_DEEDS = {("POST", "/v3/organisations"), ("PATCH", "/v3/organisations/{organisation_id}")}


def changing_routes() -> set[tuple[str, str]]:
    return {
        (method, path.replace(":str", ""))
        for handler in HANDLERS
        for method in handler.http_methods
        for path in handler.paths
        if method in {"POST", "PUT", "PATCH", "DELETE"}
    }


def test_every_route_that_changes_something_is_tried_here() -> None:
    # A new one needs a line above, and its service `record` beside what it writes.
    assert changing_routes() - WRITES_NOTHING == set(DEEDS) | OPERATORS_DEEDS


def test_what_an_operator_does_stands_in_the_log_of_the_organisation_alone(world: World) -> None:
    made = world.do("POST", "/v3/organisations", key=world.owner, json={"name": "Lakeside"})
    path, key = world.path(made.json()["id"]), made.json()["ownerKey"]["key"]
    renamed = world.do("PATCH", path, key=world.owner, json={"name": "Lakeside School"})
    told = [(entry["action"], entry["requestId"]) for entry in world.log(key=key)]
    assert told == [
        ("organisation.changed", renamed.headers["x-request-id"]),
        ("api_key.created", made.headers["x-request-id"]),
        ("organisation.created", made.headers["x-request-id"]),
    ]
    assert "Lakeside" not in str(world.log())


@pytest.mark.parametrize("route", DEEDS, ids=" ".join)
def test_what_changes_something_leaves_its_entries(world: World, route: tuple[str, str]) -> None:
    deed, actions = DEEDS[route]

    response = deed(world)

    assert response.status_code in {200, 201, 204}, response.text
    asked = response.headers["x-request-id"]
    entries = [entry for entry in world.log() if entry.get("requestId") == asked]
    assert {entry["action"] for entry in entries} == actions
    for entry in entries:
        assert entry["actor"].startswith("api-key:")
        assert entry["address"] == "127.0.0.1"
        assert abs(datetime.fromisoformat(entry["at"]) - datetime.now(UTC)) < timedelta(minutes=5)
        assert entry["entity"]


def test_the_log_never_names_a_recipient(world: World) -> None:
    server = world.server
    recipient = {"type": "email", "identity": "zoe.quill@example.org", "name": "Zoe Quill", "hashed": False}
    created = server.create("/v3/credentials", achievement=world.achievement, recipient=recipient)
    path = world.path(created["id"])
    server.ask("POST", f"{path}/status", json={"status": "revoked", "reason": "Zoe Quill left."})
    server.ask("DELETE", path)
    told = world.log()
    assert {"credential.issued", "credential.revoked", "credential.erased"} <= {entry["action"] for entry in told}
    assert "zoe" not in str(told).lower()


def test_what_was_done_to_one_thing_is_told_with_who_issued_it(world: World) -> None:
    address = world.credential()
    world.do("POST", f"{world.path(address)}/status", json={"status": "revoked"})
    bare = address.rpartition("/")[2]
    for named in (address, bare, f"urn:uuid:{bare}"):
        told = world.log(entity=named)
        assert [entry["action"] for entry in told] == ["credential.revoked", "credential.issued"]
        assert told[0]["entity"] == address
    assert [entry["action"] for entry in world.log(entity=address, action="credential.issued")] == ["credential.issued"]
    assert world.log(entity=address, actor="command-line") == []


def test_a_change_tells_what_was_before_and_after(world: World) -> None:
    created = world.server.create("/v3/issuers", name="Before", description="x" * 5000)
    world.do("PATCH", world.path(created["id"]), json={"name": "After", "description": None})
    (entry,) = world.log(entity=created["id"], action="issuer.changed")
    assert entry["before"]["name"] == "Before"
    assert entry["after"] == {"name": "After", "version": 2}
    assert set(entry["before"]["description"]) == {"bytes", "sha256"}


def test_the_log_is_read_in_pages_and_between_two_moments(world: World) -> None:
    start = datetime.now(UTC)
    for number in range(3):
        world.server.create("/v3/issuers", name=f"Paged {number}")
    since = (start - timedelta(seconds=1)).isoformat()
    entries = world.log(since=since, action="issuer.created", limit="2")
    assert [entry["after"]["name"] for entry in entries[:3]] == ["Paged 2", "Paged 1", "Paged 0"]
    assert world.log(until="1999-01-01T00:00:00Z") == []
    assert world.log(since="9998-01-01T00:00:00Z") == []


@pytest.mark.parametrize(
    "query",
    [
        "action=no.such",
        "since=yesterday",
        "since=2026-01-01T00:00:00",
        "entity=x",
        "who=me",
        "until=",
        "actor=",
        "actor=%00",
    ],
)
def test_a_filter_that_means_nothing_is_refused(world: World, query: str) -> None:
    assert world.do("GET", f"/v3/audit-log?{query}").status_code == 400


def test_without_a_key_nobody_reads_it(world: World) -> None:
    assert world.server.get("/v3/audit-log").status_code == 401
