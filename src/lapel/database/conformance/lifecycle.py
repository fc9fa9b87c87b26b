"""Connecting, disconnecting, health and migrations."""

# A transaction may raise its error only at the end of its block.
# ruff: noqa: PT012

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
import warnings
from dataclasses import replace

import pytest
import sqlalchemy as sa

from lapel.database.conformance import samples
from lapel.database.conformance.opening import connected, made
from lapel.database.errors import ConnectionLost, DatabaseBusy, DatabaseError, NewerDatabase, NotConnected
from lapel.database.health import ConnectionState
from lapel.database.interface import Database, DatabaseSettings
from lapel.database.statement import Statement
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID

__all__ = ["LifecycleRules", "MigrationRules"]

_REVISION = sa.table("alembic_version", sa.column("version_num", sa.Text))
Settings = tuple[str, DatabaseSettings]


class LifecycleRules:
    async def test_before_connecting_everything_says_so(self, database_settings: Settings) -> None:
        database = made(*database_settings)
        for use in (
            database.read().issuers.default(),
            database.transaction().__aenter__(),
            database.transaction(read_only=True).__aenter__(),
            database.migrate(),
            database.migration_status(),
        ):
            with pytest.raises(NotConnected):
                await use
        health = await database.health()
        assert not health.ok
        assert health.state is ConnectionState.DISCONNECTED
        assert health.detail
        assert database.pool_status().size == 0
        await database.disconnect()

    async def test_connecting_and_disconnecting_twice_is_the_same_as_once(self, database: Database) -> None:
        await asyncio.gather(database.connect(), database.connect())
        assert (await database.health()).ok
        await asyncio.gather(database.disconnect(), database.disconnect())
        assert (await database.health()).state is ConnectionState.DISCONNECTED
        await database.connect()
        assert (await database.health()).ok

    async def test_reconnecting_gives_a_database_that_works(self, database: Database) -> None:
        await database.reconnect()
        await database.migrate()
        async with database.transaction() as tx:
            assert await tx.organisations.find(DEFAULT_ORGANISATION_ID)

    async def test_health_is_what_a_query_showed(self, database: Database) -> None:
        health = await database.health()
        assert health.ok
        assert health.latency_ms is not None
        assert 0 < health.latency_ms < 10_000
        assert health.server_version
        assert health.module == database.module_name
        assert health.to_json()["state"] == "connected"

    async def test_a_stalled_process_does_not_report_its_database_as_lost(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("lapel.database.connection_manager._PROBE_TIMEOUT_SECONDS", 0.4)
        asking = asyncio.create_task(database.health())
        for _ in range(4):  # iterations before and after its wait
            await asyncio.sleep(0)
            time.sleep(0.5)  # noqa: ASYNC251 - that is the point
        assert (await asking).ok
        assert (await database.health()).state is ConnectionState.CONNECTED

    async def test_health_is_good_while_every_connection_is_in_use(self, database: Database) -> None:
        begun, leave = asyncio.Semaphore(0), asyncio.Event()

        async def hold() -> None:
            async with database.transaction() as tx:
                await tx.issuers.default()
                begun.release()
                await leave.wait()

        pool = database.pool_status().maximum
        holding = [asyncio.create_task(hold()) for _ in range(pool + 2)]
        await begun.acquire()
        await asyncio.wait(holding, timeout=0.3)
        health = await database.health()
        status = database.pool_status()
        leave.set()
        await asyncio.gather(*holding)
        assert health.ok
        assert status.waiting >= 1
        assert status.in_use >= 1

    async def test_disconnecting_lets_an_open_transaction_end(self, database_settings: Settings) -> None:
        async with connected(*database_settings) as database:
            await database.migrate()
            async with database.transaction() as tx:
                leaving = asyncio.create_task(database.disconnect())
                await asyncio.wait([leaving], timeout=0.1)
                assert not leaving.done()
                with pytest.raises(NotConnected):
                    await asyncio.create_task(_use(database))
                await tx.issuers.default()
            await leaving

    async def test_disconnecting_lets_snapshots_and_streams_end(self, database: Database) -> None:
        scene = await samples.set_scene(database)
        async with database.transaction() as tx:
            await tx.credentials.create_many([scene.credential(index) for index in range(600)])
        rows = database.read().credentials.stream(DEFAULT_ORGANISATION_ID)
        await anext(rows)
        async with database.transaction(read_only=True) as tx:
            leaving = asyncio.create_task(database.disconnect())
            await asyncio.wait([leaving], timeout=0.1)
            assert not leaving.done()
            assert (await database.health()).state is ConnectionState.CLOSING
            assert await tx.issuers.default() == scene.issuer
        assert len([row async for row in rows]) == 599
        await leaving
        assert (await database.health()).state is ConnectionState.DISCONNECTED

    async def test_what_does_not_end_is_ended_and_nothing_of_it_is_used_again(
        self, database_settings: Settings
    ) -> None:
        name, settings = database_settings
        before = _resources()
        async with connected(name, replace(settings, connect_seconds=0.3, lock_seconds=0.3)) as database:
            await database.migrate()
            for read_only in (True, False):
                async with asyncio.timeout(30):
                    with pytest.raises(DatabaseError):
                        async with database.transaction(read_only=read_only) as tx:
                            await tx.issuers.default()
                            await asyncio.create_task(database.reconnect())
                            await tx.issuers.default()
                await database.migrate()  # a database in memory starts empty
                async with database.transaction(read_only=True) as tx:
                    assert await tx.issuers.default() is None
                assert database.pool_status().in_use == 0
        assert _resources() == before

    async def test_however_often_it_connects_nothing_is_left_behind(self, database_settings: Settings) -> None:
        before = _resources()
        for _ in range(8):
            async with connected(*database_settings) as database:
                await database.migrate()
                await asyncio.gather(*(_use(database) for _ in range(5)))
                await database.reconnect()
                await database.migrate()
                async with database.transaction(read_only=True) as tx:
                    await tx.issuers.default()
                assert (await database.health()).ok
            assert _resources() == before
            assert database.pool_status().size == 0

    async def test_cancelled_at_any_turn_it_leaves_nothing_behind(self, database_settings: Settings) -> None:
        """They are cancelled after every number of iterations of the event loop that they may take."""
        before = _resources()
        for first in (True, False):
            finished_in_a_row, turns = 0, 0
            while finished_in_a_row < 3 and turns < 300:
                database = made(*database_settings)
                if not first:
                    await database.connect()
                work = asyncio.create_task(database.connect() if first else database.disconnect())
                for _ in range(turns):
                    await asyncio.sleep(0)
                finished_in_a_row = finished_in_a_row + 1 if work.done() else 0
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)
                await database.disconnect()
                turns += 1
            await _settled()
            assert _resources() == before

    async def test_a_query_during_disconnecting_leaves_nothing_behind(self, database_settings: Settings) -> None:
        before = _resources()
        for turns in range(25):
            async with connected(*database_settings) as database:
                asking = asyncio.create_task(database.health())
                for _ in range(turns):
                    await asyncio.sleep(0)
                leaving = asyncio.create_task(database.disconnect())
                if turns % 2:
                    await asyncio.sleep(0)
                    leaving.cancel()
                await asyncio.gather(asking, leaving, return_exceptions=True)
        await _settled()
        assert _resources() == before

    async def test_one_that_is_never_closed_warns(self, database_settings: Settings) -> None:
        before = _resources()
        database = made(*database_settings)
        await database.connect()
        await database.health()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            del database
            gc.collect()
        assert "unclosed database" in str([warning.message for warning in caught])
        await _settled()
        assert _resources() == before

    def test_one_that_its_event_loop_leaves_behind_warns(self, database_settings: Settings) -> None:
        async def leave_open() -> Database:
            database = made(*database_settings)
            await database.connect()
            await database.health()
            return database

        files = _open_files()
        database = asyncio.run(leave_open())
        with warnings.catch_warnings(record=True) as caught:  # the transports of the loop warn, too
            warnings.simplefilter("always")
            del database
            gc.collect()
        assert "unclosed database" in str([warning.message for warning in caught])
        assert _open_files() == files

    async def test_a_setting_that_limits_waiters_turns_the_next_one_away(self, database_settings: Settings) -> None:
        name, settings = database_settings
        async with connected(name, replace(settings, max_waiting=3, pool_max=1)) as database:
            await database.migrate()
            async with database.transaction() as tx:
                await tx.issuers.default()
                waiting = [asyncio.create_task(_use(database)) for _ in range(3)]
                await asyncio.wait(waiting, timeout=0.05)
                with pytest.raises(DatabaseBusy):
                    await asyncio.create_task(_use(database))
            await asyncio.gather(*waiting)

    async def test_a_turn_that_does_not_come_is_not_waited_for_for_ever(self, database_settings: Settings) -> None:
        name, settings = database_settings
        short = replace(settings, lock_seconds=0.2, connect_seconds=0.2, pool_max=1)
        async with connected(name, short) as database, database.transaction():
            with pytest.raises(DatabaseBusy):
                await asyncio.create_task(_use(database))

    async def test_one_that_hangs_is_ended_when_it_keeps_others_waiting(self, database_settings: Settings) -> None:
        name, settings = database_settings
        async with connected(name, replace(settings, idle_in_transaction_seconds=0.3, pool_max=1)) as database:
            await database.migrate()
            with pytest.raises(ConnectionLost):
                async with database.transaction() as tx:
                    await tx.api_keys.create(samples.api_key())
                    await asyncio.create_task(_use(database))
                    await tx.issuers.default()
            assert not await database.read().api_keys.any_exists()


