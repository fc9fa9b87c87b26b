"""A long stream needs little memory, wherever the rows are not in memory anyway."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import aclosing, closing, suppress
from pathlib import Path

import pytest

from lapel.database.conformance import samples
from lapel.database.errors import ConnectionLost
from lapel.database.interface import Database, DatabaseSettings
from lapel.database.sqlite.module import SqliteDatabase
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID
from tests.support.databases import opened, settings_for

ROWS, BYTES = 2_000, 20_000


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    dsn = request.getfixturevalue("postgres_dsn") if request.param == "postgresql" else None
    name, settings = settings_for(request.param, folder=tmp_path, dsn=dsn)
    async with opened(name, settings) as database:
        yield database


@pytest.mark.parametrize("inside", [False, True])
async def test_a_stream_needs_a_fraction_of_what_it_carries(database: Database, inside: bool) -> None:
    scene = await samples.set_scene(database)
    async with database.transaction() as tx:
        await tx.credentials.create_many(
            [samples.credential(scene.issuer.id, signed=bytes(BYTES)) for _ in range(ROWS)]
        )
    carried = 0
    async with database.transaction(read_only=True) as tx:
        tracemalloc.start()
        if inside:
            async for credential in tx.credentials.stream(DEFAULT_ORGANISATION_ID):
                carried += len(credential.signed)
    if not inside:
        async for credential in database.read().credentials.stream(DEFAULT_ORGANISATION_ID):
            carried += len(credential.signed)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert carried == ROWS * BYTES
    assert peak < carried / 2


async def test_a_cancelled_stream_whose_read_still_waits_for_a_thread_reads_nothing(tmp_path: Path) -> None:
    async with opened("sqlite", DatabaseSettings(sqlite_file=tmp_path / "lapel.sqlite")) as database:
        assert isinstance(database, SqliteDatabase)
        scans, may_go, looked_at = database.manager.scan_executor, threading.Event(), []
        busy = [scans.submit(may_go.wait, 60) for _ in range(2)]  # every thread that there is

        async def stream() -> None:
            looked_at.extend([one async for one in database.read().credentials.stream(DEFAULT_ORGANISATION_ID)])

        streaming = asyncio.create_task(stream())
        await asyncio.sleep(0.1)
        assert not streaming.done()
        streaming.cancel()
        ended, _ = await asyncio.wait([streaming], timeout=10)
        may_go.set()
        await asyncio.gather(*map(asyncio.wrap_future, busy))
        assert ended
        assert streaming.cancelled()
        assert looked_at == []


async def test_a_transaction_that_is_undone_in_the_middle_of_a_stream_keeps_no_snapshot(tmp_path: Path) -> None:
    file = tmp_path / "lapel.sqlite"
    async with opened("sqlite", DatabaseSettings(sqlite_file=file)) as database:
        assert isinstance(database, SqliteDatabase)
        scene = await samples.set_scene(database)
        database.manager.writer.max_unit_seconds, database.manager.writer.busy_seconds = 0.1, 1
        first, may_go = asyncio.Event(), asyncio.Event()

        async def issue(count: int) -> None:
            async with database.transaction() as tx:
                await tx.credentials.create_many([samples.credential(scene.issuer.id) for _ in range(count)])

        async def hang() -> None:
            async with database.transaction() as tx:
                async for _ in tx.credentials.stream(DEFAULT_ORGANISATION_ID):
                    first.set()
                    await may_go.wait()

        await issue(1_000)
        hanging = asyncio.create_task(hang())
        await first.wait()
        await issue(1)  # waits until the other one is undone
        with closing(sqlite3.connect(file)) as other_process:
            other_process.execute("CREATE TABLE other (x)")
        await issue(1)  # with the snapshot that the stream has read, it could not write any more
        may_go.set()
        with pytest.raises(ConnectionLost):
            await hanging


async def test_a_snapshot_that_ends_in_the_middle_of_a_stream_is_not_what_the_next_one_reads(tmp_path: Path) -> None:
    async with opened("sqlite", DatabaseSettings(sqlite_file=tmp_path / "lapel.sqlite")) as database:
        scene = await samples.set_scene(database)
        async with database.transaction() as tx:
            await tx.credentials.create_many([samples.credential(scene.issuer.id) for _ in range(1_000)])

        async with database.transaction(read_only=True) as tx:
            unfinished = tx.credentials.stream(DEFAULT_ORGANISATION_ID)
            await anext(unfinished)
        newer = samples.issuer()
        async with database.transaction() as tx:
            await tx.issuers.create(newer)

        async with database.transaction(read_only=True) as tx:
            assert await tx.issuers.get(newer.id) == newer
        await unfinished.aclose()


async def test_a_driver_that_cannot_close_a_stream_stops_no_writer(tmp_path: Path) -> None:
    class Unclosable:
        """A cursor of a third party's driver."""

        def close(self) -> None:
            raise sqlite3.OperationalError("it cannot be closed")

    async with opened("sqlite", DatabaseSettings(sqlite_file=tmp_path / "lapel.sqlite")) as database:
        assert isinstance(database, SqliteDatabase)
        await samples.set_scene(database)
        cursors = database.manager.writer.cursors
        with suppress(ZeroDivisionError):
            async with database.transaction() as tx:
                cursors.update({Unclosable(), Unclosable()})  # type: ignore[arg-type]  # only its end matters
                raise ZeroDivisionError
        newer = samples.issuer()
        async with asyncio.timeout(10), database.transaction() as tx:
            assert not cursors
            cursors.update({Unclosable(), Unclosable()})  # type: ignore[arg-type]  # as above
            await tx.issuers.create(newer)
        assert await database.read().issuers.get(newer.id) == newer


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("to_its_end", [False, True])
async def test_streams_that_have_ended_take_no_memory_until_their_transaction_ends(
    database: Database, read_only: bool, to_its_end: bool
) -> None:
    scene = await samples.set_scene(database)
    async with database.transaction() as tx:
        await tx.credentials.create(samples.credential(scene.issuer.id))
    async with database.transaction(read_only=read_only) as tx:

        async def stream(times: int) -> None:
            for _time in range(times):
                async with aclosing(tx.credentials.stream(DEFAULT_ORGANISATION_ID)) as credentials:
                    async for _ in credentials:
                        if not to_its_end:
                            break

        await stream(10)
        tracemalloc.start()
        await stream(300)
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert held < 100_000
