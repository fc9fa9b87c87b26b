"""Endorsements: signed here, verified when they are given back, embedded as they are."""

from __future__ import annotations

import asyncio
import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from openbadgeslib.ob3 import OB3LdpVerifier, resolve_did, verify_data_integrity_proof
from pyld import jsonld

from lapel.credentials.jsonld import Contexts, to_quads
from lapel.credentials.rdf.rdfc import canonicalise
from lapel.domain.access import Role
from lapel.domain.achievement import Achievement
from lapel.domain.credential import Credential, CredentialStatus
from lapel.domain.issuer import Issuer
from lapel.errors import Forbidden, InvalidInput
from lapel.openbadges.problems import Problems
from lapel.services.embedded_endorsements import Endorsements, EndorsementsOfRequest
from lapel.services.renditions import credential_content
from lapel.services.requests import AchievementChanges, IssuerChanges, NewCredential, NewEndorsement
from lapel.services.verifying import Report
from tests.unit.services.full_badge import STRICT, problems
from tests.unit.services.server import BASE, OWNER, Server, principal, read
from tests.unit.services.site import context_loader, failures, verify

FORMATS = ["eddsa-rdfc-2022", "vc-jwt"]


async def two_schools(server: Server) -> tuple[Issuer, Issuer, Achievement]:
    """Who awards, who endorses, and what is awarded."""
    awarding = await server.issuer()
    endorsing = await server.issuer(name="Board", url="https://board.example", description="Looks at schools.")
    return awarding, endorsing, await server.achievement(issuer=str(awarding.id))


async def endorse(server: Server, by: Issuer, endorsed: str, **members: Any) -> Credential:
    request = read(NewEndorsement, {"endorsed": endorsed, "issuer": str(by.id), **members})
    return await server.endorsing.issue(OWNER, request)


def signed(credential: Credential) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(credential.signed)
    return content


def address(achievement: Achievement) -> str:
    return f"{BASE}/v3/achievements/{achievement.id}"


async def change(server: Server, achievement: Achievement, **members: Any) -> Achievement:
    return await server.achievements.change(OWNER, achievement.id, read(AchievementChanges, members))


def schema_of_endorsements(vectors: Path) -> dict[str, Any]:
    """The strict schema's definition of an EndorsementCredential, as a schema of its own."""
    whole = json.loads((vectors / STRICT).read_text())
    return {"$schema": whole["$schema"], **whole["$defs"]["EndorsementCredential"], "$defs": whole["$defs"]}


@pytest.mark.parametrize("secured", FORMATS)
async def test_an_endorsement_is_a_credential_that_verifies(server: Server, secured: str, vectors: Path) -> None:
    _, board, achievement = await two_schools(server)
    credential = await endorse(
        server,
        board,
        address(achievement),
        comment="We have seen the knots.",
        description="A look at knots.",
        validUntil="2030-01-01T00:00:00Z",
        awardedDate="2026-05-01T00:00:00Z",
        format=secured,
    )
    content: Any = credential_content(credential)
    jsonschema.validate(content, schema_of_endorsements(vectors))
    assert content["type"] == ["VerifiableCredential", "EndorsementCredential"]
    assert content["name"] == "Endorsement of Knots"
    assert content["credentialSubject"] == {
        "id": address(achievement),
        "type": ["EndorsementSubject"],
        "endorsementComment": "We have seen the knots.",
    }
    stored = await server.credentials.get(credential.id)
    assert stored.achievement_id is None
    assert None not in (stored.status_list_id, stored.status_index, stored.status_position)
    report = await verify(server, credential.signed)
    assert report.valid is True, failures(report)


async def test_an_independent_library_verifies_an_endorsement(server: Server) -> None:
    board = await server.issuer(identity="did:key")
    credential = await endorse(server, board, "https://elsewhere.example/badge")
    verify_data_integrity_proof(signed(credential), resolve_did(str(board.did)))


async def test_an_endorsement_is_revoked_like_any_credential(server: Server) -> None:
    _, board, achievement = await two_schools(server)
    credential = await endorse(server, board, address(achievement))
    await server.statuses.change(OWNER, credential.id, CredentialStatus.REVOKED, "Withdrawn")
    assert (await verify(server, credential.signed)).valid is False


@pytest.mark.parametrize("endorsed", ["achievements", "issuers", "credentials"])
async def test_what_is_endorsed_at_this_server_is_there(server: Server, endorsed: str) -> None:
    badge = await server.badge()
    issuer = await server.issuers.get(badge.issuer_id)
    ids = {"achievements": badge.achievement_id, "issuers": badge.issuer_id, "credentials": badge.id}
    found = await endorse(server, issuer, f"{BASE}/v3/{endorsed}/{ids[endorsed]}")
    assert signed(found)["credentialSubject"]["id"] == f"{BASE}/v3/{endorsed}/{ids[endorsed]}"
    with pytest.raises(InvalidInput) as caught:
        await endorse(server, issuer, f"{BASE}/v3/{endorsed}/{server.new_id()}")
    assert problems(caught) == {"/endorsed": "not_found"}


