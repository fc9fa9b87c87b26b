"""``credentialId``: a coordinator's id of a credential, so that it is issued once and found again (VCALM, 3.2.1)."""

from __future__ import annotations

import hashlib
from uuid import UUID

__all__ = ["digest_of"]


def digest_of(organisation_id: UUID, credential_id: str) -> bytes:
    """Return the digest of a ``credentialId`` for `IssueKeys`. Each organisation has its own ids."""
    return hashlib.sha256(f"vc-api\0{organisation_id}\0{credential_id}".encode()).digest()
