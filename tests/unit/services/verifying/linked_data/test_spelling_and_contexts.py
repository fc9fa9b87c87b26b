"""A badge says to plain readers what it says as linked data: nothing spelt otherwise, nothing given a new meaning."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator
from typing import Any

import pytest

from lapel.credentials.jsonld import GeneralPath
from lapel.domain.json import JsonObject
from lapel.services.verifying.linked_data.spelling import expanded, is_reserved, prefixes_of
from tests.unit.services.verifying.world import ISSUER, OB, VC, World, failed, outcome

CREDENTIALS = "https://www.w3.org/2018/credentials#"
OBV = "https://purl.imsglobal.org/spec/vc/ob/vocab.html#"
CLR = "https://purl.imsglobal.org/spec/clr/v2p0/context-2.0.1.json"
SWAP = {"name": "https://schema.org/description", "description": "https://schema.org/name"}


@pytest.fixture
async def whole(world: World) -> AsyncIterator[World]:
    """A world whose verifier has a whole JSON-LD processor."""
    async with GeneralPath(world.contexts, seconds=30) as general_path:
        world.verifying = world.new_verifying(general_path=general_path)
        yield world


def two_entries(world: World) -> tuple[dict[str, Any], dict[str, Any]]:
    """A revoked entry and a good one, both without ids."""
    world.publish_list(5)
    entry = {name: value for name, value in world.badge()["credentialStatus"].items() if name != "id"}
    return entry, {**entry, "statusListIndex": "7"}


def test_a_name_is_not_spelt_out_any_longer_than_it_is_looked_at() -> None:
    """Each of a hundred thousand names may have a prefix of a megabyte."""
    long = "https://example.org/" + "x" * 1_000_000 + "#"

    prefixes = prefixes_of({"@context": {"a": long, "b": f"a:{long}"}})

    assert len(expanded("b:1", prefixes)) < 5_000
    assert is_reserved(expanded("c:1", prefixes_of({"@context": {"c": CREDENTIALS + long}})))


async def test_a_revoked_entry_is_not_hidden_by_another_shown_twice(whole: World) -> None:
    revoked, good = two_entries(whole)
    badge = whole.sign(whole.badge(credentialStatus=[revoked, good]))
    assert ("status", "revoked") in failed(await whole.verify(badge))
    badge[f"{CREDENTIALS}credentialStatus"] = revoked
    badge["credentialStatus"] = [{**good, "id": "_:b"}, {**good, "@id": "_:b"}]

    report = await whole.verify(badge)

    assert ("json_ld", "member_hidden") in failed(report)


async def test_nor_by_stating_the_credential_once_more_with_usual_names(whole: World) -> None:
    revoked, good = two_entries(whole)
    badge = whole.sign(whole.badge(credentialStatus=[revoked, good]))
    badge["credentialStatus"] = [{**good, "id": "_:b"}, {**good, "id": "_:b"}]
    badge["@included"] = [{"id": badge["id"], "type": "VerifiableCredential", "credentialStatus": revoked}]

    assert ("json_ld", "member_hidden") in failed(await whole.verify(badge))


async def test_an_entry_in_place_of_another_is_seen(whole: World) -> None:
    revoked, good = two_entries(whole)
    badge = whole.sign(whole.badge(credentialStatus=[revoked]))
    badge["credentialStatus"] = [good]
    badge["@included"] = [{"id": badge["id"], "type": "VerifiableCredential", "credentialStatus": revoked}]

    assert ("json_ld", "member_hidden") in failed(await whole.verify(badge))


@pytest.mark.parametrize(
    "changes",
    [
        {"@id": "https://school.example/v3/credentials/7"},
        {"@type": "VerifiableCredential"},
        {"cred:validUntil": "2026-05-02T00:00:00Z"},
        {f"{CREDENTIALS}validUntil": "2026-05-02T00:00:00Z"},
        {f"{OBV}identifier": []},
        {"https://w3id.org/security#proof": []},
    ],
)
async def test_other_spellings_of_decisive_members_fail(world: World, changes: dict[str, Any]) -> None:
    report = await world.verify(world.sign(world.badge()) | changes)

    assert ("json_ld", "member_hidden") in failed(report)


def swapped(badge: dict[str, Any]) -> dict[str, Any]:
    badge = copy.deepcopy(badge)
    achievement = badge["credentialSubject"]["achievement"]
    achievement["name"], achievement["description"] = achievement["description"], achievement["name"]
    return badge


async def test_the_context_of_clr_is_not_that_of_badges(world: World) -> None:
    signed = world.sign(world.badge())

    report = await world.verify({**signed, "@context": [VC, CLR]})

    assert outcome(report, "contexts") == ("fail", "context_missing")


@pytest.mark.parametrize(
    "inline",
    [
        {"achievement": {"@id": f"{OBV}achievement", "@context": SWAP}},
        {"ach": {"@id": f"{OBV}achievement"}},
        {"c": CREDENTIALS},
        {"w3": "https://www.w3.org/2018/", "end": "w3:credentials#validUntil"},
        {"name": "https://schema.org/description"},
        {"extra": {"@id": "https://example.org/extra", "@context": SWAP}},
        {"kind": "@type"},
        {"gone": None},
        {"@vocab": "https://example.org/"},
        {"@base": "https://example.org/"},
        None,
    ],
)
async def test_a_context_of_the_badges_own_may_not_touch_what_is_defined(whole: World, inline: Any) -> None:
    signed = whole.sign(whole.badge())

    report = await whole.verify({**swapped(signed), "@context": [VC, OB, inline]})

    assert outcome(report, "contexts") == ("fail", "context_redefines")


@pytest.mark.parametrize("inner", [SWAP, None, [OB, SWAP], "https://w3id.org/openbadges/v2"])
async def test_nor_may_one_inside_of_it(whole: World, inner: Any) -> None:
    badge = swapped(whole.sign(whole.badge()))
    badge["credentialSubject"]["achievement"]["@context"] = inner

    report = await whole.verify(badge)

    assert outcome(report, "contexts") == ("fail", "context_redefines")


async def test_a_context_of_the_badges_own_may_add_terms(whole: World) -> None:
    own: JsonObject = {"colour": "https://example.org/colour", "ex": "https://example.org/", "size": {"@id": "ex:size"}}
    plain = whole.sign(whole.badge())

    report = await whole.verify({**plain, "@context": [VC, OB, own]})

    assert report.valid is True


async def test_a_token_signs_its_contexts_so_they_are_only_worth_a_warning(world: World) -> None:
    badge = world.badge(**{"@context": [VC, OB, {"name": "https://schema.org/description"}]})

    report = await world.verify(world.token(badge))

    assert (report.valid, outcome(report, "contexts")) == (True, ("warn", "context_redefines"))


async def test_a_badge_with_thousands_where_few_belong_is_not_looked_at(world: World) -> None:
    badge = world.badge()
    badge["credentialSubject"]["identifier"] = [{}] * 1_001

    report = await world.verify(badge)

    assert failed(report) == [("structure", "too_complex")]
    assert [check.code.value for check in report.checks] == ["structure"]


async def test_faults_are_not_looked_for_after_the_eighth(world: World) -> None:
    badge = world.badge()
    badge["credentialSubject"]["identifier"] = [{}] * 1_000

    [structure] = [check for check in (await world.verify(badge)).checks if check.code == "structure"]

    assert (structure.detail or "").count(";") == 7


@pytest.mark.parametrize(("bad", "expected"), [(3, True), (4, None)])
async def test_one_good_proof_of_the_first_four_is_enough(world: World, bad: int, expected: bool | None) -> None:
    good = world.sign(world.badge())
    wrong = world.sign(world.badge(), signer=world.new_signer())["proof"]

    report = await world.verify({**good, "proof": [*[wrong] * bad, good["proof"]]})

    assert report.valid is expected
    assert ISSUER in world.web.asked


async def test_a_credential_whose_contexts_are_no_array_fails_structure(world: World) -> None:
    """VC 2.0, 4.3."""
    named = {"type": ["VerifiableCredential"], "issuer": ISSUER, "credentialSubject": {"id": "did:example:ada"}}
    credential = world.badge(**{"@context": VC, **named})

    assert failed(await world.verify(world.sign(credential))) == [("structure", "member_invalid")]
