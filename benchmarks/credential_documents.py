"""A badge such as another issuer makes: other contexts, much in it, anonymous parts, some of them alike."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from lapel.credentials import eddsa_rdfc_2022
from lapel.domain.json import JsonObject

__all__ = ["another_issuers"]

ISSUER = "https://university.example/issuers/565049"
BADGE: JsonObject = {
    "@context": [
        "https://www.w3.org/ns/credentials/v2",
        "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json",
        "https://purl.imsglobal.org/spec/ob/v3p0/extensions.json",
        "https://w3id.org/security/data-integrity/v2",
    ],
    "id": "https://university.example/credentials/3732",
    "type": ["VerifiableCredential", "OpenBadgeCredential"],
    "name": "Teamwork",
    "issuer": {
        "id": ISSUER,
        "type": ["Profile"],
        "name": "Example University",
        "url": "https://university.example",
        "phone": "+1 555 0100",
        "description": "A public university focused on teaching.",
        "image": {"id": "https://university.example/logo.png", "type": "Image", "caption": "The logo"},
        "address": {
            "type": ["Address"],
            "addressCountry": "USA",
            "addressRegion": "TX",
            "addressLocality": "Austin",
            "postalCode": "12345",
            "geo": {"type": "GeoCoordinates", "latitude": 30.25, "longitude": -97.75},
        },
    },
    "validFrom": "2026-01-01T00:00:00Z",
    "validUntil": "2030-01-01T00:00:00Z",
    "credentialSubject": {
        "id": "did:example:ebfeb1f712ebc6f1c276e12ec21",
        "type": ["AchievementSubject"],
        "activityStartDate": "2025-01-01T00:00:00Z",
        "creditsEarned": 42.5,
        "achievement": {
            "id": "https://university.example/achievements/21",
            "type": ["Achievement"],
            "name": "Teamwork",
            "description": "This badge recognises the development of the capacity to collaborate in a group.",
            "criteria": {"narrative": "Team members are nominated for this badge by their peers."},
            "achievementType": "Badge",
            "image": {"id": "https://university.example/badges/21.png", "type": "Image"},
            "alignment": [
                {
                    "type": ["Alignment"],
                    "targetCode": f"team-{number}",
                    "targetName": "Works well with others",
                    "targetUrl": f"https://frameworks.example/{number}",
                }
                for number in range(3)
            ],
            "resultDescription": [
                {
                    "id": "urn:uuid:f6ab24cd-86e8-4eaf-b8c6-ded74e8fd41c",
                    "type": ["ResultDescription"],
                    "name": "Grade",
                    "allowedValue": ["A", "B", "C"],
                    "resultType": "LetterGrade",
                }
            ],
            "tag": ["teamwork", "leadership"],
        },
        "result": [
            {
                "type": ["Result"],
                "resultDescription": "urn:uuid:f6ab24cd-86e8-4eaf-b8c6-ded74e8fd41c",
                "value": "A",
            }
        ],
    },
    "evidence": [{"type": ["Evidence"], "narrative": "Presented in class."} for _ in range(2)],
}


def another_issuers(sign: Callable[[JsonObject, JsonObject], bytes]) -> bytes:
    """The badge as `sign` makes it of the document and its proof options."""
    method = f"{ISSUER}#key-1"
    return sign(BADGE, eddsa_rdfc_2022.proof_options(BADGE, verification_method=method, created=datetime.now(UTC)))
