"""A cache of recently read entities, for reads outside a transaction.

Repositories look here before the database for what nearly every request needs: issuers, achievements, API keys.
The status of credentials and the signing keys are never cached.

How old an answer can be:

- A change made by this process is seen as soon as it is committed.
- A change made by another process is always seen within a second. An entity stays in the cache for longer, up to a
  minute, only while a `lapel.database.change_feed.ChangeFeed` keeps confirming that nobody has changed it. Without a
  feed, or if the feed fails, an entity is at most a second old.
- Immutable entities need no confirmation.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias, TypeVar, cast

import msgspec

from lapel.database.metrics import CacheCounts

__all__ = ["Key", "TtlCache"]

Entity = TypeVar("Entity")

Key: TypeAlias = tuple[str, bytes]
"""Identifies a cached entity: the aggregate's name, and the bytes of the entity's id or of another lookup value."""

_UNCONFIRMED_SECONDS = 1.0


class _Entry(NamedTuple):
    entity: object
    loaded_at: float  # when loading began
    size: int
    immutable: bool


_FAILED = _Entry(None, 0.0, 0, immutable=False)


@dataclass(eq=False, kw_only=True)
class TtlCache:
    """A cache of the most recently loaded entities, in bounded memory. Concurrent misses of a key share one load.

    Args:
        seconds: how long a confirmed or immutable entity may stay.
        max_entities: the maximum number of entities.
        max_bytes: the approximate maximum of their memory: see `_size`.
        counts: the counters to update.
        on_store: called with the cache whenever it has stored an entity.
        timer: a monotonic clock, in seconds.
    """

    seconds: float = 60.0
    max_entities: int = 4096
    max_bytes: int = 32 * 1024 * 1024
    counts: CacheCounts = field(default_factory=CacheCounts)
    on_store: Callable[[TtlCache], None] = lambda _: None
    timer: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._unconfirmed_seconds = min(self.seconds, _UNCONFIRMED_SECONDS)
        self._confirmed_at = float("-inf")
        self._entries: dict[Hashable, _Entry] = {}  # the oldest first
        self._loads: dict[Hashable, asyncio.Future[_Entry | None]] = {}

    async def get(
        self, key: Hashable, load: Callable[[], Awaitable[Entity | None]], *, immutable: bool = False
    ) -> Entity | None:
        """Return the entity cached under `key`, or else the result of `load`. A result of None is not cached.

        Args:
            key: a `Key`; for an immutable entity, any hashable value.
            immutable: the entity will never change.
        """
        # The loads of a key run one after another, so that no caller sees a version and then an older one.
        while True:
            if (entity := self.peek(key)) is not None:
                return cast("Entity", entity)  # a key names entities of one type
            self.counts.misses += 1
            if (running := self._loads.get(key)) is None:
                loaded = await self._load(key, load, immutable=immutable)
            else:
                loaded = await asyncio.shield(running)
            if loaded is _FAILED:
                return await load()  # one caller's error must not be raised to all that share its load
            if loaded is not None:
                return cast("Entity | None", loaded.entity)

    def peek(self, key: Hashable) -> object | None:
        """Return the entity cached under `key`, or None if there is none that is fresh."""
        entry = self._entries.get(key)
        if entry is None or not self._is_fresh(entry):
            return None
        self.counts.hits += 1
        return entry.entity

    def forget(self, keys: Iterable[Key]) -> None:
        """Drop the entities of these keys, which have changed, and discard the results of their running loads."""
        for key in keys:
            self.counts.invalidations += 1
            self._drop(key)
            self._discard_load(key)

    def clear(self) -> None:
        """Drop everything: any entity may have changed."""
        self.counts.drops += 1
        self._entries.clear()
        self.counts.entries = self.counts.bytes = 0
        for key in list(self._loads):
            self._discard_load(key)

    def confirm(self, moment: float) -> None:
        """Note that `forget` or `clear` was called for every change committed before `moment`, by `timer`."""
        self._confirmed_at = moment

    def _is_fresh(self, entry: _Entry) -> bool:
        now = self.timer()
        age = now - entry.loaded_at
        if age < self._unconfirmed_seconds:
            return True
        return age < self.seconds and (entry.immutable or now - self._confirmed_at < self._unconfirmed_seconds)

    async def _load(
        self, key: Hashable, load: Callable[[], Awaitable[Entity | None]], *, immutable: bool
    ) -> _Entry | None:
        """Return the result of `load`, or None if the entity has changed meanwhile."""
        running: asyncio.Future[_Entry | None] = asyncio.get_running_loop().create_future()
        self._loads[key] = running
        loaded_at, entry = self.timer(), _FAILED
        try:
            entity = await load()
            entry = _Entry(entity, loaded_at, _size(entity), immutable)
        finally:
            if is_current := self._loads.get(key) is running:
                del self._loads[key]
                if entry.entity is not None:
                    self._store(key, entry)
                running.set_result(entry)
        return entry if is_current else None

    def _store(self, key: Hashable, entry: _Entry) -> None:
        self._drop(key)
        if entry.size > self.max_bytes // 16:
            return
        counts = self.counts
        while self._entries and (counts.entries >= self.max_entities or counts.bytes + entry.size > self.max_bytes):
            counts.evictions += 1
            self._drop(next(iter(self._entries)))
        self._entries[key] = entry
        counts.entries += 1
        counts.bytes += entry.size
        self.on_store(self)

    def _drop(self, key: Hashable) -> None:
        if (entry := self._entries.pop(key, None)) is not None:
            self.counts.entries -= 1
            self.counts.bytes -= entry.size

    def _discard_load(self, key: Hashable) -> None:
        if (running := self._loads.pop(key, None)) is not None:
            running.set_result(None)


def _size(entity: object) -> int:
    """Return an approximate upper bound of an entity's memory: Python uses up to 16 bytes for one of JSON."""
    return 1_000 + 16 * len(msgspec.json.encode(entity))
