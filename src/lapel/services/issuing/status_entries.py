"""What a credential says of where its standing is published (``credentialStatus``).

A credential is given one entry (OB 3.0, AchievementCredential: ``credentialStatus`` [0..1], one object in its JSON
Schema), although Bitstring Status List 1.0 would allow several. Of one that can be suspended it is the entry for
suspension, for that bit answers whether the badge counts: it is set while the credential is suspended, and for ever
once it is revoked. So every verifier refuses it in both cases. Its second entry, for revocation, is named by
``statusReference`` (2.1): the same index of a list that tells what is revoked for good.
"""

from __future__ import annotations

from uuid import UUID

from lapel.credentials import bitstring_status_list
from lapel.domain.addresses import Addresses
from lapel.domain.json import JsonObject
from lapel.domain.status_list import StatusPurpose

__all__ = ["status_entry"]


def status_entry(list_id: UUID, index: int, addresses: Addresses, *, suspendable: bool) -> JsonObject:
    """The ``credentialStatus`` of the credential whose bit is `index` of that list.

    Args:
        suspendable: the list is one for suspension.
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
