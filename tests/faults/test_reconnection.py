"""A database that goes away is missed and found again by its connection manager, with nobody asking for health."""

# What a transaction refuses may show only where its block ends.
# ruff: noqa: PT012

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from lapel.database.conformance import samples
from lapel.database.errors import DatabaseBusy, DatabaseError, NotConnected
from lapel.database.factory import DatabaseFactory
from lapel.database.health import ConnectionState
from lapel.database.interface import Database, DatabaseSettings
from tests.faults.test_sqlite import write_lock_held
from tests.support.broken_network import BrokenNetwork
from tests.support.connections import connection_to
from tests.support.databases import opened
from tests.support.postgres_server import PostgresServer

pytestmark = pytest.mark.alone  # how soon, or in which order, things happen is the promise


async def becomes(true: Callable[[], bool], *, within: float = 60.0) -> None:
    """Wait for what nobody is asked about."""
    async with asyncio.timeout(within):
        while not true():
            await asyncio.sleep(0.01)


def state_is(database: Database, state: ConnectionState) -> Callable[[], bool]:
    return lambda: database.manager.state is state


async def test_a_postgresql_that_was_away_is_found_by_itself(stoppable_postgres: PostgresServer) -> None:
    settings = DatabaseSettings(url=stoppable_postgres.create_database())
    async with opened("postgresql", settings) as database:
        await asyncio.to_thread(stoppable_postgres.stop, "immediate")
        await becomes(state_is(database, ConnectionState.DEGRADED), within=2)
        await becomes(lambda: database.manager.reconnection is not None and database.manager.reconnection.attempt >= 4)
        looked_for = database.manager.reconnection
        assert looked_for is not None
        assert looked_for.since <= looked_for.next_try
        assert looked_for.last_error == "PostgreSQL cannot be reached."
        assert dict(database.measurements())["up"] == 0

        await asyncio.to_thread(stoppable_postgres.start)
        await becomes(state_is(database, ConnectionState.CONNECTED))
        assert database.manager.reconnection is None
        assert dict(database.measurements())["reconnections_total"] == 1
        assert await database.read().issuers.default() is None


async def test_a_postgresql_that_hangs_is_away_within_two_seconds_and_waited_for_by_nobody(
    stoppable_postgres: PostgresServer,
) -> None:
    settings = DatabaseSettings(url=stoppable_postgres.create_database())
    async with opened("postgresql", settings) as database:
        stoppable_postgres.suspend()
        try:
            started = time.monotonic()
            assert not (await database.health()).ok
            assert time.monotonic() - started < 2
            for use in (database.read().issuers.default(), database.transaction().__aenter__()):
                started = time.monotonic()
                with pytest.raises(NotConnected):
                    await use
                assert time.monotonic() - started < 2
        finally:
            stoppable_postgres.resume()
        await becomes(state_is(database, ConnectionState.CONNECTED))
        async with database.transaction() as tx:
            await tx.issuers.create(samples.issuer())
        assert database.pool_status().in_use == 0


async def test_connections_that_a_network_has_forgotten_are_lent_to_nobody_once_the_server_is_back(
    stoppable_postgres: PostgresServer, network: BrokenNetwork
) -> None:
    url = urlsplit(stoppable_postgres.create_database())
    through = url._replace(netloc=f"{url.username}@127.0.0.1:{network.port}", query="").geturl()
    async with opened("postgresql", DatabaseSettings(url=through, pool_min=3, pool_max=3)) as database:
        network.fall_silent()
        await becomes(state_is(database, ConnectionState.DEGRADED))
        network.mend()
        await becomes(state_is(database, ConnectionState.CONNECTED))
        async with asyncio.timeout(10):  # a statement is waited for three times as long
            await asyncio.gather(*(database.read().issuers.default() for _ in range(3)))


