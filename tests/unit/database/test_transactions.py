"""What the kit cannot hold up from outside: a commit in flight, and the garbage collector in another thread."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from weakref import ref

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from lapel.database.conformance import samples
from lapel.database.errors import SerializationFailure
from lapel.database.interface import Database, DatabaseSettings
from lapel.database.sqlite.module import SqliteDatabase
from tests.support.databases import opened


def sweeps(database: Database) -> bool:
    return database._open_transactions._sweep_is_due


async def test_a_commit_that_has_begun_is_waited_for_beyond_the_deadline(tmp_path: Path) -> None:
    issuer = samples.issuer()
    async with opened("sqlite", DatabaseSettings(sqlite_file=tmp_path / "lapel.sqlite")) as database:
        assert isinstance(database, SqliteDatabase)
        gate = threading.Event()

        async def write() -> None:
            async with database.transaction(deadline=0.1) as tx:
                await tx.issuers.create(issuer)
                commits = database.manager.writer.executor
                assert commits is not None
                commits.submit(gate.wait)

        writing = asyncio.create_task(write())
        await asyncio.wait([writing], timeout=0.4)
        assert not writing.done()
        gate.set()
        await writing
        assert await database.read().issuers.get(issuer.id) == issuer


async def test_disconnecting_waits_as_long_as_it_says_and_not_for_a_turn(tmp_path: Path) -> None:
    settings = DatabaseSettings(sqlite_file=tmp_path / "lapel.sqlite", connect_seconds=0.2, lock_seconds=3_600)
    async with opened("sqlite", settings) as database:
        begun = asyncio.Event()

        async def hang() -> None:
            async with database.transaction():
                begun.set()
                await asyncio.Event().wait()

        hanging = asyncio.create_task(hang())
        await begun.wait()
        async with asyncio.timeout(30):
            await database.disconnect()
        hanging.cancel()
        await asyncio.wait([hanging])


async def test_what_a_long_one_keeps_of_itself_is_bounded(tmp_path: Path) -> None:
    async with opened("sqlite", DatabaseSettings(sqlite_file=tmp_path / "lapel.sqlite")) as database:
        issuer = samples.issuer()
        async with database.transaction() as tx:
            await tx.issuers.create(issuer)
            for version in range(1, 101):
                changed = replace(issuer, version=version + 1)
                await tx.issuers.update(changed, expected_version=version)
            assert set(tx.operations) == {"issuers.update"}
            assert len(tx.operations) == 20
            assert len(tx.changed) <= 2


async def test_positions_that_can_never_be_had_are_not_tried_for_ever(tmp_path: Path) -> None:
    async with opened("sqlite", DatabaseSettings(sqlite_file=tmp_path / "lapel.sqlite")) as database:
        scene = await samples.set_scene(database)
        with closing(sqlite3.connect(tmp_path / "lapel.sqlite")) as connection:
            connection.execute("CREATE TRIGGER keep BEFORE UPDATE ON status_lists BEGIN SELECT RAISE(IGNORE); END")
        before = database.metrics.count("status_lists.reserve")
        with pytest.raises(SerializationFailure):
            async with database.transaction() as tx:
                await tx.status_lists.reserve(samples.status_list(scene.issuer.id), count=1)
        assert database.metrics.count("status_lists.reserve") == before + 10


async def test_one_that_another_thread_collects_as_garbage_is_ended_too(tmp_path: Path) -> None:
    async with opened("sqlite", DatabaseSettings(sqlite_file=tmp_path / "lapel.sqlite")) as database:
        begun = asyncio.Event()

        async def hang() -> None:
            async with database.transaction() as tx:
                await tx.issuers.create(samples.issuer())
                begun.set()
                await asyncio.Event().wait()

        task: asyncio.Task[None] | None = asyncio.create_task(hang())
        await begun.wait()
        with capture_logs() as logs:
            del task
            await asyncio.to_thread(gc.collect)
            async with database.transaction() as tx:  # gets its turn
                assert await tx.issuers.default() is None
        assert "a transaction was left open and was rolled back" in [entry["event"] for entry in logs]


async def test_one_that_has_ended_needs_no_garbage_collector_to_free_its_memory(tmp_path: Path) -> None:
    async with opened("sqlite", DatabaseSettings(sqlite_file=tmp_path / "lapel.sqlite")) as database:
        gc.disable()
        try:
            async with database.transaction() as tx:
                await tx.issuers.create(samples.issuer())
            ended = ref(tx)
            del tx
            assert ended() is None
        finally:
            gc.enable()


async def test_the_sweep_stops_where_nothing_is_open(tmp_path: Path) -> None:
    async with opened("sqlite", DatabaseSettings(sqlite_file=tmp_path / "lapel.sqlite")) as database:
        async with database.transaction():
            assert len(database.open_transactions()) == 1
            assert sweeps(database)
        assert not database.open_transactions()
        async with asyncio.timeout(30):
            while True:
                if not sweeps(database):
                    return
                await asyncio.sleep(0.05)
