"""Ed25519Signature2020, for verifying only: the forerunner of eddsa-rdfc-2022.

It hashes and signs in the same way, so `hash_data`, `unsecured` and `verify` are those of `eddsa_rdfc_2022`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lapel.credentials import data_integrity
from lapel.credentials.data_integrity import Proof, ProofMalformed, read_members
from lapel.domain.json import JsonObject, JsonValue

__all__ = ["CONTEXT", "PROOF_TYPE", "options_of", "read_proof"]

PROOF_TYPE: Final = "Ed25519Signature2020"
CONTEXT: Final = "https://w3id.org/security/suites/ed25519-2020/v1"


def read_proof(proof: JsonObject) -> Proof:
    """Read an Ed25519Signature2020 proof.

    Raises:
        ProofMalformed: another type, or a member missing or not well formed.
    """
    if proof.get("type") != PROOF_TYPE:
        raise ProofMalformed(f"this is not an {PROOF_TYPE}")
    return read_members(proof)


def options_of(proof: JsonObject, document: JsonObject) -> dict[str, JsonValue]:
    """The proof options to canonicalise: the proof without its value, under the document's contexts.

    Many documents leave the suite's own context out, and then the proof's terms would vanish; it is added.
    """
    options = data_integrity.options_of(proof, document)
    given = options["@context"]
    contexts = list(given) if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    if CONTEXT not in contexts:
        options["@context"] = [*(context for context in contexts if context is not None), CONTEXT]
    return options
