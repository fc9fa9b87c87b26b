"""``/vc-api/credentials/verify`` and ``/vc-api/presentations/verify``, on what somebody else has signed."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from httpx import Response
from msgspec import Struct, structs

from lapel.credentials.jose import vc_jwt
from lapel.domain.signing_key import KeyAlgorithm
from lapel.services.vc_api.shapes import PresentationOptions, UnsecuredOptions, VerifyOptions
from tests.http.live_server import LiveServer
from tests.support.presenting import CONTEXT, Holder

pytestmark = pytest.mark.parametrize("server", ["sqlite"], indirect=True)  # what others signed is in no database

ADA, BOB = Holder(), Holder()
CREDENTIAL = BOB.credential(credentialSubject={"id": ADA.id})
PRESENTATION = ADA.presentation(CREDENTIAL, proof={"challenge": "c1", "domain": "shop.example"})
MODEL = "https://www.w3.org/TR/vc-data-model#"


def post(server: LiveServer, path: str, **body: object) -> Response:
    with server.client as client:
        return client.post(f"/vc-api/{path}/verify", json=body)


def verify(server: LiveServer, credential: object, **options: object) -> Response:
    return post(server, "credentials", verifiableCredential=credential, options=options)


def present(server: LiveServer, presentation: object, **options: object) -> Response:
    return post(server, "presentations", verifiablePresentation=presentation, options=options)


def types_of(response: Response) -> set[str]:
    return {problem["type"] for problem in response.json()["problemDetails"]}


def changed(document: dict[str, Any], change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    copied = copy.deepcopy(document)
    change(copied)
    return copied


def without(*names: str) -> Callable[[dict[str, Any]], object]:
    def take_away(document: dict[str, Any]) -> None:
        for name in names[:-1]:
            document = document[name]
        del document[names[-1]]

    return take_away


def set_to(name: str, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda document: document.update({name: value})


WRONG: dict[str, tuple[object, ...]] = {
    "@context": ("text", {}, None, 10, True, [[]], [None], [10], [True]),
    "type": ("text", {}, None, 10, True, [[]], [None], [10]),
    "issuer": ([], None, 10, True, {}, "text"),
    "credentialSubject": ("text", None, 10, True, []),
    "proof": ("text", None, 10, True, [], {}),
}


# --- credentials ---


def test_a_good_credential_is_verified(server: LiveServer) -> None:
    response = verify(server, CREDENTIAL, checks=["proof"], returnCredential=True, returnResults=True)

    assert response.status_code == 200, response.text
    assert response.headers["access-control-allow-origin"] == "*"
    answer = response.json()
    assert (answer["verified"], answer["problemDetails"], answer["errors"]) == (True, [], [])
    assert answer["credential"] == CREDENTIAL
    assert answer["results"]["proof"] == [{"verified": True, "input": CREDENTIAL["proof"]}]


def test_only_the_proof_that_holds_is_said_to_be_verified(server: LiveServer) -> None:
    own, forged = CREDENTIAL["proof"], {**CREDENTIAL["proof"], "proofValue": PRESENTATION["proof"]["proofValue"]}
    results = verify(server, {**CREDENTIAL, "proof": [forged, own]}, returnResults=True).json()["results"]

    assert results["proof"] == [{"verified": False, "input": forged}, {"verified": True, "input": own}]


def test_what_is_returned_is_what_was_asked_for(server: LiveServer) -> None:
    assert "credential" not in verify(server, CREDENTIAL).json()
    assert "problemDetails" not in verify(server, CREDENTIAL, returnProblemDetails=False).json()


@pytest.mark.parametrize(
    "change",
    [
        *(without(name) for name in ("@context", "type", "issuer", "credentialSubject", "proof")),
        *(without("proof", name) for name in ("type", "verificationMethod", "proofValue", "proofPurpose")),
        *(without("proof", name) for name in ("cryptosuite", "created")),
        *(set_to(name, value) for name, values in WRONG.items() for value in values),
        set_to("issuer", ADA.id),
        set_to("name", "Another"),
    ],
)
def test_what_is_no_good_credential_is_answered_400(
    server: LiveServer, change: Callable[[dict[str, Any]], object]
) -> None:
    response = verify(server, changed(CREDENTIAL, change))

    assert response.status_code == 400, response.text
    answer = response.json()
    assert answer["verified"] is False
    assert answer["problemDetails"]
    assert types_of(response) <= {f"{MODEL}MALFORMED_VALUE_ERROR", f"{MODEL}CRYPTOGRAPHIC_SECURITY_ERROR"}


@pytest.mark.parametrize(
    ("member", "moment"), [("validUntil", "2020-01-01T00:00:00Z"), ("validFrom", "2120-01-01T00:00:00Z")]
)
def test_outside_its_period_it_is_not_verified(server: LiveServer, member: str, moment: str) -> None:
    response = verify(server, BOB.credential(**{member: moment}), returnResults=True)

    assert response.status_code == 400
    assert types_of(response) == {f"{MODEL}RANGE_ERROR"}
    assert response.json()["results"][member] == {"verified": False, "input": moment}


@pytest.mark.parametrize(
    "body",
    [
        {"verifiableCredential": CREDENTIAL, "options": {"unknown": True}},
        {"verifiableCredential": CREDENTIAL, "options": {"checks": ["horoscope"]}},
        {"verifiableCredential": CREDENTIAL, "options": {"returnCredential": "yes"}},
        {"verifiableCredential": CREDENTIAL, "also": 1},
    ],
)
def test_an_option_that_is_not_understood_is_refused(server: LiveServer, body: dict[str, Any]) -> None:
    response = post(server, "credentials", **body)

    assert response.status_code == 400
    assert types_of(response) == {"https://www.w3.org/TR/vcalm#UNKNOWN_OPTION_PROVIDED"}


@pytest.mark.parametrize(
    ("path", "member", "options"),
    [
        ("credentials", "verifiableCredential", VerifyOptions),
        ("presentations", "verifiablePresentation", PresentationOptions),
        ("presentations", "presentation", UnsecuredOptions),
    ],
)
def test_the_options_that_are_understood_are_the_described_ones(
    server: LiveServer, path: str, member: str, options: type[Struct]
) -> None:
    response = post(server, path, **{member: {}, "options": {"frobnicate": True}})

    understood = response.json()["detail"].partition("there are ")[2].rstrip(".").split(", ")
    assert understood == sorted(field.encode_name for field in structs.fields(options))


@pytest.mark.parametrize("body", [{}, {"verifiableCredential": "text"}, {"verifiablePresentation": PRESENTATION}])
def test_a_request_without_a_credential_is_refused(server: LiveServer, body: dict[str, Any]) -> None:
    assert post(server, "credentials", **body).status_code == 400


def enveloped() -> dict[str, Any]:
    draft = {**BOB.draft(), "id": "urn:uuid:58172aac-d8ba-11ed-83dd-0b3aef56cc33", "validFrom": "2026-01-31T12:00:00Z"}
    kid = f"{BOB.id}#{BOB.id.removeprefix('did:key:')}"
    token = vc_jwt.encode(draft, kid=kid, algorithm=KeyAlgorithm.ED25519, sign=BOB.private.sign)
    return {"@context": CONTEXT, "type": "EnvelopedVerifiableCredential", "id": f"data:application/vc+jwt,{token}"}


def test_an_enveloped_credential_is_verified(server: LiveServer) -> None:
    assert verify(server, enveloped()).status_code == 200
    assert present(server, ADA.presentation(enveloped())).status_code == 200


@pytest.mark.parametrize(
    "change",
    [
        set_to("@context", []),
        set_to("@context", "https://www.w3.org/ns/credentials/examples/v2"),
        set_to("type", "VerifiableCredential"),
        set_to("type", ["EnvelopedVerifiableCredential", "VerifiableCredential"]),
        without("type"),
        lambda envelope: envelope.update(id=envelope["id"].partition(",")[2]),
        lambda envelope: envelope.update(id=envelope["id"].replace("vc+jwt", "vc+cose")),
        lambda envelope: envelope.update(id=envelope["id"][:-8] + "AAAAAAAA"),
        set_to("id", "data:application/vc+jwt,e30.e30.e30"),
    ],
)
def test_a_bad_envelope_is_not_opened(server: LiveServer, change: Callable[[dict[str, Any]], object]) -> None:
    response = verify(server, changed(enveloped(), change))

    assert response.status_code == 400
    assert response.json()["verified"] is False


def test_what_is_in_an_envelope_is_held_to_the_data_model(server: LiveServer) -> None:
    wrong = {"name": {"@value": "Knots", "@language": "in English"}, "credentialSubject": {}}
    payload = base64.urlsafe_b64encode(json.dumps({**BOB.draft(), **wrong}).encode()).decode()
    head = base64.urlsafe_b64encode(b'{"alg":"EdDSA","typ":"vc+jwt"}').decode()
    token = ".".join(part.rstrip("=") for part in (head, payload, "AAAA"))
    response = verify(server, {**enveloped(), "id": f"data:application/vc+jwt,{token}"})

    pointers = [problem["pointer"] for problem in response.json()["problemDetails"]]
    assert pointers == ["/name/@language", "/credentialSubject"]


# --- presentations ---


def test_a_good_presentation_is_verified(server: LiveServer) -> None:
    response = present(
        server, PRESENTATION, challenge="c1", domain="shop.example", returnPresentation=True, returnResults=True
    )

    assert response.status_code == 200, response.text
    answer = response.json()
    assert answer["verified"] is True
    assert answer["verifiablePresentation"] == PRESENTATION
    of_presentation = answer["results"]["presentation"]
    assert of_presentation["challenge"] == {"verified": True, "input": "c1"}
    assert of_presentation["domain"] == {"verified": True, "input": "shop.example"}
    assert of_presentation["holder"] == {"verified": True, "input": ADA.id}
    assert [each["verified"] for each in answer["results"]["credentials"]] == [True]


OWN_TYPE: dict[str, Any] = {
    "@context": [CONTEXT, {"Pass": "https://types.example/Pass"}],
    "type": ["VerifiablePresentation", "Pass"],
}


@pytest.mark.parametrize(
    ("presentation", "options"),
    [
        (ADA.presentation(), {}),
        (ADA.presentation(id="urn:uuid:58172aac-d8ba-11ed-83dd-0b3aef56cc33"), {}),
        (ADA.presentation(type=["https://types.example/P", "VerifiablePresentation"]), {"checks": []}),
        (ADA.presentation(**OWN_TYPE), {}),
        (ADA.presentation(CREDENTIAL, ADA.credential(), holder=None), {}),
        (ADA.presentation(CREDENTIAL, holder={"id": ADA.id, "name": "Ada"}), {}),
        (ADA.presentation(ADA.draft()), {}),
        (ADA.presentation(proof={"domain": ["b.example"]}), {"domain": "b.example"}),
    ],
)
def test_what_the_data_model_allows_is_verified(
    server: LiveServer, presentation: dict[str, Any], options: dict[str, Any]
) -> None:
    response = present(server, presentation, **options)

    assert response.status_code == 200, response.text


@pytest.mark.parametrize(
    ("presentation", "options", "code"),
    [
        (PRESENTATION, {"challenge": "c2"}, "challenge_mismatch"),
        (PRESENTATION, {"domain": "other.example"}, "domain_mismatch"),
        (ADA.presentation(proof={"domain": ["a.example", "b.example"]}), {"domain": "b.example"}, "domain_mismatch"),
        (ADA.presentation(proof={"domain": []}), {"domain": "b.example"}, "domain_mismatch"),
        (ADA.presentation(CREDENTIAL), {"challenge": "c1"}, "challenge_mismatch"),
        (ADA.presentation(proof={"purpose": "assertionMethod"}), {}, "proof_purpose"),
        (ADA.presentation(holder=BOB.id), {}, "holder_key_mismatch"),
        (changed(PRESENTATION, without("proof")), {}, "proof_missing"),
        (changed(PRESENTATION, set_to("termsOfUse", {"type": "https://t.example/T"})), {}, "signature_invalid"),
        (ADA.presentation(type=["https://types.example/P"]), {}, "invalid"),
        (ADA.presentation(holder={"name": "Ada"}), {}, "invalid"),
        (changed(PRESENTATION, set_to("verifiableCredential", ["https://v.example/1"])), {}, "invalid"),
        (changed(ADA.presentation(), set_to("verifiableCredential", None)), {}, "invalid"),
        (changed(PRESENTATION, without("type")), {}, "missing"),
        (changed(PRESENTATION, without("@context")), {}, "missing"),
        ({**enveloped(), "type": "EnvelopedVerifiablePresentation"}, {}, "unsupported"),
    ],
)
def test_a_presentation_that_is_not_good_is_answered_400(
    server: LiveServer, presentation: dict[str, Any], options: dict[str, Any], code: str
) -> None:
    response = present(server, presentation, **options)

    assert response.status_code == 400, response.text
    assert response.json()["verified"] is False
    assert code in [problem["code"] for problem in response.json()["problemDetails"]], response.text


@pytest.mark.parametrize(
    ("presentation", "code"),
    [
        (ADA.presentation(BOB.credential(validUntil="2020-01-01T00:00:00Z")), "expired"),
        (ADA.presentation(changed(CREDENTIAL, set_to("name", "Another"))), "signature_invalid"),
        (ADA.presentation(BOB.draft()), "proof_missing"),
        (ADA.presentation(ADA.draft(), holder=None), "holder_missing"),
        (ADA.presentation({**CREDENTIAL, "credentialSubject": {}}), "invalid"),
    ],
)
def test_one_bad_credential_spoils_the_presentation(
    server: LiveServer, presentation: dict[str, Any], code: str
) -> None:
    response = present(server, presentation)

    assert response.status_code == 400, response.text
    (result,) = response.json()["credentialResults"]
    assert result["verified"] is False
    assert code in [problem["code"] for problem in result["problemDetails"]], response.text


def test_a_proof_of_somebody_else_does_not_cover_what_the_holder_says(server: LiveServer) -> None:
    """The holder's name in a presentation that another has signed proves nothing about the holder's credentials."""
    forged = BOB.presentation(ADA.draft(), holder=ADA.id)

    (result,) = present(server, forged).json()["credentialResults"]
    assert "proof_missing" in [problem["code"] for problem in result["problemDetails"]]


SAID = {
    "@context": [CONTEXT],
    "type": ["VerifiablePresentation"],
    "holder": ADA.id,
    "verifiableCredential": [CREDENTIAL],
}
ASKED = {"challenge": "c1", "domain": "shop.example"}
ANSWER = {"nonce": "c1", "aud": "shop.example"}


def envelope(token: str, media_type: str = "application/vp+jwt") -> dict[str, Any]:
    return {"@context": CONTEXT, "type": "EnvelopedVerifiablePresentation", "id": f"data:{media_type},{token}"}


@pytest.mark.parametrize(
    "presentation",
    [
        envelope(ADA.token({**SAID, **ANSWER, "iss": ADA.id, "jti": "urn:uuid:1"}, typ="vp+jwt")),
        envelope(ADA.token({**SAID, **ANSWER, "aud": ["a.example", "shop.example"]}, typ="vp+jwt")),
        envelope(ADA.token({**SAID, **ANSWER}, typ="vp+jwt", kid=f"{ADA.id}#{ADA.id.removeprefix('did:key:')}")),
        envelope(ADA.token({"vp": SAID, "iss": ADA.id, **ANSWER}, typ="JWT"), "application/jwt"),
        envelope(ADA.token({**SAID, "verifiableCredential": [ADA.draft()], **ANSWER}, typ="vp+jwt")),
    ],
)
def test_an_enveloped_presentation_is_verified(server: LiveServer, presentation: dict[str, Any]) -> None:
    response = present(server, presentation, **ASKED)

    assert response.status_code == 200, response.text
    assert [each["verified"] for each in response.json()["credentialResults"]] == [True]


@pytest.mark.parametrize(
    ("presentation", "code"),
    [
        (envelope(ADA.token({**SAID, "nonce": "c2", "aud": "shop.example"}, typ="vp+jwt")), "challenge_mismatch"),
        (envelope(ADA.token({**SAID, "nonce": "c1", "aud": "a.example"}, typ="vp+jwt")), "domain_mismatch"),
        (envelope(ADA.token({**SAID, **ANSWER, "exp": 1}, typ="vp+jwt")), "proof_expired"),
        (envelope(BOB.token({**SAID, **ANSWER}, typ="vp+jwt")), "signature_invalid"),
        (envelope(BOB.token({**SAID, **ANSWER}, typ="vp+jwt", kid=BOB.id)), "holder_key_mismatch"),
        (envelope(ADA.token({**SAID, **ANSWER, "holder": "did:web:ada.example"}, typ="vp+jwt")), "key_not_named"),
        (envelope(ADA.token({**SAID, **ANSWER}, typ="vc+jwt")), "unsupported_jwt"),
        (envelope(ADA.token({**SAID, **ANSWER, "vc": CREDENTIAL}, typ="vp+jwt")), "unsupported_jwt"),
        (envelope(ADA.token({**SAID, **ANSWER, "iss": BOB.id}, typ="vp+jwt")), "claim_mismatch"),
        (envelope(ADA.token({**SAID, **ANSWER, "id": "urn:a:1", "jti": "urn:a:2"}, typ="vp+jwt")), "claim_mismatch"),
        (envelope(ADA.token({"vp": SAID, "iss": BOB.id, **ANSWER}, typ="JWT"), "application/jwt"), "claim_mismatch"),
        (envelope(ADA.token({**SAID, **ANSWER}, typ="vp+jwt"), "application/vp+cose"), "unsupported"),
        ({**envelope(ADA.token({**SAID, **ANSWER}, typ="vp+jwt")), "@context": []}, "invalid"),
        (envelope(ADA.token({**SAID, **ANSWER, "type": ["VerifiableCredential"]}, typ="vp+jwt")), "invalid"),
        (envelope("e30.e30"), "invalid_jwt"),
        ({**SAID, "@context": [CONTEXT] * 1_001}, "too_many"),
    ],
)
def test_a_presentation_in_an_envelope_that_is_not_good(
    server: LiveServer, presentation: dict[str, Any], code: str
) -> None:
    response = present(server, presentation, **ASKED)

    assert response.status_code == 400, response.text
    assert code in [problem["code"] for problem in response.json()["problemDetails"]], response.text


def test_a_presentation_without_a_proof_is_given_as_such(server: LiveServer) -> None:
    bare = changed(PRESENTATION, without("proof"))

    assert post(server, "presentations", presentation=bare).status_code == 200
    spoilt = changed(bare, lambda document: document["verifiableCredential"][0].update(name="Another"))
    assert post(server, "presentations", presentation=spoilt).status_code == 400
    self_asserted = changed(bare, set_to("verifiableCredential", [ADA.draft()]))
    assert post(server, "presentations", presentation=self_asserted).status_code == 400
    for secured in (PRESENTATION, envelope("e30.e30.e30")):
        assert post(server, "presentations", presentation=secured).json()["problemDetails"][0]["code"] == "not_allowed"
    challenged = post(server, "presentations", presentation=bare, options={"challenge": "c1"})
    assert types_of(challenged) == {"https://www.w3.org/TR/vcalm#UNKNOWN_OPTION_PROVIDED"}


def test_a_presentation_of_very_many_is_not_looked_at(server: LiveServer) -> None:
    response = present(server, changed(PRESENTATION, set_to("verifiableCredential", [CREDENTIAL] * 17)))

    assert (response.status_code, response.json()["code"]) == (413, "too_large")
