"""The eddsa-jcs-2022 cryptosuite: Ed25519 over the JSON itself (Data Integrity EdDSA Cryptosuites, section 3.3).

Verification only. It hashes and signs like eddsa-rdfc-2022, but the canonical form is that of `jcs`.
"""

from __future__ import annotations

from typing import Final

from lapel.credentials.data_integrity import ProofInvalid
from lapel.credentials.jcs import canonicalise
from lapel.domain.json import JsonObject, JsonValue

__all__ = ["CRYPTOSUITE", "canonical", "options_of"]

CRYPTOSUITE: Final = "eddsa-jcs-2022"


def options_of(proof: JsonObject, document: JsonObject) -> dict[str, JsonValue]:
    """Return the options to canonicalise when verifying: the proof without its value, with its own contexts."""
    return {name: value for name, value in proof.items() if name != "proofValue"}


def canonical(options: JsonObject, document: JsonObject) -> tuple[str, str]:
    """Return the canonical form of the options, and of the document without its proof (3.3.2).

    Raises:
        ProofInvalid: the document's contexts do not begin with those that were signed.
        NotCanonicalisable: as `canonicalise`.
    """
    if "@context" in options:
        signed, given = _listed(options["@context"]), _listed(document.get("@context"))
        if given[: len(signed)] != signed:
            raise ProofInvalid("the document's contexts do not begin with those that were signed")
        document = {**document, "@context": options["@context"]}
    return canonicalise(options), canonicalise(document)


def _listed(contexts: JsonValue) -> list[JsonValue]:
    return contexts if isinstance(contexts, list) else [contexts]
