"""Many at once: the first use of a key, the last bits of a list. Nothing is lost, nothing is given twice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import httpx

from lapel.credentials import bitstring_status_list
from tests.http.live_server import ADMIN_KEY, LiveServer

_KEYED = {"authorization": f"Bearer {ADMIN_KEY}"}


async def all_at_once(server: LiveServer, requests: Sequence[tuple[str, object]]) -> list[httpx.Response]:
    """POST every (path, body), each on a connection of its own as far as there are any."""
    limits = httpx.Limits(max_connections=100)
    async with httpx.AsyncClient(
        base_url=server.url, headers=_KEYED, timeout=60, limits=limits, trust_env=False
    ) as client:
        return await asyncio.gather(*(client.post(path, json=body) for path, body in requests))


def new_achievement(server: LiveServer) -> tuple[dict[str, Any], dict[str, Any]]:
    issuer = server.create("/v3/issuers", name="Harbour University")
    return issuer, server.create(
        "/v3/achievements",
        issuer=issuer["id"],
        name="Night Sailing",
        description="Sails safely by night.",
        criteria={"narrative": "Three nights at the helm."},
    )


def awards(achievement: dict[str, Any], count: int, **members: object) -> list[tuple[str, object]]:
    return [
        (
            "/v3/credentials",
            {
                "achievement": achievement["id"],
                "recipient": {"type": "email", "identity": f"sailor{number}@example.org"},
                **members,
            },
        )
        for number in range(count)
    ]


async def test_two_hundred_first_uses_of_a_key(server: LiveServer) -> None:
    issuer, achievement = new_achievement(server)

    answers = await all_at_once(server, awards(achievement, 200))

    assert {answer.status_code for answer in answers} == {201}
    credentials = [answer.json() for answer in answers]
    assert len({credential["id"] for credential in credentials}) == 200
    entries = [credential["credentialStatus"] for credential in credentials]
    assert len({(entry["statusListCredential"], entry["statusListIndex"]) for entry in entries}) == 200
    assert len({credential["proof"][0]["verificationMethod"] for credential in credentials}) == 1
    published = server.get(issuer["id"].removeprefix(server.url)).json()
    assert len(published["verificationMethod"]) == 1
    reports = await all_at_once(server, [("/v3/verify", credential) for credential in credentials])
    assert [report.json()["valid"] for report in reports] == [True] * 200


async def test_twenty_first_uses_of_a_key_that_is_made_when_it_is_needed(server: LiveServer) -> None:
    """A token's RSA key is not there before the first token."""
    issuer, achievement = new_achievement(server)

    answers = await all_at_once(server, awards(achievement, 20, format="vc-jwt"))

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 20
    published = server.get(issuer["id"].removeprefix(server.url)).json()
    assert sum("publicKeyJwk" in method for method in published["verificationMethod"]) == 1


async def test_a_hundred_revocations(server: LiveServer) -> None:
    _, achievement = new_achievement(server)
    credentials = [answer.json() for answer in await all_at_once(server, awards(achievement, 120))]
    revoked, kept = credentials[:100], credentials[100:]
    body = {"status": "revoked", "reason": "All of them."}

    answers = await all_at_once(
        server, [(f"{credential['id'].removeprefix(server.url)}/status", body) for credential in revoked]
    )

    assert {answer.status_code for answer in answers} == {200}
    assert [_bit(server, credential) for credential in revoked] == [True] * 100
    assert [_bit(server, credential) for credential in kept] == [False] * 20


def _bit(server: LiveServer, credential: dict[str, Any]) -> bool:
    entry = credential["credentialStatus"]
    answer = server.get(entry["statusListCredential"].removeprefix(server.url))
    subject = json.loads(answer.content)["credentialSubject"]
    bits = bitstring_status_list.decode(subject["encodedList"])
    return bool(bitstring_status_list.read(bits, int(entry["statusListIndex"])))
