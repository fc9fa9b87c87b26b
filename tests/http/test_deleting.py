"""Issuers and achievements are removed as long as nothing hangs on them."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.http.live_server import ADMIN_KEY, LiveServer
from tests.http.test_concurrency import awards, new_achievement


def test_an_achievement_and_then_its_issuer_are_gone(server: LiveServer) -> None:
    issuer, achievement = new_achievement(server)
    server.ask("PATCH", achievement["id"], json={"name": "Day Sailing"})

    kept = server.ask("DELETE", issuer["id"])
    gone = server.ask("DELETE", achievement["id"])

    assert (kept.status_code, kept.json()["code"]) == (409, "in_use")
    assert "achievements" in kept.json()["detail"]
    assert (gone.status_code, gone.content) == (204, b"")
    for path in (achievement["id"], f"{achievement['id']}?version=1", f"{achievement['id']}/image"):
        assert server.get(path).status_code == 404
    assert server.ask("DELETE", achievement["id"]).status_code == 404
    assert server.ask("DELETE", issuer["id"]).status_code == 204
    assert server.get(issuer["id"]).status_code == 404
    assert server.ask("GET", "/v3/achievements", params={"issuer": issuer["id"]}).json()["items"] == []


def test_what_has_been_awarded_stays(server: LiveServer) -> None:
    issuer, achievement = new_achievement(server)
    issued = server.create(
        "/v3/credentials", achievement=achievement["id"], recipient={"type": "email", "identity": "a@example.org"}
    )
    server.ask("POST", f"{issued['id']}/status", json={"status": "revoked"})

    refused = server.ask("DELETE", achievement["id"])

    assert (refused.status_code, refused.json()["code"]) == (409, "in_use")
    assert "credentials" in refused.json()["detail"]
    assert server.ask("DELETE", issuer["id"]).status_code == 409
    assert server.get(f"{issued['id']}/image").status_code == 200


def test_an_endorsement_keeps_its_issuer(server: LiveServer) -> None:
    issuer = server.create("/v3/issuers", name="Endorser")
    server.create("/v3/endorsements", issuer=issuer["id"], endorsed="https://example.org/achievement")

    assert "credentials" in server.ask("DELETE", issuer["id"]).json()["detail"]


@pytest.mark.parametrize("collection", ["issuers", "achievements"])
def test_if_match_guards_a_deletion(server: LiveServer, collection: str) -> None:
    issuer, achievement = new_achievement(server)
    url = achievement["id"]
    if collection == "issuers":
        server.ask("DELETE", url)
        url = issuer["id"]
    old = server.get(url).headers["etag"]
    new = server.ask("PATCH", url, json={"description": "Otherwise."}).headers["etag"]

    assert server.ask("DELETE", url, headers={"if-match": old}).status_code == 412
    assert server.ask("DELETE", url, headers={"if-match": f"W/{new}"}).status_code == 412
    assert server.ask("DELETE", url, headers={"if-match": new}).status_code == 204


@pytest.mark.parametrize("collection", ["issuers", "achievements"])
def test_what_is_not_there_is_a_404_for_whoever_may_delete(server: LiveServer, collection: str) -> None:
    assert server.ask("DELETE", f"/v3/{collection}/{uuid4()}").status_code == 404
    assert server.ask("DELETE", f"/v3/{collection}/nonsense", headers={"if-match": '"x"'}).status_code == 404
    with server.client as client:
        assert client.delete(f"/v3/{collection}/{uuid4()}").status_code == 401


async def test_whatever_is_issued_at_the_same_moment_does_not_dangle(server: LiveServer) -> None:
    made = [new_achievement(server)[1] for _ in range(6)]
    limits = httpx.Limits(max_connections=100, max_keepalive_connections=0)
    keyed = {"authorization": f"Bearer {ADMIN_KEY}"}

    async with httpx.AsyncClient(
        base_url=server.url, headers=keyed, timeout=60, limits=limits, trust_env=False
    ) as client:

        async def one(achievement: dict[str, Any], nth: int) -> tuple[int, list[httpx.Response]]:
            before = awards(achievement, nth)
            posts = [client.post(path, json=body) for path, body in [*before, *awards(achievement, 6 - nth)]]
            deletion = client.delete(achievement["id"])
            answers = await asyncio.gather(*posts[:nth], deletion, *posts[nth:])
            return answers[nth].status_code, [*answers[:nth], *answers[nth + 1 :]]

        outcomes = await asyncio.gather(*(one(achievement, nth) for nth, achievement in enumerate(made)))

    for achievement, (deleted, answers) in zip(made, outcomes, strict=True):
        issued = [answer.json()["id"] for answer in answers if answer.status_code == 201]
        assert {answer.status_code for answer in answers} <= {201, 409, 422}
        assert all("deleted" in answer.json()["hint"] for answer in answers if answer.status_code == 409)
        assert deleted == (409 if issued else 204)
        assert server.get(achievement["id"]).status_code == (200 if issued else 404)
        listed = server.ask("GET", "/v3/credentials", params={"achievement": achievement["id"]}).json()["items"]
        assert sorted(item["id"] for item in listed) == sorted(issued)
        for url in issued:
            assert server.get(f"{url}/image").status_code == 200
