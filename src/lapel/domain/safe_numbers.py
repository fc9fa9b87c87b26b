"""The range of numbers that every JSON-LD implementation serialises alike, so that signatures verify everywhere."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

__all__ = ["LARGEST", "SMALLEST", "is_half_way"]

LARGEST: Final = 2**53
SMALLEST: Final = 1e-6
"""The smallest magnitude other than zero."""


def is_half_way(value: float) -> bool:
    """Return whether `value` is half way between two 16-digit numbers: some implementations round up, some to even."""
    # The decimal expansion of a binary fraction always ends in 5.
    return value % 1 != 0 and len(Decimal(value).as_tuple().digits) == 17
