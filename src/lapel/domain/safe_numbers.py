"""The numbers that every implementation of JSON-LD writes alike, so that what one signs verifies with the others."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

__all__ = ["LARGEST", "SMALLEST", "is_half_way"]

LARGEST: Final = 2**53
SMALLEST: Final = 1e-6
"""The nearest to zero but zero itself."""


def is_half_way(value: float) -> bool:
    """Whether it lies half way between two numbers of 16 digits: such a one is rounded up or to the even digit."""
    # The last digit of a fraction in binary is always a 5 in decimal.
    return value % 1 != 0 and len(Decimal(value).as_tuple().digits) == 17
