"""Open Badges 3.0: builds unsigned OpenBadgeCredentials and EndorsementCredentials."""

from __future__ import annotations

from datetime import datetime

from lapel.domain.clock import format_timestamp
from lapel.domain.json import JsonObject, JsonValue
from lapel.openbadges.achievement import achievement_document, achievement_image, achievement_object
from lapel.openbadges.award import Award
from lapel.openbadges.contexts import CREDENTIALS_V2, EXTENSIONS, OPEN_BADGES
from lapel.openbadges.credential_checks import uses_extensions
from lapel.openbadges.profile import (
    PublishedKey,
    did_document,
    issuer_document,
    issuer_iri,
    key_document,
    profile,
    short_profile,
    verification_method,
)

__all__ = [
    "CONTEXTS",
    "PublishedKey",
    "achievement_document",
    "achievement_image",
    "achievement_object",
    "credential_document",
    "did_document",
    "endorsement_document",
    "issuer_document",
    "issuer_iri",
    "key_document",
    "profile",
    "short_profile",
    "verification_method",
]

CONTEXTS = (CREDENTIALS_V2, OPEN_BADGES)
"""The ``@context`` of every credential that Lapel issues, to which 1EdTech's extensions are added where used."""


def credential_document(
    award: Award,
    *,
    id: str,  # noqa: A002 - the member's own name
    name: str,
    issuer: JsonValue,
    achievement: JsonObject,
    salt: str,
    status: JsonObject | None,
) -> dict[str, JsonValue]:
    """Return the credential without a proof (OB 3.0, AchievementCredential class).

    Members that may have several values are always arrays, because the JSON Schema requires it; ``credentialStatus``
    is one object for the same reason.

    Args:
        issuer, achievement: the embedded objects, from `profile` and `achievement_object`, or only their ids.
        salt: for the hash of the recipient's identity.
        status: the entry in a status list.
    """
    subject: dict[str, JsonValue] = {}
    if award.recipient.subject_id is not None:
        subject["id"] = award.recipient.subject_id
    subject["type"] = ["AchievementSubject"]
    if identifiers := award.recipient.identifiers(salt=salt):
        subject["identifier"] = identifiers
    subject["achievement"] = achievement
    if award.narrative is not None:
        subject["narrative"] = award.narrative
    if award.results:
        subject["result"] = list(award.results)
    if award.subject_members:
        subject.update(award.subject_members)
    document: dict[str, JsonValue] = {
        "@context": _contexts(award.members) if award.members else list(CONTEXTS),
        "id": id,
        "type": ["VerifiableCredential", "OpenBadgeCredential"],
        "name": name,
        "issuer": issuer,
        "validFrom": format_timestamp(award.valid_from),
    }
    if award.valid_until is not None:
        document["validUntil"] = format_timestamp(award.valid_until)
    document["credentialSubject"] = subject
    if award.evidence:
        document["evidence"] = list(award.evidence)
    if status is not None:
        document["credentialStatus"] = status
    if award.members:
        document.update(award.members)
    return document


def endorsement_document(
    *,
    id: str,  # noqa: A002 - the member's own name
    name: str,
    issuer: JsonObject,
    endorsed: str,
    comment: str | None,
    valid_from: datetime,
    valid_until: datetime | None,
    status: JsonObject | None,
    members: JsonObject,
) -> dict[str, JsonValue]:
    """Return an endorsement without a proof (OB 3.0, EndorsementCredential class).

    Args:
        issuer: the embedded object, from `short_profile`.
        endorsed: the id of the achievement, profile or credential that is endorsed.
        status: the entry in a status list.
        members: further members of the credential, in wire form.
    """
    subject: dict[str, JsonValue] = {"id": endorsed, "type": ["EndorsementSubject"]}
    if comment is not None:
        subject["endorsementComment"] = comment
    document: dict[str, JsonValue] = {
        "@context": _contexts(members),
        "id": id,
        "type": ["VerifiableCredential", "EndorsementCredential"],
        "name": name,
        "issuer": issuer,
        "validFrom": format_timestamp(valid_from),
    }
    if valid_until is not None:
        document["validUntil"] = format_timestamp(valid_until)
    document["credentialSubject"] = subject
    if status is not None:
        document["credentialStatus"] = status
    return {**document, **members}


def _contexts(members: JsonObject) -> list[str]:
    return [*CONTEXTS, EXTENSIONS] if uses_extensions(members) else list(CONTEXTS)