async def test_whoever_connects_is_told_how_it_goes(stoppable_postgres: PostgresServer) -> None:
    dsn = stoppable_postgres.create_database()
    await asyncio.to_thread(stoppable_postgres.stop)
    database = DatabaseFactory.with_installed_modules().create("postgresql", DatabaseSettings(url=dsn))
    connecting = asyncio.create_task(database.connect())
    await becomes(lambda: database.manager.reconnection is not None and database.manager.reconnection.attempt >= 2)
    health = await database.health()
    assert (health.ok, health.state) == (False, ConnectionState.CONNECTING)
    await asyncio.to_thread(stoppable_postgres.start)
    await connecting
    assert (await database.health()).reconnection is None
    await database.disconnect()


async def test_connecting_that_fails_half_way_leaves_nothing_open(postgres: PostgresServer, postgres_dsn: str) -> None:
    async with opened("postgresql", DatabaseSettings(url=postgres_dsn)) as database:
        connection = await database.manager.check_out()  # type: ignore[attr-defined]  # PostgreSQL's own
        await connection.execute("CREATE ROLE two_at_most LOGIN CONNECTION LIMIT 2")
        try:
            files = len(os.listdir("/proc/self/fd"))
            url = postgres_dsn.replace("://lapel@", "://two_at_most@")
            assert url != postgres_dsn
            limited = DatabaseSettings(url=url, pool_min=5, connect_seconds=0.3)
            with pytest.raises(DatabaseError):
                await DatabaseFactory.with_installed_modules().create("postgresql", limited).connect()
            await becomes(lambda: len(os.listdir("/proc/self/fd")) == files)
        finally:
            await connection.execute("DROP ROLE two_at_most")
            await database.manager.check_in(connection)  # type: ignore[attr-defined]  # PostgreSQL's own


async def test_of_several_servers_the_one_that_takes_writes_is_found_and_found_again() -> None:
    with PostgresServer.temporary(in_memory=True) as first, PostgresServer.temporary(in_memory=True) as second:
        await read_only(second, True)
        hosts = f"host={second.socket_dir},{first.socket_dir}&port=5432,5432"
        url = f"postgresql://lapel@/postgres?{hosts}&target_session_attrs=read-write"
        async with opened("postgresql", DatabaseSettings(url=url)) as database:
            issuer = samples.issuer()
            async with database.transaction() as tx:
                await tx.issuers.create(issuer)
            assert (await database.health()).ok

            await asyncio.to_thread(first.stop, "immediate")
            await becomes(state_is(database, ConnectionState.DEGRADED), within=2)
            await read_only(second, False)
            await becomes(state_is(database, ConnectionState.CONNECTED))
            await database.migrate()
            async with database.transaction() as tx:
                await tx.issuers.create(issuer)
            assert await database.read().issuers.get(issuer.id) == issuer
        await asyncio.to_thread(first.start)


async def read_only(server: PostgresServer, on: bool) -> None:
    """Let a server take writes, or none."""
    async with connection_to(server.dsn("postgres")) as connection:
        await connection.execute(f"ALTER SYSTEM SET default_transaction_read_only = {'on' if on else 'off'}")
        await connection.execute("SELECT pg_reload_conf()")
    async with asyncio.timeout(60):
        while True:
            async with connection_to(server.dsn("postgres")) as connection:
                if await connection.fetchval("SHOW default_transaction_read_only") == ("on" if on else "off"):
                    return


async def test_a_folder_that_goes_away_and_comes_back_is_the_same_database(tmp_path: Path) -> None:
    file = tmp_path / "disk" / "lapel.sqlite"
    async with opened("sqlite", DatabaseSettings(sqlite_file=file, serves=True)) as database:
        issuer = samples.issuer()
        async with database.transaction() as tx:
            await tx.issuers.create(issuer)
        file.parent.rename(tmp_path / "elsewhere")
        await becomes(state_is(database, ConnectionState.DEGRADED), within=2)
        with pytest.raises(DatabaseError):
            async with database.transaction() as tx:
                await tx.issuers.create(samples.issuer())
        assert not file.parent.exists(), "nothing is made in its place"
        (tmp_path / "elsewhere").rename(file.parent)
        await becomes(state_is(database, ConnectionState.CONNECTED))
        async with database.transaction(read_only=True) as tx:
            assert await tx.issuers.default() == issuer
        assert dict(database.measurements())["reconnections_total"] == 1


