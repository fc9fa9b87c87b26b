"""Other forms of a badge: Open Badges 2.0, and images with a badge inside."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from openbadgeslib.ob2 import OB2Verifier

from lapel.credentials.baking import png as baked_png
from lapel.credentials.baking import svg as baked_svg
from lapel.domain.credential import CredentialStatus
from lapel.errors import NotFound
from lapel.openbadges.v2 import NoVersion2Form
from lapel.services.renditions import AssertionRevoked
from lapel.services.requests import IssuerChanges
from lapel.services.verifying import Outcome
from tests.support.badge_images import SVG, png
from tests.unit.services.full_badge import AWARD, full_badge
from tests.unit.services.server import BASE, OWNER, Server, read
from tests.unit.services.site import Site, failures, verify

V2 = "https://w3id.org/openbadges/v2"


async def test_an_assertion_says_what_the_credential_says(server: Server) -> None:
    credential = await full_badge(server)
    assertion: Any = await server.renditions.v2_assertion(credential.id)
    subject = json.loads(credential.signed)["credentialSubject"]
    assert assertion["@context"] == V2
    assert assertion["id"] == f"{BASE}/v2/assertions/{credential.id}"
    assert assertion["recipient"] == {
        "type": "email",
        "hashed": True,
        "identity": subject["identifier"][0]["identityHash"],
        "salt": subject["identifier"][0]["salt"],
    }
    assert assertion["badge"] == f"{BASE}/v2/badge-classes/{credential.achievement_id}"
    assert (assertion["issuedOn"], assertion["expires"]) == (AWARD["awardedDate"], AWARD["validUntil"])
    assert assertion["verification"] == {"type": "HostedBadge"}
    assert assertion["narrative"] == AWARD["narrative"]
    assert assertion["evidence"][0] == {"type": "Evidence", "id": "https://school.example/film", "name": "Film"}


async def test_what_is_to_hold_later_does_not_hold_before_in_version_2_either(server: Server) -> None:
    later = "2026-07-01T00:00:00Z"
    credential = await full_badge(server, validFrom=later)
    assertion: Any = await server.renditions.v2_assertion(credential.id)

    assert assertion["issuedOn"] == later > AWARD["awardedDate"]
    for given in (credential.signed, json.dumps(assertion), await server.signed_assertions.get(credential.id)):
        report = await verify(server, given)
        assert [check.problem for check in report.checks if check.outcome is Outcome.FAIL] == ["not_yet_valid"]


@pytest.mark.parametrize("secured", ["eddsa-rdfc-2022", "vc-jwt"])
async def test_an_independent_library_verifies_the_hosted_assertion(server: Server, secured: str) -> None:
    credential = await full_badge(server, format=secured)
    site, loop = Site(server), asyncio.get_running_loop()

    def download(url: str) -> bytes:
        return asyncio.run_coroutine_threadsafe(site.body(url), loop).result(10)

    assertion = dict(await server.renditions.v2_assertion(credential.id))
    verifier = OB2Verifier(download=download)
    found = await asyncio.to_thread(
        verifier.verify_hosted, assertion, expected_recipient="ada@example.org", check_revocation=True
    )
    assert found.id == assertion["id"]


async def test_our_own_verifier_accepts_the_assertion(server: Server) -> None:
    credential = await full_badge(server)
    assertion = json.dumps(await server.renditions.v2_assertion(credential.id))
    report = await verify(server, assertion, expected_recipient="ada@example.org")
    assert report.valid is True, failures(report)


async def test_a_badge_class_has_what_version_2_requires(server: Server) -> None:
    credential = await full_badge(server)
    assert credential.achievement_id is not None
    badge: Any = await server.renditions.v2_badge_class(credential.achievement_id)
    assert badge["type"] == "BadgeClass"
    assert badge["image"] == f"{BASE}/v3/achievements/{credential.achievement_id}/image"
    assert badge["criteria"] == {"type": "Criteria", "narrative": "Tie **ten** knots."}
    assert badge["issuer"] == f"{BASE}/v2/issuers/{credential.issuer_id}"
    assert badge["tags"] == ["rope", "ropes"]
    assert badge["alignment"] == [
        {"type": "AlignmentObject", "targetName": "Rope", "targetUrl": "https://frame.example/1"}
    ]


async def test_an_issuer_is_a_version_2_profile(server: Server) -> None:
    issuer = await server.issuer(phone="112112")
    profile: Any = await server.renditions.v2_issuer(issuer.id)
    assert (profile["type"], profile["email"], profile["telephone"]) == ("Issuer", "office@school.example", "112112")
    assert profile["revocationList"] == f"{BASE}/v2/issuers/{issuer.id}/revocations"


async def test_an_issuer_without_an_e_mail_address_has_no_version_2_form(server: Server) -> None:
    credential = await server.badge()
    assert credential.achievement_id is not None
    await server.issuers.change(OWNER, credential.issuer_id, read(IssuerChanges, {"email": None}))
    for rendition in (
        server.renditions.v2_issuer(credential.issuer_id),
        server.renditions.v2_badge_class(credential.achievement_id),
        server.renditions.v2_assertion(credential.id),
        server.renditions.v2_revocations(credential.issuer_id),
    ):
        with pytest.raises(NoVersion2Form, match="e-mail"):
            await rendition


async def test_a_did_has_no_version_2_form(server: Server) -> None:
    credential = await server.badge(recipient={"type": "did", "identity": "did:key:z6Mk"})
    with pytest.raises(NotFound, match="DID"):
        await server.renditions.v2_assertion(credential.id)


@pytest.mark.parametrize(
    ("recipient", "expected"),
    [
        (
            {"type": "url", "identity": "https://ada.example/"},
            {"type": "url", "hashed": False, "identity": "https://ada.example/"},
        ),
        (
            {"type": "phone", "identity": "+44 20 7946 0958", "hashed": False},
            {"type": "telephone", "hashed": False, "identity": "+442079460958"},
        ),
    ],
)
async def test_other_recipients_keep_their_kind(
    server: Server, recipient: dict[str, Any], expected: dict[str, Any]
) -> None:
    credential = await server.badge(recipient=recipient)
    assert (await server.renditions.v2_assertion(credential.id))["recipient"] == expected


async def test_a_revoked_assertion_is_gone_and_listed(server: Server) -> None:
    credential = await server.badge()
    await server.statuses.change(OWNER, credential.id, CredentialStatus.REVOKED, "By mistake")
    with pytest.raises(AssertionRevoked) as caught:
        await server.renditions.v2_assertion(credential.id)
    named = f"{BASE}/v2/assertions/{credential.id}"
    assert caught.value.document == {
        "@context": V2,
        "type": "Assertion",
        "id": named,
        "revoked": True,
        "revocationReason": "By mistake",
    }
    listed: Any = await server.renditions.v2_revocations(credential.issuer_id)
    assert listed["revokedAssertions"] == [{"id": named, "revocationReason": "By mistake"}]


@pytest.mark.parametrize("secured", ["eddsa-rdfc-2022", "vc-jwt"])
@pytest.mark.parametrize("image", [png(), SVG, None], ids=["png", "svg", "drawn"])
async def test_a_baked_image_holds_the_very_credential(server: Server, secured: str, image: bytes | None) -> None:
    await server.issuer()
    achievement = await server.achievement()
    if image is not None:
        await server.achievements.set_image(OWNER, achievement.id, image)
    credential = await server.issue(achievement=str(achievement.id), format=secured)
    baked = await server.renditions.baked_image(credential.id)
    carrier = baked_png if image == png() else baked_svg
    assert baked.media_type == carrier.MEDIA_TYPE
    assert carrier.unbake(baked.content).payload == credential.signed.decode()
    assert (await verify(server, baked.content)).valid is True


async def test_a_version_2_image_holds_the_assertion(server: Server) -> None:
    await server.issuer()
    achievement = await server.achievement()
    await server.achievements.set_image(OWNER, achievement.id, png())
    credential = await server.issue(achievement=str(achievement.id))
    baked = await server.renditions.v2_baked_image(credential.id)
    assert json.loads(baked_png.unbake(baked.content).payload) == await server.renditions.v2_assertion(credential.id)


async def test_a_badge_keeps_the_image_that_it_was_issued_with(server: Server) -> None:
    await server.issuer()
    achievement = await server.achievement()
    await server.achievements.set_image(OWNER, achievement.id, png())
    credential = await server.issue(achievement=str(achievement.id))
    await server.achievements.set_image(OWNER, achievement.id, SVG)
    assert (await server.renditions.baked_image(credential.id)).media_type == "image/png"


async def test_what_is_not_there_is_not_found(server: Server) -> None:
    nothing = server.new_id()
    for rendition in (
        server.renditions.v2_issuer(nothing),
        server.renditions.v2_badge_class(nothing),
        server.renditions.v2_assertion(nothing),
        server.renditions.baked_image(nothing),
    ):
        with pytest.raises(NotFound):
            await rendition
