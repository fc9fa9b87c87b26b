"""The look-up values under which credentials are stored, so that they are found by whom they were issued to."""

from __future__ import annotations

from lapel.credentials.key_storage.master_key import RECIPIENT_LOOK_UP, MasterKey
from lapel.openbadges.identity import Recipient, RecipientType, lookup_hash, read_recipient
from lapel.openbadges.problems import Problems

__all__ = ["RecipientLookUp", "named_by", "recipient_to_find"]


class RecipientLookUp:
    """Computes look-up values: HMACs under a secret that rotating the master key does not change."""

    def __init__(self, master_key: MasterKey) -> None:
        self._master_key = master_key

    def value(self, recipient: Recipient) -> bytes:
        """Return the 32 bytes of this identity; those of an e-mail address or phone number, however it is written."""
        # Derived on each use: the master key loads from the database what an earlier one derived after this is made.
        return lookup_hash(recipient, key=self._master_key.derive(RECIPIENT_LOOK_UP))


def named_by(iri: str) -> Recipient:
    """Return the recipient whose identity is this DID or URL."""
    kind = RecipientType.DID if iri.startswith("did:") else RecipientType.URL
    return Recipient(type=kind, identity=iri, hashed=False)


def recipient_to_find(kind: str, identity: str) -> Recipient:
    """Return the recipient to whom something may have been issued. Raises InvalidInput for no identity of this kind."""
    problems = Problems()
    recipient = read_recipient(problems, "", type=kind, identity=identity, hashed=None, name=None, may_be_old=True)
    problems.raise_any()
    assert recipient is not None  # otherwise a problem was raised
    return recipient
