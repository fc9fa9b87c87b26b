"""The standards body's own signed documents (W3C Data Integrity EdDSA Cryptosuites 1.0), through the whole verifier."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.unit.services.verifying.world import World, failed, outcome

SIGNED = [
    ("eddsa-rdfc-2022/signedDataInt.json", "eddsa-rdfc-2022"),
    ("Ed25519Signature2020/signedEdSig.json", "Ed25519Signature2020"),
    ("proof-set-chain/signedProofSet1.json", "eddsa-rdfc-2022"),
    ("proof-set-chain/signedProofSet2.json", "eddsa-rdfc-2022"),
    ("proof-set-chain/signedProofChain1.json", "eddsa-rdfc-2022"),
    ("proof-set-chain/signedProofChain2.json", "eddsa-rdfc-2022"),
]


@pytest.mark.parametrize(("name", "format_name"), SIGNED)
async def test_the_signature_is_genuine_but_the_key_is_not_the_issuers(
    world: World, vectors: Path, name: str, format_name: str
) -> None:
    world.contexts = world.contexts.with_folder(vectors / "contexts")
    world.verifying = world.new_verifying()
    world.now = datetime(2024, 1, 1, tzinfo=UTC)

    report = await world.verify((vectors / "w3c-eddsa" / name).read_bytes())

    assert report.shown.format == format_name
    assert outcome(report, "signature") == ("pass", None)
    assert failed(report) == [("issuer", "issuer_key_mismatch")]
