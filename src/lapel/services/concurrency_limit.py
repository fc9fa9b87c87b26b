"""A limit on how many tasks do something at once, with a bounded queue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from lapel.errors import Unavailable

__all__ = ["ConcurrencyLimit"]


class ConcurrencyLimit:
    """A semaphore, first come, first served, that refuses tasks when its queue is full.

    Args:
        limit: how many slots there are.
        max_waiting: how many tasks may wait for a slot.
        refusal: the error raised when `max_waiting` tasks wait already.

    Attributes:
        waiting: how many tasks wait for a slot.
    """

    def __init__(self, limit: int, *, max_waiting: int, refusal: type[Unavailable]) -> None:
        self._slots = asyncio.Semaphore(limit)
        self._max_waiting = max_waiting
        self._refusal = refusal
        self.waiting = 0

    @property
    def full(self) -> bool:
        """Whether the next task would wait."""
        return self._slots.locked()

    @asynccontextmanager
    async def slot(self, *, refusable: bool = True) -> AsyncGenerator[None, None]:
        """Hold a slot while the block runs.

        Args:
            refusable: False for a task that has begun and must not be refused: it waits however long the queue is.
        """
        if refusable and self.waiting >= self._max_waiting:
            raise self._refusal
        self.waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self.waiting -= 1
        try:
            yield
        finally:
            self._slots.release()
