"""A dict that keeps what was put in last, for what every request looks up: a look-up is a plain dict's."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

__all__ = ["Recent"]

Key = TypeVar("Key")
Value = TypeVar("Value")


class Recent(dict[Key, Value]):
    """A new entry puts out the oldest ones.

    Args:
        most: how many entries.
        most_weight: what they may weigh together; what weighs more than a sixteenth of that is not kept at all.
        weigh: what one weighs.
    """

    def __init__(self, most: int, *, most_weight: int = 0, weigh: Callable[[Value], int] = lambda _: 0) -> None:
        super().__init__()
        self._most = most
        self._most_weight = most_weight
        self._weigh = weigh
        self._weight = 0

    def __setitem__(self, key: Key, value: Value) -> None:
        if key in self:
            self._put_out(key)
        weight = self._weigh(value)
        if weight > self._most_weight // 16:
            return
        while self and (len(self) >= self._most or self._weight + weight > self._most_weight):
            self._put_out(next(iter(self)))
        self._weight += weight
        super().__setitem__(key, value)

    def _put_out(self, key: Key) -> None:
        self._weight -= self._weigh(self[key])
        del self[key]
