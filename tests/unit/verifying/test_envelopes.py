"""Credentials that come in an envelope are taken out of it; presentations are named, and nothing is said of them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.verifying.world import VC, World, failed, outcome


def envelope(token: str, **members: Any) -> dict[str, Any]:
    return {
        "@context": VC,
        "id": f"data:application/vc+jwt,{token}",
        "type": "EnvelopedVerifiableCredential",
        **members,
    }


async def test_a_badge_in_an_envelope_is_verified(world: World) -> None:
    token = world.token(world.badge())
    assert (await world.verify(token)).valid is True, "as it is without one"

    report = await world.verify(envelope(token))

    assert report.valid is True
    assert report.shown.name == "Chess"


async def test_what_was_changed_in_an_envelope_is_not_valid(world: World) -> None:
    head, claims, _ = world.token(world.badge()).split(".")
    *_, signature = world.token(world.badge(name="Draughts")).split(".")

    report = await world.verify(envelope(f"{head}.{claims}.{signature}"))

    assert failed(report) == [("signature", "signature_invalid")]


@pytest.mark.parametrize(
    "members",
    [
        {"id": "https://school.example/badges/1"},
        {"id": "data:text/plain,hello"},
        {"@context": "https://school.example/context"},
        {"type": ["EnvelopedVerifiableCredential", "OpenBadgeCredential"]},
    ],
)
async def test_an_envelope_that_is_none_is_not_opened(world: World, members: dict[str, Any]) -> None:
    report = await world.verify(envelope(world.token(world.badge()), **members))

    assert report.valid is False
    assert outcome(report, "structure") == ("fail", "member_invalid")


@pytest.mark.parametrize("kind", ["VerifiablePresentation", "EnvelopedVerifiablePresentation"])
async def test_of_a_presentation_it_is_said_what_it_is(world: World, kind: str) -> None:
    held = world.sign(world.badge())

    report = await world.verify({"@context": [VC], "type": [kind], "verifiableCredential": [held]})

    assert report.valid is None
    assert outcome(report, "structure") == ("unknown", "presentation")


async def test_a_badge_that_calls_itself_a_presentation_too_is_judged_as_a_badge(world: World) -> None:
    badge = world.badge(type=["VerifiableCredential", "OpenBadgeCredential", "VerifiablePresentation"])

    report = await world.verify({**world.sign(badge), "name": "Draughts"})

    assert outcome(report, "signature") == ("fail", "signature_invalid")
