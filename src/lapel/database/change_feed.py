"""Other processes' changes, so that this process may cache entities for longer than a second.

A database module with `Capabilities.change_notification` provides a `ChangeFeed`. `CacheWatch` polls it twice a second,
and at once when the feed signals a change, while something is cached. Correctness does not depend on the feed: how long
the cache may answer depends on the last successful poll, so a feed that fails, hangs or is missing only shortens that.
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

_POLL_SECONDS = 0.5
_POLL_TIMEOUT_SECONDS = 1.0


class ChangeFeed(Protocol):
    """The source of the changes committed to a database, provided by its module."""

    async def changes(self) -> Iterable[Key] | None:
        """Return the keys of what any process has committed since the last call; None if anything may have changed.

        The first call, and the first after `close`, returns None.

        Raises:
            DatabaseError: the changes cannot be read now, or one may have been missed.
        """

    async def wait_for_change(self, *, within: float) -> None:
        """Wait until there may be changes, for `within` seconds at most."""

    def close(self) -> None:
        """Release all resources. The feed can be used again."""


@dataclass(eq=False)
class CacheWatch:
    """Keeps a cache coherent with other processes' commits. It runs only while the cache is in use.

    Args:
        feed: the source of the changes.
        timer: the same clock as the cache's.
    """

    cache: TtlCache
    feed: ChangeFeed
    timer: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._stored_at = 0.0  # when the cache last stored something
        self._task: asyncio.Task[None] | None = None

    def touch(self) -> None:
        """Note that the cache has stored something, and start watching if it is not being watched."""
        self._stored_at = self.timer()
        if self._task is None or self._task.done():
            # In a new context: the task outlives the request that starts it.
            self._task = asyncio.get_running_loop().create_task(self._run(), context=Context())

    async def stop(self) -> None:
        """Stop watching and clear the cache."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        self.cache.clear()

    async def _run(self) -> None:
        failures = 0
        try:
            while self.timer() - self._stored_at < self.cache.seconds:
                polled_at = self.timer()
                try:
                    async with asyncio.timeout(_POLL_TIMEOUT_SECONDS):
                        changed = await self.feed.changes()
                except (DatabaseError, TimeoutError) as error:
                    self.cache.clear()
                    self.feed.close()
                    if not failures and not isinstance(error, NotConnected):  # which the manager logs
                        _log.warning("cannot follow what others change", reason=str(error) or "no answer in time")
                    await asyncio.sleep(backoff(failures))
                    failures += 1
                    continue
                if changed is None:
                    self.cache.clear()
                else:
                    self.cache.forget(changed)
                self.cache.confirm(polled_at)
                failures = 0
                await self.feed.wait_for_change(within=_POLL_SECONDS)
            self.cache.clear()  # everything has expired
        finally:
            self.feed.close()
