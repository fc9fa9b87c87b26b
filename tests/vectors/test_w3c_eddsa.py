"""The W3C's vectors for Data Integrity EdDSA cryptosuites: every intermediate, byte for byte.

PyLD turns the documents into quads here; its own canonicaliser is not used.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pyld import jsonld

from lapel.credentials import data_integrity, ed25519_signature_2020, eddsa_jcs_2022, eddsa_rdfc_2022, multibase
from lapel.credentials.did import parse_did_key
from lapel.credentials.rdf.nquads import iri, literal
from lapel.credentials.rdf.rdfc import canonicalise
from tests.support.nquads_reading import parse

Document = dict[str, Any]


@dataclass(frozen=True)
class Folder:
    """One folder of vectors: the files of a signature from document to proofValue."""

    path: Path
    suffix: str

    def text(self, name: str) -> str:
        return (self.path / f"{name}{self.suffix}.txt").read_bytes().decode()

    def hexadecimal(self, name: str) -> bytes:
        return bytes.fromhex(self.text(name))

    def json(self, name: str) -> Document:
        document: Document = json.loads((self.path / f"{name}{self.suffix}.json").read_bytes())
        return document


@pytest.fixture
def eddsa(vectors: Path) -> Path:
    return vectors / "w3c-eddsa"


@pytest.fixture(params=["eddsa-rdfc-2022", "eddsa-rdfc-2022/employ", "Ed25519Signature2020"])
def folder(eddsa: Path, request: pytest.FixtureRequest) -> Folder:
    return Folder(eddsa / request.param, "EdSig" if request.param == "Ed25519Signature2020" else "DataInt")


@pytest.fixture
def private_key(eddsa: Path) -> Ed25519PrivateKey:
    pair = json.loads(eddsa.joinpath("keyPair.json").read_bytes())
    code, raw = multibase.decode(pair["privateKeyMultibase"])[:2], multibase.decode(pair["privateKeyMultibase"])[2:]
    assert code == b"\x80\x26"  # ed25519-priv
    return Ed25519PrivateKey.from_private_bytes(raw)


class Canonicaliser:
    """A document under the published contexts to its canonical text."""

    def __init__(self, vectors: Path) -> None:
        self._folder = vectors / "contexts"
        self._names = json.loads(self._folder.joinpath("map.json").read_bytes())

    def __call__(self, document: Any) -> str:
        dataset = jsonld.to_rdf(document, {"documentLoader": self._load})
        return canonicalise(
            [
                (term(triple["subject"]), term(triple["predicate"]), term(triple["object"]), graph_name(graph))
                for graph, triples in dataset.items()
                for triple in triples
            ]
        )

    def _load(self, url: str, options: Any) -> Document:
        document = json.loads(self._folder.joinpath(self._names[url]).read_bytes())
        return {"contentType": "application/ld+json", "contextUrl": None, "documentUrl": url, "document": document}


@pytest.fixture
def canonical(vectors: Path) -> Canonicaliser:
    return Canonicaliser(vectors)


def term(node: dict[str, str]) -> str:
    if node["type"] == "literal":
        language = node.get("language")
        return literal(node["value"], language=language, datatype=None if language else node["datatype"])
    return iri(node["value"]) if node["type"] == "IRI" else node["value"]


def graph_name(name: str) -> str:
    return "" if name == "@default" else name if name.startswith("_:") else iri(name)


def public_key(verification_method: str) -> Ed25519PublicKey:
    key = parse_did_key(verification_method).public_key
    assert isinstance(key, Ed25519PublicKey)
    return key


def verify(document: Document, proof: Document, canonical: Canonicaliser) -> None:
    read = eddsa_rdfc_2022.read_proof(proof)
    covered = data_integrity.previous_proofs(document, read)
    data = eddsa_rdfc_2022.hash_data(
        canonical(data_integrity.options_of(proof, document)),
        canonical(data_integrity.unsecured(document, previous=covered)),
    )
    eddsa_rdfc_2022.verify(data, read.proof_value, public_key(read.verification_method))


def test_the_published_canonical_forms_are_their_own(folder: Folder) -> None:
    for name in ("canonDoc", "proofCanon"):
        assert canonicalise(parse(folder.text(name))) == folder.text(name)


def test_hashing_gives_the_published_bytes(folder: Folder) -> None:
    assert eddsa_rdfc_2022.digest(folder.text("canonDoc")) == folder.hexadecimal("docHash")
    assert eddsa_rdfc_2022.digest(folder.text("proofCanon")) == folder.hexadecimal("proofHash")
    data = eddsa_rdfc_2022.hash_data(folder.text("proofCanon"), folder.text("canonDoc"))
    assert data == folder.hexadecimal("combinedHash")


def test_signing_gives_the_published_signature(folder: Folder, private_key: Ed25519PrivateKey) -> None:
    signature = private_key.sign(folder.hexadecimal("combinedHash"))

    assert signature == folder.hexadecimal("sigHex")
    assert eddsa_rdfc_2022.encode_proof_value(signature) == folder.text("sigBTC58")
    assert eddsa_rdfc_2022.decode_proof_value(folder.text("sigBTC58")) == signature


def test_the_published_signature_is_valid(folder: Folder) -> None:
    proof = folder.json("signed")["proof"]

    eddsa_rdfc_2022.verify(
        folder.hexadecimal("combinedHash"), proof["proofValue"], public_key(proof["verificationMethod"])
    )


def test_the_options_are_those_published(eddsa: Path) -> None:
    for path in ("eddsa-rdfc-2022", "eddsa-rdfc-2022/employ"):
        folder = Folder(eddsa / path, "DataInt")
        signed = folder.json("signed")
        created = eddsa_rdfc_2022.read_proof(signed["proof"]).created
        assert created is not None

        options = eddsa_rdfc_2022.proof_options(
            signed, verification_method=signed["proof"]["verificationMethod"], created=created
        )

        assert options == folder.json("proofConfig")
        assert eddsa_rdfc_2022.options_of(signed["proof"], signed) == options
        proof = eddsa_rdfc_2022.with_value(options, folder.text("sigBTC58"))
        assert proof == signed["proof"]


def test_a_document_is_signed_as_published(eddsa: Path, canonical: Canonicaliser) -> None:
    folder = Folder(eddsa / "eddsa-rdfc-2022", "DataInt")
    signed = folder.json("signed")

    assert canonical(eddsa_rdfc_2022.unsecured(signed)) == folder.text("canonDoc")
    assert canonical(folder.json("proofConfig")) == folder.text("proofCanon")
    verify(signed, signed["proof"], canonical)


def test_an_ed25519_signature_2020_is_verified(eddsa: Path, canonical: Canonicaliser) -> None:
    folder = Folder(eddsa / "Ed25519Signature2020", "EdSig")
    signed = folder.json("signed")

    options = ed25519_signature_2020.options_of(signed["proof"], signed)

    assert options == folder.json("proofConfig")
    assert canonical(options) == folder.text("proofCanon")
    assert canonical(data_integrity.unsecured(signed)) == folder.text("canonDoc")


def test_an_ed25519_signature_2020_is_verified_without_its_context(eddsa: Path, canonical: Canonicaliser) -> None:
    folder = Folder(eddsa / "Ed25519Signature2020", "EdSig")
    signed = folder.json("signed")
    signed["@context"].remove(ed25519_signature_2020.CONTEXT)

    assert canonical(ed25519_signature_2020.options_of(signed["proof"], signed)) == folder.text("proofCanon")


def test_the_json_itself_is_signed_as_published(eddsa: Path) -> None:
    folder = Folder(eddsa / "eddsa-jcs-2022", "JCS")
    signed = folder.json("signed")
    proof = data_integrity.read_members(signed["proof"])

    options = eddsa_jcs_2022.options_of(signed["proof"], signed)
    texts = eddsa_jcs_2022.canonical(options, data_integrity.unsecured(signed))

    assert options == folder.json("proofConfig")
    assert texts == (folder.text("proofCanon"), folder.text("canonDoc"))
    data = eddsa_rdfc_2022.hash_data(*texts)
    assert data == folder.hexadecimal("combinedHash")
    eddsa_rdfc_2022.verify(data, proof.proof_value, public_key(proof.verification_method))


@pytest.mark.parametrize("name", ["signedProofSet2", "signedProofChain1", "signedProofChain2"])
def test_every_proof_of_a_set_or_chain_is_valid(eddsa: Path, canonical: Canonicaliser, name: str) -> None:
    signed = json.loads((eddsa / "proof-set-chain" / f"{name}.json").read_bytes())
    proofs = data_integrity.proofs_of(signed)

    assert len(proofs) > 1
    for proof in proofs:
        verify(signed, dict(proof), canonical)


@pytest.mark.parametrize("name", ["signedProofSet1", "signedProofSet2", "signedProofChain1", "signedProofChain2"])
def test_every_proof_of_a_set_or_chain_is_made_as_published(eddsa: Path, canonical: Canonicaliser, name: str) -> None:
    signed = json.loads((eddsa / "proof-set-chain" / f"{name}.json").read_bytes())
    pairs = json.loads((eddsa / "proof-set-chain" / "multiKeyPairs.json").read_bytes()).values()
    private = {pair["publicKeyMultibase"]: multibase.decode(pair["privateKeyMultibase"])[2:] for pair in pairs}

    for proof in data_integrity.proofs_of(signed):
        read = eddsa_rdfc_2022.read_proof(proof)
        covered = data_integrity.previous_proofs(signed, read)
        data = eddsa_rdfc_2022.hash_data(
            canonical(data_integrity.options_of(proof, signed)),
            canonical(data_integrity.unsecured(signed, previous=covered)),
        )
        key = Ed25519PrivateKey.from_private_bytes(private[read.verification_method.partition("#")[2]])
        assert eddsa_rdfc_2022.encode_proof_value(key.sign(data)) == read.proof_value


def test_a_chained_proof_covers_the_one_before(eddsa: Path, canonical: Canonicaliser) -> None:
    signed = json.loads((eddsa / "proof-set-chain" / "signedProofChain1.json").read_bytes())
    [last] = [proof for proof in signed["proof"] if "previousProof" in proof]
    signed["proof"][0]["created"] = "2000-01-01T00:00:00Z"

    with pytest.raises(data_integrity.ProofInvalid):
        verify(signed, last, canonical)
