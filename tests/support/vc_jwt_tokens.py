"""A credential and its claims, and tokens of anything, for the tests of VC-JWT."""

from __future__ import annotations

import base64
import json

from lapel.domain.json import JsonObject, JsonValue

KID = "https://badges.example.org/keys/1"
GOOD: JsonObject = {"alg": "EdDSA"}
CREDENTIAL: JsonObject = {
    "@context": [
        "https://www.w3.org/ns/credentials/v2",
        "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json",
    ],
    "id": "https://badges.example.org/v3/credentials/1",
    "type": ["VerifiableCredential", "OpenBadgeCredential"],
    "issuer": {"id": "https://badges.example.org/v3/issuers/1", "type": ["Profile"], "name": "Señal"},
    "validFrom": "2024-05-01T10:00:00Z",
    "validUntil": "2124-05-01T10:00:00Z",
    "credentialSubject": {
        "id": "did:example:ada",
        "type": ["AchievementSubject"],
        "achievement": {
            "id": "https://badges.example.org/v3/achievements/1",
            "type": ["Achievement"],
            "name": "Bread",
            "description": "Bakes bread",
            "criteria": {"narrative": "Bake three loaves"},
        },
    },
}
CLAIMS: JsonObject = {
    **CREDENTIAL,
    "iss": "https://badges.example.org/v3/issuers/1",
    "sub": "did:example:ada",
    "jti": "https://badges.example.org/v3/credentials/1",
    "nbf": 1714557600,
    "exp": 4870231200,
}


def without(document: JsonObject, *names: str) -> dict[str, JsonValue]:
    return {name: value for name, value in document.items() if name not in names}


def token(header: object, claims: object, *, signature: bytes = b"signature") -> str:
    """A compact token of anything, signed by nobody; bytes go in as they are."""

    def part(value: object) -> str:
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    return f"{part(header)}.{part(claims)}.{part(signature)}"