async def test_all_problems_of_an_endorsement_are_named_at_once(server: Server) -> None:
    request = read(
        NewEndorsement,
        {
            "endorsed": "knots",
            "comment": " ",
            "validFrom": "2026-01-02T00:00:00Z",
            "validUntil": "2026-01-01T00:00:00Z",
            "credentialSchema": [{"id": "schema", "type": "Mine"}],
        },
    )
    with pytest.raises(InvalidInput) as caught:
        await server.endorsing.issue(OWNER, request)
    assert problems(caught) == {
        "/issuer": "missing",
        "/endorsed": "bad_iri",
        "/comment": "empty",
        "/validUntil": "bad_time",
        "/credentialSchema/0/id": "bad_url",
        "/credentialSchema/0/type": "not_allowed",
    }
    with pytest.raises(Forbidden):
        await server.endorsing.issue(principal(Role.VIEWER), request)


@pytest.mark.parametrize("secured", FORMATS)
async def test_a_badge_carries_the_endorsements_of_all_its_parts(server: Server, secured: str, vectors: Path) -> None:
    """Of the achievement, of the issuer and of the credential; as JSON and as tokens; signed as others read it."""
    school, board, achievement = await two_schools(server)
    for kind in FORMATS:
        name = "endorsement" if kind == "eddsa-rdfc-2022" else "endorsementJwt"

        async def given(about: str, kind: str = kind) -> list[Any]:
            credential = await endorse(server, board, about, comment="Good.", format=kind)
            return [signed(credential) if kind == "eddsa-rdfc-2022" else credential.signed.decode()]

        await change(server, achievement, **{name: await given(address(achievement))})
        changes = read(IssuerChanges, {name: await given(f"{BASE}/v3/issuers/{school.id}")})
        await server.issuers.change(OWNER, school.id, changes)
    did = "did:key:z6MkfQ"
    badge = await server.issue(
        achievement=str(achievement.id),
        recipient={"type": "did", "identity": did},
        endorsement=[
            signed(await endorse(server, board, did, comment="We know them.")),
            signed(await endorse(server, board, address(achievement), comment="We know them.")),
        ],
        format=secured,
    )
    content: Any = credential_content(badge)
    for holder in (content, content["issuer"], content["credentialSubject"]["achievement"]):
        assert holder["endorsement"][0]["type"] == ["VerifiableCredential", "EndorsementCredential"]
    assert len(content["endorsement"]) == 2
    jsonschema.validate(content, json.loads((vectors / STRICT).read_text()))
    report = await verify(server, badge.signed)
    assert report.valid is True, failures(report)
    for endorsement in content["endorsement"]:
        assert (await verify(server, json.dumps(endorsement))).valid is True
    unsecured = {name: value for name, value in content.items() if name != "proof"}
    options = {"documentLoader": context_loader, "format": "application/n-quads"}
    theirs = jsonld.normalize(unsecured, {**options, "algorithm": "URDNA2015", "safe": True})
    assert canonicalise(to_quads(unsecured, contexts=Contexts.bundled())) == theirs


async def test_what_a_part_of_the_badge_carries_is_not_embedded_again(server: Server) -> None:
    """Equal anonymous objects, such as the two proofs would be, are what others' libraries stumble over."""
    _, board, achievement = await two_schools(server)
    endorsement = signed(await endorse(server, board, address(achievement)))
    await change(server, achievement, endorsement=[endorsement])
    with pytest.raises(InvalidInput) as caught:
        await server.issue(achievement=str(achievement.id), endorsement=[endorsement])
    assert problems(caught) == {"/endorsement/0": "repeated"}


async def test_an_independent_library_verifies_a_badge_with_endorsements(server: Server) -> None:
    """Two of them by one endorser, whose profile has parts without an id."""
    school = await server.issuer(identity="did:key")
    board = await server.issuer(
        address={"addressCountry": "GB"}, otherIdentifier=[{"identifier": "1", "identifierType": "identifier"}]
    )
    achievement = await server.achievement(issuer=str(school.id))
    given = [signed(await endorse(server, board, address(achievement), comment=text)) for text in ("Good.", "Very.")]
    for endorsement in given:
        assert "address" not in endorsement["issuer"]
    await change(server, achievement, endorsement=given)
    badge = await server.issue(achievement=str(achievement.id))
    assert OB3LdpVerifier.for_issuer_did(str(school.did)).verify(badge.signed).achievement.name == "Knots"


async def test_endorsements_are_replaced_and_taken_away(server: Server) -> None:
    _, board, achievement = await two_schools(server)
    given = [signed(await endorse(server, board, address(achievement)))]
    assert (await change(server, achievement, endorsement=given)).details["endorsement"] == given
    assert (await change(server, achievement, name="Ropes")).details["endorsement"] == given
    assert "endorsement" not in (await change(server, achievement, endorsement=None)).details


