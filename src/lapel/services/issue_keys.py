"""Under what name a credential keeps what it was issued for, so that it is issued once and not found by who guesses.

What is known of a row or of a coordinator's id is a digest, which anybody can compute who guesses the e-mail address in
it. Kept is an HMAC of the digest, under a secret of the master key that a rotation does not change. Older credentials
have the digest itself; they are found by it, and erasing them puts the HMAC in its place.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

from lapel.credentials.key_storage.master_key import ISSUE_KEYS, MasterKey
from lapel.domain.credential import Credential
from lapel.domain.repositories import CredentialRepository

__all__ = ["IssueKeys"]

_MARK: Final = b"\x01"
_LENGTH: Final = 33  # of what is kept; a digest has 24 or 32 bytes
_TOGETHER: Final = 16
"""What digests of one list begin with; what is kept of them begins alike, too, which is quick to store."""


class IssueKeys:
    """Turns digests of what credentials are issued for into the issue keys that are kept."""

    def __init__(self, master_key: MasterKey) -> None:
        self._master_key = master_key
        self._hmac = lru_cache(maxsize=4_096)(self._compute)  # a row's is looked for, and then stored

    def keyed(self, digest: bytes) -> bytes:
        """33 bytes that only this server can compute of a digest. What is keyed already stays as it is."""
        if len(digest) == _LENGTH:
            return digest
        return _MARK + self._hmac(digest[:_TOGETHER])[:8] + self._hmac(digest)[:24]

    def _compute(self, message: bytes) -> bytes:
        return hmac.digest(self._master_key.derive(ISSUE_KEYS), message, "sha256")

    async def find(self, credentials: CredentialRepository, digests: Iterable[bytes]) -> Mapping[bytes, Credential]:
        """The credentials that were issued for these digests, by the digest; one that has none is left out."""
        forms = {form: digest for digest in digests for form in (digest, self.keyed(digest))}
        found = await credentials.with_issue_keys(list(forms))
        return {forms[one.issue_key]: one for one in found if one.issue_key is not None}
