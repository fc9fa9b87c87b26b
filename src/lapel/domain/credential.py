"""Credentials: signed awards. The signed bytes are written once and served unchanged for ever."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from msgspec import Struct

from lapel.errors import Gone

__all__ = [
    "Credential",
    "CredentialErased",
    "CredentialFormat",
    "CredentialStatus",
    "JwtAlgorithm",
    "Withdrawn",
]


class CredentialErased(Gone):
    """This credential was issued here, and has been erased: nothing of its recipient is kept."""

    code = "credential_erased"


class CredentialFormat(StrEnum):
    """How the credential is secured."""

    EDDSA_RDFC_2022 = "eddsa-rdfc-2022"
    VC_JWT = "vc-jwt"


class JwtAlgorithm(StrEnum):
    """How a VC-JWT is signed (RFC 7518, 3.1; RFC 8037). Every verifier of Open Badges 3.0 must know RS256."""

    RS256 = "RS256"
    ES256 = "ES256"
    EDDSA = "EdDSA"


class CredentialStatus(StrEnum):
    """The credential's standing now. A revocation is final; a suspension can be lifted."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    REVOKED = "revoked"


class Credential(Struct, frozen=True, kw_only=True):
    """One issued credential.

    Attributes:
        achievement_id: None for a credential of another kind.
        achievement_version: the version that the credential embeds.
        signed: the UTF-8 JSON with its proof, or the compact JWS, exactly as first issued.
        recipient_type: OB 3.0 IdentifierTypeEnum value (``emailAddress``, …), or ``did`` or ``url``.
        recipient_lookup: keyed hash of the normalised identity, for our own searches only.
        status_index: this credential's bit in `status_list_id`.
        status_position: which of the list's bits it was, counted as they were given out; each is given out once.
        status_reason: shown to whoever verifies.
        replaces_id, replaced_by_id: in the place of which one it was issued, and which one was in its place. What they
            name may have been removed since.
        issue_key: names what it was issued for, where that is to be issued once only; no two credentials share one.
        erased_at: since when nothing of its recipient is here; `signed` and `recipient_lookup` are empty then.
    """

    id: UUID
    organisation_id: UUID
    issuer_id: UUID
    achievement_id: UUID | None
    achievement_version: int | None
    format: CredentialFormat
    signed: bytes
    recipient_type: str
    recipient_lookup: bytes
    valid_from: datetime
    created_at: datetime
    valid_until: datetime | None = None
    status: CredentialStatus = CredentialStatus.ACTIVE
    status_reason: str | None = None
    status_changed_at: datetime | None = None
    status_list_id: UUID | None = None
    status_index: int | None = None
    status_position: int | None = None
    issue_key: bytes | None = None
    replaces_id: UUID | None = None
    replaced_by_id: UUID | None = None
    erased_at: datetime | None = None


class Withdrawn(NamedTuple):
    """A credential that does not count now, and why."""

    credential_id: UUID
    status: CredentialStatus
    reason: str | None
