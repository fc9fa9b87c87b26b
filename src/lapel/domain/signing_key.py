"""The signing keys of an issuer."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

__all__ = ["KeyAlgorithm", "KeyState", "SigningKey"]


class KeyAlgorithm(StrEnum):
    """What kind of key pair it is."""

    ED25519 = "Ed25519"
    P256 = "P-256"
    RSA = "RSA"


class KeyState(StrEnum):
    """Whether the key signs (active), only verifies (retired), or is known to others (compromised)."""

    ACTIVE = "active"
    RETIRED = "retired"
    COMPROMISED = "compromised"


class SigningKey(Struct, frozen=True, kw_only=True):
    """One key pair of one issuer. Its public key stays published for ever.

    Attributes:
        public_key: the public key as a SubjectPublicKeyInfo structure (RFC 5280, 4.1.2.7), DER.
        private_key_encrypted: the PKCS #8 private key, encrypted under the master key; None if an external
            signer holds it.
        compromised_at: signatures made at or after this moment are not trusted.
    """

    id: UUID
    organisation_id: UUID
    issuer_id: UUID
    algorithm: KeyAlgorithm
    public_key: bytes
    private_key_encrypted: bytes | None
    state: KeyState
    created_at: datetime
    retired_at: datetime | None = None
    compromised_at: datetime | None = None

    def retired(self, *, at: datetime) -> SigningKey:
        """Return the key as retired. A key that is no longer active is returned unchanged."""
        return replace(self, state=KeyState.RETIRED, retired_at=at) if self.state is KeyState.ACTIVE else self

    def compromised(self, *, since: datetime, at: datetime) -> SigningKey:
        """Return the key as compromised. If it already was, the earlier moment counts."""
        since = since if self.compromised_at is None else min(since, self.compromised_at)
        ended = self.retired_at or at
        return replace(self, state=KeyState.COMPROMISED, retired_at=ended, compromised_at=since)
