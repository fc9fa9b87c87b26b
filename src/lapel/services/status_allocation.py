"""Hand out status list entries: no two credentials share one, and neighbours in time are not neighbours in the list."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from cachetools import LRUCache

from lapel.credentials.bitstring_status_list import permuted_index
from lapel.domain.issuer import Issuer
from lapel.domain.ports import Clock, IdSource, Store
from lapel.domain.status_list import LIST_LENGTH, StatusList, StatusPurpose
from lapel.services.single_flight import SingleFlight

__all__ = ["BLOCK", "AllocatedEntry", "StatusAllocation"]

BLOCK: Final = 128
"""Positions reserved at a time; those left when the process ends are lost, which harms nobody."""

_ISSUERS: Final = 4096
"""How many issuers' blocks are kept; the rest of a block that is dropped is lost."""


@dataclass(frozen=True, slots=True)
class AllocatedEntry:
    """One bit of one list."""

    list_id: UUID
    index: int


class StatusAllocation:
    """Blocks of reserved positions, one per issuer, in memory.

    Args:
        block: how many positions to reserve at a time.
        randomness: gives that many random bytes; the seed of a list's permutation is made of it.
    """

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        new_id: IdSource,
        block: int = BLOCK,
        randomness: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._store = store
        self._clock = clock
        self._new_id = new_id
        self._block = block
        self._randomness = randomness
        self._blocks: LRUCache[UUID, list[AllocatedEntry]] = LRUCache(_ISSUERS)
        self._flight = SingleFlight()

    async def take(self, issuer: Issuer, count: int = 1) -> list[AllocatedEntry]:
        """`count` revocation entries of the issuer, never given out before. Call it outside a transaction."""
        taken = self._from_block(issuer.id, count)
        while len(taken) < count:
            async with self._flight.one(issuer.id):
                taken += self._from_block(issuer.id, count - len(taken))
                if len(taken) < count:
                    self._blocks[issuer.id] = await self._reserve(issuer, max(self._block, count - len(taken)))
                    taken += self._from_block(issuer.id, count - len(taken))
        return taken

    def _from_block(self, issuer_id: UUID, count: int) -> list[AllocatedEntry]:
        """What the block holds, at most `count`. No await: nobody else takes the same."""
        block = self._blocks.get(issuer_id)
        if not block:
            return []
        taken = block[-count:]
        del block[-count:]
        return taken

    async def _reserve(self, issuer: Issuer, count: int) -> list[AllocatedEntry]:
        new = StatusList(
            id=self._new_id(),
            organisation_id=issuer.organisation_id,
            issuer_id=issuer.id,
            purpose=StatusPurpose.REVOCATION,
            length=LIST_LENGTH,
            allocated=0,
            version=1,
            seed=self._randomness(16),
            created_at=self._clock(),
        )
        # What is reserved twice, because the first commit's outcome was not heard of, is lost and harms nobody.
        reserved = await self._store.run(lambda tx: tx.status_lists.reserve(new, count=count), idempotent=True)
        status_list = reserved.status_list
        return [
            AllocatedEntry(status_list.id, permuted_index(position, seed=status_list.seed, length=status_list.length))
            for position in range(reserved.first, reserved.first + reserved.count)
        ]
