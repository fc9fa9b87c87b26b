"""Repositories that remember what they have read lately, for reads outside a transaction.

Issuers, achievements and API keys are kept: what nearly every request asks for. Whether a credential holds, and the
signing keys, are read each time.

A change made by this process is seen at once. One made by another process is seen when an entry's time is over, which
is at most a second: so no database needs a way to tell of changes, and a revoked API key is dead everywhere by then.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable, Iterable
from typing import Protocol, TypeVar, cast
from uuid import UUID

from lapel.database.repositories.achievements import SqlAchievementRepository
from lapel.database.repositories.api_keys import SqlApiKeyRepository
from lapel.database.repositories.base import Recorder
from lapel.database.repositories.issuers import SqlIssuerRepository
from lapel.database.session import Session
from lapel.domain.access import ApiKey
from lapel.domain.achievement import Achievement
from lapel.domain.issuer import Issuer

__all__ = [
    "CachingAchievementRepository",
    "CachingApiKeyRepository",
    "CachingIssuerRepository",
    "EntityCache",
    "NullCache",
    "TtlCache",
]

Entity = TypeVar("Entity")


class EntityCache(Protocol):
    """Where caching repositories keep entities, by (aggregate, id)."""

    async def get(self, key: Hashable, load: Callable[[], Awaitable[Entity | None]]) -> Entity | None:
        """What is kept under `key`, or what `load` finds. That nothing was found is not kept."""
        ...

    def forget(self, keys: Iterable[Hashable]) -> None:
        """These have changed: what is kept of them goes, and what is being loaded at this moment is not kept."""
        ...


class NullCache:
    """Keeps nothing."""

    async def get(self, key: Hashable, load: Callable[[], Awaitable[Entity | None]]) -> Entity | None:
        """What `load` finds."""
        return await load()

    def forget(self, keys: Iterable[Hashable]) -> None:
        """Nothing to forget."""


class TtlCache:
    """Keeps the entities asked for last, each for a short time. Many who miss the same at once cause one load.

    Args:
        most: how many entities to keep.
        seconds: for how long each.
        timer: seconds, never going back.
    """

    def __init__(self, *, most: int = 4096, seconds: float = 1.0, timer: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._seconds = seconds
        self._timer = timer
        self._kept: dict[Hashable, tuple[float, object]] = {}  # (until when, what), oldest first
        self._loading: dict[Hashable, asyncio.Future[object]] = {}

    async def get(self, key: Hashable, load: Callable[[], Awaitable[Entity | None]]) -> Entity | None:
        """What is kept under `key`, or what `load` finds."""
        kept = self._kept.get(key)
        if kept is not None and self._timer() < kept[0]:
            return cast("Entity", kept[1])  # a key names entities of one type
        running = self._loading.get(key)
        if running is None:
            return await self._load(key, load)
        found = cast("Entity | None", await asyncio.shield(running))
        # Where the one we waited for found nothing, failed, or is out of date by now, we look for ourselves.
        return await load() if found is None else found

    def forget(self, keys: Iterable[Hashable]) -> None:
        """These have changed."""
        for key in keys:
            self._kept.pop(key, None)
            running = self._loading.pop(key, None)
            if running is not None and not running.done():
                running.set_result(None)

    async def _load(self, key: Hashable, load: Callable[[], Awaitable[Entity | None]]) -> Entity | None:
        running: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._loading[key] = running
        found: Entity | None = None
        try:
            found = await load()
        finally:
            if self._loading.get(key) is running:  # not forgotten meanwhile
                del self._loading[key]
                if found is not None:
                    self._keep(key, found)
                if not running.done():
                    running.set_result(found)
        return found

    def _keep(self, key: Hashable, entity: object) -> None:
        self._kept.pop(key, None)
        while len(self._kept) >= self._most:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = (self._timer() + self._seconds, entity)


class CachingApiKeyRepository(SqlApiKeyRepository):
    """API keys, read through a cache by their digests."""

    def __init__(self, session: Session, recorder: Recorder, cache: EntityCache) -> None:
        super().__init__(session, recorder)
        self._cache = cache

    async def find_by_digest(self, digest: bytes) -> ApiKey | None:
        load = super().find_by_digest
        return await self._cache.get(("api key", digest), lambda: load(digest))


class CachingIssuerRepository(SqlIssuerRepository):
    """Issuers, read through a cache."""

    def __init__(self, session: Session, recorder: Recorder, cache: EntityCache) -> None:
        super().__init__(session, recorder)
        self._cache = cache

    async def find(self, issuer_id: UUID) -> Issuer | None:
        load = super().find
        return await self._cache.get(("issuer", issuer_id), lambda: load(issuer_id))


class CachingAchievementRepository(SqlAchievementRepository):
    """Achievements, read through a cache; their old versions, which are asked for seldom, are not kept."""

    def __init__(self, session: Session, recorder: Recorder, cache: EntityCache) -> None:
        super().__init__(session, recorder)
        self._cache = cache

    async def find(self, achievement_id: UUID, *, version: int | None = None) -> Achievement | None:
        load = super().find
        if version is not None:
            return await load(achievement_id, version=version)
        return await self._cache.get(("achievement", achievement_id), lambda: load(achievement_id))
