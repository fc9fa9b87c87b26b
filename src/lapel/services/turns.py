"""A few at a time: of those who come while they are at work, some wait for their turn, and the others are told so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from lapel.errors import Unavailable

__all__ = ["Turns"]


class Turns:
    """Turns in the order of coming.

    Args:
        refusal: what is raised where `most_waiting` wait already.

    Attributes:
        waiting: how many wait for their turn.
    """

    def __init__(self, at_a_time: int, *, most_waiting: int, refusal: type[Unavailable]) -> None:
        self._places = asyncio.Semaphore(at_a_time)
        self._most_waiting = most_waiting
        self._refusal = refusal
        self.waiting = 0

    @property
    def all_taken(self) -> bool:
        """Whether the next one would wait."""
        return self._places.locked()

    @asynccontextmanager
    async def turn(self, *, refusable: bool = True) -> AsyncGenerator[None, None]:
        """Be one of the few.

        Args:
            refusable: False for one who has begun, and must not be refused: it waits, however many do.
        """
        if refusable and self.waiting >= self._most_waiting:
            raise self._refusal
        self.waiting += 1
        try:
            await self._places.acquire()
        finally:
            self.waiting -= 1
        try:
            yield
        finally:
            self._places.release()
