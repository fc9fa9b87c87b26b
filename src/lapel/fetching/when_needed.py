"""A way out that is made when it is first used: the client takes longer to load than most badges take to verify."""

from __future__ import annotations

from collections.abc import Callable

from lapel.domain.fetching import Fetched
from lapel.fetching.caching import ClosableFetcher

__all__ = ["FetcherWhenNeeded"]


class FetcherWhenNeeded:
    """A `Fetcher` that is what `make` makes.

    Args:
        make: is asked once, at the first fetch; what it makes is closed with this one.
    """

    def __init__(self, make: Callable[[], ClosableFetcher]) -> None:
        self._make = make
        self._made: ClosableFetcher | None = None

    async def fetch(self, url: str, *, accept: str = "application/json", max_bytes: int | None = None) -> Fetched:
        """The document at `url`; see `Fetcher.fetch`."""
        if self._made is None:
            self._made = self._make()
        return await self._made.fetch(url, accept=accept, max_bytes=max_bytes)

    async def close(self) -> None:
        """Close what was made, if anything was."""
        if self._made is not None:
            await self._made.close()
