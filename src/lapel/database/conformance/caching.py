"""Reads outside a transaction may come from the cache, but always show this process's commits, and those of other
processes within a second."""

# A transaction may raise its error only at the end of its block.
# ruff: noqa: PT012

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest
from msgspec.structs import replace

from lapel.database.conformance import samples
from lapel.database.conformance.opening import opened
from lapel.database.interface import Database, DatabaseSettings

__all__ = ["CachingRules"]

_WITHIN = 1.0
Settings = tuple[str, DatabaseSettings]


async def _undisturbed(database: Database, check: Callable[[Database], Awaitable[None]]) -> None:
    """Run `check`, and again if the cache was cleared meanwhile, as by a change feed that starts or is late."""
    async with asyncio.timeout(30):
        while True:
            drops = database.metrics.cache.drops
            try:
                return await check(database)
            except AssertionError:
                if database.metrics.cache.drops == drops:
                    raise


async def _reads_each_entity_once(database: Database) -> None:
    scene, key = await samples.set_scene(database), samples.api_key()
    async with database.transaction() as tx:
        await tx.api_keys.create(key)
    operations = ("issuers.find", "achievements.find", "achievements.find_version", "api_keys.find_by_digest")
    before = [database.metrics.count(operation) for operation in operations]
    read, counts = database.read(), database.metrics.cache
    hits, misses, entries = counts.hits, counts.misses, counts.entries
    for _ in range(3):
        assert await read.issuers.get(scene.issuer.id) == scene.issuer
        assert await read.achievements.get(scene.achievement.id) == scene.achievement
        assert await read.achievements.get(scene.achievement.id, version=1) == scene.achievement
        assert await read.api_keys.find_by_digest(key.digest) == key
    assert [database.metrics.count(operation) for operation in operations] == [count + 1 for count in before]
    assert (counts.hits - hits, counts.misses - misses, counts.entries - entries) == (8, 4, 4)


async def _reads_once_for_all(database: Database) -> None:
    scene, before = await samples.set_scene(database), database.metrics.count("issuers.find")
    found = await asyncio.gather(*(_name(database, scene.issuer.id) for _ in range(50)))
    assert set(found) == {scene.issuer.name}
    # A database that never waits answers each read before the next one starts.
    assert database.metrics.count("issuers.find") == before + 1


async def _loads(database: Database, issuer_id: UUID, *, seconds: float) -> int:
    """Return how often the issuer was loaded while it was read for some seconds."""
    began, before = time.monotonic(), database.metrics.count("issuers.find")
    while time.monotonic() < began + seconds:
        await _name(database, issuer_id)
        await asyncio.sleep(0.02)
    return database.metrics.count("issuers.find") - before


async def _name(database: Database, issuer_id: UUID) -> str:
    return (await database.read().issuers.get(issuer_id)).name


