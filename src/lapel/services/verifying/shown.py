"""The summary of a credential's own claims, for people."""

from __future__ import annotations

from lapel.domain.json import JsonObject
from lapel.domain.json_members import first_text, id_of, object_of, text_of
from lapel.services.verifying.data_model.structure import is_badge, is_endorsement
from lapel.services.verifying.recipient import shown_recipient
from lapel.services.verifying.report import Kind, Shown

__all__ = ["shown_credential"]


def shown_credential(credential: JsonObject, *, format_name: str | None) -> Shown:
    """Return the summary of a VC 2.0 or 1.1 credential, even if it is malformed."""
    subject = object_of(credential.get("credentialSubject"))
    achievement = object_of(subject.get("achievement"))
    criteria = achievement.get("criteria")
    issuer = credential.get("issuer")
    kind = Kind.ENDORSEMENT if is_endorsement(credential) else Kind.OTHER
    return Shown(
        kind=Kind.BADGE if is_badge(credential) else kind,
        format=format_name,
        credential_id=text_of(credential.get("id")),
        name=first_text(achievement.get("name")) or first_text(credential.get("name")),
        description=first_text(achievement.get("description")) or first_text(credential.get("description")),
        criteria=first_text(object_of(criteria).get("narrative")),
        criteria_id=id_of(criteria),
        narrative=first_text(subject.get("narrative")) or first_text(subject.get("endorsementComment")),
        issuer_id=id_of(issuer),
        issuer_name=first_text(object_of(issuer).get("name")),
        recipient=shown_recipient(subject),
        awarded=text_of(credential.get("awardedDate")),
        valid_from=text_of(credential.get("validFrom")) or text_of(credential.get("issuanceDate")),
        valid_until=text_of(credential.get("validUntil")) or text_of(credential.get("expirationDate")),
    )