class MigrationRules:
    async def test_a_fresh_database_is_brought_to_the_head(self, database_settings: Settings) -> None:
        async with connected(*database_settings) as database:
            before = await database.migration_status()
            assert before.current is None
            assert before.pending
            after = await database.migrate()
            assert after == await database.migration_status()
            assert (after.current, after.pending) == (after.head, ())

    async def test_doing_it_again_changes_nothing(self, database: Database) -> None:
        issuer = samples.issuer()
        async with database.transaction() as tx:
            await tx.issuers.create(issuer)
        before = await database.migration_status()
        assert await database.migrate() == before
        assert await database.read().issuers.get(issuer.id) == issuer

    async def test_two_at_once_do_it_once(self, database_settings: Settings) -> None:
        async with connected(*database_settings) as one, connected(*database_settings) as other:
            first, second = await asyncio.gather(one.migrate(), other.migrate())
            assert first == second
            assert await one.read().organisations.find(DEFAULT_ORGANISATION_ID)

    async def test_it_waits_for_running_transactions(self, database: Database) -> None:
        issuer = samples.issuer()
        async with database.transaction() as tx:
            await tx.issuers.create(issuer)
            migrating = asyncio.create_task(database.migrate())
            await asyncio.wait([migrating], timeout=0.05)
        await migrating
        assert await database.read().issuers.get(issuer.id) == issuer

    async def test_a_database_of_a_newer_version_is_refused(self, database: Database) -> None:
        async with database.transaction() as tx:
            newer = Statement(sa.update(_REVISION).values(version_num=sa.bindparam("newer", type_=sa.Text())))
            await tx.execute(newer, {"newer": "9999"})
        for look in (database.migrate(), database.migration_status()):
            with pytest.raises(NewerDatabase, match="9999"):
                await look


def _resources() -> tuple[set[asyncio.Task[object]], set[threading.Thread], int]:
    gc.collect()
    return asyncio.all_tasks(), set(threading.enumerate()), _open_files()


def _open_files() -> int:
    """Return the number of this process's open file descriptors; 0 if the operating system does not report it."""
    try:
        return len(os.listdir("/proc/self/fd"))
    except OSError:
        return 0


async def _settled() -> None:
    """Let terminated connections close, which takes a few iterations of the event loop."""
    for _ in range(10):
        await asyncio.sleep(0)


async def _use(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.issuers.default()
