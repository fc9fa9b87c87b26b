"""Large badges are verified a few at a time: each takes up to some hundred times as much memory as it is long.

A verification has a place in memory from when the first large document of it is read until its end. It works only in
its turn, which it leaves to others while it waits for other servers. Whoever needs a place has one before long: where
none is free, of those that wait for other servers the one that has waited the longest in all waits no longer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final

from lapel.domain.fetching import FetchTimeout
from lapel.errors import Unavailable
from lapel.services.turns import Turns

__all__ = ["LargeBadges", "TooManyLargeBadges", "large_document", "waiting_for_others"]

_LARGE: Final = 16 * 1024
_IN_MEMORY: Final = 8
_AT_WORK: Final = 4
_MOST_WAITING: Final = 16
_PATIENCE: Final = 2.0
"""Seconds that a verification may wait for other servers, in all, where somebody needs its place."""


class TooManyLargeBadges(Unavailable):
    """Too many large badges are being verified, and wait to be."""

    code = "too_many_large_badges"
    hint = f"Try again in some seconds. Badges of less than {_LARGE // 1024} KiB do not wait for them."
    retry_after_seconds = 5


class LargeBadges:
    """The places and turns of the large badges."""

    def __init__(self) -> None:
        self._room = _Room()

    @asynccontextmanager
    async def turn(self, size: int) -> AsyncGenerator[None, None]:
        """To verify a badge: at once if it is not large. What is said in this task of further documents counts for it.

        Args:
            size: of the badge, in characters or bytes.

        Raises:
            TooManyLargeBadges: too many wait already.
        """
        if (verification := _CURRENT.get()) is not None:  # what a badge leads to has no turn of its own
            await verification.hold(size, refusable=False)
            yield
            return
        verification = _Verification(self._room)
        before = _CURRENT.set(verification)
        try:
            await verification.hold(size, refusable=True)
            yield
        finally:
            _CURRENT.reset(before)
            await verification.end()


async def large_document(size: int) -> None:
    """A further document of that size is about to be read: wait for a place if it is large, and there is none yet."""
    if (verification := _CURRENT.get()) is not None:
        await verification.hold(size, refusable=False)


@asynccontextmanager
async def waiting_for_others() -> AsyncGenerator[None, None]:
    """Leave the turn to others.

    Raises:
        FetchTimeout: it took too long, while somebody needs the place.
    """
    verification = _CURRENT.get()
    if verification is None or not verification.at_work:
        yield
        return
    async with verification.elsewhere():
        yield


@dataclass(slots=True)
class _Room:
    """What all verifications share.

    Attributes:
        elsewhere: those that wait for others, and when their patience is over, by the clock of the event loop.
    """

    places: Turns = field(
        default_factory=lambda: Turns(_IN_MEMORY, most_waiting=_MOST_WAITING, refusal=TooManyLargeBadges)
    )
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_WORK))
    elsewhere: dict[asyncio.Timeout, float] = field(default_factory=dict)

    def hurry(self, places: int) -> None:
        """Have so many places made free, as soon as there is somebody whose patience is over."""
        for limit in sorted(self.elsewhere, key=self.elsewhere.__getitem__)[:places]:
            if limit.when() is None:
                limit.reschedule(self.elsewhere[limit])


class _Verification:
    """One verification, which is large from when it holds a place."""

    def __init__(self, room: _Room) -> None:
        self._room = room
        self._place: AsyncExitStack | None = None
        self._patience = _PATIENCE
        self.at_work = False

    async def hold(self, size: int, *, refusable: bool) -> None:
        """Take a place and a turn for a document of that size, if it needs them and has none."""
        if size < _LARGE or self._place is not None:
            return
        if self._room.places.all_taken:
            self._room.hurry(self._room.places.waiting + 1)
        place = AsyncExitStack()
        await place.enter_async_context(self._room.places.turn(refusable=refusable))
        self._place = place
        await self._work()

    async def end(self) -> None:
        """Give back the turn and the place."""
        self._rest()
        if self._place is not None:
            await self._place.aclose()

    @asynccontextmanager
    async def elsewhere(self) -> AsyncGenerator[None, None]:
        """As `waiting_for_others`."""
        clock = asyncio.get_running_loop().time
        began, limit = clock(), asyncio.timeout(None)
        self._rest()
        try:
            async with limit:
                self._room.elsewhere[limit] = began + self._patience
                self._room.hurry(self._room.places.waiting)
                try:
                    yield
                finally:
                    del self._room.elsewhere[limit]
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise FetchTimeout(f"It took more than {_PATIENCE:g} seconds while others waited.") from error
        finally:
            self._patience -= clock() - began
            await self._work()

    async def _work(self) -> None:
        await self._room.turns.acquire()
        self.at_work = True

    def _rest(self) -> None:
        if self.at_work:
            self.at_work = False
            self._room.turns.release()


_CURRENT: Final[ContextVar[_Verification | None]] = ContextVar("verification", default=None)
