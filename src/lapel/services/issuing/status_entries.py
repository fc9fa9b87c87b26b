"""The ``credentialStatus`` of a credential: the status list entry that tells whether it is revoked or suspended.

A credential gets one entry (OB 3.0, AchievementCredential: ``credentialStatus`` [0..1], one object in its JSON
Schema), although Bitstring Status List 1.0 would allow several. A suspendable credential gets the suspension entry. Its
bit is set while the credential is suspended, and for ever once it is revoked, so that every verifier refuses it in both
cases. Its ``statusReference`` (2.1) names a second entry: the same index in a list of what is revoked for good.
"""

from __future__ import annotations

from uuid import UUID

from lapel.credentials import bitstring_status_list
from lapel.domain.addresses import Addresses
from lapel.domain.json import JsonObject
from lapel.domain.status_list import StatusPurpose

__all__ = ["status_entry"]


def status_entry(list_id: UUID, index: int, addresses: Addresses, *, suspendable: bool) -> JsonObject:
    """Return the ``credentialStatus`` of the credential whose bit is at `index` of the list.

    Args:
        suspendable: whether the list is a suspension list.
    """
    if not suspendable:
        return bitstring_status_list.entry(
            list_url=addresses.status_list(list_id), index=index, purpose=StatusPurpose.REVOCATION
        )
    return bitstring_status_list.entry(
        list_url=addresses.status_list(list_id),
        index=index,
        purpose=StatusPurpose.SUSPENSION,
        reference=f"{addresses.revocations_among(list_id)}#{index}",
    )
