"""Verifying badges of Open Badges 3.0: what is good passes, and each thing that is wrong fails its own check."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from lapel.credentials import data_integrity
from lapel.credentials.jsonld import GeneralPath
from lapel.credentials.rdf.rdfc import canonicalise
from lapel.services.verifying import Kind
from tests.unit.services.verifying.world import ISSUER, NOW, OB, VC, World, failed, outcome


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


async def test_a_bad_proof_of_the_issuer_says_more_than_one_of_somebody_else(world: World) -> None:
    badge = world.badge()
    bad = world.sign(badge, signer=world.new_signer())["proof"]
    foreign = world.sign(badge, method_id=f"{world.did}#{world.multikey}")["proof"]
    unsupported = {**bad, "cryptosuite": "bbs-2023"}

    report = await world.verify({**badge, "proof": [foreign, unsupported, bad]})

    assert failed(report) == [("signature", "signature_invalid")]


async def test_a_credential_that_is_no_badge_is_said_to_be_none(world: World) -> None:
    document: dict[str, Any] = {
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
    (with_value("credentialSubject.identifier", [{**ADA, "hashed": True}]), WRONG),
    (with_value("credentialSubject.identifier", [{**ADA, "identityHash": f"md5${'0' * 32}"}]), WRONG),
    (with_value("validFrom", "yesterday"), WRONG),
    (with_value("evidence", [{"id": "https://school.example/essay"}]), WRONG),
    (with_value("termsOfUse", [{"id": "https://school.example/terms"}]), WRONG),
    (with_value("refreshService", {"id": "https://school.example/refresh"}), WRONG),
    (with_value("credentialSchema", [{"type": "JsonSchema"}]), WRONG),
    (with_value("relatedResource", [{"id": "https://school.example/logo.png"}]), WRONG),
    (with_value("renderMethod", [{"id": "https://school.example/template"}]), WRONG),
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


@pytest.mark.parametrize("subject", [[], {}, [{}], ["did:example:ada"], [{"id": "did:example:ada"}, {}]])
async def test_a_credential_whose_subject_says_nothing_fails_structure(world: World, subject: object) -> None:
    """VC 2.0, 4.8: objects, each with at least one claim."""
    credential = world.badge(type=["VerifiableCredential"], credentialSubject=subject)

    assert failed(await world.verify(world.sign(credential))) == [("structure", "member_invalid")]


@pytest.mark.parametrize("name", ["validFrom", "validUntil"])
async def test_a_date_that_cannot_be_read_is_not_taken_for_none(world: World, name: str) -> None:
    report = await world.verify(world.sign(world.badge(**{name: "some day"})))

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


CREDENTIALS = "https://www.w3.org/2018/credentials#"
SIZE = "https://www.w3.org/ns/credentials/status#statusSize"


def end_as_an_iri(badge: dict[str, Any]) -> None:
    end = {"@value": badge.pop("validUntil"), "@type": "http://www.w3.org/2001/XMLSchema#dateTime"}
    badge[f"{CREDENTIALS}validUntil"] = end


def status_as_an_iri(badge: dict[str, Any]) -> None:
    badge[f"{CREDENTIALS}credentialStatus"] = badge.pop("credentialStatus")


def status_elsewhere(badge: dict[str, Any]) -> None:
    badge["@included"] = [{"id": badge["id"], f"{CREDENTIALS}credentialStatus": badge.pop("credentialStatus")}]


def one_status_shown_twice(badge: dict[str, Any]) -> None:
    first, second = badge["credentialStatus"]
    badge["credentialStatus"] = [first, first]
    badge[f"{CREDENTIALS}credentialStatus"] = second


def size_as_an_iri(badge: dict[str, Any]) -> None:
    entry = badge["credentialStatus"][1]
    integer = "https://www.w3.org/2001/XMLSchema#integer"
    entry[SIZE] = {"@value": str(entry.pop("statusSize")), "@type": integer}


def id_shortened(badge: dict[str, Any]) -> None:
    badge["@context"] = [*badge["@context"], {"school": "https://school.example/"}]
    badge["id"] = badge["id"].replace("https://school.example/", "school:")
    end_as_an_iri(badge)


def issuer_shortened(badge: dict[str, Any]) -> None:
    badge["@context"] = [*badge["@context"], {"school": "https://school.example/"}]
    badge["issuer"]["id"] = badge["issuer"]["id"].replace("https://school.example/", "school:")


HIDING = [
    end_as_an_iri,
    status_as_an_iri,
    status_elsewhere,
    one_status_shown_twice,
    size_as_an_iri,
    id_shortened,
    issuer_shortened,
]


@pytest.mark.parametrize("hide", HIDING)
async def test_a_statement_hidden_from_plain_readers_fails_json_ld(
    world: World, hide: Callable[[dict[str, Any]], None]
) -> None:
    """None of this touches what is signed: the RDF stays the same."""
    first = world.badge()["credentialStatus"]
    second = {**first, "id": f"{first['id']}b", "statusSize": 2}
    signed = world.sign(world.badge(credentialStatus=[first, second]))
    before = world.canonical(data_integrity.unsecured(signed))
    hide(signed)
    async with GeneralPath(world.contexts, seconds=30) as general_path:
        world.verifying = world.new_verifying(general_path=general_path)

        report = await world.verify(signed)

        assert canonicalise(await general_path.to_quads(data_integrity.unsecured(signed))) == before
    assert failed(report)[0] == ("json_ld", "member_hidden")


async def test_what_only_a_whole_processor_understands_is_unknown_without_one(world: World) -> None:
    report = await world.verify({**world.sign(world.badge()), "@included": []})

    assert report.valid is None
    assert outcome(report, "json_ld") == ("unknown", "not_checked")


async def test_a_graph_made_to_exhaust_the_verifier_fails_json_ld(world: World) -> None:
    nodes = [f"_:n{number}" for number in range(14)]
    clique: list[Any] = [
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

    assert ("json_ld", "too_complex") in failed(report)


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
    world: World, change: dict[str, Any], expected: tuple[str, str]
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


@pytest.mark.parametrize(
    ("dates", "problem"),
    [
        ({"validFrom": "2026-06-01T12:01:01Z"}, "not_yet_valid"),
        ({"validUntil": "2026-06-01T11:59:59Z"}, "expired"),
        ({"validUntil": "2026-06-01T13:59:59+02:00"}, "expired"),
        ({"validUntil": "2026-06-01T11:59:59"}, "expired"),
    ],
)
async def test_outside_of_its_period_a_badge_fails_validity(world: World, dates: dict[str, str], problem: str) -> None:
    assert failed(await world.verify(world.sign(world.badge(**dates)))) == [("validity", problem)]


async def test_an_issuers_clock_may_be_a_little_ahead(world: World) -> None:
    report = await world.verify(world.sign(world.badge(validFrom="2026-06-01T12:00:59Z")))

    assert outcome(report, "validity") == ("pass", None)
