"""The ecdsa-sd-2023 cryptosuite for selective disclosure (Data Integrity ECDSA Cryptosuites), verification only.

The issuer signs the mandatory statements together, and each other statement separately with a key that it generates
for this credential and signs as well. The holder omits some statements and derives a proof for the rest. The issuer's
own proof, the base proof, stays with the holder.
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
_MAX_BYTES: Final = 256 * 1024
_SIGNATURE_BYTES: Final = 64
_KEY_BYTES: Final = 35
_LABEL_BYTES: Final = 32

# Separates the terms, so that blank node labels are recognised as whole terms and never within a literal.
_QUAD: Final = re.compile(r"([^ ]+) ([^ ]+) (\".*\"[^ ]*|[^ ]+)( [^ ]+)? \.").fullmatch
_PREFIX: Final = "_:c14n"


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedProof:
    """The parsed value of a derived proof.

    Attributes:
        base_signature: the issuer's signature.
        public_key: the key generated for this credential, as a Multikey of 35 bytes.
        signatures: of each non-mandatory statement with that key, in order.
        labels: the issuer's label of each blank node, by the number in its canonical label here.
        mandatory: the indices of the mandatory statements.
    """

    base_signature: bytes
    public_key: bytes
    signatures: Sequence[bytes]
    labels: Mapping[int, bytes]
    mandatory: frozenset[int]


def decode_proof_value(text: str) -> DerivedProof:
    """Parse the ``proofValue`` of a derived proof (parseDerivedProofValue).

    Raises:
        ProofMalformed: anything else, including a base proof.
    """
    if not text.startswith("u"):
        raise ProofMalformed("`proofValue` is multibase text that begins with u")
    try:
        data = multibase.decode(text, max_bytes=_MAX_BYTES)
        if data.startswith(_BASE):
            raise ProofMalformed("this is a base proof, which its holder derives others from and shows to nobody")
        if not data.startswith(_DERIVED):
            raise ProofMalformed("`proofValue` does not begin as that of a derived proof")
        value = cbor.decode(data[len(_DERIVED) :])
    except (multibase.InvalidMultibase, cbor.InvalidCbor) as error:
        raise ProofMalformed(f"`proofValue`: {error.detail}") from error
    match value:
        case [bytes(base), bytes(public_key), list(signatures), dict(labels), list(mandatory)]:
            pass
        case _:
            raise ProofMalformed("`proofValue` does not hold the five parts of a derived proof")
    indices = frozenset(index for index in mandatory if isinstance(index, int))
    if len(indices) != len(mandatory):
        raise ProofMalformed("`proofValue` names statements by something else than different numbers")
    if len(set(_bytes([*labels.values()], _LABEL_BYTES))) != len(labels):
        raise ProofMalformed(
            "`proofValue` has one label for two parts of the document"
        )  # nodes that differed when signed
    return DerivedProof(
        base_signature=_bytes([base], _SIGNATURE_BYTES)[0],
        public_key=_bytes([public_key], _KEY_BYTES)[0],
        signatures=_bytes(signatures, _SIGNATURE_BYTES),
        labels=dict(zip(labels, _bytes([*labels.values()], _LABEL_BYTES), strict=True)),
        mandatory=indices,
    )


def verify(canonical_options: str, canonical_document: str, proof_value: str, issuer: EllipticCurvePublicKey) -> None:
    """Verify a derived proof (Verify Derived Proof).

    Args:
        canonical_options: the canonical form of the proof without its value.
        canonical_document: the canonical form of the disclosed document, with labels by RDFC-1.0.
        issuer: the P-256 key of the verification method, which the caller has checked to be allowed for the purpose.

    Raises:
        ProofMalformed: the value is not that of a derived proof, or belongs to another document.
        ProofInvalid: a signature does not match.
    """
    proof = decode_proof_value(proof_value)
    quads = _relabelled(canonical_document, proof.labels)
    if not all(index < len(quads) for index in proof.mandatory):
        raise ProofMalformed("`proofValue` names statements that the document does not have")
    non_mandatory = [quad for index, quad in enumerate(quads) if index not in proof.mandatory]
    if len(non_mandatory) != len(proof.signatures):
        raise ProofMalformed("`proofValue` does not have one signature for each statement that need not be shown")
    credential_key = _credential_key(proof.public_key)
    mandatory = "".join(quad for index, quad in enumerate(quads) if index in proof.mandatory)
    _check(digest(canonical_options) + proof.public_key + digest(mandatory), proof.base_signature, issuer)
    for quad, signature in zip(non_mandatory, proof.signatures, strict=True):
        _check(quad.encode(), signature, credential_key)


def _relabelled(canonical: str, labels: Mapping[int, bytes]) -> list[str]:
    """Return the statements with the issuer's labels, in code point order."""
    names = {f"{_PREFIX}{number}": f"_:{multibase.base64url(label)}" for number, label in labels.items()}
    quads: list[str] = []
    for line in canonical.split("\n")[:-1]:
        match = _QUAD(line)
        if match is None:
            raise ProofMalformed("a statement of the document cannot be read")
        subject, predicate, object_, graph = (_renamed(term.strip(), names) for term in match.groups(""))
        quads.append(to_line((subject, predicate, object_, graph)))
    return sorted(quads)


def _renamed(term: str, names: Mapping[str, str]) -> str:
    if not term.startswith(_PREFIX):
        return term
    if (name := names.get(term)) is None:
        raise ProofMalformed("`proofValue` has no label for a part of the document")
    return name


def _credential_key(data: bytes) -> EllipticCurvePublicKey:
    try:
        key = multikey.decode(multibase.base58btc(data))
    except multikey.InvalidMultikey as error:
        raise ProofMalformed(f"the credential's own key: {error.detail}") from error
    if not is_p256(key):
        raise ProofMalformed("the credential's own key is not a P-256 key")
    return key


def is_p256(key: object) -> TypeGuard[EllipticCurvePublicKey]:
    """Return whether `key` is on P-256, the only curve supported for this suite."""
    return isinstance(key, EllipticCurvePublicKey) and key.curve.name == SECP256R1.name


def _check(data: bytes, signature: bytes, key: EllipticCurvePublicKey) -> None:
    try:
        keys.verify(key, signature=signature, data=data)
    except keys.SignatureInvalid as error:
        raise ProofInvalid from error


def _bytes(items: Sequence[object], size: int) -> list[bytes]:
    valid = [item for item in items if isinstance(item, bytes) and len(item) == size]
    if len(valid) != len(items):
        raise ProofMalformed(f"`proofValue` holds a part that is not {size} bytes long")
    return valid
