"""Implementations that none of us wrote believe what Lapel issues, and nothing that was changed or revoked."""

from __future__ import annotations

from typing import Any

import pytest

from tests.http.live_server import LiveServer
from tests.http.test_tampering import changed, leaves
from tests.interop.documents import DOCUMENTS, forged
from tests.interop.peer import Peer, PeerRefused

POINTS = "urn:uuid:0b7f6f5c-0f0f-4f0f-8f0f-0f0f0f0f0f0f"
RECIPIENT = {"type": "email", "identity": "ada@example.org", "name": "Ada", "hashed": True}
ALGORITHMS = {"https": ["RS256", "ES256", "EdDSA"], "did:key": ["EdDSA"]}
UNUSUAL = 'By\ta clear\nnight: "\\ é e\u0301 \u2028\u0085 \U0001f393 \ufeff'
SITES = ("server", "issuer")
# Both kinds of issuer, and both databases; what is signed does not depend on the two together.
pytestmark = pytest.mark.parametrize(SITES, [("sqlite", "https"), ("postgresql", "did:key")], indirect=True)


@pytest.fixture(scope="module")
def issuer(request: pytest.FixtureRequest, server: LiveServer) -> dict[str, Any]:
    place = {"addressCountry": "DE", "geo": {"latitude": 53.55, "longitude": -0.1}}
    return server.create("/v3/issuers", name="Harbour University", identity=request.param, address=place)


@pytest.fixture(scope="module")
def achievement(server: LiveServer, issuer: dict[str, Any]) -> str:
    """One that can be suspended, with an endorsement of another issuer's in it."""
    created = server.create(
        "/v3/achievements",
        issuer=issuer["id"],
        name="Night «Sailing»",
        description=UNUSUAL,
        criteria={"id": "https://harbour.example/night", "narrative": "Three nights."},
        creditsAvailable=0.1,
        suspendable=True,
        tag=["sailing", "night"],
        alignment=[{"targetName": name, "targetUrl": f"https://frameworks.example/{name}"} for name in ("sea", "sky")],
        resultDescription=[{"id": POINTS, "name": "Points", "resultType": "RawScore", "allowedValue": ["2", "1"]}],
    )
    endorser = server.create("/v3/issuers", name="Sailors")
    endorsement = server.create("/v3/endorsements", endorsed=created["id"], comment="Good.", issuer=endorser["id"])
    answer = server.ask("PATCH", created["id"].removeprefix(server.url), json={"endorsement": [endorsement]})
    assert answer.status_code == 200, answer.text
    address: str = created["id"]
    return address


@pytest.fixture
def credential(server: LiveServer, achievement: str) -> dict[str, Any]:
    return server.create(
        "/v3/credentials",
        achievement=achievement,
        recipient=RECIPIENT,
        validUntil="2126-01-01T00:00:00+01:00",
        narrative=UNUSUAL,
        creditsEarned=12.75,
        evidence=[{"id": "https://harbour.example/log", "narrative": "Fog at four."}, {"name": "A photograph"}],
        results=[{"resultDescription": POINTS, "value": value} for value in ("1", "2")],
        termsOfUse=[{"id": "https://harbour.example/terms", "type": "https://harbour.example/Terms"}],
        refreshService={"id": "https://harbour.example/newest", "type": "1EdTechCredentialRefresh"},
    )


def test_a_badge_and_what_is_in_it(server: LiveServer, peer: Peer, credential: dict[str, Any]) -> None:
    assert peer("verify", credential=credential) == {"verified": True, "statuses": [False]}
    (endorsement,) = credential["credentialSubject"]["achievement"]["endorsement"]
    assert peer("verify", credential=endorsement) == {"verified": True, "statuses": [False]}


def test_no_value_can_be_changed(peer: Peer, credential: dict[str, Any]) -> None:
    paths = list(leaves(credential))
    assert len(paths) > 70
    assert [path for path in paths if peer.verifies(changed(credential, path))] == []


def test_a_suspension_and_a_revocation_are_seen(server: LiveServer, peer: Peer, credential: dict[str, Any]) -> None:
    entry = credential["credentialStatus"]
    for status, is_set in (("suspended", True), ("active", False), ("revoked", True)):
        path = f"{credential['id'].removeprefix(server.url)}/status"
        assert server.ask("POST", path, json={"status": status, "reason": "By mistake."}).status_code == 200
        assert peer("verify", credential=credential) == {"verified": True, "statuses": [is_set]}, status
        for address in (entry["statusListCredential"], entry["statusReference"].partition("#")[0]):
            assert peer.verifies(server.get(address.removeprefix(server.url), accept="application/vc").json())


def test_a_replacement(server: LiveServer, peer: Peer, credential: dict[str, Any]) -> None:
    path = f"{credential['id'].removeprefix(server.url)}/replace"
    replacement = server.create(path, recipient=RECIPIENT, narrative="By a clear night.", reason="The night was clear.")
    assert peer("verify", credential=replacement) == {"verified": True, "statuses": [False]}
    assert peer("verify", credential=credential) == {"verified": True, "statuses": [True]}


def test_tokens_of_every_algorithm_and_afterwards_what_has_a_proof(
    server: LiveServer, peer: Peer, issuer: dict[str, Any], credential: dict[str, Any]
) -> None:
    achievement = credential["credentialSubject"]["achievement"]["id"]
    for algorithm in ALGORITHMS["did:key" if issuer["id"].startswith("did:key:") else "https"]:
        body = {"achievement": achievement, "recipient": RECIPIENT, "format": "vc-jwt", "jwtAlgorithm": algorithm}
        token = server.ask("POST", "/v3/credentials", json=body).text
        payload = peer("verifyToken", token=token, algorithm=algorithm)
        assert (payload["iss"], payload["issuer"]["id"]) == (issuer["id"], issuer["id"])
        with pytest.raises(PeerRefused, match="signature verification failed"):
            peer("verifyToken", token=forged(token), algorithm=algorithm)
    # The issuer's document lists all of these keys now.
    assert peer("verify", credential=credential) == {"verified": True, "statuses": [False]}


@pytest.mark.parametrize("name", [name for name in DOCUMENTS if not name.startswith("only others")])
def test_any_credential_by_the_vc_api(server: LiveServer, peer: Peer, issuer: dict[str, Any], name: str) -> None:
    draft = {member: value for member, value in DOCUMENTS[name].items() if member != "id"}
    answer = server.ask("POST", "/vc-api/credentials/issue", json={"credential": {**draft, "issuer": issuer["id"]}})
    assert answer.status_code == 201, answer.text
    assert peer("verify", credential=answer.json()) == {"verified": True, "statuses": [False]}
