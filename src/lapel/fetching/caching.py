"""A cache for fetched documents, which also merges concurrent requests for the same document."""

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
_Entry = tuple[Fetched, float]  # the document, and when it expires
_ENTRY_BYTES = 1024  # the memory of an entry besides its body: key, objects, the cache's own bookkeeping


class ClosableFetcher(Fetcher, Protocol):
    """A fetcher with resources to release."""

    async def close(self) -> None: ...


class CachingFetcher:
    """A `Fetcher` that caches documents, but not failures.

    A document is cached as long as its ``Cache-Control`` allows, between `min_ttl` and `ttl`. Its reader may shorten
    that (`Fetched.expire_within`), though not below `min_ttl`.

    Args:
        inner: the fetcher behind the cache; closed with this one.
        ttl: the longest time that a document is cached, in seconds; 0 disables the cache.
        min_ttl: the shortest time, even if the document's server forbids caching.
        default_ttl: the time if the server says nothing about caching.
        max_count: the maximum number of cached documents.
        max_bytes: the maximum of their sizes together.
        timer: a monotonic clock, in seconds.
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
        # cachetools limits the sum of the sizes only, so a minimum size per entry limits their number.
        self._min_size = max(max_bytes // max_count, 1)
        self._timer = timer
        self._cache: TLRUCache[_Key, _Entry, float] = TLRUCache(
            max_bytes, lambda _key, entry, _now: entry[1], timer, lambda entry: self._size(entry[0])
        )
        self._loading: dict[_Key, asyncio.Task[Fetched]] = {}

    async def fetch(self, url: str, *, accept: str = "application/json", max_bytes: int | None = None) -> Fetched:
        """Return the document at `url`, cached or fetched; see `Fetcher.fetch`."""
        if self._ttl <= 0:
            return await self._inner.fetch(url, accept=accept, max_bytes=max_bytes)
        key = (url, accept, max_bytes)
        entry = self._cache.get(key)
        if entry is not None:
            return entry[0]
        task = self._loading.get(key)
        if task is None:
            task = asyncio.create_task(self._load(key))
            self._loading[key] = task
            task.add_done_callback(lambda done: self._finish_loading(key, done))
        # A cancelled caller must not cancel the load for the others; `inner` limits how long it takes.
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Cancel running fetches, clear the cache and close the inner fetcher."""
        loading = list(self._loading.values())
        for task in loading:
            task.cancel()
        await asyncio.gather(*loading, return_exceptions=True)
        self._cache.clear()
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
        fetched = replace(fetched, expire_within=partial(self._expire_within, key))
        if self._lifetime(fetched) > 0 and self._size(fetched) <= self._max_bytes:
            self._cache[key] = (fetched, self._timer() + self._lifetime(fetched))
        return fetched

    def _expire_within(self, key: _Key, seconds: float) -> None:
        """Shorten the lifetime of what is cached under `key`, which may be a newer document by now; never extend it."""
        if (entry := self._cache.get(key)) is not None:
            expires = self._timer() + max(seconds, self._min_ttl)
            if expires < entry[1]:
                self._cache[key] = (entry[0], expires)

    def _finish_loading(self, key: _Key, task: asyncio.Task[Fetched]) -> None:
        del self._loading[key]
        if not task.cancelled():
            task.exception()  # retrieved, so that asyncio does not warn if all callers were cancelled

    def _lifetime(self, fetched: Fetched) -> float:
        ttl = self._default_ttl if fetched.fresh_seconds is None else fetched.fresh_seconds
        return min(max(ttl, self._min_ttl), self._ttl)

    def _size(self, fetched: Fetched) -> int:
        return max(len(fetched.body) + len(fetched.url) + _ENTRY_BYTES, self._min_size)
