"""How much work something is, counted: a busy machine makes it slow, not more."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType

__all__ = ["calls_made"]


def calls_made(action: Callable[[], object]) -> int:
    """How many functions are called, of Python and of C, while `action` runs; it may raise, which is not this one's."""
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        action()
    finally:
        sys.setprofile(before)
    return calls
