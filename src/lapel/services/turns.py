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
    """

    def __init__(self, at_a_time: int, *, most_waiting: int, refusal: type[Unavailable]) -> None:
        self._places = asyncio.Semaphore(at_a_time)
        self._most_waiting = most_waiting
        self._refusal = refusal
        self._waiting = 0

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None, None]:
        """Be one of the few."""
        if self._waiting >= self._most_waiting:
            raise self._refusal
        self._waiting += 1
        try:
            await self._places.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._places.release()
