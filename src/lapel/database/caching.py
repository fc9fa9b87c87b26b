"""What is kept of the entities that were read lately, for reads outside a transaction.

Repositories ask it before the database for what nearly every request needs: issuers, achievements, API keys. Whether
a credential holds, and the signing keys, are read each time.

How old an answer can be:

- A change made by this process is seen as soon as it is committed.
- One by another process is seen within a second, always. An entity is kept for longer, up to a minute, only as far as
  a `lapel.database.change_feed.ChangeFeed` has just confirmed that nobody has changed it: whatever becomes of the feed,
  and without one, an entity is at most a second old.
- What can never change (`lasting`) needs no confirmation.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias, TypeVar, cast

import msgspec

from lapel.database.metrics import CacheCounts

__all__ = ["EntityCache", "Key", "NullCache", "TtlCache"]

Entity = TypeVar("Entity")

Key: TypeAlias = tuple[str, bytes]
"""What has changed: an aggregate's name, and the bytes of an entity's id, or of what else it is found by."""

_UNCONFIRMED_SECONDS = 1.0


class NullCache:
    """Keeps nothing: for reads that must see the database itself, such as all inside a transaction. See `TtlCache`."""

    def get(
        self, key: Hashable, load: Callable[[], Awaitable[Entity | None]], *, lasting: bool = False
    ) -> Awaitable[Entity | None]:
        """What `load` finds."""
        return load()

    def kept(self, key: Hashable) -> None:
        """Nothing."""

    def forget(self, keys: Iterable[Key]) -> None:
        """Nothing to forget."""


class _Kept(NamedTuple):
    entity: object
    since: float  # when its loading began
    size: int
    lasting: bool


_FAILED = _Kept(None, 0.0, 0, lasting=False)


@dataclass(eq=False, kw_only=True)
class TtlCache:
    """Keeps the entities loaded last, in bounded memory. Many who miss the same at once cause one load.

    Args:
        seconds: for how long to keep an entity that is confirmed, or lasting.
        most: how many to keep.
        most_bytes: how much memory they may take, about: see `_size`.
        counts: where to count.
        tell: called with the cache whenever something was kept.
        timer: seconds, never going back.
    """

    seconds: float = 60.0
    most: int = 4096
    most_bytes: int = 32 * 1024 * 1024
    counts: CacheCounts = field(default_factory=CacheCounts)
    tell: Callable[[TtlCache], None] = lambda _: None
    timer: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._unconfirmed_seconds = min(self.seconds, _UNCONFIRMED_SECONDS)
        self._confirmed = float("-inf")
        self._kept: dict[Hashable, _Kept] = {}  # the oldest first
        self._loading: dict[Hashable, asyncio.Future[_Kept | None]] = {}

    async def get(
        self, key: Hashable, load: Callable[[], Awaitable[Entity | None]], *, lasting: bool = False
    ) -> Entity | None:
        """What is kept under `key`, or what `load` finds. That nothing was found is not kept.

        Args:
            key: a `Key`; something else for what never changes.
            lasting: what is found will never change.
        """
        # Whatever is answered comes from loads that ran one after another: nobody sees a version and then an older one.
        while True:
            if (kept := self.kept(key)) is not None:
                return cast("Entity", kept)  # a key names entities of one type
            self.counts.misses += 1
            running = self._loading.get(key)
            if running is None:
                found = await self._load(key, load, lasting=lasting)
            else:
                found = await asyncio.shield(running)
            if found is _FAILED:
                return await load()  # for ourselves: one error is not everybody's
            if found is not None:
                return cast("Entity | None", found.entity)

    def kept(self, key: Hashable) -> object | None:
        """What is kept under `key` and holds; None where nothing is."""
        kept = self._kept.get(key)
        if kept is None or not self._holds(kept):
            return None
        self.counts.hits += 1
        return kept.entity

    def forget(self, keys: Iterable[Key]) -> None:
        """These have changed: what is kept of them goes, and what is being loaded at this moment is not kept."""
        for key in keys:
            self.counts.invalidations += 1
            self._drop(key)
            self._abandon(key)

    def clear(self) -> None:
        """Anything may have changed: `forget` everything."""
        self.counts.drops += 1
        self._kept.clear()
        self.counts.entries = self.counts.bytes = 0
        for key in list(self._loading):
            self._abandon(key)

    def confirm(self, moment: float) -> None:
        """Every change that was committed before `moment`, by `timer`, has been told to `forget` or `clear`."""
        self._confirmed = moment

    def _holds(self, kept: _Kept) -> bool:
        now = self.timer()
        age = now - kept.since
        if age < self._unconfirmed_seconds:
            return True
        return age < self.seconds and (kept.lasting or now - self._confirmed < self._unconfirmed_seconds)

    async def _load(
        self, key: Hashable, load: Callable[[], Awaitable[Entity | None]], *, lasting: bool
    ) -> _Kept | None:
        """What `load` finds; None if it has changed meanwhile."""
        running: asyncio.Future[_Kept | None] = asyncio.get_running_loop().create_future()
        self._loading[key] = running
        since, found = self.timer(), _FAILED
        try:
            entity = await load()
            found = _Kept(entity, since, _size(entity), lasting)
        finally:
            if current := self._loading.get(key) is running:
                del self._loading[key]
                if found.entity is not None:
                    self._keep(key, found)
                running.set_result(found)
        return found if current else None

    def _keep(self, key: Hashable, kept: _Kept) -> None:
        self._drop(key)
        if kept.size > self.most_bytes // 16:
            return
        counts = self.counts
        while self._kept and (counts.entries >= self.most or counts.bytes + kept.size > self.most_bytes):
            counts.evictions += 1
            self._drop(next(iter(self._kept)))
        self._kept[key] = kept
        counts.entries += 1
        counts.bytes += kept.size
        self.tell(self)

    def _drop(self, key: Hashable) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self.counts.entries -= 1
            self.counts.bytes -= kept.size

    def _abandon(self, key: Hashable) -> None:
        running = self._loading.pop(key, None)
        if running is not None:
            running.set_result(None)


EntityCache: TypeAlias = TtlCache | NullCache


def _size(entity: object) -> int:
    """How many bytes `entity` takes at the most, about: Python makes up to sixteen of one of JSON."""
    return 1_000 + 16 * len(msgspec.json.encode(entity))
