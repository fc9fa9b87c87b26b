"""The ecdsa-sd-2023 cryptosuite: a credential of which its holder shows a part (Data Integrity ECDSA Cryptosuites).

Only what a verifier needs. The issuer signs together those statements that are always shown, and each other one by
itself, with a key that it makes for this credential alone and signs as well. The holder leaves statements out, and
derives a proof of what is left; the issuer's own one, the base proof, is shown to nobody else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeGuard

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey

from lapel.credentials import cbor, keys, multibase, multikey
from lapel.credentials.data_integrity import ProofInvalid, ProofMalformed
from lapel.credentials.eddsa_rdfc_2022 import digest
from lapel.credentials.rdf.nquads import to_line

__all__ = ["CRYPTOSUITE", "DerivedProof", "decode_proof_value", "is_p256", "verify"]

CRYPTOSUITE: Final = "ecdsa-sd-2023"

_DERIVED: Final = b"\xd9\x5d\x01"
_BASE: Final = b"\xd9\x5d\x00"
_MOST_BYTES: Final = 256 * 1024
_SIGNATURE_BYTES: Final = 64
_KEY_BYTES: Final = 35
_LABEL_BYTES: Final = 32

# A blank node's label stands where a subject, an object or a graph's name does, and never inside of a literal.
_QUAD: Final = re.compile(r"([^ ]+) ([^ ]+) (\".*\"[^ ]*|[^ ]+)( [^ ]+)? \.").fullmatch
_PREFIX: Final = "_:c14n"


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedProof:
    """A derived proof's value, taken apart.

    Attributes:
        base_signature: the issuer's.
        public_key: the credential's own key, as a Multikey of 35 bytes.
        signatures: with that key, of each statement that need not be shown, in their order.
        labels: what the issuer has called each blank node, by the number of its canonical label here.
        mandatory: the places of those that are always shown.
    """

    base_signature: bytes
    public_key: bytes
    signatures: Sequence[bytes]
    labels: Mapping[int, bytes]
    mandatory: frozenset[int]


def decode_proof_value(text: str) -> DerivedProof:
    """A derived proof's ``proofValue`` (parseDerivedProofValue).

    Raises:
        ProofMalformed: anything else, a base proof too.
    """
    if not text.startswith("u"):
        raise ProofMalformed("`proofValue` is multibase text that begins with u")
    try:
        data = multibase.decode(text, max_bytes=_MOST_BYTES)
        if data.startswith(_BASE):
            raise ProofMalformed("this is a base proof, which its holder derives others from and shows to nobody")
        if not data.startswith(_DERIVED):
            raise ProofMalformed("`proofValue` does not begin as that of a derived proof")
        found = cbor.decode(data[len(_DERIVED) :])
    except (multibase.InvalidMultibase, cbor.InvalidCbor) as error:
        raise ProofMalformed(f"`proofValue`: {error.detail}") from error
    match found:
        case [bytes(base), bytes(public_key), list(signatures), dict(labels), list(mandatory)]:
            pass
        case _:
            raise ProofMalformed("`proofValue` does not hold the five parts of a derived proof")
    places = frozenset(place for place in mandatory if isinstance(place, int))
    if len(places) != len(mandatory):
        raise ProofMalformed("`proofValue` names statements by something else than different numbers")
    if len(set(_bytes([*labels.values()], _LABEL_BYTES))) != len(labels):
        raise ProofMalformed("`proofValue` has one label for two parts of the document")  # which were one when signed
    return DerivedProof(
        base_signature=_bytes([base], _SIGNATURE_BYTES)[0],
        public_key=_bytes([public_key], _KEY_BYTES)[0],
        signatures=_bytes(signatures, _SIGNATURE_BYTES),
        labels=dict(zip(labels, _bytes([*labels.values()], _LABEL_BYTES), strict=True)),
        mandatory=places,
    )


def verify(canonical_options: str, canonical_document: str, proof_value: str, issuer: EllipticCurvePublicKey) -> None:
    """Check a derived proof; to return is to be valid (Verify Derived Proof).

    Args:
        canonical_options: of the proof without its value.
        canonical_document: of what is shown, in the labels of RDFC-1.0.
        issuer: the P-256 key of the verification method, which the caller has checked to be allowed for the purpose.

    Raises:
        ProofMalformed: the value is none of a derived proof, or belongs to another document.
        ProofInvalid: a signature does not match.
    """
    proof = decode_proof_value(proof_value)
    quads = _relabelled(canonical_document, proof.labels)
    if not all(place < len(quads) for place in proof.mandatory):
        raise ProofMalformed("`proofValue` names statements that the document does not have")
    shown = [quad for place, quad in enumerate(quads) if place not in proof.mandatory]
    if len(shown) != len(proof.signatures):
        raise ProofMalformed("`proofValue` does not have one signature for each statement that need not be shown")
    own = _own_key(proof.public_key)
    always = "".join(quad for place, quad in enumerate(quads) if place in proof.mandatory)
    _check(digest(canonical_options) + proof.public_key + digest(always), proof.base_signature, issuer)
    for quad, signature in zip(shown, proof.signatures, strict=True):
        _check(quad.encode(), signature, own)


def _relabelled(canonical: str, labels: Mapping[int, bytes]) -> list[str]:
    """The statements with the issuer's labels, in the order of their characters' numbers."""
    names = {f"{_PREFIX}{number}": f"_:{multibase.base64url(label)}" for number, label in labels.items()}
    quads: list[str] = []
    for line in canonical.split("\n")[:-1]:
        found = _QUAD(line)
        if found is None:
            raise ProofMalformed("a statement of the document cannot be read")
        subject, predicate, object_, graph = (_renamed(term.strip(), names) for term in found.groups(""))
        quads.append(to_line((subject, predicate, object_, graph)))
    return sorted(quads)


def _renamed(term: str, names: Mapping[str, str]) -> str:
    if not term.startswith(_PREFIX):
        return term
    if (name := names.get(term)) is None:
        raise ProofMalformed("`proofValue` has no label for a part of the document")
    return name


def _own_key(data: bytes) -> EllipticCurvePublicKey:
    try:
        key = multikey.decode(multibase.base58btc(data))
    except multikey.InvalidMultikey as error:
        raise ProofMalformed(f"the credential's own key: {error.detail}") from error
    if not is_p256(key):
        raise ProofMalformed("the credential's own key is not a P-256 key")
    return key


def is_p256(key: object) -> TypeGuard[EllipticCurvePublicKey]:
    """Whether it is a key of the one curve for which the suite is defined here."""
    return isinstance(key, EllipticCurvePublicKey) and key.curve.name == SECP256R1.name


def _check(data: bytes, signature: bytes, key: EllipticCurvePublicKey) -> None:
    try:
        keys.verify(key, signature=signature, data=data)
    except keys.SignatureInvalid as error:
        raise ProofInvalid from error


def _bytes(items: Sequence[object], size: int) -> list[bytes]:
    found = [item for item in items if isinstance(item, bytes) and len(item) == size]
    if len(found) != len(items):
        raise ProofMalformed(f"`proofValue` holds a part that is not {size} bytes long")
    return found
