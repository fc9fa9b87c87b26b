"""What it takes to issue a credential of any kind: a badge, an endorsement, or what a client of the VC API sends."""

from __future__ import annotations

from dataclasses import dataclass

from lapel.domain.addresses import Addresses
from lapel.domain.issuer import Issuer
from lapel.domain.json import JsonObject
from lapel.domain.ports import Clock, IdSource, Store
from lapel.services.issuing.status_allocation import AllocatedEntry, StatusAllocation
from lapel.services.issuing.status_entries import status_entry
from lapel.services.recipient_look_up import RecipientLookUp
from lapel.services.securing import Securing

__all__ = ["IssuingMeans"]


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuingMeans:
    """Where credentials get their id, status list entry and signature, and where they are stored."""

    store: Store
    clock: Clock
    new_id: IdSource
    addresses: Addresses
    securing: Securing
    allocation: StatusAllocation
    recipients: RecipientLookUp

    async def revocable(self, issuer: Issuer) -> tuple[AllocatedEntry, JsonObject]:
        """Allocate an entry of one of the issuer's revocation lists. Return it, and the ``credentialStatus`` with it.

        Call it outside a transaction.
        """
        (entry,) = await self.allocation.take(issuer, suspendable=False)
        return entry, status_entry(entry.list_id, entry.status_index, self.addresses, suspendable=False)
