"""The visibility of changes between concurrent transactions: each level provides its guarantees, or more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

import pytest
from msgspec.structs import replace

from lapel.database.conformance import samples
from lapel.database.interface import Database
from lapel.database.transaction import DatabaseTransaction
from lapel.domain.issuer import Issuer
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID
from lapel.domain.ports import Isolation

__all__ = ["SHORT_WAIT", "IsolationRules"]

SHORT_WAIT = 0.2
"""Seconds for another task to proceed, if the database lets it. If it has to wait, the test takes that long."""


async def _an_issuer(database: Database) -> Issuer:
    issuer = samples.issuer(name="before")
    async with database.transaction() as tx:
        await tx.issuers.create(issuer)
    return issuer


async def _rename(database: Database, issuer: Issuer) -> None:
    async with database.transaction() as tx:
        await tx.issuers.update(replace(issuer, name="after"), expected_version=1)


async def _name_outside(database: Database, issuer: Issuer) -> str:
    return (await database.read().issuers.get(issuer.id)).name


async def _name_inside(database: Database, issuer: Issuer) -> str:
    async with database.transaction(read_only=True) as tx:
        return (await tx.issuers.get(issuer.id)).name


class IsolationRules:
    async def test_it_offers_a_level_as_strong_as_any(self, database: Database) -> None:
        assert Isolation.SERIALIZABLE in database.capabilities.isolation_levels

    @pytest.mark.parametrize("read", [_name_outside, _name_inside])
    @pytest.mark.parametrize("commits", [True, False])
    async def test_nobody_sees_what_is_not_committed(
        self, database: Database, read: Callable[[Database, Issuer], Coroutine[object, object, str]], commits: bool
    ) -> None:
        issuer = await _an_issuer(database)
        reading: asyncio.Task[str] | None = None
        try:
            async with database.transaction() as tx:
                await tx.issuers.update(replace(issuer, name="after"), expected_version=1)
                reading = asyncio.create_task(read(database, issuer))
                await asyncio.wait([reading], timeout=SHORT_WAIT)
                early = reading.done()
                if not commits:
                    raise LookupError
        except LookupError:
            pass
        assert reading is not None
        # A slow transaction may have begun before the commit, or waited for it.
        assert await reading in ({"before"} if early or not commits else {"before", "after"})

    @pytest.mark.parametrize("isolation", [Isolation.REPEATABLE_READ, Isolation.SERIALIZABLE])
    @pytest.mark.parametrize("read_only", [True, False])
    async def test_from_repeatable_read_on_a_second_look_shows_the_same(
        self, database: Database, isolation: Isolation, read_only: bool
    ) -> None:
        issuer = await _an_issuer(database)
        async with database.transaction(isolation=isolation, read_only=read_only) as tx:
            assert (await tx.issuers.get(issuer.id)).name == "before"
            renaming = asyncio.create_task(_rename(database, issuer))
            await asyncio.wait([renaming], timeout=SHORT_WAIT)
            assert (await tx.issuers.get(issuer.id)).name == "before"
            assert len(await tx.issuers.page(DEFAULT_ORGANISATION_ID, before=None, limit=9)) == 1
        await renaming
        assert await _name_outside(database, issuer) == "after"

    async def test_a_stream_shows_one_moment(self, database: Database) -> None:
        scene = await samples.set_scene(database)
        async with database.transaction() as tx:
            await tx.credentials.create_many([scene.credential(index) for index in range(500)])
        seen, adding = 0, None
        async for _ in database.read().credentials.stream(DEFAULT_ORGANISATION_ID):
            seen += 1
            if adding is None:
                adding = asyncio.create_task(_add(database, scene))
                await asyncio.wait([adding], timeout=SHORT_WAIT)
        assert seen == 500
        assert adding is not None
        await adding

    async def test_a_stream_that_is_left_gives_its_connection_back(self, database: Database) -> None:
        scene = await samples.set_scene(database)
        async with database.transaction() as tx:
            await tx.credentials.create_many([scene.credential(index) for index in range(500)])
        for _ in range(20):
            stream = database.read().credentials.stream(DEFAULT_ORGANISATION_ID)
            async for _ in stream:
                break
            await stream.aclose()
        assert database.pool_status().in_use == 0

    async def test_serializable_work_that_is_run_again_loses_no_update(self, database: Database) -> None:
        issuer = await _an_issuer(database)
        attempts: list[int] = []

        async def add_one(tx: DatabaseTransaction) -> None:
            attempts.append(tx.attempt)
            before = await tx.issuers.get(issuer.id)
            await asyncio.sleep(0)
            after = replace(before, version=before.version + 1, phone=str(int(before.phone or 0) + 1))
            await tx.issuers.update(after, expected_version=before.version)

        await asyncio.gather(*(database.run(add_one, isolation=Isolation.SERIALIZABLE) for _ in range(8)))
        after = await database.read().issuers.get(issuer.id)
        assert (after.version, after.phone) == (9, "8")
        assert attempts.count(1) == 8


async def _add(database: Database, scene: samples.Scene) -> None:
    async with database.transaction() as tx:
        await tx.credentials.create(scene.credential(1_000))
