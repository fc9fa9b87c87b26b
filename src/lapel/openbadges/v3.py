"""Open Badges 3.0: an unsigned OpenBadgeCredential from what is known about an award."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Final

from lapel.domain.clock import format_timestamp
from lapel.domain.json import JsonObject, JsonValue
from lapel.openbadges.achievement import achievement_document, achievement_image, achievement_object
from lapel.openbadges.contexts import CREDENTIALS_V2, EXTENSIONS, OPEN_BADGES
from lapel.openbadges.credential_checks import uses_extensions
from lapel.openbadges.identity import Recipient
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
"""The ``@context`` of every credential that Lapel issues; one that uses 1EdTech's extensions has theirs as well."""

_NOTHING: Final[JsonObject] = MappingProxyType({})


def credential_document(
    *,
    id: str,  # noqa: A002 - the member's own name
    name: str,
    issuer: JsonValue,
    achievement: JsonObject,
    recipient: Recipient,
    salt: str,
    valid_from: datetime,
    valid_until: datetime | None = None,
    evidence: Sequence[JsonObject] = (),
    narrative: str | None = None,
    results: Sequence[JsonObject] = (),
    status: JsonObject | None = None,
    members: JsonObject = _NOTHING,
    subject_members: JsonObject = _NOTHING,
) -> dict[str, JsonValue]:
    """The credential without a proof (OB 3.0, AchievementCredential class).

    What the standard allows several of is an array, for its JSON Schema accepts nothing else; ``credentialStatus`` is
    one object for the same reason.

    Args:
        issuer, achievement: the embedded objects, from `profile` and `achievement_object`, or their ids alone.
        salt: for the hash of the recipient's identity.
        evidence, results: in wire form, from `checks`.
        status: the entry in a status list.
        members, subject_members: further ones of the credential and of its subject, in wire form.
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
    if subject_members:
        subject.update(subject_members)
    document: dict[str, JsonValue] = {
        "@context": _contexts(members) if members else list(CONTEXTS),
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
    if members:
        document.update(members)
    return document


def endorsement_document(
    *,
    id: str,  # noqa: A002 - the member's own name
    name: str,
    issuer: JsonObject,
    endorsed: str,
    comment: str | None,
    valid_from: datetime,
    valid_until: datetime | None = None,
    status: JsonObject | None = None,
    members: JsonObject = _NOTHING,
) -> dict[str, JsonValue]:
    """An endorsement without a proof (OB 3.0, EndorsementCredential class). Arguments as in `credential_document`.

    Args:
        endorsed: the id of the achievement, profile or credential that is endorsed.
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
