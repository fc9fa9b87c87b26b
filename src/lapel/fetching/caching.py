"""Keeping what was fetched for a short while, and fetching it once for all who ask at the same moment."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import Protocol

from cachetools import TLRUCache

from lapel.domain.fetching import Fetched, Fetcher

__all__ = ["CachingFetcher", "ClosableFetcher"]

_Key = tuple[str, str, int | None]
_Kept = tuple[Fetched, float]  # and until when
_ENTRY_BYTES = 1024  # what an entry weighs without its body: key, objects, the cache's own books


class ClosableFetcher(Fetcher, Protocol):
    """A fetcher that holds something."""

    async def close(self) -> None: ...


class CachingFetcher:
    """A `Fetcher` that remembers answers. Failures are not remembered.

    An answer is kept as long as its ``Cache-Control`` allows, within `min_ttl` and `ttl`, and no longer than whoever
    has read it says (`Fetched.expire_within`), but for `min_ttl`.

    Args:
        inner: who really fetches; closed with this one.
        ttl: the longest that an answer is kept, in seconds; 0 switches everything here off.
        min_ttl: the shortest, even where its server forbids keeping it.
        default_ttl: how long it is kept if its server says nothing about it.
        max_count: how many answers are kept at most.
        max_bytes: how many bytes they may take together.
        timer: seconds on a clock that never goes back.
    """

    def __init__(
        self,
        inner: ClosableFetcher,
        *,
        ttl: float = 300.0,
        min_ttl: float = 0.0,
        default_ttl: float = 60.0,
        max_count: int = 256,
        max_bytes: int = 16 * 1024 * 1024,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._inner = inner
        self._ttl = ttl
        self._min_ttl = min_ttl
        self._default_ttl = default_ttl
        self._max_bytes = max_bytes
        # cachetools bounds one number; an entry weighs at least its share of it, which bounds the count.
        self._least_weight = max(max_bytes // max_count, 1)
        self._timer = timer
        self._kept: TLRUCache[_Key, _Kept, float] = TLRUCache(
            max_bytes, lambda _key, kept, _now: kept[1], timer, lambda kept: self._weight(kept[0])
        )
        self._loading: dict[_Key, asyncio.Task[Fetched]] = {}

    async def fetch(self, url: str, *, accept: str = "application/json", max_bytes: int | None = None) -> Fetched:
        """The document at `url`, now or a short while ago; see `Fetcher.fetch`."""
        if self._ttl <= 0:
            return await self._inner.fetch(url, accept=accept, max_bytes=max_bytes)
        key = (url, accept, max_bytes)
        kept = self._kept.get(key)
        if kept is not None:
            return kept[0]
        task = self._loading.get(key)
        if task is None:
            task = asyncio.create_task(self._load(key))
            self._loading[key] = task
            task.add_done_callback(lambda done: self._loaded(key, done))
        # Whoever stops waiting leaves the others their answer; the load itself is bounded in time by `inner`.
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Stop what is being fetched, forget everything and close the inner fetcher."""
        loading = list(self._loading.values())
        for task in loading:
            task.cancel()
        await asyncio.gather(*loading, return_exceptions=True)
        self._kept.clear()
        await self._inner.close()

    async def __aenter__(self) -> CachingFetcher:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _load(self, key: _Key) -> Fetched:
        url, accept, max_bytes = key
        fetched = await self._inner.fetch(url, accept=accept, max_bytes=max_bytes)
        fetched = replace(fetched, expire_within=partial(self._keep_at_most, key))
        if self._lifetime(fetched) > 0 and self._weight(fetched) <= self._max_bytes:
            self._kept[key] = (fetched, self._timer() + self._lifetime(fetched))
        return fetched

    def _keep_at_most(self, key: _Key, seconds: float) -> None:
        """Whoever has read an answer may shorten its time, never lengthen it. A later answer may suffer, too."""
        if (kept := self._kept.get(key)) is not None:
            until = self._timer() + max(seconds, self._min_ttl)
            if until < kept[1]:
                self._kept[key] = (kept[0], until)

    def _loaded(self, key: _Key, task: asyncio.Task[Fetched]) -> None:
        del self._loading[key]
        if not task.cancelled():
            task.exception()  # looked at, so that nobody warns where all who waited have left

    def _lifetime(self, fetched: Fetched) -> float:
        wanted = self._default_ttl if fetched.fresh_seconds is None else fetched.fresh_seconds
        return min(max(wanted, self._min_ttl), self._ttl)

    def _weight(self, fetched: Fetched) -> int:
        return max(len(fetched.body) + len(fetched.url) + _ENTRY_BYTES, self._least_weight)
