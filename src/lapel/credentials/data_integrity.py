"""Embedded proofs in general (Data Integrity 1.0). The cryptosuites' own modules hash, sign and verify."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lapel.credentials.date_time import parse_timestamp
from lapel.credentials.jsonld.iris import is_absolute
from lapel.domain.json import JsonObject, JsonValue
from lapel.domain.json_members import as_list, objects
from lapel.errors import InvalidInput

__all__ = [
    "CONTEXT",
    "Proof",
    "ProofInvalid",
    "ProofMalformed",
    "is_secured",
    "options_of",
    "previous_proofs",
    "proofs_of",
    "read_members",
    "unsecured",
]

CONTEXT: Final = "https://w3id.org/security/data-integrity/v2"
"""Has the terms of proofs, for documents whose own contexts lack them (section 2.4.1, context injection)."""

MAX_PROOFS: Final = 16


class ProofMalformed(InvalidInput):
    """The proof is not well formed."""

    code = "proof_malformed"


class ProofInvalid(InvalidInput):
    """The signature does not match the document: the document was changed, or another key signed it."""

    code = "proof_invalid"


@dataclass(frozen=True, slots=True)
class Proof:
    """The members of a proof, parsed but not verified.

    Attributes:
        verification_method: the id of the key.
        proof_purpose: ``assertionMethod`` for a credential, ``authentication`` for a presentation.
        proof_value: the signature in multibase, not yet decoded.
        created, expires: None if absent.
        previous: the ids of the proofs in the same document that this one covers (a proof chain).
    """

    verification_method: str
    proof_purpose: str
    proof_value: str
    created: datetime | None
    expires: datetime | None
    previous: tuple[str, ...]


def proofs_of(document: JsonObject) -> Sequence[JsonObject]:
    """Return the proofs embedded in a document: none, one, or a set of them.

    Raises:
        ProofMalformed: one is not an object, or there are too many.
    """
    proofs = as_list(document.get("proof"))
    if len(proofs) > MAX_PROOFS:
        raise ProofMalformed(f"the document has more than {MAX_PROOFS} proofs")
    if not all(isinstance(proof, Mapping) for proof in proofs):
        raise ProofMalformed("a proof is an object")
    return objects(proofs)


def is_secured(document: JsonObject) -> bool:
    """Return whether the document has a proof, valid or not."""
    return document.get("proof") is not None


def unsecured(document: JsonObject, *, previous: Sequence[JsonObject] = ()) -> dict[str, JsonValue]:
    """Return the document without its proof, or with only the proofs that a chained proof covers."""
    result: dict[str, JsonValue] = {name: value for name, value in document.items() if name != "proof"}
    if previous:
        result["proof"] = list(previous)
    return result


def options_of(proof: JsonObject, document: JsonObject) -> dict[str, JsonValue]:
    """Return the options to canonicalise when verifying: the proof without its value, with the document's contexts."""
    options = {name: value for name, value in proof.items() if name != "proofValue"}
    return {**options, "@context": document.get("@context")}


def previous_proofs(document: JsonObject, proof: Proof) -> list[JsonObject]:
    """Return the proofs that this proof covers, for `unsecured` (Data Integrity 1.0, section 4.5).

    Raises:
        ProofMalformed: the document lacks one of them, or has too many proofs.
    """
    if not proof.previous:
        return []
    covered = [item for item in proofs_of(document) if item.get("id") in proof.previous]
    if {item["id"] for item in covered} != set(proof.previous):
        raise ProofMalformed("`previousProof` names a proof that the document does not have")
    return covered


def read_members(proof: JsonObject) -> Proof:
    """Parse the members that every type of embedded proof has; the caller has checked the type.

    Raises:
        ProofMalformed: a member is missing or not well formed.
    """
    previous = proof.get("previousProof", ())
    ids = (previous,) if isinstance(previous, str) else previous
    if not isinstance(ids, Sequence) or len(ids) > MAX_PROOFS or not all(isinstance(id_, str) and id_ for id_ in ids):
        raise ProofMalformed("`previousProof` is the id of a proof, or a list of them")
    if "id" in proof and not _is_url(proof["id"]):
        raise ProofMalformed("the proof's `id` is not a URL")
    if not _is_url(_text(proof, "verificationMethod")):
        raise ProofMalformed("the proof's `verificationMethod` is not a URL")
    for name in ("challenge", "nonce"):
        if not isinstance(proof.get(name, ""), str):
            raise ProofMalformed(f"the proof's `{name}` is not text")
    domain = proof.get("domain", ())
    if not all(isinstance(item, str) for item in (domain if isinstance(domain, list | tuple) else (domain,))):
        raise ProofMalformed("the proof's `domain` is a text, or a list of them")
    return Proof(
        verification_method=_text(proof, "verificationMethod"),
        proof_purpose=_text(proof, "proofPurpose"),
        proof_value=_text(proof, "proofValue"),
        created=_time(proof, "created"),
        expires=_time(proof, "expires"),
        previous=tuple(id_ for id_ in ids if isinstance(id_, str)),
    )


def _is_url(value: JsonValue) -> bool:
    return isinstance(value, str) and is_absolute(value)


def _text(proof: JsonObject, name: str) -> str:
    value = proof.get(name)
    if not isinstance(value, str) or not value:
        raise ProofMalformed(f"the proof's `{name}` is missing or is not text")
    return value


def _time(proof: JsonObject, name: str) -> datetime | None:
    if (value := proof.get(name)) is None:
        return None
    if (moment := parse_timestamp(value)) is None:  # section 2.1: without an offset it is in UTC
        raise ProofMalformed(f"the proof's `{name}` is not a date and time")
    return moment
