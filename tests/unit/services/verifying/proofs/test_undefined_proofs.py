"""Proofs that the document's contexts do not define (Data Integrity 1.0, 2.4.1, context injection)."""

from __future__ import annotations

from typing import Any

from tests.support.presenting import Holder
from tests.unit.services.verifying.world import World, failed, outcome

VC_1, DATA_INTEGRITY = "https://www.w3.org/2018/credentials/v1", "https://w3id.org/security/data-integrity/v2"
ADA = Holder()


def signed() -> dict[str, Any]:
    draft = ADA.draft(**{"@context": [VC_1, DATA_INTEGRITY]}, issuanceDate="2026-01-31T12:00:00Z")
    return ADA.signed(draft, purpose="assertionMethod")


async def test_a_context_beside_the_old_one_defines_the_proof(world: World) -> None:
    assert (await world.verify(signed())).valid is True


async def test_the_context_of_proofs_is_added_where_it_is_missing(world: World) -> None:
    """Implementations "MUST inject or add" it, if the terms are "not mapped by existing values"."""
    assert (await world.verify({**signed(), "@context": [VC_1]})).valid is True

    changed = {**signed(), "@context": [VC_1], "issuanceDate": "2026-01-30T12:00:00Z"}
    assert failed(await world.verify(changed)) == [("signature", "signature_invalid")]


async def test_a_proof_that_is_not_defined_is_none(world: World) -> None:
    """The context of this other type does not define its `cryptosuite`."""
    report = await world.verify({**signed(), "proof": {**signed()["proof"], "type": "Ed25519Signature2020"}})

    assert outcome(report, "signature") == ("fail", "signature_invalid")
    assert report.valid is False
