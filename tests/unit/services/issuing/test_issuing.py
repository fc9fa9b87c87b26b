"""Issuing: what is signed is what independent readers accept."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key
from openbadgeslib.ob3 import OB3Verifier
from openbadgeslib.ob3.ldp import OB3LdpVerifier
from pyld import jsonld

from lapel.credentials.jsonld import Contexts, to_quads
from lapel.credentials.rdf.rdfc import canonicalise
from lapel.domain.access import Role
from lapel.domain.credential import CredentialFormat
from lapel.domain.signing_key import KeyAlgorithm
from lapel.errors import Forbidden, InvalidInput, TooLarge
from lapel.services.renditions import credential_content
from lapel.services.requests import AchievementChanges, IssuerChanges
from tests.support.badge_images import png
from tests.unit.services.full_badge import AWARD, EVERYTHING, PERSON, STRICT, full_badge, problems
from tests.unit.services.server import BASE, OWNER, Server, award, principal, read
from tests.unit.services.site import context_loader, failures, verify

FORMATS = list(CredentialFormat)


@pytest.mark.parametrize("secured", FORMATS)
@pytest.mark.parametrize("identity", ["https", "did:web", "did:key"])
async def test_what_is_issued_verifies(server: Server, secured: CredentialFormat, identity: str) -> None:
    await server.issuer(identity=identity)
    achievement = await server.achievement()
    credential = await server.issue(achievement=str(achievement.id), format=secured)
    report = await verify(server, credential.signed, expected_recipient="ada@example.org")
    assert report.valid is True, failures(report)
    assert failures(report) == []


@pytest.mark.parametrize("secured", FORMATS)
async def test_a_badge_with_every_member_fits_the_strict_schema(
    server: Server, secured: CredentialFormat, vectors: Path
) -> None:
    credential = await full_badge(server, format=secured)
    content = credential_content(credential)
    jsonschema.validate(content, json.loads((vectors / STRICT).read_text()))
    report = await verify(server, credential.signed)
    assert report.valid is True, failures(report)


async def test_every_member_is_defined_by_the_contexts(server: Server) -> None:
    content = json.loads((await full_badge(server)).signed)
    unsecured = {name: value for name, value in content.items() if name != "proof"}
    options = {"documentLoader": context_loader, "format": "application/n-quads"}
    theirs = jsonld.normalize(unsecured, {**options, "algorithm": "URDNA2015", "safe": True})
    assert canonicalise(to_quads(unsecured, contexts=Contexts.bundled())) == theirs


async def test_an_independent_library_verifies_the_proof(server: Server) -> None:
    issuer = await server.issuer(identity="did:key")
    achievement = await server.achievement(**EVERYTHING)
    credential = await server.issue(achievement=str(achievement.id), **AWARD)
    verified = OB3LdpVerifier.for_issuer_did(str(issuer.did)).verify(credential.signed)
    assert verified.achievement.name == "Knots"


async def test_an_independent_library_verifies_the_token(server: Server) -> None:
    issuer = await server.issuer()
    achievement = await server.achievement(**EVERYTHING)
    credential = await server.issue(achievement=str(achievement.id), **AWARD, format="vc-jwt")
    (key,) = [key for key in await server.key_ring.public_keys(issuer.id) if key.algorithm is KeyAlgorithm.RSA]
    verified = OB3Verifier(pubkey_pem=load_der_public_key(key.public_key)).verify(credential.signed.decode())
    assert verified.achievement.name == "Knots"


async def test_an_independent_library_finds_the_keys_of_a_did_web(server: Server) -> None:
    issuer = await server.issuer(identity="did:web")
    achievement = await server.achievement()
    named = str(achievement.id)
    token = await server.issue(achievement=named, format="vc-jwt")
    proof = await server.issue(achievement=named)
    document = json.dumps(await server.issuers.did_document(issuer.id)).encode()
    assert OB3Verifier.for_issuer_did(str(issuer.did), download=lambda _: document).verify(token.signed.decode())
    verifier = OB3LdpVerifier.for_issuer_did(str(issuer.did))
    assert verifier.verify(proof.signed, download=lambda _: document)


async def test_text_of_any_kind_is_signed_as_others_read_it(server: Server) -> None:
    text = 'tab\t line\nend\r\n \\ " \u2028 \u0085 \u202e \U0001f3f4\u200d\u2620\ufe0f \u00e9 e\u0301'
    image = (await server.images.upload(OWNER, png())).id
    issuer = await server.issuer(identity="did:key", name=text, image=str(image))
    achievement = await server.achievement(
        name=text, criteria={"id": "https://school.example/knots", "narrative": text}, image=str(image)
    )
    evidence = [{"id": "https://school.example/knots", "narrative": "Look there."}]
    credential = await server.issue(achievement=str(achievement.id), narrative=text, evidence=evidence)
    assert OB3LdpVerifier.for_issuer_did(str(issuer.did)).verify(credential.signed)
    assert (await verify(server, credential.signed)).valid is True


async def test_a_badge_that_fits_into_no_image_is_not_issued(server: Server) -> None:
    await server.issuer()
    named = str((await server.achievement()).id)
    evidence = [{"narrative": f"{number} " + "a" * 99_000} for number in range(30)]
    with pytest.raises(TooLarge):
        await server.issue(achievement=named, evidence=evidence)


async def test_what_is_stored_is_what_was_signed(server: Server) -> None:
    credential = await full_badge(server)
    stored = await server.credentials.get(credential.id)
    assert stored == credential
    content = json.loads(stored.signed)
    assert content["id"] == f"{BASE}/v3/credentials/{credential.id}"
    assert content["@context"] == [
        "https://www.w3.org/ns/credentials/v2",
        "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json",
        "https://purl.imsglobal.org/spec/ob/v3p0/extensions.json",
    ]
    assert content["validFrom"] == "2026-01-31T10:00:00.500Z"
    assert content["validUntil"] == "2027-01-31T12:00:00Z"
    assert content["awardedDate"] == "2026-01-30T12:00:00Z"
    subject = content["credentialSubject"]
    assert subject["narrative"] == "She tied them all."
    assert subject["image"] == {"id": "https://school.example/ada.png", "type": "Image"}
    assert subject["source"] == {
        "id": "https://examiners.example/",
        "type": ["Profile"],
        "name": "Examiners",
        "phone": "+44 20 7946 0958",
    }
    assert [identity["identityType"] for identity in subject["identifier"]] == [
        "emailAddress",
        "name",
        "sisSourcedId",
        "ext:library",
    ]
    assert [identity["hashed"] for identity in subject["identifier"]] == [True, False, True, False]
    assert {name: content["issuer"][name] for name in PERSON} == PERSON
    assert content["issuer"]["image"]["caption"] == "The arms"
    assert b"null" not in stored.signed
    assert b"pupil-4711" not in stored.signed
    assert content["credentialSubject"]["achievement"]["creditsAvailable"] == 10
    assert isinstance(content["credentialStatus"], dict)
    assert b"ada@example.org" not in stored.signed


async def test_a_badge_without_extensions_has_two_contexts(server: Server) -> None:
    assert json.loads((await server.badge()).signed)["@context"] == [
        "https://www.w3.org/ns/credentials/v2",
        "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json",
    ]


async def test_a_token_speaks_of_whole_seconds(server: Server) -> None:
    content = credential_content(await full_badge(server, format="vc-jwt"))
    assert content["validFrom"] == "2026-01-31T10:00:00Z"


async def test_a_badge_is_valid_from_now_unless_told_otherwise(server: Server) -> None:
    content = json.loads((await server.badge()).signed)
    assert content["validFrom"] == "2026-06-01T12:00:00Z"


async def test_later_changes_do_not_touch_what_was_issued(server: Server) -> None:
    credential = await server.badge()
    assert credential.achievement_id is not None
    await server.achievements.change(
        OWNER, credential.achievement_id, read(AchievementChanges, {"name": "Other knots"})
    )
    await server.issuers.change(OWNER, credential.issuer_id, read(IssuerChanges, {"name": "Other school"}))
    assert (await server.credentials.get(credential.id)).signed == credential.signed
    renewed = json.loads((await server.issue(achievement=str(credential.achievement_id))).signed)
    assert renewed["name"] == renewed["credentialSubject"]["achievement"]["name"] == "Other knots"
    assert renewed["issuer"]["name"] == "Other school"
    assert (await verify(server, json.dumps(renewed))).valid is True


@pytest.mark.parametrize("form", ["{}", "urn:uuid:{}", f"{BASE}/v3/achievements/{{}}"])
async def test_an_achievement_may_be_named_in_three_ways(server: Server, form: str) -> None:
    await server.issuer()
    achievement = await server.achievement()
    credential = await server.issue(achievement=form.format(achievement.id))
    assert credential.achievement_id == achievement.id


@pytest.mark.parametrize(
    ("recipient", "subject"),
    [
        ({"type": "did", "identity": "did:key:z6MkfQ"}, "did:key:z6MkfQ"),
        ({"type": "url", "identity": "https://ada.example/"}, "https://ada.example/"),
    ],
)
async def test_a_did_or_url_is_the_subject_of_the_badge(
    server: Server, recipient: dict[str, Any], subject: str
) -> None:
    credential = await server.badge(recipient=recipient)
    content = json.loads(credential.signed)["credentialSubject"]
    assert content["id"] == subject
    assert "identifier" not in content
    assert (await verify(server, credential.signed, expected_recipient=subject)).valid is True


async def test_a_result_says_only_what_its_description_allows(server: Server) -> None:
    await server.issuer()
    named = {"id": "urn:uuid:6a3d0f1c-0000-4000-8000-000000000001", "name": "Grade", "resultType": "LetterGrade"}
    counted = {"id": "urn:uuid:6a3d0f1c-0000-4000-8000-000000000002", "name": "Points", "resultType": "Percent"}
    stage = {"id": "urn:uuid:6a3d0f1c-0000-4000-8000-000000000004", "name": "Stage", "resultType": "Status"}
    level = {"id": "urn:uuid:6a3d0f1c-0000-4000-8000-000000000003", "name": "Good"}
    achievement = await server.achievement(
        resultDescription=[
            {**named, "allowedValue": ["A", "B"], "rubricCriterionLevel": [level]},
            {**counted, "valueMin": "0", "valueMax": "100"},
            stage,
        ]
    )
    good = [
        {"resultDescription": named["id"], "value": "A", "achievedLevel": level["id"]},
        {"resultDescription": counted["id"], "value": "99.5"},
        {"resultDescription": counted["id"], "value": "many"},
        {"resultDescription": stage["id"], "status": "Completed", "achievedLevel": level["id"]},
    ]
    await server.issuing.issue(OWNER, award(achievement=str(achievement.id), results=good))

    wrong = [
        {"resultDescription": named["id"], "value": "Z", "achievedLevel": named["id"]},
        {"resultDescription": counted["id"], "value": "150"},
        {"resultDescription": counted["id"], "value": "-1"},
        {"resultDescription": stage["id"], "value": "done"},
        {"achievedLevel": level["id"]},
    ]
    with pytest.raises(InvalidInput) as caught:
        await server.issuing.issue(OWNER, award(achievement=str(achievement.id), results=wrong))
    assert {error.pointer: error.code for error in caught.value.errors} == {
        "/results/0/value": "not_allowed",
        "/results/0/achievedLevel": "not_found",
        "/results/1/value": "not_allowed",
        "/results/2/value": "not_allowed",
        "/results/3/status": "missing",
        "/results/4/resultDescription": "missing",
    }


async def test_all_problems_are_named_at_once(server: Server) -> None:
    await server.issuer()
    achievement = await server.achievement()
    request = award(
        achievement=str(achievement.id),
        recipient={"type": "email", "identity": "ada"},
        validFrom="2026-06-01T12:00:00Z",
        validUntil="2026-06-01T13:00:00+01:00",
        evidence=[{"id": "film"}, {"narrative": "a"}, {"narrative": "a"}],
        narrative="a\u0000",
        results=[{"value": "A", "resultDescription": "urn:uuid:elsewhere"}, {}],
    )
    with pytest.raises(InvalidInput) as caught:
        await server.issuing.issue(OWNER, request)
    assert problems(caught) == {
        "/recipient/identity": "bad_identity",
        "/validUntil": "bad_time",
        "/evidence/0/id": "bad_url",
        "/evidence/2": "repeated",
        "/narrative": "bad_text",
        "/results/0/resultDescription": "not_found",
        "/results/1": "empty",
    }


@pytest.mark.parametrize("named", ["knots", "018f0000-0000-7000-8000-000000000001", ""])
async def test_an_unknown_achievement_is_a_problem(server: Server, named: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        await server.issue(achievement=named)
    assert problems(caught) == {"/achievement": "not_found"}


async def test_another_organisations_achievement_is_unknown(server: Server) -> None:
    await server.issuer()
    achievement = await server.achievement()
    stranger = await server.stranger()
    with pytest.raises(InvalidInput):
        await server.issue(stranger, achievement=str(achievement.id))


async def test_a_viewer_issues_nothing(server: Server) -> None:
    with pytest.raises(Forbidden):
        await server.issue(principal(Role.VIEWER), achievement="x")


async def test_many_at_once_never_share_a_status_entry(server: Server) -> None:
    await server.issuer()
    named = str((await server.achievement()).id)
    credentials = await asyncio.gather(*(server.issue(achievement=named) for _ in range(300)))
    entries = [(credential.status_list_id, credential.status_index) for credential in credentials]
    assert len(set(entries)) == 300
    indices = [index for _, index in entries if index is not None]
    assert indices != sorted(indices)
    assert max(indices) > 65_536  # spread over the whole list


async def test_every_badge_has_a_salt_of_its_own(server: Server) -> None:
    await server.issuer()
    named = str((await server.achievement()).id)
    one, other = [json.loads((await server.issue(achievement=named)).signed) for _ in range(2)]
    assert (
        one["credentialSubject"]["identifier"][0]["identityHash"]
        != other["credentialSubject"]["identifier"][0]["identityHash"]
    )


async def test_an_end_in_the_past_is_called_that(server: Server) -> None:
    with pytest.raises(InvalidInput, match="must be in the future"):
        await server.badge(validUntil="2020-01-01T00:00:00Z")


async def test_large_achievements_do_not_fill_the_memory(server: Server) -> None:
    await server.issuer()
    for _ in range(40):
        achievement = await server.achievement(criteria={"narrative": "x" * 100_000})
        await server.issue(achievement=str(achievement.id))
    parts = server.issuing._parts.values()
    assert sum(part.size for part in parts) <= 2 * 1024 * 1024
