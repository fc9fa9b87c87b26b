"""What the cache keeps, for how long, and what makes it forget; how a feed of changes is followed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable

import pytest
from structlog.testing import capture_logs

from lapel.database.caching import Key, TtlCache
from lapel.database.change_feed import CacheWatch
from lapel.database.errors import ConnectionLost, DatabaseError, NotConnected
from lapel.database.metrics import CacheCounts

K = ("thing", b"k")


class Source:
    """Something to load, that counts how often it is asked."""

    def __init__(self, value: object) -> None:
        self.value = value
        self.loads = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def load(self) -> object:
        self.loads += 1
        value = self.value
        await self.may_answer.wait()
        return value


async def test_an_entity_is_loaded_once_while_it_is_fresh() -> None:
    now = 0.0
    cache, source = TtlCache(seconds=1.0, timer=lambda: now), Source("first")

    assert await cache.get(K, source.load) == "first"
    source.value = "second"
    now = 0.9
    assert await cache.get(K, source.load) == "first"
    now = 1.1
    assert await cache.get(K, source.load) == "second"
    assert source.loads == 2


async def test_many_who_miss_at_once_cause_one_load() -> None:
    cache, source = TtlCache(), Source("value")
    source.may_answer.clear()
    readers = [asyncio.ensure_future(cache.get(K, source.load)) for _ in range(50)]
    await asyncio.sleep(0)
    source.may_answer.set()

    assert set(await asyncio.gather(*readers)) == {"value"}
    assert source.loads == 1


async def test_what_is_loaded_while_it_changes_is_not_kept() -> None:
    cache, source = TtlCache(), Source("old")
    source.may_answer.clear()
    first = asyncio.ensure_future(cache.get(K, source.load))
    second = asyncio.ensure_future(cache.get(K, source.load))
    await asyncio.sleep(0)
    source.value = "new"
    cache.forget([K])
    source.may_answer.set()

    await first
    assert await second == "new"
    assert await cache.get(K, source.load) == "new"


async def test_a_failed_load_is_not_everybodys() -> None:
    cache, source = TtlCache(), Source("value")

    async def fail() -> object:
        await asyncio.sleep(0)
        raise LookupError

    failing = asyncio.ensure_future(cache.get(K, fail))
    await asyncio.sleep(0)
    assert await cache.get(K, source.load) == "value"
    assert isinstance(await asyncio.gather(failing, return_exceptions=True), list)


async def test_it_keeps_no_more_than_it_may() -> None:
    cache = TtlCache(max_entities=10)
    sources = [Source(number) for number in range(20)]
    for number, source in enumerate(sources):
        await cache.get(number, source.load)
    for number, source in enumerate(sources):
        await cache.get(number, source.load)
    assert sum(source.loads for source in sources) > 20


async def test_what_is_confirmed_is_kept_for_longer_and_what_is_not_for_a_second() -> None:
    now = 0.0
    cache, source = TtlCache(seconds=60.0, timer=lambda: now), Source("first")
    await cache.get(K, source.load)
    for now in (0.9, 1.8, 2.7):
        cache.confirm(now)
        assert source.loads == 1
        await cache.get(K, source.load)
    now = 3.6
    await cache.get(K, source.load)
    assert source.loads == 1
    now = 3.7  # a second after the last confirmation
    await cache.get(K, source.load)
    assert source.loads == 2


async def test_even_what_is_confirmed_is_not_kept_for_ever() -> None:
    now = 0.0
    cache, source = TtlCache(seconds=60.0, timer=lambda: now), Source("first")
    await cache.get(K, source.load)
    now = 59.9
    cache.confirm(now)
    await cache.get(K, source.load)
    assert source.loads == 1
    now = 60.1
    cache.confirm(now)
    await cache.get(K, source.load)
    assert source.loads == 2


async def test_what_took_long_to_load_is_as_old_as_when_its_loading_began() -> None:
    now = 0.0
    cache, source = TtlCache(timer=lambda: now), Source("first")
    source.may_answer.clear()
    loading = asyncio.ensure_future(cache.get(K, source.load))
    await asyncio.sleep(0)
    now = 0.9
    source.may_answer.set()
    await loading
    now = 1.1
    await cache.get(K, source.load)
    assert source.loads == 2


async def test_what_never_changes_needs_no_confirmation() -> None:
    now = 0.0
    cache, source = TtlCache(seconds=60.0, timer=lambda: now), Source("first")
    for now in (0.0, 30.0, 59.0):  # noqa: B007 - the timer reads it
        await cache.get(("thing", b"k", 1), source.load, immutable=True)
    assert source.loads == 1


async def test_a_load_that_is_under_way_when_everything_goes_is_not_kept() -> None:
    cache, source = TtlCache(), Source("old")
    source.may_answer.clear()
    first = asyncio.ensure_future(cache.get(K, source.load))
    await asyncio.sleep(0)
    source.value = "new"
    cache.clear()
    source.may_answer.set()
    assert await first == "new", "whoever is answered later than the change sees it"
    assert await cache.get(K, source.load) == "new"
    assert source.loads == 2


async def test_that_there_is_nothing_is_told_to_all_who_wait_and_not_kept() -> None:
    cache, source = TtlCache(), Source(None)
    source.may_answer.clear()
    readers = [asyncio.ensure_future(cache.get(K, source.load)) for _ in range(5)]
    await asyncio.sleep(0)
    source.may_answer.set()
    assert set(await asyncio.gather(*readers)) == {None}
    assert source.loads == 1
    source.value = "there"
    assert await cache.get(K, source.load) == "there"


async def test_memory_is_bounded_in_bytes_and_counted() -> None:
    counts = CacheCounts()
    cache = TtlCache(max_bytes=1_000_000, counts=counts)
    for number in range(200):
        await cache.get(number, Source("x" * 1_000).load)
        assert counts.bytes <= 1_000_000
    assert counts.entries == 200 - counts.evictions
    assert 40 < counts.entries < 70
    await cache.get("large", Source("x" * 100_000).load)  # more than a sixteenth of all
    assert counts.entries == 200 - counts.evictions
    cache.forget([K])
    cache.clear()
    assert (counts.entries, counts.bytes, counts.invalidations, counts.drops) == (0, 0, 1, 1)
    assert (counts.hits, counts.misses) == (0, 201)


async def test_a_reader_who_goes_away_takes_nothing_from_the_others() -> None:
    cache, source = TtlCache(), Source("value")
    source.may_answer.clear()
    readers = [asyncio.ensure_future(cache.get(K, source.load)) for _ in range(3)]
    await asyncio.sleep(0)
    readers[0].cancel()
    await asyncio.sleep(0)
    source.may_answer.set()
    assert await asyncio.gather(*readers[1:]) == ["value", "value"]


class Feed:
    """A `ChangeFeed` that answers as it is told."""

    def __init__(self) -> None:
        self.answer: Iterable[Key] | DatabaseError | None = ()
        self.asked = 0
        self.closed = 0
        self.wake = asyncio.Event()

    async def changes(self) -> Iterable[Key] | None:
        self.asked += 1
        if isinstance(self.answer, DatabaseError):
            raise self.answer
        return self.answer

    async def wait_for_change(self, *, within: float) -> None:
        await self.wake.wait()
        self.wake.clear()

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
async def watched() -> AsyncIterator[tuple[TtlCache, Feed]]:
    """A cache that a feed watches."""
    feed = Feed()
    cache = TtlCache(on_store=lambda _: watch.touch())
    watch = CacheWatch(cache, feed)
    yield cache, feed
    await watch.stop()
    assert cache.counts.entries == 0


async def asked_again(feed: Feed) -> None:
    """Until the feed has been asked, and its answer dealt with."""
    before = feed.asked
    feed.wake.set()
    while feed.asked == before:
        await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_a_feed_is_asked_from_when_something_is_kept(watched: tuple[TtlCache, Feed]) -> None:
    cache, feed = watched
    await asyncio.sleep(0)
    assert feed.asked == 0
    await cache.get(K, Source("value").load)
    await asked_again(feed)
    assert cache.counts.entries == 1


async def test_what_the_feed_tells_is_forgotten(watched: tuple[TtlCache, Feed]) -> None:
    cache, feed = watched
    other = ("thing", b"other")
    for key in (K, other):
        await cache.get(key, Source("value").load)
    feed.answer = [K]
    await asked_again(feed)
    assert cache.counts.entries == 1
    feed.answer = None
    await asked_again(feed)
    assert cache.counts.entries == 0


@pytest.mark.parametrize(("failure", "told"), [(NotConnected(), 0), (ConnectionLost(), 1)])
async def test_a_feed_that_fails_empties_the_cache_and_is_asked_again(
    watched: tuple[TtlCache, Feed], failure: DatabaseError, told: int
) -> None:
    cache, feed = watched
    await cache.get(K, Source("value").load)
    feed.answer = failure
    with capture_logs() as logs:  # that the database is not there is the manager's news
        await asked_again(feed)
    assert (cache.counts.entries, feed.closed, len(logs)) == (0, 1, told)
    await cache.get(K, Source("value").load)
    feed.answer = ()
    await asked_again(feed)
    assert cache.counts.entries == 1
