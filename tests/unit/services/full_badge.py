"""A badge with every member that there is."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from lapel.domain.credential import Credential
from lapel.errors import InvalidInput
from tests.support.badge_images import png
from tests.unit.services.server import Server

__all__ = ["AWARD", "EVERYTHING", "PERSON", "STRICT", "full_badge", "problems"]

STRICT = "schemas/ob_v3p0_achievementcredential_schema.educredentials.json"

EVERYTHING: dict[str, Any] = {
    "achievementType": "ext:Knots",
    "tag": ["rope", "ropes"],
    "alignment": [{"targetName": "Rope", "targetUrl": "https://frame.example/1", "targetType": "CTDL"}],
    "resultDescription": [
        {
            "id": "urn:uuid:6a3d0f1c-0000-4000-8000-000000000001",
            "type": ["ResultDescription"],
            "name": "Grade",
            "resultType": "LetterGrade",
            "allowedValue": ["C", "B", "A"],
            "rubricCriterionLevel": [
                {
                    "id": "urn:uuid:6a3d0f1c-0000-4000-8000-000000000002",
                    "name": "Good",
                    "level": "B",
                    "points": "7",
                }
            ],
        }
    ],
    "creditsAvailable": 10,
    "fieldOfStudy": "Seamanship",
    "humanCode": "K-10",
    "inLanguage": "en-GB",
    "otherIdentifier": [{"identifier": "knots", "identifierType": "identifier"}],
    "related": [{"id": "https://school.example/noeuds", "inLanguage": "fr"}],
    "specialization": "Sailing",
    "version": "2",
    "creator": {
        "id": "https://guild.example/",
        "type": "Profile",
        "name": "Guild",
        "image": {"id": "https://guild.example/arms.png", "caption": "Three ropes"},
        "address": {"addressCountry": "GB"},
        "otherIdentifier": [{"identifier": "G1", "identifierType": "sourcedId"}],
        "parentOrg": {"id": "did:web:union.example", "name": "Union", "email": "union@union.example"},
    },
}
AWARD: dict[str, Any] = {
    "recipient": {
        "type": "email",
        "identity": "ada@example.org",
        "name": "Ada 🏴‍☠️",
        "identifiers": [
            {"type": "sisSourcedId", "identity": "pupil-4711"},
            {"type": "ext:library", "identity": "L-9", "hashed": False},
        ],
    },
    "validFrom": "2026-01-31T12:00:00.5+02:00",
    "validUntil": "2027-01-31T12:00:00Z",
    "narrative": "She tied them all.",
    "evidence": [
        {"id": "https://school.example/film", "name": "Film"},
        {"narrative": "We have seen the knots.", "genre": "Film"},
    ],
    "results": [
        {
            "resultDescription": "urn:uuid:6a3d0f1c-0000-4000-8000-000000000001",
            "value": "A",
            "status": "Completed",
        }
    ],
    "name": "Ada's knots",
    "description": "Ten of them.",
    "displayImage": {"id": "https://school.example/card.png", "type": "Image", "caption": "A card"},
    "awardedDate": "2026-01-30T12:00:00Z",
    "refreshService": {"id": "https://school.example/refresh/1", "type": "1EdTechCredentialRefresh"},
    "credentialSchema": [
        {"id": "https://school.example/schema.json", "type": "1EdTechJsonSchemaValidator2019"},
        {"id": "https://school.example/schema2.json", "type": "JsonSchema"},
    ],
    "termsOfUse": [{"id": "https://school.example/terms", "type": "https://school.example/vocabulary#Terms"}],
    "activityStartDate": "2025-09-01T00:00:00Z",
    "activityEndDate": "2026-01-29T00:00:00Z",
    "creditsEarned": 2.5,
    "image": "https://school.example/ada.png",
    "licenseNumber": "K 17",
    "role": "Bosun",
    "source": {"id": "https://examiners.example/", "name": "Examiners", "phone": "+44 20 7946 0958"},
    "term": "Winter",
}


PERSON: dict[str, Any] = {
    "familyName": "Hopper",
    "givenName": "Grace",
    "additionalName": "Brewster",
    "patronymicName": "Walterovna",
    "honorificPrefix": "Dr",
    "honorificSuffix": "USN",
    "familyNamePrefix": "van",
    "dateOfBirth": "1906-12-09",
}


def _data_url() -> str:
    return f"data:image/png;base64,{b64encode(png()).decode()}"


def problems(error: pytest.ExceptionInfo[InvalidInput]) -> dict[str, str]:
    return {found.pointer: found.code for found in error.value.errors}


async def full_badge(server: Server, **members: Any) -> Credential:
    await server.issuer(
        phone="+44 20 7946 0958",
        description="A school.",
        official="Grace",
        address={"addressCountry": "GB", "geo": {"latitude": 51.5, "longitude": -0.12}},
        otherIdentifier=[{"identifier": "S1", "identifierType": "sourcedId"}],
        parentOrg={"id": "https://county.example/", "name": "County"},
        image={"id": _data_url(), "caption": "The arms"},
        **PERSON,
    )
    achievement = await server.achievement(**EVERYTHING)
    return await server.issue(achievement=str(achievement.id), **AWARD | members)
