"""Parts that many documents have in common: the whole is canonicalised as if nothing had been prepared."""

from __future__ import annotations

import json

import pytest

from lapel.credentials.baking.carrier import MAX_PAYLOAD_BYTES
from lapel.credentials.constant_parts import ProofOptions, SplitDocument, constant_part
from lapel.domain.json import JsonObject
from lapel.errors import TooLarge
from lapel.openbadges import v3

ISSUER: JsonObject = {"id": "https://school.example/issuer", "type": ["Profile"], "name": "Riverside Šchool 🏅"}
KNOTS: JsonObject = {
    "id": "https://school.example/knots",
    "type": ["Achievement"],
    "name": "Knots",
    "description": "Ties ten knots.",
    "criteria": {"narrative": "Tie **ten** knots."},
}


def test_a_document_taken_apart_is_signed_as_the_whole() -> None:
    document: JsonObject = {
        "@context": list(v3.CONTEXTS),
        "id": "urn:uuid:018f3c1a-0000-7000-8000-000000000001",
        "type": ["VerifiableCredential", "OpenBadgeCredential"],
        "issuer": ISSUER,
        "validFrom": "2026-01-01T00:00:00Z",
        "credentialSubject": {"type": ["AchievementSubject"], "achievement": KNOTS, "narrative": "All ten."},
    }
    issuer, achievement = (
        constant_part(wire, contexts=v3.CONTEXTS, label=label) for label, wire in (("i", ISSUER), ("a", KNOTS))
    )

    split, whole = SplitDocument.of(document, issuer=issuer, achievement=achievement), SplitDocument(document)
    options = ProofOptions({"type": "DataIntegrityProof", "created": "2026-01-01T00:00:00Z"}, b"")

    assert split.digest() == whole.digest()
    assert split.signed(options, "z1") == whole.signed(options, "z1")
    assert json.loads(split.signed(options, "z1")) == {
        **document,
        "proof": [{"type": "DataIntegrityProof", "created": "2026-01-01T00:00:00Z", "proofValue": "z1"}],
    }


def test_what_fits_into_no_image_is_refused_before_it_is_prepared() -> None:
    with pytest.raises(TooLarge, match="fit into an image"):
        constant_part({**KNOTS, "description": "x" * MAX_PAYLOAD_BYTES}, contexts=v3.CONTEXTS, label="a")
