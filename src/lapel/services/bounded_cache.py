"""A bounded cache for what every request looks up: a look-up costs no more than a plain dict's."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

__all__ = ["BoundedCache"]

Key = TypeVar("Key")
Value = TypeVar("Value")


class BoundedCache(dict[Key, Value]):
    """A dict that evicts its oldest entries to make room for a new one (first in, first out).

    Args:
        max_entries: how many entries it holds.
        max_weight: what they may weigh together. A value that weighs more than a sixteenth of that is not stored.
        weigh: returns the weight of a value.
    """

    def __init__(self, max_entries: int, *, max_weight: int = 0, weigh: Callable[[Value], int] = lambda _: 0) -> None:
        super().__init__()
        self._max_entries = max_entries
        self._max_weight = max_weight
        self._weigh = weigh
        self._weight = 0

    def __setitem__(self, key: Key, value: Value) -> None:
        if key in self:
            self._evict(key)
        weight = self._weigh(value)
        if weight > self._max_weight // 16:
            return
        while self and (len(self) >= self._max_entries or self._weight + weight > self._max_weight):
            self._evict(next(iter(self)))
        self._weight += weight
        super().__setitem__(key, value)

    def clear(self) -> None:
        super().clear()
        self._weight = 0

    def _evict(self, key: Key) -> None:
        self._weight -= self._weigh(self[key])
        del self[key]
