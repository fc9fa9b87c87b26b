"""Credentials that come in an envelope are taken out of it; presentations are named, and nothing is said of them."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from lapel.credentials.jose import base64url
from tests.unit.services.verifying.world import VC, World, failed, outcome

OB2 = "https://w3id.org/openbadges/v2"


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


@pytest.mark.parametrize(
    "written",
    [
        lambda token: f"data:application/vc+jwt;charset=utf-8,{token}",
        lambda token: f"data:application/vc+jwt;base64,{base64.b64encode(token.encode()).decode()}",
        lambda token: "data:application/vc+jwt," + token.replace(".", "%2E"),
        lambda token: f"DATA:application/vc+jwt,{token}",
    ],
    ids=["charset", "base64", "percent", "scheme"],
)
async def test_a_data_url_may_be_written_in_every_way_that_there_is(world: World, written: Any) -> None:
    report = await world.verify(envelope("", id=written(world.token(world.badge()))))

    assert report.valid is True


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
        {"id": "data:application/vc+jwt,hello"},
        {"id": "data:application/vc+jwt,"},
        {"id": "data:application/vc+jwt;base64,!"},
        {"id": "data:application/vc+jwt;base64,/w=="},
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


@pytest.mark.parametrize("kind", ["VerifiableCredential", "EndorsementCredential"])
async def test_nor_does_another_credential_escape_so(world: World, kind: str) -> None:
    signed = world.sign(world.badge(type=["VerifiableCredential", kind, "VerifiablePresentation"]))

    report = await world.verify({**signed, "name": "Draughts"})

    assert outcome(report, "signature") == ("fail", "signature_invalid")


async def test_nor_an_assertion_that_nobody_signed(world: World) -> None:
    report = await world.verify({"@context": OB2, "type": ["Assertion", "VerifiablePresentation"]})

    assert outcome(report, "proof") == ("fail", "proof_missing")


def signed(world: World, claims: dict[str, Any], **header: Any) -> str:
    parts = ({"alg": "EdDSA", "kid": world.method_id, **header}, claims)
    content = ".".join(base64url.encode(json.dumps(part).encode()) for part in parts)
    return f"{content}.{base64url.encode(world.signer.sign(content.encode()))}"


async def test_an_envelope_in_a_token_is_not_opened(world: World) -> None:
    inner = envelope(world.token(world.badge()), verification={"type": "hosted"})

    report = await world.verify(signed(world, {**inner, "@context": [OB2, VC]}))

    assert report.valid is False


@pytest.mark.parametrize("header", [{}, {"typ": "JWT"}, {"typ": "vp+jwt"}])
async def test_of_a_presentation_in_a_token_it_is_said_too(world: World, header: dict[str, Any]) -> None:
    presentation = {"@context": [VC], "type": "VerifiablePresentation"}

    report = await world.verify(signed(world, presentation, **header))

    assert report.valid is None
    assert outcome(report, "structure") == ("unknown", "presentation")


async def test_a_badge_in_a_token_that_is_called_a_presentation_is_refused(world: World) -> None:
    report = await world.verify(signed(world, world.badge(), typ="vp+jwt"))

    assert outcome(report, "proof") == ("fail", "proof_invalid")


@pytest.mark.parametrize("media_type", ["application/vc+sd-jwt", "application/vc+cose;base64"])
async def test_a_kind_of_envelope_that_is_not_understood_leaves_it_open(world: World, media_type: str) -> None:
    report = await world.verify(envelope("", id=f"data:{media_type},0oRDoQEm"))

    assert report.valid is None
    assert outcome(report, "proof") == ("unknown", "proof_unsupported")


@pytest.mark.parametrize("typ", ["vp+jwt", "JWT"])
async def test_a_presentation_that_is_a_token_is_named_too(world: World, typ: str) -> None:
    presentation = {"@context": [VC], "type": ["VerifiablePresentation"]}
    claims = {"vp": presentation} if typ == "JWT" else presentation
    parts = ({"alg": "EdDSA", "typ": typ}, claims)
    token = ".".join([*(base64url.encode(json.dumps(each).encode()) for each in parts), base64url.encode(bytes(64))])

    report = await world.verify(token)

    assert report.valid is None
    assert outcome(report, "structure") == ("unknown", "presentation")
