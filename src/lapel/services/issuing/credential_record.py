"""The database record of a newly signed credential: a badge, an endorsement or any other kind."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from lapel.credentials.baking.carrier import MAX_PAYLOAD_BYTES
from lapel.domain.achievement import Achievement
from lapel.domain.credential import Credential, CredentialFormat
from lapel.domain.issuer import Issuer
from lapel.errors import TooLarge
from lapel.services.issuing.status_allocation import AllocatedEntry

__all__ = ["credential_record"]


def credential_record(
    signed: bytes,
    *,
    id: UUID,  # noqa: A002 - the member's own name
    issuer: Issuer,
    format: CredentialFormat,  # noqa: A002 - the member's own name
    recipient_type: str,
    recipient_lookup: bytes,
    valid_from: datetime,
    valid_until: datetime | None,
    created_at: datetime,
    entry: AllocatedEntry | None,
    achievement: Achievement | None = None,
    issue_key: bytes | None = None,
) -> Credential:
    """Return the record of a signed credential, ready to be stored.

    Args:
        entry: its bit in a status list of this server, if it has one.
        achievement: None for a credential that is not for an achievement.

    Raises:
        TooLarge: the credential does not fit into a badge image.
    """
    if len(signed) > MAX_PAYLOAD_BYTES:
        raise TooLarge(
            f"The credential would have {len(signed):,} bytes; at most {MAX_PAYLOAD_BYTES:,} fit into an image.",
            hint="Shorten the narratives and descriptions.",
        )
    return Credential(
        id=id,
        organisation_id=issuer.organisation_id,
        issuer_id=issuer.id,
        achievement_id=achievement.id if achievement is not None else None,
        achievement_version=achievement.version if achievement is not None else None,
        format=format,
        signed=signed,
        recipient_type=recipient_type,
        recipient_lookup=recipient_lookup,
        valid_from=valid_from,
        valid_until=valid_until,
        created_at=created_at,
        status_list_id=entry.list_id if entry is not None else None,
        status_index=entry.status_index if entry is not None else None,
        status_position=entry.position if entry is not None else None,
        issue_key=issue_key,
    )
