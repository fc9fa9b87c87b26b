"""Ed25519Signature2020, the predecessor of eddsa-rdfc-2022, verification only.

It hashes and signs in the same way, so use `hash_data`, `unsecured` and `verify` of `eddsa_rdfc_2022`.
"""

from __future__ import annotations

from typing import Final

from lapel.credentials import data_integrity
from lapel.credentials.data_integrity import Proof, ProofMalformed, read_members
from lapel.domain.json import JsonObject, JsonValue
from lapel.domain.json_members import as_list

__all__ = ["CONTEXT", "PROOF_TYPE", "options_of", "read_proof"]

PROOF_TYPE: Final = "Ed25519Signature2020"
CONTEXT: Final = "https://w3id.org/security/suites/ed25519-2020/v1"


def read_proof(proof: JsonObject) -> Proof:
    """Parse an Ed25519Signature2020 proof.

    Raises:
        ProofMalformed: another type, or a member that is missing or not well formed.
    """
    if proof.get("type") != PROOF_TYPE:
        raise ProofMalformed(f"this is not an {PROOF_TYPE}")
    return read_members(proof)


def options_of(proof: JsonObject, document: JsonObject) -> dict[str, JsonValue]:
    """Return the proof options to canonicalise: the proof without its value, with the document's contexts.

    The suite's own context is added if it is missing, as in many documents; without it the proof's terms would be
    dropped.
    """
    options = data_integrity.options_of(proof, document)
    contexts = as_list(options["@context"])
    if CONTEXT not in contexts:
        options["@context"] = [*contexts, CONTEXT]
    return options
