"""Digests of tables, which are the same on every database."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

from msgspec import Struct, msgpack

from lapel.database.statement import Row
from lapel.errors import LapelError

__all__ = ["CopyDiffers", "Digest", "TableDigest", "compare"]

_BYTES: Final = 32
_WITHIN: Final = 1 << 8 * _BYTES
_encode = msgpack.Encoder().encode  # texts and bytes have length prefixes, so that different rows differ when encoded
_sha256 = hashlib.sha256


class CopyDiffers(LapelError):
    """The target does not hold the same as the source; nothing of it was kept."""

    code = "copy_differs"
    hint = "Check the target for triggers or rules that are not Lapel's, check its disk, and copy again."


class TableDigest(Struct, frozen=True, kw_only=True):
    """The number of a table's rows, and the digest of all of them, in hexadecimal."""

    table: str
    rows: int
    digest: str


class Digest:
    """The sum of the SHA-256 hashes of all rows in their plain form, which does not depend on their order.

    Different tables do not have the same digest by accident. Somebody who can write to a database can construct a
    collision, but could also defeat any other digest in this process.
    """

    def __init__(self) -> None:
        self.rows = 0
        self._sum = 0

    def add(self, rows: Sequence[Row]) -> int:
        """Add some rows. Returns the size of the largest in bytes."""
        encoded = [_encode(row) for row in rows]
        self.rows += len(rows)
        self._sum = (self._sum + sum(int.from_bytes(_sha256(row).digest()) for row in encoded)) % _WITHIN
        return max(map(len, encoded))

    def of(self, table: str) -> TableDigest:
        """Return the digest of the rows so far, as that of the table of that name."""
        return TableDigest(table=f"{table}", rows=self.rows, digest=self._sum.to_bytes(_BYTES).hex())


def compare(source: TableDigest, target: TableDigest) -> None:
    """Raise `CopyDiffers` unless both are equal."""
    if source.rows != target.rows:
        raise CopyDiffers(f"{source.table} has {source.rows:,} rows in the source and {target.rows:,} in the target.")
    if source != target:
        raise CopyDiffers(f"{source.table} has {source.rows:,} rows on both sides, but not the same ones.")
