"""Somebody with a did:key of their own, who signs credentials and presentations with a JSON-LD processor not ours."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pyld import jsonld

from lapel.credentials import did, multibase
from lapel.credentials.jose import base64url
from lapel.credentials.jsonld import Contexts

__all__ = ["CONTEXT", "Holder", "canonical"]

CONTEXT = "https://www.w3.org/ns/credentials/v2"


def canonical(document: dict[str, Any]) -> bytes:
    """The canonical N-Quads of a document by PyLD, on the contexts that are published with Lapel."""
    contexts = Contexts.bundled()

    def load(url: str, _: object) -> dict[str, Any]:
        return {"contextUrl": None, "documentUrl": url, "document": contexts.document(url)}

    options = {
        "algorithm": "URDNA2015",
        "format": "application/n-quads",
        "documentLoader": load,
        "rdfDirection": "i18n-datatype",
    }
    text: str = jsonld.normalize(document, options)
    return text.encode()


@dataclass(frozen=True)
class Holder:
    """A key pair, and what it signs."""

    private: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    @property
    def id(self) -> str:
        return did.did_key(self.private.public_key()).did

    def signed(self, document: dict[str, Any], *, purpose: str, **members: Any) -> dict[str, Any]:
        """The document with an eddsa-rdfc-2022 proof; `members` are further ones of the proof, or replace its own."""
        proof = {
            "type": "DataIntegrityProof",
            "cryptosuite": "eddsa-rdfc-2022",
            "created": "2026-01-31T12:00:00Z",
            "verificationMethod": f"{self.id}#{self.id.removeprefix('did:key:')}",
            "proofPurpose": purpose,
            **members,
        }
        parts = ({**proof, "@context": document["@context"]}, document)
        data = b"".join(hashlib.sha256(canonical(part)).digest() for part in parts)
        return {**document, "proof": {**proof, "proofValue": multibase.base58btc(self.private.sign(data))}}

    def token(self, claims: dict[str, Any], **header: Any) -> str:
        """A compact JWS of the claims; `header` is beside ``alg``."""
        parts = ({"alg": "EdDSA", **header}, claims)
        data = ".".join(base64url.encode(json.dumps(part).encode()) for part in parts)
        return f"{data}.{base64url.encode(self.private.sign(data.encode()))}"

    def credential(self, **members: Any) -> dict[str, Any]:
        """A credential that the holder issues."""
        return self.signed(self.draft(**members), purpose="assertionMethod")

    def draft(self, **members: Any) -> dict[str, Any]:
        """The same without a proof."""
        return {
            "@context": [CONTEXT],
            "type": ["VerifiableCredential"],
            "issuer": self.id,
            "credentialSubject": {"id": self.id},
            **members,
        }

    def presentation(
        self, *held: dict[str, Any], proof: dict[str, Any] | None = None, **members: Any
    ) -> dict[str, Any]:
        """A presentation of credentials.

        Args:
            proof: members of the proof.
            members: of the presentation.
        """
        document = {"@context": [CONTEXT], "type": ["VerifiablePresentation"], "holder": self.id, **members}
        if held:
            document["verifiableCredential"] = list(held)
        given = {name: value for name, value in document.items() if value is not None}
        return self.signed(given, **{"purpose": "authentication", **(proof or {})})
