"""The fetcher that is made when it is first used."""

from __future__ import annotations

from lapel.domain.fetching import Fetched
from lapel.fetching.lazy import LazyFetcher

ADDRESS = "https://issuer.example/"


class Source:
    """A fetcher that notes what it is asked."""

    def __init__(self, made: list[Source]) -> None:
        made.append(self)
        self.asked: list[tuple[str, str, int | None]] = []
        self.closed = False

    async def fetch(self, url: str, *, accept: str = "application/json", max_bytes: int | None = None) -> Fetched:
        self.asked.append((url, accept, max_bytes))
        return Fetched(url, accept, b"{}", 200, None)

    async def close(self) -> None:
        self.closed = True


async def test_it_is_made_once_and_closed_with_it() -> None:
    made: list[Source] = []
    fetcher = LazyFetcher(lambda: Source(made))
    assert made == []

    assert (await fetcher.fetch(ADDRESS, accept="image/png", max_bytes=7)).url == ADDRESS
    await fetcher.fetch(ADDRESS)
    await fetcher.close()

    (source,) = made
    assert source.asked == [(ADDRESS, "image/png", 7), (ADDRESS, "application/json", None)]
    assert source.closed


async def test_what_was_never_used_is_never_made() -> None:
    made: list[Source] = []
    await LazyFetcher(lambda: Source(made)).close()
    assert made == []
