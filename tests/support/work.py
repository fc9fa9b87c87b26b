"""How much work something is, counted: a busy machine makes it slow, not more."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from types import FrameType

__all__ = ["calls_made", "turns_given"]


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


async def turns_given(work: Awaitable[object]) -> int:
    """How often another task has its turn on the event loop while `work` is awaited."""
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    try:
        await work
    finally:
        counting.cancel()
    return turns
