"""A credential is corrected by another in its place, once; each says which the other is."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from tests.http.live_server import ADMIN_KEY, LiveServer
from tests.http.test_concurrency import new_achievement

ADA = {"type": "email", "identity": "ada@school.example", "name": "Ada"}


def issue(server: LiveServer, achievement: dict[str, Any], **members: object) -> dict[str, Any]:
    return server.create("/v3/credentials", achievement=achievement["id"], recipient=ADA, **members)


def item(server: LiveServer, url: str, achievement: dict[str, Any]) -> dict[str, Any]:
    items = server.ask("GET", "/v3/credentials", params={"achievement": achievement["id"]}).json()["items"]
    (found,) = [one for one in items if one["id"] == url]
    return dict(found)


def test_the_new_one_counts_and_the_old_one_says_where_it_is(server: LiveServer) -> None:
    _, achievement = new_achievement(server)
    old = issue(server, achievement, narrative="Wrong.")

    answer = server.ask(
        "POST", f"{old['id']}/replace", json={"recipient": ADA, "narrative": "Right.", "reason": "A typing error."}
    )

    assert answer.status_code == 201, answer.text
    new = answer.json()
    assert answer.headers["location"] == new["id"] != old["id"]
    assert server.get(new["id"]).json() == new
    assert new["credentialSubject"]["narrative"] == "Right."
    assert new["credentialSubject"]["achievement"]["id"] == achievement["id"]
    assert item(server, new["id"], achievement)["replaces"] == old["id"]
    shown = item(server, old["id"], achievement)
    assert (shown["status"], shown["replacedBy"]) == ("revoked", new["id"])
    assert shown["statusReason"] == f"A typing error. Replaced by {new['id']}"
    assert server.ask("POST", "/v3/verify", json=old).json()["valid"] is False
    assert server.ask("POST", "/v3/verify", json=new).json()["valid"] is True
    assert f'href="{new["id"]}"' in server.get(old["id"], accept="text/html").text
    assert f'href="{old["id"]}"' in server.get(new["id"], accept="text/html").text


@pytest.mark.parametrize(
    ("given", "shown"),
    [("Typing error", "Typing error."), ("Wrong name! ", "Wrong name!"), ("(see the minutes)", "(see the minutes).")],
)
def test_the_reason_is_a_sentence_of_its_own(
    server: LiveServer, achievement: dict[str, Any], given: str, shown: str
) -> None:
    old = server.create("/v3/credentials", achievement=achievement["id"], recipient=ADA)

    new = server.ask("POST", f"{old['id']}/replace", json={"recipient": ADA, "reason": given}).json()

    assert item(server, old["id"], achievement)["statusReason"] == f"{shown} Replaced by {new['id']}"


def test_it_may_be_of_another_achievement_of_the_same_issuer(server: LiveServer) -> None:
    issuer, achievement = new_achievement(server)
    words = {"name": "Other", "description": "-", "criteria": {"narrative": "-"}}
    sister = server.create("/v3/achievements", issuer=issuer["id"], **words)
    _, foreign = new_achievement(server)
    old = issue(server, achievement)

    refused = server.ask("POST", f"{old['id']}/replace", json={"recipient": ADA, "achievement": foreign["id"]})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/achievement")
    assert item(server, old["id"], achievement)["status"] == "active"
    answer = server.ask("POST", f"{old['id']}/replace", json={"recipient": ADA, "achievement": sister["id"]})
    assert answer.json()["credentialSubject"]["achievement"]["id"] == sister["id"]


def test_what_is_replaced_or_revoked_is_not_replaced_again(server: LiveServer) -> None:
    _, achievement = new_achievement(server)
    old, revoked = issue(server, achievement), issue(server, achievement)
    new = server.ask("POST", f"{old['id']}/replace", json={"recipient": ADA}).json()
    server.ask("POST", f"{revoked['id']}/status", json={"status": "revoked"})

    again = server.ask("POST", f"{old['id']}/replace", json={"recipient": ADA})
    assert again.status_code == 409
    assert new["id"].rpartition("/")[2] in again.json()["detail"]
    assert server.ask("POST", f"{revoked['id']}/replace", json={"recipient": ADA}).status_code == 409
    # The new one can be, and so on.
    assert server.ask("POST", f"{new['id']}/replace", json={"recipient": ADA}).status_code == 201


@pytest.mark.parametrize(
    ("body", "pointer"),
    [({}, "/recipient"), ({"recipient": ADA, "reason": " "}, "/reason"), ({"recipient": ADA, "x": 1}, "/x")],
)
def test_what_is_wrong_changes_nothing(server: LiveServer, body: dict[str, Any], pointer: str) -> None:
    _, achievement = new_achievement(server)
    old = issue(server, achievement)

    answer = server.ask("POST", f"{old['id']}/replace", json=body)

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)
    assert item(server, old["id"], achievement)["status"] == "active"


def test_an_endorsement_is_not_replaced(server: LiveServer) -> None:
    issuer = server.create("/v3/issuers", name="Endorser")
    made = server.create("/v3/endorsements", issuer=issuer["id"], endorsed="https://example.org/x")

    refused = server.ask("POST", f"{made['id']}/replace", json={"recipient": ADA})
    assert refused.status_code == 409
    assert "not for an achievement" in refused.json()["detail"]  # which is as true of what came over the VC API


async def test_of_many_at_once_one_takes_the_place(server: LiveServer) -> None:
    _, achievement = new_achievement(server)
    old = issue(server, achievement)
    headers = {"authorization": f"Bearer {ADMIN_KEY}"}

    async with httpx.AsyncClient(base_url=server.url, headers=headers, timeout=60, trust_env=False) as client:
        asked = [client.post(f"{old['id']}/replace", json={"recipient": ADA}) for _ in range(8)]
        answers = await asyncio.gather(*asked)

    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    listed = server.ask("GET", "/v3/credentials", params={"achievement": achievement["id"]}).json()["items"]
    assert sorted(one["status"] for one in listed) == ["active", "revoked"]
