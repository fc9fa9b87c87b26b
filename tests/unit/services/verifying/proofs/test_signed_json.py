"""Badges whose JSON is signed itself: eddsa-jcs-2022, which Open Badges 3.0 leaves to the issuer."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from lapel.credentials import data_integrity, eddsa_jcs_2022, eddsa_rdfc_2022
from tests.unit.services.verifying.world import NOW, World, failed, outcome


def signed(world: World, badge: dict[str, Any], *, contexts: bool = True, **members: Any) -> dict[str, Any]:
    """The badge with such a proof, with `members`; without `contexts`, the proof leaves them to the document."""
    options: dict[str, Any] = eddsa_rdfc_2022.proof_options(
        badge, verification_method=world.method_id, created=NOW - timedelta(hours=1)
    )
    options |= {"cryptosuite": eddsa_jcs_2022.CRYPTOSUITE, **members}
    if not contexts:
        del options["@context"]
    texts = eddsa_jcs_2022.canonical(options, data_integrity.unsecured(badge))
    value = eddsa_rdfc_2022.encode_proof_value(world.signer.sign(eddsa_rdfc_2022.hash_data(*texts)))
    return {**badge, "proof": {**options, "proofValue": value}}


@pytest.mark.parametrize("contexts", [True, False])
async def test_a_badge_with_its_json_signed_is_valid(world: World, contexts: bool) -> None:
    report = await world.verify(signed(world, world.badge(), contexts=contexts))

    assert report.valid is True
    assert report.shown.format == "eddsa-jcs-2022"


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "Another"},
        {"validUntil": "2030-01-01T00:00:00Z"},
        {"id": "urn:uuid:00000000-0000-4000-8000-000000000001"},
    ],
)
async def test_a_badge_that_was_changed_fails(world: World, changes: dict[str, Any]) -> None:
    assert failed(await world.verify({**signed(world, world.badge()), **changes})) == [
        ("signature", "signature_invalid")
    ]


async def test_contexts_may_follow_those_that_were_signed_and_no_other_may_come_before(world: World) -> None:
    badge = signed(world, world.badge())
    more = "https://w3id.org/security/data-integrity/v2"

    report = await world.verify({**badge, "@context": [*badge["@context"], more]})
    assert report.valid is True

    badge["@context"] = [badge["@context"][0], more, *badge["@context"][1:]]
    assert outcome(await world.verify(badge), "signature") == ("fail", "signature_invalid")


async def test_a_proof_that_was_changed_fails(world: World) -> None:
    badge = signed(world, world.badge())
    badge["proof"]["created"] = "2026-01-01T00:00:00Z"

    assert failed(await world.verify(badge)) == [("signature", "signature_invalid")]


async def test_an_integer_that_not_everybody_keeps_is_not_taken_for_signed(world: World) -> None:
    badge = signed(world, world.badge())
    badge["credentialSubject"]["achievement"]["creditsAvailable"] = 2**53 + 1

    assert outcome(await world.verify(badge), "signature") == ("fail", "signature_invalid")


@pytest.mark.parametrize(
    "members", [{"id": "first"}, {"id": 5}, {"id": None}, {"id": ["urn:uuid:1"]}, {"verificationMethod": "key-1"}]
)
async def test_a_proof_is_named_by_a_url_and_names_its_key_by_one(world: World, members: dict[str, Any]) -> None:
    assert (await world.verify(signed(world, world.badge(), id="urn:uuid:1"))).valid is True

    report = await world.verify(signed(world, world.badge(), **members))

    assert outcome(report, "proof") == ("fail", "proof_invalid")