async def test_a_single_value_is_written_as_an_array_and_verifies_still(server: Server) -> None:
    _, board, achievement = await two_schools(server)
    endorsement = signed(await endorse(server, board, address(achievement)))
    single = {**endorsement, "proof": endorsement["proof"][0]}
    single["credentialSubject"] = {**endorsement["credentialSubject"], "type": "EndorsementSubject"}
    assert (await change(server, achievement, endorsement=[single])).details["endorsement"] == [endorsement]


def _without(name: str) -> Any:
    return lambda endorsement: {key: value for key, value in endorsement.items() if key != name}


REFUSED = {
    "another word": lambda one: {**one, "description": "Something else"},
    "no proof": _without("proof"),
    "no name": _without("name"),
    "an empty object": lambda _: {},
    "another kind": lambda one: {**one, "type": ["VerifiableCredential"]},
    "null": lambda one: {**one, "description": None},
    "a control character": lambda one: {**one, "description": "a\u0001"},
    "an old context": lambda one: {**one, "@context": ["https://www.w3.org/2018/credentials/v1"]},
    "a context of its own": lambda one: {**one, "@context": [*one["@context"], {"a": "https://a.example/"}]},
    "an unknown context": lambda one: {**one, "@context": [*one["@context"], "https://a.example/context"]},
    "something undefined": lambda one: {**one, "mood": "good"},
    "too much of it": lambda one: {**one, "description": "a" * 70_000},
    "too deep": lambda one: {**one, "description": json.loads("[" * 40 + "]" * 40)},
}


@pytest.mark.parametrize("case", list(REFUSED))
async def test_what_does_not_verify_is_not_embedded(server: Server, case: str) -> None:
    _, board, achievement = await two_schools(server)
    endorsement = signed(await endorse(server, board, address(achievement)))
    with pytest.raises(InvalidInput) as caught:
        await change(server, achievement, endorsement=[REFUSED[case](copy.deepcopy(endorsement))])
    ((pointer, _),) = problems(caught).items()
    assert pointer == "/endorsement/0"
    assert "endorsement" not in (await server.achievements.get(achievement.id)).details


async def test_an_endorsement_of_something_else_is_not_embedded(server: Server) -> None:
    school, board, achievement = await two_schools(server)
    of_school = await endorse(server, board, f"{BASE}/v3/issuers/{school.id}")
    token = await endorse(server, board, f"{BASE}/v3/issuers/{school.id}", format="vc-jwt")
    with pytest.raises(InvalidInput, match="must speak of") as caught:
        await change(
            server, achievement, endorsement=[signed(of_school)], endorsementJwt=[token.signed.decode(), "a.b.c"]
        )
    assert problems(caught) == {
        "/endorsement/0": "bad_endorsement",
        "/endorsementJwt/0": "bad_endorsement",
        "/endorsementJwt/1": "bad_endorsement",
    }


async def test_a_revoked_endorsement_is_not_embedded(server: Server) -> None:
    _, board, achievement = await two_schools(server)
    endorsement = await endorse(server, board, address(achievement))
    await server.statuses.change(OWNER, endorsement.id, CredentialStatus.REVOKED, "Withdrawn")
    with pytest.raises(InvalidInput, match="revoked") as caught:
        await change(server, achievement, endorsement=[signed(endorsement)])
    assert problems(caught) == {"/endorsement/0": "endorsement_unverified"}


async def test_one_endorsement_twice_and_too_many_are_refused(server: Server) -> None:
    _, board, achievement = await two_schools(server)
    one = await endorse(server, board, address(achievement))
    token = (await endorse(server, board, address(achievement), format="vc-jwt")).signed.decode()
    with pytest.raises(InvalidInput) as caught:
        await change(server, achievement, endorsement=[signed(one)] * 2, endorsementJwt=[token] * 2)
    assert problems(caught) == {"/endorsement/1/id": "repeated", "/endorsementJwt/1": "repeated"}
    with pytest.raises(InvalidInput) as caught:
        await change(server, achievement, endorsement=[signed(one)] * 11)
    assert problems(caught) == {"/endorsement": "too_many"}


async def test_who_takes_too_long_to_be_verified_is_not_waited_for(server: Server) -> None:
    _, board, achievement = await two_schools(server)
    endorsement = signed(await endorse(server, board, address(achievement)))

    async def never(_: str) -> Report:
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]  # it never returns

    problems_, brought = Problems(), EndorsementsOfRequest(seconds_left=0.01)
    about = {address(achievement)}
    for _ in range(2):
        await Endorsements(verifier=lambda _: never).read(
            problems_, "", [endorsement], None, about=about, request=brought
        )
    with pytest.raises(InvalidInput, match="took too long"):
        problems_.raise_any()


async def test_a_batch_verifies_each_endorsement_once(server: Server) -> None:
    _, board, achievement = await two_schools(server)
    endorsement = signed(await endorse(server, board, address(achievement)))
    request: Any = {
        "achievement": str(achievement.id),
        "recipient": {"type": "email", "identity": "ada@example.org"},
        "endorsement": [endorsement],
    }
    issued = await server.issue_many([read(NewCredential, request)] * 3)
    assert [signed(one)["endorsement"] for one in issued] == [[endorsement]] * 3
    assert len(server.verified) == 1
