"""How this process learns what others have committed, so that it may keep what it has read for longer than a second.

A database module that can tell (`Capabilities.change_notification`) brings a `ChangeFeed`; `CacheWatch` asks it twice a
second, and at once when it says so, for as long as something is kept. Correct without being told: what the cache may
answer depends on when the feed was last asked with success, so a feed that fails, hangs or is not there only makes
entities live shorter.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from contextvars import Context
from dataclasses import dataclass
from typing import Protocol

import structlog

from lapel.database.caching import Key, TtlCache
from lapel.database.connection_manager import backoff
from lapel.database.errors import DatabaseError, NotConnected

__all__ = ["CacheWatch", "ChangeFeed"]

_log = structlog.get_logger("lapel.database")

_ASK_EVERY = 0.5
_ANSWER_WITHIN = 1.0


class ChangeFeed(Protocol):
    """What a module brings whose database can tell what others have committed."""

    async def changes(self) -> Iterable[Key] | None:
        """What has been committed since the last call, by whomever; None: it cannot be told, it may be anything.

        The first call, and the first after `close`, answers None.

        Raises:
            DatabaseError: it cannot be told at this moment, or a change may have been missed.
        """

    async def told(self, *, within: float) -> None:
        """Return after so many seconds, or at once when there may be something to ask for."""

    def close(self) -> None:
        """Let go of whatever it holds. It may be used again."""


@dataclass(eq=False)
class CacheWatch:
    """Keeps a cache coherent with what others commit. It runs only while the cache is in use.

    Args:
        feed: where the changes come from.
        timer: the cache's own.
    """

    cache: TtlCache
    feed: ChangeFeed
    timer: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._kept = 0.0  # when something was kept last
        self._task: asyncio.Task[None] | None = None

    def kept(self) -> None:
        """Something was kept: watch it, if that is not being done already."""
        self._kept = self.timer()
        if self._task is None or self._task.done():
            # In a context of its own: it outlives the request in which it begins.
            self._task = asyncio.get_running_loop().create_task(self._run(), context=Context())

    async def stop(self) -> None:
        """Watch no longer, and keep nothing of what was watched."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        self.cache.clear()

    async def _run(self) -> None:
        failures = 0
        try:
            while self.timer() - self._kept < self.cache.seconds:
                asked = self.timer()
                try:
                    async with asyncio.timeout(_ANSWER_WITHIN):
                        changed = await self.feed.changes()
                except (DatabaseError, TimeoutError) as error:
                    self.cache.clear()
                    self.feed.close()
                    if not failures and not isinstance(error, NotConnected):  # the manager tells of that
                        _log.warning("cannot follow what others change", reason=str(error) or "no answer in time")
                    await asyncio.sleep(backoff(failures))
                    failures += 1
                    continue
                if changed is None:
                    self.cache.clear()
                else:
                    self.cache.forget(changed)
                self.cache.confirm(asked)
                failures = 0
                await self.feed.told(within=_ASK_EVERY)
            self.cache.clear()  # it is all too old by now
        finally:
            self.feed.close()
