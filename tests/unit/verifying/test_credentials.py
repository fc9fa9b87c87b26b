"""Verifying badges of Open Badges 3.0: what is good passes, and each thing that is wrong fails its own check."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from tests.unit.verifying.world import ISSUER, NOW, OB, VC, World

from lapel.credentials.jsonld import GeneralPath
from lapel.domain.fetching import FetchNotFound, FetchTimeout, FetchWrongType
from lapel.services.verifying import Kind, Outcome, Report

EXAMPLES = "https://www.w3.org/ns/credentials/examples/v2"


def failed(report: Report) -> list[tuple[str, str | None]]:
    return [
        (check.code.value, check.problem and check.problem.value)
        for check in report.checks
        if check.outcome is Outcome.FAIL
    ]


def outcome(report: Report, code: str) -> tuple[str, str | None]:
    [check] = [check for check in report.checks if check.code == code]
    return check.outcome.value, check.problem and check.problem.value


async def test_a_good_badge_is_valid(world: World) -> None:
    report = await world.verify(world.sign(world.badge()))

    assert report.valid is True
    assert [check.code.value for check in report.checks] == [
        "structure",
        "contexts",
        "json_ld",
        "proof",
        "key",
        "issuer",
        "signature",
        "status",
        "validity",
        "recipient",
    ]
    assert report.shown.kind is Kind.BADGE
    assert report.shown.name == "Chess"
    assert report.shown.issuer_name == "The School"
    assert report.shown.recipient == "ada@example.org"


async def test_a_badge_of_a_did_key_is_verified_without_the_network(world: World) -> None:
    badge = world.badge(issuer=world.did, credentialStatus=None)

    report = await world.verify(world.sign(badge, method_id=f"{world.did}#{world.multikey}"))

    assert report.valid is True
    assert world.web.asked == []


async def test_a_badge_of_a_did_web_is_verified_with_its_document(world: World) -> None:
    did = "did:web:school.example:issuers:1"
    method = {"id": "#key-1", "type": "Multikey", "controller": did, "publicKeyMultibase": world.multikey}
    document = {"id": did, "verificationMethod": [method], "assertionMethod": ["#key-1"]}
    world.web.publish("https://school.example/issuers/1/did.json", document)
    badge = world.badge(issuer={"id": did, "type": "Profile"}, credentialStatus=None)

    report = await world.verify(world.sign(badge, method_id=f"{did}#key-1"))

    assert report.valid is True


async def test_a_badge_of_the_1_1_data_model_is_valid(world: World) -> None:
    contexts = ["https://www.w3.org/2018/credentials/v1", "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.1.json"]
    suite = "https://w3id.org/security/data-integrity/v2"
    badge = world.badge(
        **{"@context": [*contexts, suite]},
        validFrom=None,
        validUntil=None,
        credentialStatus=None,
        issuanceDate="2026-05-01T00:00:00Z",
        expirationDate="2027-05-01T00:00:00Z",
    )

    report = await world.verify(world.sign(badge))

    assert report.valid is True, failed(report)


async def test_of_several_proofs_one_good_one_is_enough(world: World) -> None:
    signed = world.sign(world.badge())
    other = {**signed["proof"], "cryptosuite": "ecdsa-rdfc-2019"}

    report = await world.verify({**signed, "proof": [other, signed["proof"]]})

    assert report.valid is True


async def test_a_credential_that_is_no_badge_is_said_to_be_none(world: World) -> None:
    document = {
        "@context": [VC],
        "type": ["VerifiableCredential"],
        "issuer": ISSUER,
        "credentialSubject": {"id": "did:example:ada"},
    }

    report = await world.verify(world.sign(document))

    assert report.valid is True
    assert report.shown.kind is Kind.OTHER
    assert outcome(report, "structure") == ("warn", "not_a_badge")


async def test_the_issuer_is_not_asked_twice(world: World) -> None:
    await world.verify(world.sign(world.badge()))

    assert world.web.asked == [ISSUER, "https://school.example/v3/status-lists/1"]


def without(path: str) -> Callable[[dict[str, Any]], None]:
    def change(badge: dict[str, Any]) -> None:
        *parents, name = path.split(".")
        for parent in parents:
            badge = badge[parent]
        del badge[name]

    return change


def with_value(path: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(badge: dict[str, Any]) -> None:
        *parents, name = path.split(".")
        for parent in parents:
            badge = badge[parent]
        badge[name] = value

    return change


ADA = {"type": "IdentityObject", "hashed": False, "identityHash": "ada@example.org", "identityType": "emailAddress"}
MISSING, WRONG = "member_missing", "member_invalid"

MALFORMED = [
    (without("id"), MISSING),
    (without("validFrom"), MISSING),
    (without("credentialSubject.identifier"), MISSING),
    (without("credentialSubject.achievement"), MISSING),
    (without("credentialSubject.achievement.name"), MISSING),
    (without("credentialSubject.achievement.description"), MISSING),
    (without("credentialSubject.achievement.criteria"), MISSING),
    (with_value("credentialSubject.identifier", [{k: v for k, v in ADA.items() if k != "identityHash"}]), MISSING),
    (with_value("credentialSubject.identifier", [{**ADA, "hashed": "yes"}]), WRONG),
    (with_value("validFrom", "yesterday"), WRONG),
    (with_value("validFrom", "2026-13-01T00:00:00Z"), WRONG),
]


@pytest.mark.parametrize(("change", "problem"), MALFORMED)
async def test_a_badge_that_lacks_what_the_specification_requires_fails_structure(
    world: World, change: Callable[[dict[str, Any]], None], problem: str
) -> None:
    badge = world.badge()
    change(badge)

    report = await world.verify(world.sign(badge))

    assert failed(report) == [("structure", problem)]


async def test_an_end_that_cannot_be_read_is_not_taken_for_none(world: World) -> None:
    report = await world.verify(world.sign(world.badge(validUntil="some day")))

    assert report.valid is False
    assert outcome(report, "validity") == ("unknown", "member_invalid")


async def test_a_badge_under_another_first_context_fails_contexts(world: World) -> None:
    report = await world.verify(world.sign(world.badge(**{"@context": [OB, VC]})))

    assert failed(report) == [("contexts", "context_missing")]


async def test_a_badge_without_the_context_of_open_badges_fails_contexts(world: World) -> None:
    signed = world.sign(world.badge())

    report = await world.verify({**signed, "@context": [VC]})

    assert ("contexts", "context_missing") in failed(report)


async def test_an_unknown_context_fails_contexts_and_leaves_the_signature_untold(world: World) -> None:
    signed = world.sign(world.badge())

    report = await world.verify({**signed, "@context": [VC, OB, "https://example.org/own-context"]})

    assert failed(report) == [("contexts", "context_unknown"), ("json_ld", "context_unknown")]
    assert outcome(report, "signature") == ("unknown", "not_checked")


async def test_a_term_without_meaning_fails_json_ld(world: World) -> None:
    report = await world.verify({**world.sign(world.badge()), "grade": "A"})

    assert failed(report) == [("json_ld", "json_ld_invalid")]


HIDDEN = {
    "an IRI in place of its term": lambda badge: {
        **{name: value for name, value in badge.items() if name != "validUntil"},
        "https://www.w3.org/2018/credentials#validUntil": {
            "@value": badge["validUntil"],
            "@type": "http://www.w3.org/2001/XMLSchema#dateTime",
        },
    },
    "said of the same node elsewhere": lambda badge: {
        **{name: value for name, value in badge.items() if name != "credentialStatus"},
        "https://www.w3.org/2018/credentials#credentialStatus": badge["credentialStatus"],
    },
}


@pytest.mark.parametrize("hide", HIDDEN.values(), ids=HIDDEN)
async def test_a_statement_hidden_from_plain_readers_fails_json_ld(
    world: World, hide: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    signed = world.sign(world.badge())
    async with GeneralPath(world.contexts, seconds=30) as general_path:
        world.verifying = world.new_verifying(general_path=general_path)

        report = await world.verify(hide(signed))

    assert failed(report) == [("json_ld", "member_hidden")]


async def test_a_graph_made_to_exhaust_the_verifier_fails_json_ld(world: World) -> None:
    nodes = [f"_:n{number}" for number in range(14)]
    clique = [
        {
            "id": node,
            "type": "Evidence",
            "https://example.org/knows": [{"id": other} for other in nodes if other != node],
        }
        for node in nodes
    ]
    signed = world.sign(world.badge(credentialStatus=None))
    async with GeneralPath(world.contexts, seconds=30) as general_path:
        world.verifying = world.new_verifying(general_path=general_path)

        report = await world.verify({**signed, "evidence": clique})

    assert failed(report) == [("json_ld", "too_complex")]


async def test_a_large_badge_is_verified_in_a_thread(world: World) -> None:
    evidence = [{"type": ["Evidence"], "name": f"Game {number}"} for number in range(1000)]

    report = await world.verify(world.sign(world.badge(evidence=evidence)))

    assert report.valid is True


async def test_a_badge_without_a_proof_fails_proof(world: World) -> None:
    assert failed(await world.verify(world.badge())) == [("proof", "proof_missing")]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"proofPurpose": "authentication"}, ("proof", "proof_purpose")),
        ({"expires": "2026-05-31T00:00:00Z"}, ("proof", "proof_expired")),
    ],
)
async def test_a_proof_that_says_that_it_does_not_count_fails_proof(
    world: World, change: dict[str, str], expected: tuple[str, str]
) -> None:
    report = await world.verify(world.sign(world.badge(), **change))

    assert failed(report) == [expected]


async def test_a_proof_from_the_future_is_worth_a_warning(world: World) -> None:
    report = await world.verify(world.sign(world.badge(), created=NOW + timedelta(hours=1)))

    assert report.valid is True
    assert outcome(report, "proof") == ("warn", "proof_from_future")


@pytest.mark.parametrize(
    "change",
    [
        {"type": "NoSuchProof"},
        {"cryptosuite": "no-such-suite"},
        {"cryptosuite": None},
        {"verificationMethod": None},
        {"proofValue": 7},
        {"created": "yesterday"},
        {"https://w3id.org/security#expiration": "2026-01-01T00:00:00Z"},
        {"previousProof": "urn:uuid:none"},
    ],
)
async def test_a_proof_that_cannot_be_read_fails_proof(world: World, change: dict[str, Any]) -> None:
    signed = world.sign(world.badge())

    report = await world.verify({**signed, "proof": {**signed["proof"], **change}})

    assert failed(report) == [("proof", "proof_invalid")]


@pytest.mark.parametrize("change", [{"cryptosuite": "bbs-2023"}, {"type": "JsonWebSignature2020"}])
async def test_a_proof_of_a_kind_that_is_not_understood_is_no_reproach(world: World, change: dict[str, str]) -> None:
    signed = world.sign(world.badge())

    report = await world.verify({**signed, "proof": {**signed["proof"], **change}})

    assert report.valid is None
    assert outcome(report, "proof") == ("unknown", "proof_unsupported")


def method(world: World, **changes: Any) -> dict[str, Any]:
    return {"verificationMethod": [world.issuer_document()["verificationMethod"][0] | changes]}


REVOKED_BEFORE = "2026-05-01T00:00:00Z"
REVOKED_AFTER = "2026-06-01T11:59:59Z"

KEY_TROUBLE: list[tuple[str, Callable[[World], dict[str, Any]]]] = [
    ("key_not_found", lambda world: {"verificationMethod": [], "assertionMethod": []}),
    ("key_not_authorised", lambda world: {"assertionMethod": []}),
    ("key_controller", lambda world: method(world, controller="https://other.example/")),
    ("key_invalid", lambda world: method(world, publicKeyMultibase="z6Mk")),
    ("key_revoked", lambda world: method(world, revoked=REVOKED_BEFORE)),
    ("key_revoked", lambda world: method(world, revoked="who knows when")),
    ("key_expired", lambda world: method(world, expires=REVOKED_BEFORE)),
    ("document_id", lambda world: {"id": "https://school.example/v3/issuers/2"}),
]


@pytest.mark.parametrize(("problem", "changes"), KEY_TROUBLE)
async def test_a_key_that_its_owner_does_not_stand_for_fails_key(
    world: World, problem: str, changes: Callable[[World], dict[str, Any]]
) -> None:
    world.publish_issuer(**changes(world))

    report = await world.verify(world.sign(world.badge(credentialStatus=None)))

    assert failed(report) == [("key", problem)]


async def test_a_key_revoked_after_the_badge_was_signed_still_counts(world: World) -> None:
    world.publish_issuer(**method(world, revoked=REVOKED_AFTER))
    badge = world.badge(credentialStatus=None)

    assert (await world.verify(world.sign(badge))).valid is True
    assert (await world.verify(world.sign(badge, created=NOW))).valid is False


async def test_an_embedded_method_is_a_key_for_assertions(world: World) -> None:
    document = world.issuer_document()
    world.publish_issuer(assertionMethod=document["verificationMethod"], verificationMethod=[])

    assert (await world.verify(world.sign(world.badge()))).valid is True


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (FetchTimeout("It took long."), ("unknown", "unreachable")),
        (FetchWrongType("It is text/html."), ("fail", "document_invalid")),
        (FetchNotFound("404", status=404), ("fail", "key_not_found")),
        (b"<html>", ("fail", "document_invalid")),
        (b'{"id": 1, "id": 2}', ("fail", "document_invalid")),
        (b"[]", ("fail", "document_invalid")),
        (b"{}", ("fail", "document_id")),
    ],
)
async def test_an_issuer_that_cannot_be_asked_is_unknown_and_one_that_answers_wrongly_fails(
    world: World, answer: Any, expected: tuple[str, str]
) -> None:
    if isinstance(answer, bytes):
        world.web.publish(ISSUER, answer)
    else:
        world.web.fail(ISSUER, answer)

    report = await world.verify(world.sign(world.badge(credentialStatus=None)))

    assert outcome(report, "key") == expected
    assert outcome(report, "signature") == ("unknown", "not_checked")
    assert report.valid is (None if expected[0] == "unknown" else False)


async def test_with_the_network_away_nothing_is_called_false(world: World) -> None:
    world.web.go_down()

    report = await world.verify(world.sign(world.badge()))

    assert report.valid is None
    assert failed(report) == []


async def test_a_key_of_somebody_else_fails_issuer(world: World) -> None:
    mallory = world.did
    badge = world.badge(credentialStatus=None)

    report = await world.verify(world.sign(badge, method_id=f"{mallory}#{world.multikey}"))

    assert failed(report) == [("issuer", "issuer_key_mismatch")]
    assert outcome(report, "signature") == ("pass", None)


async def test_the_wrong_key_fails_signature(world: World) -> None:
    report = await world.verify(world.sign(world.badge(), signer=world.new_signer()))

    assert failed(report) == [("signature", "signature_invalid")]


@pytest.mark.parametrize(
    ("dates", "problem"),
    [
        ({"validFrom": "2026-06-01T12:00:01Z"}, "not_yet_valid"),
        ({"validUntil": "2026-06-01T11:59:59Z"}, "expired"),
        ({"validUntil": "2026-06-01T13:59:59+02:00"}, "expired"),
        ({"validUntil": "2026-06-01T11:59:59"}, "expired"),
    ],
)
async def test_outside_of_its_period_a_badge_fails_validity(world: World, dates: dict[str, str], problem: str) -> None:
    assert failed(await world.verify(world.sign(world.badge(**dates)))) == [("validity", problem)]


async def test_what_is_not_checked_is_said(world: World) -> None:
    badge = world.badge(
        credentialSchema=[{"id": "https://school.example/schema", "type": "1EdTechJsonSchemaValidator2019"}],
        refreshService={"id": "https://school.example/refresh", "type": "1EdTechCredentialRefresh"},
        endorsementJwt=["eyJ.eyJ.x"],
    )
    badge["@context"].append("https://purl.imsglobal.org/spec/ob/v3p0/extensions.json")

    report = await world.verify(world.sign(badge))

    assert report.valid is True
    for code in ("schema", "refresh", "endorsements"):
        assert outcome(report, code) == ("skip", "not_checked")
