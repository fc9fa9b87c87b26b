"""Find repeated rows, in about 40 bytes of memory for each row."""

from __future__ import annotations

import hashlib
import os
from array import array
from collections.abc import Mapping

__all__ = ["SeenRows"]


class SeenRows:
    """A hash table of rows, by a 64-bit keyed hash.

    Among millions of rows, the chance that two different ones have the same hash is one in 10^7.

    Args:
        rows: the maximal number of rows.
    """

    def __init__(self, rows: int) -> None:
        size = 1 << (2 * rows + 1).bit_length()
        self._hashes = array("Q", bytes(8 * size))
        self._numbers = array("Q", bytes(8 * size))
        self._mask = size - 1
        self._key = os.urandom(16)

    def first(self, values: Mapping[str, str], number: int) -> int:
        """Return the number of the first row with the same id, or if it has none the same values; `number` if new."""
        row_id = values.get("id")
        text = repr(row_id if row_id is not None else sorted(values.items()))
        digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8, key=self._key).digest()
        row_hash = int.from_bytes(digest, "big") or 1
        slot = row_hash & self._mask
        while (stored := self._hashes[slot]) and stored != row_hash:
            slot = slot + 1 & self._mask
        if not stored:
            self._hashes[slot], self._numbers[slot] = row_hash, number
        return self._numbers[slot]
