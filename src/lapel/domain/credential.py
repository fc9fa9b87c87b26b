"""Credentials: signed awards. The signed bytes are stored once and served unchanged for ever."""

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
        signed: the UTF-8 JSON with its proof, or the compact JWS, exactly as issued.
        recipient_type: OB 3.0 IdentifierTypeEnum value (``emailAddress``, …), or ``did`` or ``url``.
        recipient_lookup: keyed hash of the normalised identity, for searches within this server only.
        status_index: the index of this credential's bit in `status_list_id`.
        status_position: the position in the list's order of allocation; each position is allocated once.
        status_reason: shown to verifiers.
        replaces_id, replaced_by_id: the credentials that this one replaces and is replaced by. They may have been
            removed since.
        issue_key: identifies what the credential was issued for if that may be issued only once; unique.
        erased_at: when the recipient's data was erased; `signed` and `recipient_lookup` are empty from then on.
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
    """A credential that is revoked or suspended, with the reason."""

    credential_id: UUID
    status: CredentialStatus
    reason: str | None
