"""Which rows have been met already, in some 40 bytes for each."""

from __future__ import annotations

import hashlib
import os
from array import array
from collections.abc import Mapping

__all__ = ["SeenRows"]


class SeenRows:
    """Rows by a 64-bit hash under a key of this process: two that differ meet with a chance of one to 10^7 in millions.

    Args:
        rows: how many there will be at most.
    """

    def __init__(self, rows: int) -> None:
        size = 1 << (2 * rows + 1).bit_length()
        self._hashes = array("Q", bytes(8 * size))
        self._numbers = array("Q", bytes(8 * size))
        self._mask = size - 1
        self._key = os.urandom(16)

    def first(self, values: Mapping[str, str], number: int) -> int:
        """The number of the first row with the same id, or with the same values where it has none: `number`, if new."""
        row_id = values.get("id")
        told = repr(row_id if row_id is not None else sorted(values.items()))
        digest = hashlib.blake2b(told.encode("utf-8", "surrogatepass"), digest_size=8, key=self._key).digest()
        wanted = int.from_bytes(digest, "big") or 1
        slot = wanted & self._mask
        while (found := self._hashes[slot]) and found != wanted:
            slot = slot + 1 & self._mask
        if not found:
            self._hashes[slot], self._numbers[slot] = wanted, number
        return self._numbers[slot]
