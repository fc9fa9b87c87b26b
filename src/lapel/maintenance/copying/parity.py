"""What a table holds, in a digest that is the same on every database."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

from msgspec import Struct, msgpack

from lapel.database.statement import Row
from lapel.errors import LapelError

__all__ = ["CopyDiffers", "Digest", "Proved"]

_BYTES: Final = 32
_WITHIN: Final = 1 << 8 * _BYTES
_encode = msgpack.Encoder().encode  # lengths stand before texts and bytes: two rows that differ are encoded differently
_sha256 = hashlib.sha256


class CopyDiffers(LapelError):
    """The target does not hold the same as the source; nothing of it was kept."""

    code = "copy_differs"
    hint = "Check the target for triggers or rules that are not Lapel's, check its disk, and copy again."


class Proved(Struct, frozen=True, kw_only=True):
    """A table that holds the same on both sides: so many rows, and the digest of all of them, in hexadecimal."""

    table: str
    rows: int
    digest: str


class Digest:
    """The sum of the SHA-256 of every row in its plain form, in whatever order they come.

    That two tables that differ have the same one is no accident that happens. Who can write into a database can still
    make it so; against that a digest in the same process would be no help.
    """

    def __init__(self) -> None:
        self.rows = 0
        self._sum = 0

    def add(self, rows: Sequence[Row]) -> int:
        """Take in some rows. How many bytes the largest of them has."""
        encoded = [_encode(row) for row in rows]
        self.rows += len(rows)
        self._sum = (self._sum + sum(int.from_bytes(_sha256(row).digest()) for row in encoded)) % _WITHIN
        return max(map(len, encoded))

    def of(self, table: str) -> Proved:
        """What was taken in, of the table of that name."""
        return Proved(table=f"{table}", rows=self.rows, digest=self._sum.to_bytes(_BYTES).hex())


def compare(source: Proved, target: Proved) -> None:
    """Raises `CopyDiffers` unless both are the same."""
    if source.rows != target.rows:
        raise CopyDiffers(f"{source.table} has {source.rows:,} rows in the source and {target.rows:,} in the target.")
    if source != target:
        raise CopyDiffers(f"{source.table} has {source.rows:,} rows on both sides, but not the same ones.")
