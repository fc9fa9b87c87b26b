"""Hand out status list entries: no two credentials share one, and neighbours in time are not neighbours in the list."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from lapel.credentials.bitstring_status_list import permuted_index
from lapel.domain.issuer import Issuer
from lapel.domain.ports import Clock, IdSource, Store
from lapel.domain.status_list import LIST_LENGTH, StatusList, StatusPurpose
from lapel.services.recent import Recent
from lapel.services.single_flight import SingleFlight

__all__ = ["BLOCK", "LARGEST_BLOCK", "AllocatedEntry", "StatusAllocation"]

BLOCK: Final = 128
"""Positions reserved at a time; those left when the process ends are lost, which harms nobody."""

LARGEST_BLOCK: Final = 2048
"""What an issuer gets whose block was used up in no time: reserving takes a commit, for which others wait."""

_NO_TIME: Final = timedelta(seconds=1)
_ISSUERS: Final = 4096
"""How many issuers' blocks are kept; the rest of a block that is dropped is lost."""


class AllocatedEntry(NamedTuple):
    """One bit of one list, and the position that it was given out at."""

    list_id: UUID
    status_index: int
    position: int


@dataclass(slots=True)
class _Block:
    """Positions of one list that are reserved: from `next` up to `end`."""

    status_list: StatusList
    next: int
    end: int
    size: int
    reserved_at: datetime

    def take(self, count: int) -> list[AllocatedEntry]:
        """The next `count`, or what is left."""
        found = self.status_list
        first, self.next = self.next, min(self.next + count, self.end)
        return [
            AllocatedEntry(found.id, permuted_index(position, seed=found.seed, length=found.length), position)
            for position in range(first, self.next)
        ]


class StatusAllocation:
    """Blocks of reserved positions, one per issuer and purpose, in memory.

    Args:
        block: how many positions to reserve at a time, for an issuer that is not busy.
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
        self._blocks: Recent[tuple[int, UUID, bool], _Block] = Recent(_ISSUERS)
        self._flight = SingleFlight()

    async def take(self, issuer: Issuer, count: int = 1, *, suspendable: bool) -> list[AllocatedEntry]:
        """`count` entries of the issuer, never given out before. Call it outside a transaction.

        Args:
            suspendable: of a list for suspension, in place of one for revocation.
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
        """What the block holds, at most `count`. No await: nobody else takes the same."""
        block = self._blocks.get((self._store.generation, issuer_id, suspendable))
        return [] if block is None else block.take(count)

    async def _reserve(self, issuer: Issuer, suspendable: bool, least: int) -> _Block:
        now = self._clock()
        last = self._blocks.get((self._store.generation, issuer.id, suspendable))
        busy = last is not None and now - last.reserved_at < _NO_TIME
        size = min(4 * last.size, LARGEST_BLOCK) if last and busy else self._block
        new = StatusList(
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
        # What is reserved twice, because the first commit's outcome was not heard of, is lost and harms nobody.
        reserved = await self._store.run(
            lambda tx: tx.status_lists.reserve(new, count=max(size, least)), idempotent=True
        )
        return _Block(reserved.status_list, reserved.first, reserved.first + reserved.count, size, now)
