"""Lapel believes what implementations issue that none of us wrote, and agrees with them on what was changed."""

from __future__ import annotations

import copy
from functools import reduce
from typing import Any, cast

import pytest

from tests.http.live_server import LiveServer
from tests.http.test_tampering import changed, leaves
from tests.interop.documents import DOCUMENTS, VC_2, Node, badge, credential, forged
from tests.interop.peer import Peer

# What is verified here needs no database.
pytestmark = pytest.mark.parametrize("server", ["sqlite"], indirect=True)
ASKED = {"challenge": "3182bdea", "domain": "https://harbour.example"}


@pytest.fixture(scope="module")
def ada(peer: Peer) -> str:
    """The did:key of somebody who can sign."""
    did: str = peer("newKey", type="Ed25519")
    return did


@pytest.fixture(scope="module")
def ben(peer: Peer) -> str:
    did: str = peer("newKey", type="Ed25519")
    return did


def verified(server: LiveServer, what: str, document: object, **options: object) -> tuple[bool, set[str]]:
    """Whether Lapel verifies a `credential` or `presentation`, and the problems that it found."""
    body = {f"verifiable{what.capitalize()}": document, "options": options}
    with server.client as client:
        answer = client.post(f"/vc-api/{what}s/verify", json=body).json()
    problems = [*answer.get("errors", ()), *answer.get("warnings", ())]
    return answer.get("verified", False), {problem["code"] for problem in problems if problem["code"] != "not_checked"}


def texts(document: dict[str, Any]) -> list[tuple[str | int, ...]]:
    """Where there are texts in what is said of the subject."""
    subject = ("credentialSubject",)

    def at(path: tuple[str | int, ...]) -> object:
        return reduce(lambda holder, step: holder[step], path, cast("Any", document[subject[0]]))

    return [(*subject, *path) for path in leaves(document[subject[0]]) if isinstance(at(path), str)]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_any_credential(server: LiveServer, peer: Peer, ada: str, name: str) -> None:
    issued = peer("issue", credential={**DOCUMENTS[name], "issuer": ada}, key=ada)
    assert peer.verifies(issued)
    assert verified(server, "credential", issued) == (True, set())
    for path in texts(issued):
        other = changed(issued, path)
        assert verified(server, "credential", other)[0] == peer.verifies(other), path


def test_a_badge(server: LiveServer, peer: Peer, ada: str) -> None:
    draft = badge()
    draft["issuer"]["id"] = ada
    issued = peer("issue", credential=draft, key=ada)
    with server.client as client:
        report = client.post("/v3/verify", json=issued).json()
    assert report["valid"] is True, report
    assert report["credential"]["name"] == "Chess"


@pytest.mark.parametrize("algorithm", ["EdDSA", "Ed25519", "ES256", "RS256"])
def test_a_badge_as_a_token(server: LiveServer, peer: Peer, algorithm: str) -> None:
    token = peer("signToken", algorithm=algorithm, credential=badge())
    for text, valid in ((token, True), (forged(token), False)):
        with server.client as client:
            answer = client.post("/v3/verify", content=text, headers={"content-type": "application/jwt"})
        assert answer.json()["valid"] is valid, answer.text


def test_a_set_of_proofs(server: LiveServer, peer: Peer, ada: str, ben: str) -> None:
    """One good proof is enough, whatever others there are, and of whatever kind."""
    curve = peer("newKey", type="P-256")
    issued = peer("issue", credential=credential(issuer=ada), key=curve, cryptosuite="ecdsa-rdfc-2019")
    assert verified(server, "credential", issued) == (False, {"proof_unsupported"})
    for key in (ben, ada):
        issued = peer("issue", credential=issued, key=key)
    assert len(issued["proof"]) == 3
    assert verified(server, "credential", issued) == (True, set())
    assert verified(server, "credential", {**issued, "proof": issued["proof"][:2]})[0] is False
    assert verified(server, "credential", {**issued, "validFrom": "2021-01-01T00:00:00Z"})[0] is False


@pytest.mark.parametrize("holder", ["named", "unnamed"])
def test_a_presentation(server: LiveServer, peer: Peer, ada: str, ben: str, holder: str) -> None:
    held = [peer("issue", credential=credential(issuer=did, id=f"urn:example:{did}"), key=did) for did in (ada, ben)]
    presentation: Node = {"@context": [VC_2], "type": ["VerifiablePresentation"], "verifiableCredential": held}
    if holder == "named":
        presentation["holder"] = ben
    shown = peer("present", presentation=presentation, key=ben, **ASKED)

    assert peer("verifyPresentation", presentation=shown, **ASKED)["verified"] is True
    assert verified(server, "presentation", shown, **ASKED) == (True, set())
    for name in ASKED:
        asked = {**ASKED, name: "https://elsewhere.example"}
        assert peer("verifyPresentation", presentation=shown, **asked)["verified"] is False
        assert verified(server, "presentation", shown, **asked) == (False, {f"{name}_mismatch"})
    changed_within = copy.deepcopy(shown)
    changed_within["verifiableCredential"][1]["validFrom"] = "2021-01-01T00:00:00Z"
    assert peer("verifyPresentation", presentation=changed_within, **ASKED)["verified"] is False
    assert verified(server, "presentation", changed_within, **ASKED)[0] is False
