"""Limits how many large badges are verified at once: each takes up to some hundred times its length in memory.

A verification holds a memory slot from its first large document until its end. It also holds a work slot, except while
it waits for other servers. No task waits long for a memory slot: when none is free, the verification that has waited
for other servers the longest in all is made to stop waiting.
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
from lapel.services.concurrency_limit import ConcurrencyLimit

__all__ = ["LargeBadges", "TooManyLargeBadges", "large_document", "waiting_for_others"]

_LARGE: Final = 16 * 1024
_MAX_IN_MEMORY: Final = 8
_MAX_WORKING: Final = 4
_MAX_WAITING: Final = 16
_PATIENCE: Final = 2.0
"""Seconds that a verification may wait for other servers, in all, while another one needs its memory slot."""


class TooManyLargeBadges(Unavailable):
    """Too many large badges are being verified, and wait to be."""

    code = "too_many_large_badges"
    hint = f"Try again in some seconds. Badges of less than {_LARGE // 1024} KiB do not wait for them."
    retry_after_seconds = 5


class LargeBadges:
    """The memory and work slots for large badges."""

    def __init__(self) -> None:
        self._limits = _Limits()

    @asynccontextmanager
    async def slot(self, size: int) -> AsyncGenerator[None, None]:
        """Hold the slots that verifying a badge needs; a small badge needs none until it leads to a large document.

        Calls of `large_document` and `waiting_for_others` in the block's task apply to this verification.

        Args:
            size: the badge's length, in characters or bytes.

        Raises:
            TooManyLargeBadges: too many verifications wait already.
        """
        if (verification := _CURRENT.get()) is not None:  # a badge inside another one shares its slots
            await verification.hold(size, refusable=False)
            yield
            return
        verification = _Verification(self._limits)
        token = _CURRENT.set(verification)
        try:
            await verification.hold(size, refusable=True)
            yield
        finally:
            _CURRENT.reset(token)
            await verification.end()


async def large_document(size: int) -> None:
    """Before a further document of this size is read: wait for a slot if it is large and the task holds none yet."""
    if (verification := _CURRENT.get()) is not None:
        await verification.hold(size, refusable=False)


@asynccontextmanager
async def waiting_for_others() -> AsyncGenerator[None, None]:
    """Release the work slot while the block waits for another server.

    Raises:
        FetchTimeout: the block took too long while another verification needed the memory slot.
    """
    verification = _CURRENT.get()
    if verification is None or not verification.working:
        yield
        return
    async with verification.waiting():
        yield


@dataclass(slots=True)
class _Limits:
    """The state that all verifications share.

    Attributes:
        deadlines: by the timeout of each verification that waits for another server, the event loop time at which its
            patience ends.
    """

    memory: ConcurrencyLimit = field(
        default_factory=lambda: ConcurrencyLimit(_MAX_IN_MEMORY, max_waiting=_MAX_WAITING, refusal=TooManyLargeBadges)
    )
    work: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_MAX_WORKING))
    deadlines: dict[asyncio.Timeout, float] = field(default_factory=dict)

    def hurry(self, count: int) -> None:
        """Start the timeouts of the `count` verifications whose patience ends first, so that they free their slots."""
        for timeout in sorted(self.deadlines, key=self.deadlines.__getitem__)[:count]:
            if timeout.when() is None:
                timeout.reschedule(self.deadlines[timeout])


class _Verification:
    """One verification. It counts as large from when it holds a memory slot."""

    def __init__(self, limits: _Limits) -> None:
        self._limits = limits
        self._memory_slot: AsyncExitStack | None = None
        self._patience = _PATIENCE
        self.working = False

    async def hold(self, size: int, *, refusable: bool) -> None:
        """Take a memory and a work slot for a document of this size, if it is large and none are held."""
        if size < _LARGE or self._memory_slot is not None:
            return
        if self._limits.memory.full:
            self._limits.hurry(self._limits.memory.waiting + 1)
        slot = AsyncExitStack()
        await slot.enter_async_context(self._limits.memory.slot(refusable=refusable))
        self._memory_slot = slot
        await self._start_work()

    async def end(self) -> None:
        """Release both slots."""
        self._stop_work()
        if self._memory_slot is not None:
            await self._memory_slot.aclose()

    @asynccontextmanager
    async def waiting(self) -> AsyncGenerator[None, None]:
        """See `waiting_for_others`."""
        clock = asyncio.get_running_loop().time
        start, timeout = clock(), asyncio.timeout(None)
        self._stop_work()
        try:
            async with timeout:
                self._limits.deadlines[timeout] = start + self._patience
                self._limits.hurry(self._limits.memory.waiting)
                try:
                    yield
                finally:
                    del self._limits.deadlines[timeout]
        except TimeoutError as error:
            if not timeout.expired():
                raise
            raise FetchTimeout(f"It took more than {_PATIENCE:g} seconds while others waited.") from error
        finally:
            self._patience -= clock() - start
            await self._start_work()

    async def _start_work(self) -> None:
        await self._limits.work.acquire()
        self.working = True

    def _stop_work(self) -> None:
        if self.working:
            self.working = False
            self._limits.work.release()


_CURRENT: Final[ContextVar[_Verification | None]] = ContextVar("verification", default=None)
