"""What a badge says, as pages show it."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from typing import Any

import msgspec

from lapel.web import parts
from lapel.web.pages import day_of


def test_when_it_was_done_is_shown() -> None:
    subject = {"activityStartDate": "2026-01-05T00:00:00Z", "activityEndDate": "soon"}
    assert list(parts.facts(subject)) == [{"name": "Begun", "value": day_of(datetime(2026, 1, 5, tzinfo=UTC))}]


def test_a_result_is_told_in_the_words_of_its_description() -> None:
    levels = [{"id": "urn:uuid:1", "name": "Basic"}, {"id": "urn:uuid:2", "name": "Mastery"}]
    described = {"id": "urn:uuid:d", "name": "Final project", "rubricCriterionLevel": levels}
    achievement: dict[str, Any] = {"resultDescription": [described]}

    def shown(**result: str) -> tuple[str, str]:
        found = parts.result(result, achievement)
        return found["name"], found["value"]

    reached = {"resultDescription": "urn:uuid:d", "achievedLevel": "urn:uuid:2"}
    assert shown(**reached, status="Provisional") == ("Final project", "Mastery, Provisional")
    assert shown(resultDescription="urn:uuid:d", achievedLevel="urn:uuid:3") == ("Final project", "urn:uuid:3")
    assert shown(value="A", status="Completed") == ("Result", "A, Completed")
    assert shown() == ("Result", "reached")


def test_endorsements_are_found_wherever_they_are_and_however_they_are_signed() -> None:
    claims: dict[str, Any] = {
        "id": "https://academy.example/1",
        "type": ["VerifiableCredential", "EndorsementCredential"],
        "issuer": {"id": "https://academy.example", "name": "Academy"},
        "credentialSubject": {"id": "https://a.example", "endorsementComment": "Well made."},
    }
    signed = [b'{"alg":"RS256"}', msgspec.json.encode(claims), b"signature"]
    token = ".".join(urlsafe_b64encode(part).rstrip(b"=").decode() for part in signed)
    credential = {"endorsement": {"id": "urn:uuid:1", "issuer": "did:web:union.example"}}
    issuer = {"endorsementJwt": [token, "no token", None]}

    assert list(parts.endorsements([credential, {"endorsement": [None, {}]}, issuer])) == [
        {"name": "did:web:union.example", "link": None, "text": None},
        {"name": "Academy", "link": "https://academy.example/1", "text": "Well made."},
    ]
