"""Open Badges 3.0: an unsigned OpenBadgeCredential from what is known about an award."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from lapel.domain.clock import format_timestamp
from lapel.domain.json import JsonObject, JsonValue
from lapel.openbadges.achievement import achievement_document, achievement_image, achievement_object
from lapel.openbadges.contexts import CREDENTIALS_V2, OPEN_BADGES
from lapel.openbadges.identity import Recipient
from lapel.openbadges.profile import (
    PublishedKey,
    did_document,
    issuer_document,
    issuer_iri,
    key_document,
    profile,
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
    "issuer_document",
    "issuer_iri",
    "key_document",
    "profile",
    "verification_method",
]

CONTEXTS = (CREDENTIALS_V2, OPEN_BADGES)
"""The ``@context`` of every credential that Lapel issues."""


def credential_document(
    *,
    id: str,  # noqa: A002 - the member's own name
    name: str,
    issuer: JsonObject,
    achievement: JsonObject,
    recipient: Recipient,
    salt: str,
    valid_from: datetime,
    valid_until: datetime | None = None,
    evidence: Sequence[JsonObject] = (),
    narrative: str | None = None,
    results: Sequence[JsonObject] = (),
    status: JsonObject | None = None,
) -> dict[str, JsonValue]:
    """The credential without a proof (OB 3.0, AchievementCredential class).

    What the standard allows several of is an array, for its JSON Schema accepts nothing else; ``credentialStatus`` is
    one object for the same reason.

    Args:
        issuer, achievement: the embedded objects, from `profile` and `achievement_object`.
        salt: for the hash of the recipient's identity.
        evidence, results: in wire form, from `checks`.
        status: the entry in a status list.
    """
    subject: dict[str, JsonValue] = {}
    if recipient.subject_id is not None:
        subject["id"] = recipient.subject_id
    subject["type"] = ["AchievementSubject"]
    if identifiers := recipient.identifiers(salt=salt):
        subject["identifier"] = identifiers
    subject["achievement"] = achievement
    if narrative is not None:
        subject["narrative"] = narrative
    if results:
        subject["result"] = list(results)
    document: dict[str, JsonValue] = {
        "@context": list(CONTEXTS),
        "id": id,
        "type": ["VerifiableCredential", "OpenBadgeCredential"],
        "name": name,
        "issuer": issuer,
        "validFrom": format_timestamp(valid_from),
    }
    if valid_until is not None:
        document["validUntil"] = format_timestamp(valid_until)
    document["credentialSubject"] = subject
    if evidence:
        document["evidence"] = list(evidence)
    if status is not None:
        document["credentialStatus"] = status
    return document
