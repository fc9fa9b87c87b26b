"""``POST /vc-api/credentials/issue``: what the VC API and the tests of VC Data Model 2.0 expect of an issuer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from httpx import Response
from openbadgeslib import ob3

from lapel.credentials import did, eddsa_rdfc_2022
from tests.http.live_server import LiveServer
from tests.support.presenting import CONTEXT, canonical

DRAFT: dict[str, Any] = {
    "@context": [CONTEXT],
    "type": ["VerifiableCredential"],
    "credentialSubject": {"id": "did:example:ada"},
}
STATUS = {"id": "did:example:status", "type": "https://status.example/Kind"}
ENTRY = {
    "type": "BitstringStatusListEntry",
    "statusPurpose": "revocation",
    "statusListIndex": "7",
    "statusListCredential": "https://lists.example/1",
}
ENGLISH = {"@value": "Knots", "@language": "en"}


@pytest.fixture(scope="module")
def issuer(server: LiveServer) -> dict[str, Any]:
    """The only one there is."""
    return server.create("/v3/issuers", name="Harbour", identity="did:key", email="b@harbour.example")


def issue(server: LiveServer, credential: object = None, *, options: object = None, **members: object) -> Response:
    body: dict[str, object] = {"credential": {**DRAFT, **members} if credential is None else credential}
    if options is not None:
        body["options"] = options
    return server.ask("POST", "/vc-api/credentials/issue", json=body)


def issued(server: LiveServer, **members: object) -> dict[str, Any]:
    response = issue(server, **members)
    assert response.status_code == 201, response.text
    credential: dict[str, Any] = response.json()
    return credential


def verified(server: LiveServer, credential: dict[str, Any]) -> Response:
    with server.client as client:
        return client.post("/vc-api/credentials/verify", json={"verifiableCredential": credential})


def test_what_the_document_leaves_open_is_filled_in(server: LiveServer, issuer: dict[str, Any]) -> None:
    response = issue(server)

    assert response.status_code == 201, response.text
    assert response.headers["content-type"] == "application/json"
    credential = response.json()
    assert credential["id"] == response.headers["location"]
    assert credential["issuer"] == issuer["id"]
    assert credential["validFrom"].endswith("Z")
    assert credential["credentialStatus"]["type"] == "BitstringStatusListEntry"
    assert credential["proof"]["cryptosuite"] == "eddsa-rdfc-2022"
    assert {name: credential[name] for name in DRAFT} == DRAFT
    assert verified(server, credential).json()["verified"] is True


def test_it_is_hosted_listed_and_revoked_like_any_other(server: LiveServer, issuer: dict[str, Any]) -> None:
    credential = issued(server, name="A permit")
    path = credential["id"].removeprefix(server.url)

    assert server.get(path, accept="application/vc").json() == credential
    page = server.get(path, accept="text/html").text
    assert "A permit" in page
    assert "Signed by <bdi>Harbour</bdi>" in page
    listed = server.ask("GET", "/v3/credentials", params={"limit": "1"}).json()["items"][0]
    assert listed["id"] == credential["id"]
    assert "achievement" not in listed
    assert listed["recipientType"] == "did"
    assert server.ask("POST", f"{path}/status", json={"status": "revoked"}).status_code == 200
    answer = verified(server, credential)
    assert answer.status_code == 400
    assert [problem["code"] for problem in answer.json()["errors"]] == ["revoked"]


def test_it_has_no_open_badges_2_form_and_no_image(server: LiveServer, issuer: dict[str, Any]) -> None:
    name = issued(server)["id"].rpartition("/")[2]

    assertion = server.get(f"/v2/assertions/{name}")
    assert (assertion.status_code, assertion.json()["code"]) == (404, "no_ob2_form")
    assert "neither a badge nor an endorsement" in assertion.json()["detail"]
    assert server.get(f"/v3/credentials/{name}/image").status_code == 404


OK: dict[str, dict[str, Any]] = {
    "an id of its own": {"id": "urn:uuid:58172aac-d8ba-11ed-83dd-0b3aef56cc33"},
    "a type that is a URL": {"type": ["VerifiableCredential", "https://types.example/Permit"]},
    "types in another order": {"type": ["https://types.example/Permit", "VerifiableCredential"]},
    "one type": {"type": "VerifiableCredential"},
    "a type of its own context": {
        "@context": [CONTEXT, {"Permit": "https://types.example/Permit"}],
        "type": ["VerifiableCredential", "Permit"],
    },
    "several subjects": {"credentialSubject": [{"id": "did:example:ada"}, {"id": "did:example:bob"}]},
    "a subject without an id": {"credentialSubject": {"description": "whoever has it"}},
    "a name": {"name": "Knots", "description": "Ties what must hold."},
    "a name in a language": {"name": ENGLISH},
    "a name in two languages": {"name": [ENGLISH, {"@value": "Knoten", "@language": "de"}]},
    "a name with a direction": {"name": {**ENGLISH, "@direction": "ltr"}},
    "a period": {"validFrom": "2020-01-01T00:00:00+01:00", "validUntil": "2120-01-01T00:00:00Z"},
    "evidence": {"evidence": [{"type": "https://types.example/Exam"}, {"type": "https://types.example/Interview"}]},
    "terms of use": {"termsOfUse": {"id": "https://terms.example/1", "type": "https://types.example/Terms"}},
    "a refresh service": {"refreshService": {"id": "https://r.example/1", "type": "https://types.example/Refresh"}},
    "a schema": {"credentialSchema": {"id": "https://s.example/1.json", "type": "JsonSchema"}},
    "a resource": {"relatedResource": {"id": "https://r.example/a.png", "digestMultibase": "uEiB"}},
    "a resource with two digests": {
        "relatedResource": {"id": "https://r.example/a.png", "digestMultibase": ["uEiB", "zQmd"]}
    },
    "a way to render it": {"renderMethod": {"type": "https://types.example/Template"}},
}


@pytest.mark.parametrize("members", OK.values(), ids=OK.keys())
def test_what_the_data_model_allows_is_issued_and_verifies(
    server: LiveServer, issuer: dict[str, Any], members: dict[str, Any]
) -> None:
    credential = issued(server, **members)

    assert {name: credential[name] for name in members} == members
    answer = verified(server, credential)
    assert answer.status_code == 200, answer.text
    key = did.parse_did_key(issuer["id"]).public_key
    assert isinstance(key, Ed25519PublicKey)
    proof = credential.pop("proof")
    options = {name: value for name, value in proof.items() if name != "proofValue"}
    data = eddsa_rdfc_2022.hash_data(canonical({**options, "@context": credential["@context"]}), canonical(credential))
    eddsa_rdfc_2022.verify(data, proof["proofValue"], key)


def test_an_implementation_not_ours_accepts_the_proof(server: LiveServer, issuer: dict[str, Any]) -> None:
    credential = issued(server, type=["VerifiableCredential", "https://types.example/Permit"])

    ob3.verify_data_integrity_proof(credential, ob3.resolve_did(issuer["id"]))


BAD: dict[str, tuple[str, dict[str, Any]]] = {
    "no context": ("/@context", {"@context": None}),
    "a context that is a text": ("/@context", {"@context": CONTEXT}),
    "no context in it": ("/@context/0", {"@context": []}),
    "another context first": ("/@context/0", {"@context": ["https://purl.example/other", CONTEXT]}),
    "a context that is a number": ("/@context/1", {"@context": [CONTEXT, 4]}),
    "an id that is no URL": ("/id", {"id": "no url"}),
    "two ids": ("/id", {"id": ["did:example:a", "did:example:b"]}),
    "an id that is null": ("/id", {"id": None}),
    "no type": ("/type", {"type": None}),
    "another type": ("/type", {"type": ["https://types.example/Permit"]}),
    "a type that is a number": ("/type/1", {"type": ["VerifiableCredential", 4]}),
    "no subject": ("/credentialSubject", {"credentialSubject": None}),
    "a subject without claims": ("/credentialSubject", {"credentialSubject": {}}),
    "no subject in it": ("/credentialSubject", {"credentialSubject": []}),
    "one of two without claims": ("/credentialSubject/1", {"credentialSubject": [{"id": "did:example:a"}, {}]}),
    "a subject that is a text": ("/credentialSubject", {"credentialSubject": "did:example:ada"}),
    "a subject with two ids": ("/credentialSubject/id", {"credentialSubject": {"id": ["did:a:b", "did:a:c"]}}),
    "an issuer that is null": ("/issuer", {"issuer": None}),
    "an issuer that is no URL": ("/issuer", {"issuer": "Harbour"}),
    "an issuer without an id": ("/issuer/id", {"issuer": {"name": "Harbour"}}),
    "somebody else's issuer": ("/issuer", {"issuer": "did:example:somebody"}),
    "a name of another form": ("/name", {"name": {**ENGLISH, "url": "https://names.example"}}),
    "a name that is a number": ("/name", {"name": 4}),
    "a start that is no date": ("/validFrom", {"validFrom": "yesterday"}),
    "a start without an offset": ("/validFrom", {"validFrom": "2020-01-01T00:00:00"}),
    "an end that is null": ("/validUntil", {"validUntil": None}),
    "a status without a type": ("/credentialStatus/type", {"credentialStatus": {"id": "did:example:s"}}),
    "a status whose id is no URL": ("/credentialStatus/id", {"credentialStatus": {**STATUS, "id": "no url"}}),
    "a status with two ids": ("/credentialStatus/id", {"credentialStatus": {**STATUS, "id": ["did:a:b", "did:a:c"]}}),
    "a place in a list below the first": (
        "/credentialStatus",
        {"credentialStatus": {**ENTRY, "statusListIndex": "-1"}},
    ),
    "a status of two bits without messages": ("/credentialStatus", {"credentialStatus": {**ENTRY, "statusSize": 2}}),
    "a schema without an id": ("/credentialSchema/id", {"credentialSchema": {"type": "JsonSchema"}}),
    "a schema without a type": ("/credentialSchema/type", {"credentialSchema": {"id": "https://s.example/1"}}),
    "terms without a type": ("/termsOfUse/type", {"termsOfUse": {"id": "https://terms.example/1"}}),
    "evidence without a type": ("/evidence/0/type", {"evidence": [{"id": "https://e.example/1"}]}),
    "refreshing without a type": ("/refreshService/type", {"refreshService": {"id": "https://r.example/1"}}),
    "an empty array of evidence": ("/evidence", {"evidence": []}),
    "an empty array of resources": ("/relatedResource", {"relatedResource": []}),
    "a resource without a digest": ("/relatedResource", {"relatedResource": {"id": "https://r.example/a.png"}}),
    "a resource whose digest is a number": (
        "/relatedResource/digestMultibase",
        {"relatedResource": {"id": "https://r.example/a.png", "digestMultibase": ["uEiB", 5]}},
    ),
    "a way to render it without a type": ("/renderMethod/type", {"renderMethod": {"id": "https://r.example/1"}}),
    "a way to render it that is a URL": ("/renderMethod", {"renderMethod": "https://r.example/1"}),
    "confidence without a type": ("/confidenceMethod/0/type", {"confidenceMethod": [{"id": "https://c.example/1"}]}),
    "a name in no language": ("/name/@language", {"name": {**ENGLISH, "@language": None}}),
    "a name in a language without a tag": ("/name/0/@language", {"name": [{**ENGLISH, "@language": "in English"}]}),
    "a name from top to bottom": ("/name/@direction", {"name": {**ENGLISH, "@direction": "ttb"}}),
    "a control character": ("", {"name": "Kn\x00ts"}),
    "a proof": ("/proof", {"proof": {"type": "DataIntegrityProof"}}),
    "no meaning for a type": ("", {"type": ["VerifiableCredential", "Permit"]}),
    "no meaning for a member": ("", {"credentialSubject": {"id": "did:example:ada", "shoeSize": 41}}),
    "a type that is no URL": (
        "",
        {"@context": [CONTEXT, {"Permit": "https ://no.url"}], "type": ["VerifiableCredential", "Permit"]},
    ),
    "a term of the standard redefined": ("", {"@context": [CONTEXT, {"VerifiableCredential": "https://t.example/V"}]}),
    "a protected term redefined": (
        "",
        {
            "@context": [
                CONTEXT,
                {"@protected": True, "Permit": "https://t.example/P"},
                {"Permit": "https://t.example/Q"},
            ]
        },
    ),
    "an unknown context": ("", {"@context": [CONTEXT, "https://contexts.example/unknown"]}),
}


@pytest.mark.parametrize(("pointer", "members"), BAD.values(), ids=BAD.keys())
def test_what_the_data_model_forbids_is_refused(
    server: LiveServer, issuer: dict[str, Any], pointer: str, members: dict[str, Any]
) -> None:
    response = issue(server, **members)

    assert response.status_code == 400, response.text
    problem = response.json()
    assert problem["type"] == "https://www.w3.org/TR/vc-data-model#MALFORMED_VALUE_ERROR"
    assert pointer in [each["pointer"] for each in problem["problemDetails"]], problem


def test_an_end_before_the_start_is_out_of_range(server: LiveServer, issuer: dict[str, Any]) -> None:
    response = issue(server, validFrom="2030-01-01T00:00:00Z", validUntil="2029-01-01T00:00:00Z")

    assert response.status_code == 400
    assert response.json()["type"] == "https://www.w3.org/TR/vc-data-model#RANGE_ERROR"


@pytest.mark.parametrize("member", ["id", "credentialStatus"])
def test_nobody_borrows_an_address_of_this_server(server: LiveServer, issuer: dict[str, Any], member: str) -> None:
    first = issued(server)
    response = issue(server, **{member: first[member]})

    assert response.status_code == 400
    assert [each["pointer"] for each in response.json()["problemDetails"]] == [f"/{member}"]


def test_a_status_of_somebody_elses_stays_and_is_not_changed_here(server: LiveServer, issuer: dict[str, Any]) -> None:
    response = issue(server, credentialStatus=STATUS)

    assert response.json()["credentialStatus"] == STATUS
    path = response.headers["location"].removeprefix(server.url)
    changed = server.ask("POST", f"{path}/status", json={"status": "revoked"})
    assert (changed.status_code, changed.json()["code"]) == (409, "status_elsewhere")


def test_a_credential_of_version_1_gets_the_context_of_its_proof(server: LiveServer, issuer: dict[str, Any]) -> None:
    credential = issued(server, **{"@context": ["https://www.w3.org/2018/credentials/v1"]})

    assert credential["@context"][1:] == ["https://w3id.org/security/data-integrity/v2"]
    assert credential["issuanceDate"].endswith("Z")
    assert "credentialStatus" not in credential
    assert verified(server, credential).status_code == 200


def test_a_credential_id_is_issued_once(server: LiveServer, issuer: dict[str, Any]) -> None:
    options = {"credentialId": "https://coordinator.example/42"}

    first = issue(server, options=options)
    assert first.status_code == 201
    again = issue(server, options=options)
    assert (again.status_code, again.json()["code"]) == (409, "already_issued")
    assert again.headers["location"] == first.headers["location"]
    assert first.headers["location"] in again.json()["detail"]
    assert server.ask("DELETE", first.json()["id"].removeprefix(server.url)).status_code == 204
    assert issue(server, options=options).json()["code"] == "already_issued"
    with ThreadPoolExecutor(8) as threads:
        at_once = list(threads.map(lambda _: issue(server, options={"credentialId": "urn:example:race"}), range(8)))
    assert sorted(response.status_code for response in at_once) == [201, *[409] * 7]
    assert {response.json().get("code") for response in at_once} == {None, "already_issued"}
    assert len({response.headers["location"] for response in at_once}) == 1


def test_a_credential_with_an_id_of_its_own_is_issued_and_revoked_under_that(
    server: LiveServer, issuer: dict[str, Any]
) -> None:
    """VCALM, 3.2.1: without a credentialId, "the issuer service will auto-populate its value from credential.id"."""
    name = "urn:uuid:0c1f6a2e-5d0a-4b4e-9a53-d1f5e1c1a7b2"
    first = issue(server, id=name)
    assert (first.status_code, first.json()["id"]) == (201, name)

    again = issue(server, id=name)
    assert (again.status_code, again.json()["code"]) == (409, "already_issued")
    assert again.headers["location"] == first.headers["location"]
    assert issue(server, options={"credentialId": name}).status_code == 409
    assert set_status(server, name, True).json()["status"] == "revoked"
    assert verified(server, first.json()).status_code == 400


def test_a_problem_without_a_hint_has_none(server: LiveServer, issuer: dict[str, Any]) -> None:
    problem = issue(server, proof={}).json()

    assert problem["code"] == "invalid_input"
    assert "hint" not in problem


def set_status(server: LiveServer, named: str, status: object, purpose: str = "revocation") -> Response:
    entry = {"type": "BitstringStatusListEntry", "statusPurpose": purpose}
    body = {"credentialId": named, "credentialStatus": entry, "status": status}
    return server.ask("POST", "/vc-api/credentials/status", json=body)


@pytest.mark.parametrize("by_address", [True, False])
def test_its_status_is_changed_by_either_name(server: LiveServer, issuer: dict[str, Any], by_address: bool) -> None:
    name = f"urn:example:{by_address}"
    credential = issue(server, options={"credentialId": name}).json()
    named = credential["id"] if by_address else name

    assert set_status(server, named, False).status_code == 200
    assert verified(server, credential).status_code == 200
    suspended = set_status(server, named, True, "suspension")
    assert (suspended.status_code, suspended.json()["code"]) == (409, "not_suspendable")
    assert set_status(server, named, True).json() == {"credentialId": credential["id"], "status": "revoked"}
    assert verified(server, credential).status_code == 400
    assert set_status(server, named, False).status_code == 409  # for good


def test_the_status_of_what_is_not_there_is_not_changed(server: LiveServer, issuer: dict[str, Any]) -> None:
    for named in ("urn:example:nothing", f"{server.url}/v3/credentials/nothing", f"{issued(server)['id']}0"):
        assert set_status(server, named, True).status_code == 404
    wrong = set_status(server, "", "yes", "refresh")
    assert wrong.status_code == 400
    pointers = [problem["pointer"] for problem in wrong.json()["problemDetails"]]
    assert pointers == ["/credentialId", "/status", "/credentialStatus/statusPurpose"]


@pytest.mark.parametrize(
    ("body", "type_"),
    [
        ({"credential": DRAFT, "options": {"mandatoryPointers": ["/issuer"]}}, "UNKNOWN_OPTION_PROVIDED"),
        ({"credential": DRAFT, "options": {"credentialId": 4}}, "UNKNOWN_OPTION_PROVIDED"),
        ({"credential": DRAFT, "verifiableCredential": {}}, "UNKNOWN_OPTION_PROVIDED"),
        ({"verifiableCredential": DRAFT}, "MALFORMED_VALUE_ERROR"),
        ({"credential": [DRAFT]}, "MALFORMED_VALUE_ERROR"),
    ],
)
def test_a_request_of_another_form_is_refused(
    server: LiveServer, issuer: dict[str, Any], body: dict[str, Any], type_: str
) -> None:
    response = server.ask("POST", "/vc-api/credentials/issue", json=body)

    assert response.status_code == 400
    assert response.json()["type"].endswith(f"#{type_}")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"credential": 1, "credential": 2}', b'"\xff"'])
def test_a_body_that_cannot_be_read_is_a_parsing_error(server: LiveServer, content: bytes) -> None:
    response = server.ask(
        "POST", "/vc-api/credentials/issue", content=content, headers={"content-type": "application/json"}
    )

    assert response.status_code == 400
    assert response.json()["type"] == "https://www.w3.org/TR/vc-data-model#PARSING_ERROR"


def test_who_has_no_key_issues_nothing(server: LiveServer) -> None:
    with server.client as client:
        assert client.post("/vc-api/credentials/issue", json={"credential": DRAFT}).status_code == 401
