"""Allocates status list entries: each to one credential, and in an order that does not show when it was issued."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from msgspec import Struct

from lapel.credentials.bitstring_status_list import permuted_index
from lapel.domain.issuer import Issuer
from lapel.domain.ports import Clock, IdSource, Store
from lapel.domain.status_list import LIST_LENGTH, StatusList, StatusPurpose
from lapel.services.bounded_cache import BoundedCache
from lapel.services.single_flight import SingleFlight

__all__ = ["BLOCK", "MAX_BLOCK_SIZE", "AllocatedEntry", "StatusAllocation"]

BLOCK: Final = 128
"""How many positions are reserved at once. Those left when the process ends are lost, which does no harm."""

MAX_BLOCK_SIZE: Final = 2048
"""The largest block, for an issuer that uses up its blocks quickly: each takes a commit, which others wait for."""

_BUSY: Final = timedelta(seconds=1)
"""An issuer that uses up a block in less time is busy, and its next block is larger."""
_CACHED_BLOCKS: Final = 4096
"""The positions left in an evicted block are lost."""


class AllocatedEntry(Struct, frozen=True):
    """One bit of one list, and the position from which its index was computed."""

    list_id: UUID
    status_index: int
    position: int


@dataclass(slots=True)
class _Block:
    """Reserved positions of one list: from `next` up to, but not including, `end`."""

    status_list: StatusList
    next: int
    end: int
    size: int
    reserved_at: datetime

    def take(self, count: int) -> list[AllocatedEntry]:
        """Take the next `count` entries, or the remaining ones if they are fewer."""
        of = self.status_list
        first, self.next = self.next, min(self.next + count, self.end)
        return [
            AllocatedEntry(of.id, permuted_index(position, seed=of.seed, length=of.length), position)
            for position in range(first, self.next)
        ]


class StatusAllocation:
    """Keeps a block of reserved positions for each issuer and purpose in memory.

    Args:
        block: how many positions to reserve at once for an issuer that is not busy.
        randomness: returns the given number of random bytes, for the seed of a list's permutation.
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
        self._blocks: BoundedCache[tuple[int, UUID, bool], _Block] = BoundedCache(_CACHED_BLOCKS)
        self._flight = SingleFlight()

    async def take(self, issuer: Issuer, count: int = 1, *, suspendable: bool) -> list[AllocatedEntry]:
        """Allocate `count` entries of the issuer's lists. Call it outside a transaction.

        Args:
            suspendable: allocate from a suspension list instead of a revocation list.
        """
        taken = self._from_block(issuer.id, suspendable, count)
        while len(taken) < count:
            async with self._flight.one((issuer.id, suspendable)):
                taken += self._from_block(issuer.id, suspendable, count - len(taken))
                if len(taken) < count:
                    block = await self._reserve(issuer, suspendable, count - len(taken))
                    self._blocks[self._store.generation, issuer.id, suspendable] = block
                    taken += self._from_block(issuer.id, suspendable, count - len(taken))
        return taken

    def _from_block(self, issuer_id: UUID, suspendable: bool, count: int) -> list[AllocatedEntry]:
        """Take at most `count` entries from the current block. Without an await, so no two tasks take the same."""
        block = self._blocks.get((self._store.generation, issuer_id, suspendable))
        return [] if block is None else block.take(count)

    async def _reserve(self, issuer: Issuer, suspendable: bool, min_count: int) -> _Block:
        now = self._clock()
        last = self._blocks.get((self._store.generation, issuer.id, suspendable))
        busy = last is not None and now - last.reserved_at < _BUSY
        size = min(4 * last.size, MAX_BLOCK_SIZE) if last and busy else self._block
        new_list = StatusList(
            id=self._new_id(),
            organisation_id=issuer.organisation_id,
            issuer_id=issuer.id,
            purpose=StatusPurpose.SUSPENSION if suspendable else StatusPurpose.REVOCATION,
            length=LIST_LENGTH,
            allocated=0,
            version=1,
            seed=self._randomness(16),
            created_at=now,
        )
        # A retry after a commit with unknown outcome may reserve twice. The first positions are then lost, harmlessly.
        reserved = await self._store.run(
            lambda tx: tx.status_lists.reserve(new_list, count=max(size, min_count)), idempotent=True
        )
        return _Block(reserved.status_list, reserved.first, reserved.first + reserved.count, size, now)
