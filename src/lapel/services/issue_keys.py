"""Issue keys: they identify what a credential was issued for, so that it is issued only once.

A row of a list, or a coordinator's id, is identified by a digest, which anybody can compute who guesses the e-mail
address in it. Therefore an HMAC of the digest is stored, under a secret derived from the master key that rotation does
not change. Older credentials have the digest itself; they are found by it, and erasing them replaces it by the HMAC.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

from lapel.credentials.key_storage.master_key import ISSUE_KEYS, MasterKey
from lapel.domain.credential import Credential
from lapel.domain.repositories import CredentialRepository

__all__ = ["IssueKeys"]

_MARK: Final = b"\x01"
_LENGTH: Final = 33  # of an issue key; a digest has 24 or 32 bytes
_LIST_PREFIX: Final = 16
"""The digests of one list share their first 16 bytes. Their issue keys share a prefix too, which is quick to index."""


class IssueKeys:
    """Computes issue keys from digests, and finds credentials by them."""

    def __init__(self, master_key: MasterKey) -> None:
        self._master_key = master_key
        self._hmac = lru_cache(maxsize=4_096)(self._compute)  # each is needed twice: to look for a row, and to store it

    def keyed(self, digest: bytes) -> bytes:
        """Return the issue key of a digest: 33 bytes that only this server can compute. Returns an issue key as is."""
        if len(digest) == _LENGTH:
            return digest
        return _MARK + self._hmac(digest[:_LIST_PREFIX])[:8] + self._hmac(digest)[:24]

    def _compute(self, message: bytes) -> bytes:
        return self._master_key.digest(message, purpose=ISSUE_KEYS)

    async def find(self, credentials: CredentialRepository, digests: Iterable[bytes]) -> Mapping[bytes, Credential]:
        """Return the credentials that were issued for these digests, by digest; digests without one are left out."""
        by_stored_key = {stored: digest for digest in digests for stored in (digest, self.keyed(digest))}
        found = await credentials.with_issue_keys(list(by_stored_key))
        return {
            by_stored_key[credential.issue_key]: credential for credential in found if credential.issue_key is not None
        }
