"""The eddsa-rdfc-2022 cryptosuite: Ed25519 over RDFC-1.0 (Data Integrity EdDSA Cryptosuites, section 3.2).

Pure functions. The caller canonicalises, since an untrusted document needs a separate process for that::

    options = proof_options(document, verification_method=..., created=now)
    data = hash_data(canonical(options), canonical(unsecured(document)))
    proof = with_value(options, encode_proof_value(await signer.sign(data)))
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from lapel.credentials import ed25519, multibase
from lapel.credentials.data_integrity import (
    Proof,
    ProofInvalid,
    ProofMalformed,
    options_of,
    previous_proofs,
    read_members,
    unsecured,
)
from lapel.domain.clock import format_timestamp
from lapel.domain.json import JsonObject, JsonValue

__all__ = [
    "CRYPTOSUITE",
    "PROOF_TYPE",
    "Proof",
    "ProofInvalid",
    "ProofMalformed",
    "decode_proof_value",
    "digest",
    "encode_proof_value",
    "hash_data",
    "options_of",
    "previous_proofs",
    "proof_options",
    "read_proof",
    "unsecured",
    "verify",
    "with_value",
]

CRYPTOSUITE: Final = "eddsa-rdfc-2022"
PROOF_TYPE: Final = "DataIntegrityProof"
SIGNATURE_BYTES: Final = 64

# --- signing ---


def proof_options(document: JsonObject, *, verification_method: str, created: datetime) -> dict[str, JsonValue]:
    """Return the proof without its value, with the document's contexts, to be canonicalised and signed (3.2.5).

    Args:
        document: the document to be signed; only its ``@context`` is used.
        verification_method: the id of the key that will sign.
        created: an aware time; fractions of a second are dropped.
    """
    return {
        "@context": document.get("@context"),
        "type": PROOF_TYPE,
        "cryptosuite": CRYPTOSUITE,
        "created": format_timestamp(created.replace(microsecond=0)),
        "verificationMethod": verification_method,
        "proofPurpose": "assertionMethod",
    }


def with_value(options: JsonObject, proof_value: str) -> dict[str, JsonValue]:
    """Return the complete proof: the options without their contexts, with a value from `encode_proof_value`."""
    proof = {name: value for name, value in options.items() if name != "@context"}
    return {**proof, "proofValue": proof_value}


def encode_proof_value(signature: bytes) -> str:
    """Encode a signature of 64 bytes as ``proofValue``: multibase, base58btc."""
    if len(signature) != SIGNATURE_BYTES:
        raise ProofMalformed(f"an Ed25519 signature has {SIGNATURE_BYTES} bytes, not {len(signature)}")
    return multibase.base58btc(signature)


# --- hashing (3.2.4) ---


def digest(canonical: str | bytes) -> bytes:
    """Return the SHA-256 of a canonical text, 32 bytes."""
    return hashlib.sha256(canonical.encode() if isinstance(canonical, str) else canonical).digest()


def hash_data(canonical_proof_options: str | bytes, canonical_document: str | bytes) -> bytes:
    """Return the data to sign: the hash of the proof options followed by the hash of the document, 64 bytes."""
    return digest(canonical_proof_options) + digest(canonical_document)


# --- verifying (3.2.2) ---


def read_proof(proof: JsonObject) -> Proof:
    """Parse an eddsa-rdfc-2022 proof.

    Raises:
        ProofMalformed: another type or cryptosuite, or a member that is missing or not well formed.
    """
    if proof.get("type") != PROOF_TYPE or proof.get("cryptosuite") != CRYPTOSUITE:
        raise ProofMalformed(f"this is not a {PROOF_TYPE} of the cryptosuite {CRYPTOSUITE}")
    return read_members(proof)


def decode_proof_value(text: str) -> bytes:
    """Decode the signature in a ``proofValue``: base58btc multibase of exactly 64 bytes.

    Raises:
        ProofMalformed: anything else.
    """
    if not text.startswith("z"):
        raise ProofMalformed("`proofValue` is multibase text that begins with z")
    try:
        signature = multibase.decode(text, max_bytes=SIGNATURE_BYTES)
    except multibase.InvalidMultibase as error:
        raise ProofMalformed(f"`proofValue`: {error.detail}") from error
    if len(signature) != SIGNATURE_BYTES:
        raise ProofMalformed(f"`proofValue` holds {len(signature)} bytes, an Ed25519 signature {SIGNATURE_BYTES}")
    return signature


def verify(hash_data: bytes, proof_value: str, public_key: Ed25519PublicKey) -> None:
    """Verify a signature.

    Args:
        hash_data: 64 bytes from the function of that name.
        proof_value: the proof's ``proofValue``.
        public_key: of the verification method, which the caller has checked to be allowed for the purpose.

    Raises:
        ProofMalformed: the value is no signature.
        ProofInvalid: the signature does not match.
    """
    signature = decode_proof_value(proof_value)
    if not ed25519.is_valid(signature, hash_data, public_key):
        raise ProofInvalid
