"""Proofs with members that the document's contexts do not define, which nobody can have signed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.presenting import Holder
from tests.unit.services.verifying.world import World, outcome

VC_1, DATA_INTEGRITY = "https://www.w3.org/2018/credentials/v1", "https://w3id.org/security/data-integrity/v2"
ADA = Holder()


def signed() -> dict[str, Any]:
    draft = ADA.draft(**{"@context": [VC_1, DATA_INTEGRITY]}, issuanceDate="2026-01-31T12:00:00Z")
    return ADA.signed(draft, purpose="assertionMethod")


async def test_a_context_beside_the_old_one_defines_the_proof(world: World) -> None:
    assert (await world.verify(signed())).valid is True


@pytest.mark.parametrize(
    "changes", [{"@context": [VC_1]}, {"proof": {**signed()["proof"], "type": "Ed25519Signature2020"}}]
)
async def test_a_proof_that_is_not_defined_is_none(world: World, changes: dict[str, Any]) -> None:
    report = await world.verify({**signed(), **changes})

    assert outcome(report, "signature") == ("fail", "signature_invalid")
    assert report.valid is False
