"""A fetcher that is created at its first use: loading the client takes longer than verifying most badges."""

from __future__ import annotations

from collections.abc import Callable

from lapel.domain.fetching import Fetched
from lapel.fetching.caching import ClosableFetcher

__all__ = ["LazyFetcher"]


class LazyFetcher:
    """A `Fetcher` that creates the actual one when it is first used.

    Args:
        create: called once, at the first fetch; its result is closed with this one.
    """

    def __init__(self, create: Callable[[], ClosableFetcher]) -> None:
        self._create = create
        self._fetcher: ClosableFetcher | None = None

    async def fetch(self, url: str, *, accept: str = "application/json", max_bytes: int | None = None) -> Fetched:
        """Return the document at `url`; see `Fetcher.fetch`."""
        if self._fetcher is None:
            self._fetcher = self._create()
        return await self._fetcher.fetch(url, accept=accept, max_bytes=max_bytes)

    async def close(self) -> None:
        """Close the actual fetcher if it was created."""
        if self._fetcher is not None:
            await self._fetcher.close()
