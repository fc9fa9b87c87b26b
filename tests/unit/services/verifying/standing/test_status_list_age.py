"""How long a status list is kept: no longer than it says itself, by its time to live and its end."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lapel.domain.fetching import Fetched
from lapel.fetching.caching import CachingFetcher
from tests.unit.services.verifying.standing.test_status import status
from tests.unit.services.verifying.world import LIST, World


class Cached:
    """The world's web behind a cache with a clock of its own."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.seconds = 0.0
        self.cache = CachingFetcher(self, timer=lambda: self.seconds)
        world.verifying = world.new_verifying(fetcher=self.cache)

    async def fetch(self, url: str, *, accept: str = "application/json", max_bytes: int | None = None) -> Fetched:
        return replace(await self.world.web.fetch(url, accept=accept, max_bytes=max_bytes), fresh_seconds=300)

    async def close(self) -> None:
        pass

    async def revoked_after(self, seconds: float) -> bool:
        """Whether a badge that is revoked after it was looked at is found revoked so much later."""
        badge = self.world.sign(self.world.badge())
        assert status(await self.world.verify(badge)) == [("pass", None)]
        self.world.publish_list(5)
        self.seconds += seconds
        self.world.now += timedelta(seconds=seconds)
        return status(await self.world.verify(badge)) == [("fail", "revoked")]


def subject_with(world: World, **members: object) -> dict[str, Any]:
    published = world.web.pages[LIST]
    assert isinstance(published, Fetched)
    return {**json.loads(published.body)["credentialSubject"], **members}


@pytest.mark.parametrize(
    ("seconds", "found"), [(9, False), (10, True), (299, True)], ids=["before its time", "then", "later"]
)
async def test_a_list_is_asked_for_again_after_its_time_to_live(world: World, seconds: int, found: bool) -> None:
    world.publish_list(changes={"credentialSubject": subject_with(world, ttl=10_000)})

    assert await Cached(world).revoked_after(seconds) is found


@pytest.mark.parametrize("ttl", [-1, "10", True, None, 1e300, 3_600_000], ids=str)
async def test_a_time_to_live_that_is_none_or_long_changes_nothing(world: World, ttl: object) -> None:
    world.publish_list(changes={"credentialSubject": subject_with(world, ttl=ttl)})

    assert await Cached(world).revoked_after(299) is False


@pytest.mark.parametrize(("seconds", "found"), [(59, False), (60, True)])
async def test_a_list_is_asked_for_again_when_it_has_ended(world: World, seconds: int, found: bool) -> None:
    world.publish_list(changes={"validUntil": "2026-06-01T12:01:00Z"})

    assert await Cached(world).revoked_after(seconds) is found