@pytest.mark.parametrize("damage", [lambda file: os.truncate(file, 0), lambda file: os.truncate(file, 9000), os.remove])
async def test_a_disk_that_fails_turns_health_red(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    file = tmp_path / "lapel.sqlite"
    async with opened("sqlite", DatabaseSettings(sqlite_file=file)) as database:
        with closing(sqlite3.connect(file)) as another:
            another.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert (await database.health()).ok
        damage(file)
        await becomes(state_is(database, ConnectionState.DEGRADED), within=2)
        health = await database.health()
        assert not health.ok
        assert health.reconnection is not None


async def test_another_database_put_in_place_is_taken_up_by_itself(tmp_path: Path) -> None:
    file, backup = tmp_path / "lapel.sqlite", tmp_path / "backup.sqlite"
    kept, lost = samples.issuer(name="kept"), samples.issuer(name="lost")
    async with opened("sqlite", DatabaseSettings(sqlite_file=file, serves=True)) as database:
        async with database.transaction() as tx:
            await tx.issuers.create(kept)
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(backup)) as target:
            source.backup(target)
        async with database.transaction() as tx:
            await tx.issuers.create(lost)
        with pytest.raises(NotConnected):
            async with database.transaction(read_only=True) as tx:
                assert await tx.issuers.find(lost.id)
                os.utime(backup, (0, 0))
                os.replace(backup, file)
                await becomes(lambda: database.manager.reconnections == 1)
                await tx.issuers.find(lost.id)
        assert await database.read().issuers.find(kept.id) == kept
        assert await database.read().issuers.find(lost.id) is None, "the log of the other file was not read into it"
        async with database.transaction() as tx:
            await tx.issuers.create(samples.issuer(name="new"))
        assert database.pool_status().in_use == 0
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


async def test_what_is_no_database_of_ours_is_not_taken_up(tmp_path: Path) -> None:
    file, other = tmp_path / "lapel.sqlite", tmp_path / "other.sqlite"
    async with opened("sqlite", DatabaseSettings(sqlite_file=file)) as database:
        original = tmp_path / "original.sqlite"
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(original)) as target:
            source.backup(target)
        with closing(sqlite3.connect(other)) as connection:
            connection.execute("CREATE TABLE theirs (a)")
        half = original.read_bytes()[:5000]
        for content, said in ((b"no database", "whole"), (half, "whole"), (other.read_bytes(), "other tables")):
            put = tmp_path / "put"
            put.write_bytes(content)
            os.utime(put, (0, 0))
            os.replace(put, file)
            async with asyncio.timeout(60):
                while said not in ((await database.health()).detail or ""):
                    await asyncio.sleep(0.01)
            assert file.read_bytes() == content, "nor is it written to"
        fresh = tmp_path / "fresh"
        shutil.copy(original, fresh)
        os.replace(fresh, file)  # written just now: perhaps not to its end
        assert "written just now" in ((await database.health()).detail or "")
        await becomes(state_is(database, ConnectionState.CONNECTED))


async def test_connecting_waits_for_another_process_that_has_the_file(tmp_path: Path) -> None:
    file = tmp_path / "lapel.sqlite"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE theirs (a)")
    database = DatabaseFactory.with_installed_modules().create("sqlite", DatabaseSettings(sqlite_file=file))
    with write_lock_held(file):
        connecting = asyncio.create_task(database.connect())
        await becomes(state_is(database, ConnectionState.CONNECTING))
        await becomes(lambda: database.manager.reconnection is not None)
        assert not connecting.done()
    await connecting
    await database.disconnect()


async def test_patience_ends(tmp_path: Path) -> None:
    file = tmp_path / "lapel.sqlite"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE theirs (a)")
    settings = DatabaseSettings(sqlite_file=file, connect_seconds=0.2)
    files = len(os.listdir("/proc/self/fd"))
    with write_lock_held(file):
        database = DatabaseFactory.with_installed_modules().create("sqlite", settings)
        with pytest.raises(DatabaseBusy):
            await database.connect()
        assert database.manager.state is ConnectionState.DISCONNECTED
    assert len(os.listdir("/proc/self/fd")) == files
