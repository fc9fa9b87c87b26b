"""Issuers and achievements can be deleted only while nothing uses them, even with concurrent transactions."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from lapel.database.conformance import samples
from lapel.database.conformance.isolation import SHORT_WAIT
from lapel.database.errors import ForeignKeyViolation, RecordNotFound
from lapel.database.interface import Database
from lapel.errors import InUse, NotFound

__all__ = ["DeletionRules"]


async def _deleted(database: Database, scene: samples.Scene, *, issuer: bool = False) -> bool:
    try:
        async with database.transaction() as tx:
            if issuer:
                await tx.issuers.delete(scene.issuer.id)
            else:
                await tx.achievements.delete(scene.achievement.id)
    except InUse:
        return False
    return True


class DeletionRules:
    async def test_an_issuer_without_achievements_is_deleted_with_its_keys_and_lists(self, database: Database) -> None:
        scene = await samples.set_scene(database)
        newer = replace(scene.achievement, version=2, name="Otherwise")
        async with database.transaction() as tx:
            await tx.signing_keys.create_if_none_active(samples.signing_key(scene.issuer.id))
            await tx.achievements.update(newer, expected_version=1)
        assert not await _deleted(database, scene, issuer=True)
        async with database.transaction() as tx:
            assert await tx.achievements.delete(newer.id) == newer
        async with database.transaction() as tx:
            assert await tx.issuers.delete(scene.issuer.id) == scene.issuer
        read = database.read()
        assert await read.achievements.find(newer.id) is None
        assert await read.issuers.find(scene.issuer.id) is None
        assert await read.status_lists.find(scene.status_list.id) is None
        assert not await read.signing_keys.of_issuer(scene.issuer.id)

    async def test_what_is_not_there_is_not_found(self, database: Database) -> None:
        with pytest.raises(RecordNotFound):
            async with database.transaction() as tx:
                await tx.issuers.delete(samples.new_id())
        with pytest.raises(RecordNotFound):
            async with database.transaction() as tx:
                await tx.achievements.delete(samples.new_id())

    async def test_what_is_changed_at_the_same_moment_is_deleted_as_it_is_then(self, database: Database) -> None:
        scene = await samples.set_scene(database)
        newer = replace(scene.achievement, version=2, name="Otherwise")
        async with database.transaction() as tx:
            await tx.achievements.update(newer, expected_version=1)
            deleting = asyncio.create_task(_deleted(database, scene))
            await asyncio.wait([deleting], timeout=SHORT_WAIT)
        assert await deleting
        assert await database.read().achievements.find(newer.id) is None

    @pytest.mark.parametrize("issuer", [False, True])
    async def test_an_issuer_or_achievement_with_credentials_is_not_deleted(
        self, database: Database, issuer: bool
    ) -> None:
        scene = await samples.set_scene(database)
        award = scene.credential(0)
        other = samples.credential(scene.issuer.id)
        async with database.transaction() as tx:
            await tx.credentials.create(other if issuer else award)
        if issuer:
            assert await _deleted(database, scene)
        assert not await _deleted(database, scene, issuer=issuer)
        assert await database.read().credentials.find((other if issuer else award).id) is not None

    @pytest.mark.parametrize("issuer", [False, True])
    async def test_a_credential_that_is_stored_at_the_same_moment_keeps_what_it_is_of(
        self, database: Database, issuer: bool
    ) -> None:
        async def stored(scene: samples.Scene) -> bool:
            try:
                async with database.transaction() as tx:
                    await tx.credentials.create(samples.credential(scene.issuer.id) if issuer else scene.credential(0))
            except (ForeignKeyViolation, NotFound):
                return False
            return True

        scenes = [await samples.set_scene(database) for _ in range(12)]
        if issuer:
            for scene in scenes:
                await _deleted(database, scene)
        both = [(_deleted(database, scene, issuer=issuer), stored(scene)) for scene in scenes]
        begun = [asyncio.gather(*pair[:: 1 if nth % 2 else -1]) for nth, pair in enumerate(both)]
        for outcome in await asyncio.gather(*begun):
            assert sorted(outcome) == [False, True]
