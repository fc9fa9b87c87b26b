"""Issuers: the profiles that award credentials."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from msgspec import Struct, field

from lapel.domain.json import JsonObject

__all__ = ["IdentityMethod", "Issuer"]


class IdentityMethod(StrEnum):
    """How an issuer is named in what it signs."""

    HTTPS = "https"
    DID_WEB = "did:web"
    DID_KEY = "did:key"


class Issuer(Struct, frozen=True, kw_only=True):
    """An OB 3.0 Profile in the issuer role (OB 3.0, Profile class).

    Attributes:
        version: starts at 1 and grows by one with each change.
        did: the issuer's DID where `identity` is a DID method; it never changes.
        profile: further members of the Profile as they appear on the wire (``official``, ``address``, …).
    """

    id: UUID
    organisation_id: UUID
    version: int
    name: str
    identity: IdentityMethod
    created_at: datetime
    updated_at: datetime
    did: str | None = None
    url: str | None = None
    email: str | None = None
    phone: str | None = None
    description: str | None = None
    image_id: UUID | None = None
    profile: JsonObject = field(default_factory=dict)
