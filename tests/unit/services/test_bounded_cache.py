"""The cache is bounded in number and in weight."""

from __future__ import annotations

from lapel.services.bounded_cache import BoundedCache


def test_a_new_entry_evicts_the_oldest() -> None:
    cache: BoundedCache[str, int] = BoundedCache(2)
    for key in "abac":
        cache[key] = 0

    assert list(cache) == ["a", "c"]


def test_the_weight_is_bounded_too() -> None:
    cache: BoundedCache[int, bytes] = BoundedCache(1_000, max_weight=160, weigh=len)
    for number in range(100):
        cache[number] = bytes(10)
    assert list(cache) == list(range(84, 100))

    cache[99] = bytes(4)
    cache[100] = bytes(6)
    assert list(cache) == list(range(84, 101)), "what is replaced weighs no more"


def test_a_value_that_is_too_heavy_is_not_stored() -> None:
    cache: BoundedCache[int, bytes] = BoundedCache(1_000, max_weight=160, weigh=len)
    cache[1] = bytes(5)
    cache[1] = bytes(11)

    assert not cache


def test_a_cleared_cache_weighs_nothing() -> None:
    cache: BoundedCache[int, bytes] = BoundedCache(1_000, max_weight=160, weigh=len)
    for clear in (True, False):
        for number in range(16):
            cache[number] = bytes(10)
        if clear:
            cache.clear()

    assert len(cache) == 16
