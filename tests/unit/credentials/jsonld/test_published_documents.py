"""The W3C's documents become the W3C's quads, on the fast path."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lapel.credentials.jsonld import Contexts, general_to_quads, to_quads
from lapel.credentials.rdf.rdfc import canonicalise

CASES = [
    ("unsigned.json", "eddsa-rdfc-2022/canonDocDataInt.txt"),
    ("eddsa-rdfc-2022/proofConfigDataInt.json", "eddsa-rdfc-2022/proofCanonDataInt.txt"),
    ("Ed25519Signature2020/proofConfigEdSig.json", "Ed25519Signature2020/proofCanonEdSig.txt"),
]


@pytest.mark.parametrize(("source", "canonical"), CASES)
def test_a_published_document_has_its_published_canonical_form(vectors: Path, source: str, canonical: str) -> None:
    # given the contexts of the vectors as an operator's folder, as the examples use one that is made up
    contexts = Contexts.bundled().with_folder(vectors / "contexts")
    document = json.loads((vectors / "w3c-eddsa" / source).read_text())
    expected = (vectors / "w3c-eddsa" / canonical).read_text()
    # then both paths give the published lines
    for convert in (to_quads, general_to_quads):
        assert canonicalise(convert(document, contexts=contexts)) == expected
