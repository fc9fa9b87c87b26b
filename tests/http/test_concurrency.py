"""Many at once: the first use of a key, the last bits of a list. Nothing is lost, nothing is given twice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from lapel.credentials import bitstring_status_list, data_integrity, eddsa_rdfc_2022
from lapel.credentials.jsonld import Contexts, to_quads
from lapel.credentials.keys import from_multikey
from lapel.credentials.rdf.rdfc import canonicalise
from tests.http.live_server import ADMIN_KEY, AnyServer
from tests.support.databases import DATABASES

pytestmark = pytest.mark.parametrize("server", [*DATABASES, "two-processes"], indirect=True)

_KEYED = {"authorization": f"Bearer {ADMIN_KEY}"}


def _client(server: AnyServer) -> httpx.AsyncClient:
    # A connection for each request: one that is kept may be closed by the server while a busy machine lets it wait.
    limits = httpx.Limits(max_connections=100, max_keepalive_connections=0)
    # It is plain http; reading the machine's trusted certificates takes as long as some requests.
    return httpx.AsyncClient(
        base_url=server.url,
        headers=_KEYED,
        timeout=60,
        limits=limits,
        trust_env=False,
        verify=False,  # noqa: S501
    )


async def all_at_once(server: AnyServer, requests: Sequence[tuple[str, object]]) -> list[httpx.Response]:
    """POST every (path, body), each on a connection of its own as far as there are any."""
    async with _client(server) as client:
        return await asyncio.gather(*(client.post(path, json=body) for path, body in requests))


def new_achievement(server: AnyServer, **members: object) -> tuple[dict[str, Any], dict[str, Any]]:
    issuer = server.create("/v3/issuers", name="Harbour University", email="badges@harbour.example")
    return issuer, server.create(
        "/v3/achievements",
        issuer=issuer["id"],
        name="Night Sailing",
        description="Sails safely by night.",
        criteria={"narrative": "Three nights at the helm."},
        **members,
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


async def test_two_hundred_first_uses_of_a_key(server: AnyServer) -> None:
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
    key, contexts = from_multikey(published["verificationMethod"][0]["publicKeyMultibase"]), Contexts.bundled()
    assert isinstance(key, Ed25519PublicKey)
    for credential in credentials:
        (proof,) = credential["proof"]
        options, rest = data_integrity.options_of(proof, credential), data_integrity.unsecured(credential)
        canonical = (canonicalise(to_quads(part, contexts=contexts)) for part in (options, rest))
        eddsa_rdfc_2022.verify(eddsa_rdfc_2022.hash_data(*canonical), proof["proofValue"], key)
    reports = await all_at_once(server, [("/v3/verify", credential) for credential in credentials[::10]])
    assert [report.json()["valid"] for report in reports] == [True] * 20


async def test_twenty_first_uses_of_a_key_that_is_made_when_it_is_needed(server: AnyServer) -> None:
    """A token's RSA key is not there before the first token."""
    issuer, achievement = new_achievement(server)

    answers = await all_at_once(server, awards(achievement, 20, format="vc-jwt"))

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 20
    published = server.get(issuer["id"].removeprefix(server.url)).json()
    assert sum("publicKeyJwk" in method for method in published["verificationMethod"]) == 1


async def test_a_hundred_revocations(server: AnyServer) -> None:
    issuer, achievement = new_achievement(server)
    credentials = [answer.json() for answer in await all_at_once(server, awards(achievement, 130))]
    revoked, kept = credentials[:110], credentials[110:]
    body = {"status": "revoked", "reason": "All of them."}

    answers = await all_at_once(
        server, [(f"{credential['id'].removeprefix(server.url)}/status", body) for credential in revoked]
    )

    assert {answer.status_code for answer in answers} == {200}
    assert _bits(server, revoked) == [1] * 110
    assert _bits(server, kept) == [0] * 20
    # Open Badges 2.0 lists them one by one: more than are ever in memory at once.
    listed = server.get(f"/v2/issuers/{issuer['id'].rpartition('/')[2]}/revocations")
    assert (listed.status_code, listed.headers.get("transfer-encoding")) == (200, "chunked")
    uuids = sorted(entry["id"].rpartition("/")[2] for entry in listed.json()["revokedAssertions"])
    assert uuids == sorted(credential["id"].rpartition("/")[2] for credential in revoked)
    assert {entry["revocationReason"] for entry in listed.json()["revokedAssertions"]} == {"All of them."}


async def test_fifty_that_swing_between_suspended_and_active(server: AnyServer) -> None:
    """Whatever order they arrive in, each ends where its last change put it, and nothing of the others is lost."""
    _, achievement = new_achievement(server, suspendable=True)
    credentials = [answer.json() for answer in await all_at_once(server, awards(achievement, 52))]
    list_url = credentials[0]["credentialStatus"]["statusListCredential"].removeprefix(server.url)
    ends = [("suspended", "active", "revoked", None)[number % 4] for number in range(52)]

    async with _client(server) as client:

        async def swing(credential: dict[str, Any], end: str | None) -> list[int]:
            steps = [] if end is None else ["suspended", "active", "suspended", end]
            path = f"{credential['id'].removeprefix(server.url)}/status"
            return [(await client.post(path, json={"status": step})).status_code for step in steps]

        swings = (swing(credential, end) for credential, end in zip(credentials, ends, strict=True))
        reads = (client.get(list_url) for _ in range(10))
        answers, lists = await asyncio.gather(asyncio.gather(*swings), asyncio.gather(*reads))

    assert {status for answer in answers for status in answer} == {200}
    assert {read.status_code for read in lists} == {200}
    assert _bits(server, credentials) == [int(end in ("suspended", "revoked")) for end in ends]
    assert _bits(server, credentials, beside="/revocations") == [int(end == "revoked") for end in ends]


def _bits(server: AnyServer, credentials: Sequence[dict[str, Any]], *, beside: str = "") -> list[int]:
    """Each one's bit, in the lists as they are now."""
    lists: dict[str, bytes] = {}
    found = []
    for entry in (credential["credentialStatus"] for credential in credentials):
        path = entry["statusListCredential"].removeprefix(server.url) + beside
        if path not in lists:
            subject = json.loads(server.get(path).content)["credentialSubject"]
            lists[path] = bitstring_status_list.decode(subject["encodedList"])
        found.append(bitstring_status_list.read(lists[path], int(entry["statusListIndex"])))
    return found
