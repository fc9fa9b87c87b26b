"""What is kept, for how long, and that it is fetched once."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from lapel.domain.fetching import Fetched, FetchFailed
from lapel.fetching.caching import CachingFetcher
from lapel.fetching.client import GuardedFetcher
from tests.unit.fetching.local_server import LocalServer, answer


@dataclass
class Source:
    """A fetcher that counts, with a gate to hold it back."""

    fresh_seconds: int | None = 60
    body: bytes = b"{}"
    fail: bool = False
    closed: bool = False
    asked: list[str] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    async def fetch(self, url: str, *, accept: str = "application/json", max_bytes: int | None = None) -> Fetched:
        self.asked.append(url)
        await self.gate.wait()
        if self.fail:
            raise FetchFailed
        return Fetched(url, accept, self.body, 200, None, self.fresh_seconds)

    async def close(self) -> None:
        self.closed = True


class Time:
    """A clock that moves when it is told to."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("fresh", "kept"), [(60, 60), (0, 0), (9999, 300), (None, 50)], ids=["in bounds", "not at all", "long", "silent"]
)
async def test_an_answer_is_kept_as_long_as_its_server_says_within_bounds(fresh: int | None, kept: int) -> None:
    source, time = Source(fresh_seconds=fresh), Time()
    cache = CachingFetcher(source, ttl=300, default_ttl=50, timer=time)
    first = await cache.fetch("u")
    if kept:
        time.now += kept - 1
        assert await cache.fetch("u") == first
        assert len(source.asked) == 1
        time.now += 1
    await cache.fetch("u")
    assert len(source.asked) == 2


async def test_a_shortest_time_can_be_set() -> None:
    source, time = Source(fresh_seconds=0), Time()
    cache = CachingFetcher(source, min_ttl=5, timer=time)
    await cache.fetch("u")
    await cache.fetch("u")
    assert len(source.asked) == 1


async def test_a_ttl_of_zero_keeps_nothing() -> None:
    source = Source()
    cache = CachingFetcher(source, ttl=0, min_ttl=60)
    await cache.fetch("u")
    await cache.fetch("u")
    assert len(source.asked) == 2


async def test_what_was_asked_for_differently_is_fetched_again() -> None:
    source = Source()
    cache = CachingFetcher(source)
    await cache.fetch("u")
    await cache.fetch("u", accept="image/png")
    await cache.fetch("u", max_bytes=5)
    assert len(source.asked) == 3


async def test_those_who_ask_at_the_same_moment_share_one_fetch() -> None:
    source = Source(fresh_seconds=0)
    source.gate.clear()
    cache = CachingFetcher(source)
    asking = [asyncio.create_task(cache.fetch("u")) for _ in range(5)]
    await asyncio.sleep(0)
    source.gate.set()
    assert len({id(fetched) for fetched in await asyncio.gather(*asking)}) == 1
    assert source.asked == ["u"]


async def test_whoever_stops_waiting_takes_nothing_from_the_others() -> None:
    source = Source()
    source.gate.clear()
    cache = CachingFetcher(source)
    first, second = asyncio.create_task(cache.fetch("u")), asyncio.create_task(cache.fetch("u"))
    await asyncio.sleep(0)
    first.cancel()
    source.gate.set()
    assert (await second).body == b"{}"
    assert first.cancelled()
    assert source.asked == ["u"]


async def test_a_failure_is_shared_but_not_remembered() -> None:
    source = Source(fail=True)
    cache = CachingFetcher(source)
    results = await asyncio.gather(cache.fetch("u"), cache.fetch("u"), return_exceptions=True)
    assert [type(result) for result in results] == [FetchFailed, FetchFailed]
    source.fail = False
    assert (await cache.fetch("u")).body == b"{}"
    assert len(source.asked) == 2


async def test_a_failure_that_nobody_waits_for_makes_no_noise() -> None:
    source = Source(fail=True)
    source.gate.clear()
    cache = CachingFetcher(source)
    waiting = asyncio.create_task(cache.fetch("u"))
    await asyncio.sleep(0)
    waiting.cancel()
    source.gate.set()
    assert isinstance((await asyncio.gather(waiting, return_exceptions=True))[0], asyncio.CancelledError)
    source.fail = False
    assert (await cache.fetch("u2")).body == b"{}"


async def test_the_number_of_answers_is_bounded() -> None:
    source = Source()
    cache = CachingFetcher(source, max_count=2)
    for url in ("1", "2", "3", "1"):
        await cache.fetch(url)
    assert source.asked == ["1", "2", "3", "1"]
    await cache.fetch("3")
    assert len(source.asked) == 4


async def test_the_bytes_of_answers_are_bounded() -> None:
    source = Source(body=b"x" * 4000)
    cache = CachingFetcher(source, max_bytes=12_000)
    for url in ("1", "2", "3", "1"):
        await cache.fetch(url)
    assert source.asked == ["1", "2", "3", "1"]


async def test_an_answer_larger_than_the_whole_cache_is_passed_on() -> None:
    source = Source(body=b"x" * 20_000)
    cache = CachingFetcher(source, max_bytes=12_000)
    assert len((await cache.fetch("u")).body) == 20_000


async def test_closing_stops_what_is_on_its_way_and_closes_the_inner_fetcher() -> None:
    source = Source()
    source.gate.clear()
    cache = CachingFetcher(source)
    waiting = asyncio.create_task(cache.fetch("u"))
    await asyncio.sleep(0)
    await cache.close()
    assert source.closed
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_real_servers_answer_is_fetched_once_and_its_errors_again(server: LocalServer) -> None:
    server.answers |= {
        "/kept": answer(b"{}", more=["Cache-Control: max-age=60"]),
        "/not": answer(b"{}", more=["Cache-Control: no-store"]),
    }
    async with CachingFetcher(GuardedFetcher(allow_loopback_http=True)) as fetcher:
        for path in ("/kept", "/not", "/missing"):
            for _ in range(2):
                with suppress(FetchFailed):
                    await fetcher.fetch(server.url(path))

    asked = [request.split(" ")[1] for request in server.requests]
    assert asked == ["/kept", "/not", "/not", "/missing", "/missing"]


@pytest.mark.parametrize(("least", "kept"), [(0, 20), (30, 30)], ids=["no shortest time", "a shortest time"])
async def test_whoever_has_read_an_answer_can_shorten_its_time(least: int, kept: int) -> None:
    source, time = Source(), Time()
    cache = CachingFetcher(source, min_ttl=least, timer=time)
    (await cache.fetch("u")).expire_within(20)
    (await cache.fetch("u")).expire_within(3000)  # nobody can lengthen it

    time.now += kept - 1
    await cache.fetch("u")
    assert len(source.asked) == 1
    time.now += 1
    await cache.fetch("u")
    assert len(source.asked) == 2


async def test_an_answer_that_is_out_of_date_is_not_kept() -> None:
    source = Source()
    cache = CachingFetcher(source)
    (await cache.fetch("u")).expire_within(0)
    (await cache.fetch("u")).expire_within(-5)

    assert len(source.asked) == 2
