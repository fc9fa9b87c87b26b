"""Credentials of which their holder shows a part: ecdsa-sd-2023, which 1EdTech's certification asks of verifiers."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from lapel.credentials import keys
from lapel.credentials.data_integrity import ProofMalformed
from lapel.credentials.ecdsa_sd_2023 import decode_proof_value
from lapel.domain.signing_key import KeyAlgorithm
from tests.support.selective_disclosure import proof_value, shown_part
from tests.unit.services.verifying.world import World, failed, outcome

OPTIONAL = "https://school.example/v3/achievements/3"
"""What is said of the achievement need not be shown."""


@pytest.fixture
def world() -> World:
    world = World()
    world.signer = world.new_signer(KeyAlgorithm.P256)
    world.publish_issuer()
    return world


def shown(
    world: World,
    *,
    without: str = "creditsAvailable",
    name: str = "Chess",
    signer: keys.LocalSigner | None = None,
    **wrong: Any,
) -> Any:
    badge = world.badge(credentialStatus=None)
    badge["credentialSubject"]["achievement"]["name"] = name
    part = copy.deepcopy(badge)
    part["credentialSubject"]["achievement"].pop(without, None)
    options = {
        "type": "DataIntegrityProof",
        "cryptosuite": "ecdsa-sd-2023",
        "created": "2026-06-01T11:00:00Z",
        "verificationMethod": world.method_id,
        "proofPurpose": "assertionMethod",
    }
    by = signer or world.signer
    return shown_part(badge, part, options=options, canonical=world.canonical, issuer=by, optional=OPTIONAL, **wrong)


@pytest.mark.parametrize("without", ["creditsAvailable", "tag", "nothing"])
async def test_what_its_holder_shows_of_a_badge_is_valid(world: World, without: str) -> None:
    report = await world.verify(shown(world, without=without))

    assert report.valid is True, failed(report)
    assert report.shown.format == "ecdsa-sd-2023"


@pytest.mark.parametrize(
    "name",
    ["_:c14n0", '"_:c14n0" _:c14n1 .', 'a"@en .\n_:c14n0 <urn:x> "b" .', '"^^<urn:x> .', "\\\\", "\u2028\x85", " \t "],
)
async def test_a_text_is_shown_as_it_was_signed_though_it_looks_like_statements(world: World, name: str) -> None:
    assert (await world.verify(shown(world, name=name))).valid is True


async def test_the_report_says_that_more_may_have_been_signed_than_is_shown(world: World) -> None:
    report = await world.verify(shown(world))

    said = {check.code.value: check.sentence for check in report.checks}
    assert "its holder may have left out" in said["proof"]
    assert said["status"] == "It names no way to ask whether it has been revoked."


async def test_a_badge_that_lacks_what_every_badge_has_is_not_valid(world: World) -> None:
    report = await world.verify(shown(world, without="criteria"))

    assert report.valid is False
    assert outcome(report, "structure")[0] == "fail"


def of_achievement(badge: dict[str, Any]) -> dict[str, Any]:
    achievement: dict[str, Any] = badge["credentialSubject"]["achievement"]
    return achievement


@pytest.mark.parametrize(
    "change",
    [
        lambda badge: badge.update(name="Checkers"),
        lambda badge: badge.update(validUntil="2028-05-01T00:00:00Z"),
        lambda badge: badge.pop("validUntil"),
        lambda badge: badge["proof"].update(created="2026-05-01T11:00:00Z"),
        lambda badge: of_achievement(badge).update(name="Checkers"),
        lambda badge: of_achievement(badge).update(humanCode="C-1"),
        lambda badge: of_achievement(badge).update(tag=["games"]),
    ],
)
async def test_what_was_changed_left_out_or_added_afterwards_is_not_valid(
    world: World, change: Callable[[dict[str, Any]], Any]
) -> None:
    badge = shown(world)
    change(badge)

    report = await world.verify(badge)

    assert failed(report) == [("signature", "signature_invalid")]


async def test_nobody_else_can_sign_it(world: World) -> None:
    report = await world.verify(shown(world, signer=world.new_signer(KeyAlgorithm.P256)))

    assert failed(report) == [("signature", "signature_invalid")]


async def test_the_key_has_to_be_of_the_curve(world: World) -> None:
    badge = shown(world)
    world.signer = world.new_signer()
    world.publish_issuer()
    badge["proof"]["verificationMethod"] = world.method_id

    assert outcome(await world.verify(badge), "signature") == ("fail", "signature_invalid")


@pytest.mark.parametrize(
    "wrong",
    [
        {"base": b"x" * 63},
        {"base": "text"},
        {"public_key": b"\xed\x01" + b"x" * 32},
        {"public_key": b"\x80\x24" + b"\xff" * 33},
        {"signatures": []},
        {"signatures": [b"x"]},
        {"labels": {}},
        {"labels": {0: b"x" * 32, 1: b"x" * 32}},
        {"labels": {0: b"x"}},
        {"labels": {0: 1}},
        {"mandatory": [0, 0]},
        {"mandatory": [b"0"]},
        {"mandatory": [10_000]},
        {"mandatory": 7},
    ],
)
async def test_a_value_that_is_put_together_wrongly_is_not_valid(world: World, wrong: dict[str, Any]) -> None:
    assert failed(await world.verify(shown(world, **wrong))) == [("signature", "signature_invalid")]


def test_a_key_that_is_too_long_is_refused_unread() -> None:
    """Its text would be made in quadratic time: of a quarter of a megabyte in some ten seconds."""
    parts = [b"x" * 64, b"\x80\x24" + b"\xff" * 34, [], {}, []]

    with pytest.raises(ProofMalformed, match="not 35 bytes long"):
        decode_proof_value(proof_value(parts))


def test_what_was_one_thing_when_it_was_signed_is_not_shown_as_two() -> None:
    parts = [b"x" * 64, b"x" * 35, [], {0: b"x" * 32, 1: b"x" * 32}, []]

    with pytest.raises(ProofMalformed, match="one label for two parts"):
        decode_proof_value(proof_value(parts))


@pytest.mark.parametrize(
    "value",
    [
        "",
        "z" + "1" * 64,
        "u",
        "u" + "A" * 64,
        proof_value([], header=b"\xd9\x5d\x00"),
        proof_value([]),
        proof_value([b"x"] * 5),
        proof_value([])[:-1],
        proof_value([[[[[[]]]]]]),
        "u2V0BmwAAAAD_____",
        "u2V0BX___",
        "u2V0BogAAAAA",
        "u2V0B" + "h" * 8,
    ],
)
async def test_what_is_no_derived_proof_is_not_valid(world: World, value: str) -> None:
    badge = shown(world)
    badge["proof"]["proofValue"] = value

    report = await world.verify(badge)

    assert report.valid is False
    assert {code for code, _ in failed(report)} <= {"signature", "proof"}
