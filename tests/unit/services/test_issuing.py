"""Issuing: what is signed is what independent readers accept."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pyld import jsonld
from tests.unit.services.server import BASE, OWNER, Server, award, principal

from lapel.credentials.jsonld import Contexts
from lapel.domain.access import Role
from lapel.domain.credential import Credential, CredentialFormat
from lapel.errors import Forbidden, InvalidInput, TooLarge
from lapel.services.renditions import credential_content
from lapel.services.verifying import Outcome, Report, Verifying

FORMATS = list(CredentialFormat)
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
}
AWARD: dict[str, Any] = {
    "recipient": {"type": "email", "identity": "ada@example.org", "name": "Ada 🏴‍☠️"},
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
}


def problems(error: pytest.ExceptionInfo[InvalidInput]) -> dict[str, str]:
    return {found.pointer: found.code for found in error.value.errors}


def loader(url: str, _: object) -> dict[str, Any]:
    return {"document": Contexts.bundled().document(url), "documentUrl": url, "contextUrl": None}


async def full_badge(server: Server, **members: Any) -> Credential:
    await server.issuer(
        phone="+44 20 7946 0958",
        description="A school.",
        official="Grace",
        address={"addressCountry": "GB", "geo": {"latitude": 51.5, "longitude": -0.12}},
        otherIdentifier=[{"identifier": "S1", "identifierType": "sourcedId"}],
    )
    achievement = await server.achievement(**EVERYTHING)
    return await server.issue(achievement=str(achievement.id), **AWARD, **members)


def failures(report: Report) -> list[str]:
    return [f"{check.code}: {check.sentence}" for check in report.checks if check.outcome is not Outcome.PASS]


class Site:
    """This server's public documents, as a verifier elsewhere fetches them."""

    def __init__(self, server: Server) -> None:
        self.server = server

    async def fetch(self, url: str, *, accept: str = "", max_bytes: int | None = None) -> Any:
        from uuid import UUID

        from lapel.domain.fetching import Fetched

        parts = url.removeprefix(f"{BASE}/").split("/")
        match parts:
            case ["v3", "issuers", issuer]:
                body = json.dumps(await self.server.issuers.document(UUID(issuer))).encode()
            case ["v3", "issuers", issuer, "did.json"]:
                body = json.dumps(await self.server.issuers.did_document(UUID(issuer))).encode()
            case ["v3", "issuers", issuer, "keys", key]:
                body = json.dumps(await self.server.issuers.key_document(UUID(issuer), UUID(key))).encode()
            case ["v3", "status-lists", list_id]:
                body = (await self.server.statuses.status_list(UUID(list_id))).content
            case _:
                raise AssertionError(url)
        return Fetched(url, "application/ld+json", body, 200, None)


def verifier(server: Server) -> Verifying:
    return Verifying(
        fetcher=Site(server), clock=lambda: server.now, contexts=Contexts.bundled(), general_path=None
    )


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("identity", ["https", "did:web", "did:key"])
async def test_what_is_issued_verifies(server: Server, format: CredentialFormat, identity: str) -> None:
    await server.issuer(identity=identity)
    achievement = await server.achievement()
    credential = await server.issue(achievement=str(achievement.id), format=format)
    server.now += timedelta(seconds=5)
    report = await verifier(server).verify(credential.signed)
    assert report.valid is True, failures(report)


@pytest.mark.parametrize("format", FORMATS)
async def test_a_badge_with_every_member_is_valid(server: Server, format: CredentialFormat, vectors: Path) -> None:
    credential = await full_badge(server, format=format)
    content = credential_content(credential)
    jsonschema.validate(content, json.loads((vectors / STRICT).read_text()))
    expanded = jsonld.expand(content, {"documentLoader": loader, "base": None})
    assert expanded
    report = await verifier(server).verify(credential.signed)
    assert report.valid is True, failures(report)
