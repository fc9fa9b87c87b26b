"""Revoked assertions of which little is left, or that say so themselves (OB 2.0, "Assertion", `revoked`)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.services.verifying.badges_2 import (
    ASSERTION,
    CONTEXT,
    jws,
    publish_signer,
    signed_assertion,
)
from tests.unit.services.verifying.world import OB, World, failed, outcome

REMAINS: dict[str, Any] = {"@context": CONTEXT, "id": ASSERTION, "revoked": True, "revocationReason": "By mistake."}


@pytest.mark.parametrize("lacking", ["", "@context"])
@pytest.mark.parametrize("more", [{}, {"type": "Assertion"}])
async def test_what_remains_of_a_revoked_assertion_at_its_address_says_so(
    hosted: World, lacking: str, more: dict[str, Any]
) -> None:
    """OB 2.0, "Assertion": "If revoked is true, only revoked and id are required properties"."""
    remains = {name: value for name, value in (REMAINS | more).items() if name != lacking}
    hosted.web.publish(ASSERTION, remains)

    for report in (await hosted.verifying.verify_url(ASSERTION), await hosted.verify(remains)):
        assert failed(report) == [("status", "revoked")]
        assert [check.detail for check in report.checks if check.code == "status"] == ["By mistake."]


async def test_only_its_host_can_say_that_a_hosted_assertion_is_revoked(hosted: World) -> None:
    """OB 2.0, "HostedBadge Verification": the input is trusted to identify the address alone."""
    report = await hosted.verify(REMAINS)

    assert report.valid is True
    assert outcome(report, "hosted") == ("warn", "hosted_differs")


async def test_a_signed_assertion_can_say_itself_that_it_is_revoked(world: World) -> None:
    publish_signer(world)
    given = signed_assertion(revoked=True, revocationReason="By mistake.")

    report = await world.verify(jws(world, given))

    assert failed(report) == [("status", "revoked")]
    assert [check.detail for check in report.checks if check.code == "status"] == ["By mistake."]


async def test_a_claim_of_that_name_beside_a_credential_makes_no_assertion_of_its_token(world: World) -> None:
    """VC 1.1, 6.3.1: a token may have further claims beside ``vc``."""
    contexts = ["https://www.w3.org/2018/credentials/v1", OB]
    dates = {"validFrom": None, "validUntil": None, "issuanceDate": "2026-05-01T00:00:00Z"}
    badge = world.badge(**{"@context": contexts, "issuer": world.did, "credentialStatus": None} | dates)
    claims = {"vc": badge, "iss": world.did, "jti": badge["id"], "nbf": 1_777_593_600, "revoked": True}

    assert (await world.verify(jws(world, claims, kid=f"{world.did}#{world.multikey}", typ="JWT"))).valid is True
