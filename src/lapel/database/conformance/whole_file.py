"""A database that is one file can be copied while it is written to, and closed to be replaced; others refuse both."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from lapel.database.conformance import samples
from lapel.database.conformance.catalogue import broken_rows
from lapel.database.conformance.opening import connected, made, opened
from lapel.database.errors import DatabaseBusy, DatabaseLocked, NotSupported
from lapel.database.interface import Database, DatabaseSettings

__all__ = ["WholeFileRules"]


def _tell(done: int, total: int) -> None:
    assert 0 <= done <= total


@asynccontextmanager
async def _copied(database: Database, settings: tuple[str, DatabaseSettings], file: Path) -> AsyncIterator[Database]:
    file.write_bytes(b"")  # noqa: ASYNC240 - a moment
    await database.backup_to(file, _tell)
    async with connected(settings[0], replace(settings[1], sqlite_file=file, make=False)) as copy:
        yield copy


def _file_of(database: Database) -> Path | None:
    """Return the database's file, or None if these rules do not apply to it."""
    return database.own_file if database.capabilities.whole_file else None


class WholeFileRules:
    async def test_a_database_that_is_no_file_is_not_copied(
        self, database_settings: tuple[str, DatabaseSettings], tmp_path: Path
    ) -> None:
        database = made(*database_settings)
        if database.capabilities.whole_file:
            return
        with pytest.raises(NotSupported):
            await database.backup_to(tmp_path / "copy", _tell)
        for look in (database.served_by_nobody, database.opened_by_nobody):
            with pytest.raises(NotSupported):
                look()
        assert database.own_file is None

    async def test_a_copy_holds_what_was_committed_and_not_what_was_not(
        self, database: Database, database_settings: tuple[str, DatabaseSettings], tmp_path: Path
    ) -> None:
        if _file_of(database) is None:
            return
        scene, image = await samples.set_scene(database), samples.image(b"not yet")

        async def look() -> None:
            async with _copied(database, database_settings, tmp_path / "copy") as copy:
                assert await copy.read().issuers.find(scene.issuer.id) == scene.issuer
                assert await copy.read().images.find(image.id) is None

        async with database.transaction() as tx:
            await tx.images.create_if_absent(image)
            await asyncio.create_task(look())

    async def test_a_copy_is_of_one_moment_while_others_write(
        self, database: Database, database_settings: tuple[str, DatabaseSettings], tmp_path: Path
    ) -> None:
        if _file_of(database) is None:
            return
        ending = asyncio.Event()

        async def write() -> int:
            count = 0
            while not ending.is_set():
                async with database.transaction() as tx:
                    await tx.images.create_if_absent(samples.image(count.to_bytes(4, "big")))
                count += 1
            return count

        writing = asyncio.create_task(write())
        try:
            async with _copied(database, database_settings, tmp_path / "copy") as copy:
                assert await broken_rows(copy) == {}
                async with copy.maintenance() as session:
                    assert [finding async for finding in copy.catalogue.damage(session)] == []
        finally:
            ending.set()
        assert await writing

    async def test_a_copy_that_is_cancelled_twice_keeps_its_connection_until_it_has_ended(
        self, database: Database, tmp_path: Path
    ) -> None:
        if _file_of(database) is None:
            return
        begun, goes_on = threading.Event(), threading.Event()

        def advance(done: int, total: int) -> None:
            begun.set()
            goes_on.wait(30)

        (tmp_path / "copy").write_bytes(b"")
        copying = asyncio.create_task(database.backup_to(tmp_path / "copy", advance))
        try:
            assert await asyncio.to_thread(begun.wait, 30)
            for _ in range(6):
                copying.cancel()
                await asyncio.sleep(0)
            assert database.pool_status().in_use == 1
        finally:
            goes_on.set()
        with pytest.raises(asyncio.CancelledError):
            await copying
        assert database.pool_status().in_use == 0

    async def test_while_a_server_runs_its_lock_is_not_given(
        self, database_settings: tuple[str, DatabaseSettings]
    ) -> None:
        module, settings = database_settings
        other = made(module, settings)
        if _file_of(other) is None:
            return
        async with opened(module, replace(settings, serves=True)):
            with pytest.raises(DatabaseLocked), other.served_by_nobody():
                pass
        with other.served_by_nobody(), pytest.raises(DatabaseLocked):
            await made(module, replace(settings, serves=True)).connect()

    async def test_at_rest_nobody_has_it_open_and_all_is_in_the_file(
        self, database_settings: tuple[str, DatabaseSettings]
    ) -> None:
        module, settings = database_settings
        other = made(module, settings)
        if (own := _file_of(other)) is None:
            return
        async with opened(module, settings) as database:
            scene = await samples.set_scene(database)
            with pytest.raises(DatabaseBusy), other.opened_by_nobody():
                pass
        with other.opened_by_nobody():
            beside = [Path(f"{own}{ending}") for ending in other.companions]
            assert [path for path in beside if path.exists() and path.stat().st_size] == []
        async with connected(module, settings) as database:
            assert await database.read().issuers.find(scene.issuer.id) == scene.issuer
