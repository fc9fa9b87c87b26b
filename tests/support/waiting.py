"""Waiting for what another process does, as long as it takes and no longer than is reasonable."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["eventually"]


def eventually(happened: Callable[[], object], *, within: float = 60.0) -> bool:
    """Whether ``happened()`` becomes true, or what counts as true, within so many seconds; asked every 10 ms."""
    deadline = time.monotonic() + within
    while not happened():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