class CachingRules:
    async def test_a_recently_read_entity_comes_from_the_cache(self, database: Database) -> None:
        await _undisturbed(database, _reads_each_entity_once)

    async def test_concurrent_misses_share_one_query(self, database: Database) -> None:
        await _undisturbed(database, _reads_once_for_all)

    async def test_a_change_is_seen_as_soon_as_it_is_committed(self, database: Database) -> None:
        scene, key = await samples.set_scene(database), samples.api_key()
        async with database.transaction() as tx:
            await tx.api_keys.create(key)
        read = database.read()
        assert await _name(database, scene.issuer.id) == scene.issuer.name
        assert await read.achievements.get(scene.achievement.id) == scene.achievement
        assert await read.api_keys.find_by_digest(key.digest) == key
        issuer = replace(scene.issuer, name="Changed", version=2)
        achievement = replace(scene.achievement, name="Changed", version=2)
        async with database.transaction() as tx:
            await tx.issuers.update(issuer, expected_version=1)
            await tx.achievements.update(achievement, expected_version=1)
            revoked = await tx.api_keys.revoke(key.id, at=samples.MOMENT)
            assert await tx.issuers.get(issuer.id) == issuer
        assert await read.issuers.get(issuer.id) == issuer
        assert await read.achievements.get(achievement.id) == achievement
        assert await read.achievements.get(achievement.id, version=1) == scene.achievement
        assert await read.api_keys.find_by_digest(key.digest) == revoked

    async def test_a_change_that_is_undone_is_never_seen(self, database: Database) -> None:
        scene = await samples.set_scene(database)
        changed = replace(scene.issuer, name="Undone", version=2)
        assert await _name(database, scene.issuer.id) == scene.issuer.name
        with pytest.raises(LookupError):
            async with database.transaction() as tx:
                await tx.issuers.update(changed, expected_version=1)
                assert await tx.issuers.get(changed.id) == changed
                raise LookupError
        assert await _name(database, scene.issuer.id) == scene.issuer.name
        async with database.transaction() as tx:
            with pytest.raises(LookupError):
                async with tx.savepoint():
                    await tx.issuers.update(changed, expected_version=1)
                    raise LookupError
        assert await _name(database, scene.issuer.id) == scene.issuer.name

    async def test_no_reader_sees_less_than_this_process_has_committed(self, database: Database) -> None:
        scene = await samples.set_scene(database)
        committed, writing = 1, True

        async def read() -> None:
            last = 0
            while writing:
                at_least = max(last, committed)
                last = (await database.read().issuers.get(scene.issuer.id)).version
                assert last >= at_least
                await asyncio.sleep(0)

        readers = [asyncio.create_task(read()) for _ in range(10)]
        for version in range(2, 60):
            async with database.transaction() as tx:
                await tx.issuers.update(replace(scene.issuer, version=version), expected_version=version - 1)
            committed = version
        writing = False
        await asyncio.gather(*readers)
        assert (await database.read().issuers.get(scene.issuer.id)).version == committed

    async def test_what_others_commit_is_seen_within_a_second(self, database_settings: Settings) -> None:
        async with opened(*database_settings) as one, opened(*database_settings) as other:
            scene = await samples.set_scene(one)
            alone = one.own_file is None and not one.capabilities.several_processes
            assert (await other.read().issuers.find(scene.issuer.id) is None) == alone
            if alone:
                return  # a database in memory has no other processes
            for version in range(2, 5):
                assert await _name(other, scene.issuer.id)
                changed = replace(scene.issuer, name=f"Version {version}", version=version)
                async with one.transaction() as tx:
                    await tx.issuers.update(changed, expected_version=version - 1)
                committed, began = time.monotonic(), 0.0
                while await _name(other, scene.issuer.id) != changed.name:
                    assert began - committed <= _WITHIN
                    await asyncio.sleep(0.01)
                    began = time.monotonic()

    async def test_an_unchanged_entity_stays_cached_for_more_than_two_seconds(self, database: Database) -> None:
        scene = await samples.set_scene(database)
        await _name(database, scene.issuer.id)
        # With a change feed there is a second load, because its first poll clears the cache.
        expected = (0, 1, 2) if database.capabilities.change_notification else (2, 3)
        # A process that stands still for a second, as on a busy machine, polls or reads too late: it may try again.
        for _ in range(10):
            if (loads := await _loads(database, scene.issuer.id, seconds=2.2)) in expected:
                break
        assert loads in expected

    async def test_nothing_is_cached_with_cache_seconds_zero(self, database_settings: Settings) -> None:
        name, settings = database_settings
        async with opened(name, dataclasses.replace(settings, cache_seconds=0)) as database:
            scene = await samples.set_scene(database)
            for _ in range(3):
                assert await _name(database, scene.issuer.id) == scene.issuer.name
            assert database.metrics.count("issuers.find") == 3

    async def test_nothing_goes_on_after_disconnecting(self, database: Database) -> None:
        scene = await samples.set_scene(database)
        await _name(database, scene.issuer.id)
        await database.disconnect()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert database.metrics.cache.entries == 0
