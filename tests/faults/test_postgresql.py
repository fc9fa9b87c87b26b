"""PostgreSQL when it goes away: in the middle of a transaction, of a commit, and for a while."""

# What a transaction refuses may show only where its block ends.
# ruff: noqa: PT012

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
from msgspec.structs import replace

from lapel.database.conformance import samples
from lapel.database.errors import ConnectionLost, NotConnected, OutcomeUnknown, QueryTimeout
from lapel.database.factory import DatabaseFactory
from lapel.database.health import ConnectionState
from lapel.database.interface import Database, DatabaseSettings
from lapel.database.postgresql.connection_manager import PostgresqlConnectionManager
from lapel.database.postgresql.session import PostgresqlTransactionSession
from lapel.database.transaction import DatabaseTransaction
from lapel.domain.issuer import Issuer
from tests.support.broken_network import BrokenNetwork
from tests.support.connections import administer
from tests.support.databases import opened
from tests.support.postgres_server import PostgresServer
from tests.support.waiting import eventually

pytestmark = pytest.mark.alone  # how soon, or in which order, things happen is the promise


@pytest.fixture
async def away(stoppable_postgres: PostgresServer) -> AsyncIterator[tuple[PostgresServer, Database]]:
    """A server that may be stopped, and a database on it."""
    settings = DatabaseSettings(url=stoppable_postgres.create_database(), connect_seconds=5, lock_seconds=1)
    async with opened("postgresql", settings) as database:
        yield stoppable_postgres, database


async def becomes(database: Database, ok: bool, *, within: float) -> None:
    """Ask for its health until it is as said."""
    async with asyncio.timeout(within):
        while (await database.health()).ok is not ok:
            await asyncio.sleep(0.02)


async def test_a_crash_ends_transactions_turns_health_red_and_is_survived(
    away: tuple[PostgresServer, Database],
) -> None:
    server, database = away
    lost, kept = samples.issuer(), samples.issuer()
    with pytest.raises(ConnectionLost):
        async with database.transaction() as tx:
            await tx.issuers.create(lost)
            await asyncio.to_thread(server.stop, "immediate")
            await becomes(database, False, within=2)
            await tx.issuers.create(samples.issuer())
    health = await database.health()
    assert health.state is ConnectionState.DEGRADED
    assert health.detail
    loop = asyncio.get_running_loop()
    before = loop.time()
    for use in (database.read().issuers.default(), database.transaction().__aenter__()):
        with pytest.raises(NotConnected):
            await use
    assert loop.time() - before < 2, "it fails fast"
    await asyncio.to_thread(server.start)
    await becomes(database, True, within=60)
    async with database.transaction() as tx:
        await tx.issuers.create(kept)
    assert (await database.health()).state is ConnectionState.CONNECTED
    assert await database.read().issuers.find(lost.id) is None
    assert await database.read().issuers.get(kept.id) == kept
    assert database.pool_status().in_use == 0


async def test_a_restart_between_two_transactions_goes_unnoticed(away: tuple[PostgresServer, Database]) -> None:
    server, database = away
    assert await database.read().issuers.default() is None
    await asyncio.to_thread(server.restart)
    async with database.transaction() as tx:
        assert await tx.issuers.default() is None
    assert await database.read().issuers.default() is None


async def test_a_connection_lost_during_the_commit_leaves_the_outcome_unknown() -> None:
    with PostgresServer.temporary(in_memory=True) as server:
        async with opened("postgresql", DatabaseSettings(url=server.create_database())) as database:
            # A commit that waits for a standby that does not exist is under way for ever.
            await asyncio.to_thread(server.have_commits_wait_for, "nobody")
            waiting, cancelled = asyncio.create_task(_store(database)), asyncio.create_task(_store(database))
            assert await asyncio.to_thread(eventually, lambda: server.commits_waiting() == 2)
            cancelled.cancel()
            await asyncio.wait([waiting, cancelled], timeout=0.1)
            assert not waiting.done()
            assert not cancelled.done()
            await asyncio.to_thread(server.stop, "immediate")
            with pytest.raises(OutcomeUnknown):
                await waiting
            with pytest.raises(asyncio.CancelledError) as told:
                await cancelled
            assert isinstance(told.value.__cause__, OutcomeUnknown)
            assert database.metrics.transactions["unknown"] == 2


async def test_a_commit_that_waits_for_a_standby_for_too_long_tells_the_log_of_it(
    stoppable_postgres: PostgresServer,
) -> None:
    settings = DatabaseSettings(url=stoppable_postgres.create_database(), statement_seconds=0.5)
    async with opened("postgresql", settings) as database:
        await asyncio.to_thread(stoppable_postgres.have_commits_wait_for, "nobody")
        try:
            with pytest.raises(OutcomeUnknown) as told:
                await _store(database)
        finally:
            await asyncio.to_thread(stoppable_postgres.have_commits_wait_for, "")
    assert "as when it waits for a standby that is away" in told.value.detail


async def test_who_has_committed_is_told_so_though_others_cannot_be(
    stoppable_postgres: PostgresServer, network: BrokenNetwork
) -> None:
    url = urlsplit(stoppable_postgres.create_database())
    through = url._replace(netloc=f"{url.username}@127.0.0.1:{network.port}", query="").geturl()
    network.silent_at = b"NOTIFY lapel"
    try:
        async with opened("postgresql", DatabaseSettings(url=through)) as database:
            scene = await samples.set_scene(database)
            changed = replace(scene.issuer, version=2)
            async with asyncio.timeout(5):
                async with database.transaction() as tx:
                    await tx.issuers.update(changed, expected_version=1)
                assert database.pool_status().in_use == 0
                assert await database.read().issuers.get(changed.id) == changed
            assert database.metrics.transactions["unknown"] == 0
    finally:
        network.silent_at = b""


async def test_a_connection_lost_before_the_commit_leaves_nothing(away: tuple[PostgresServer, Database]) -> None:
    server, database = away
    with pytest.raises(ConnectionLost):
        async with database.transaction() as tx:
            await tx.issuers.create(samples.issuer())
            kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction'"
            await administer(server.dsn("postgres"), kill)
            # Until the driver has heard of it: a COMMIT that was sent before would leave the outcome unknown.
            await asyncio.wait_for(_heard(tx), timeout=60)
    assert await database.read().issuers.default() is None


async def _heard(tx: DatabaseTransaction) -> None:
    session = tx._session
    assert isinstance(session, PostgresqlTransactionSession)
    while True:
        if session._checked_out is None or PostgresqlConnectionManager.is_gone(session._checked_out):
            return
        await asyncio.sleep(0.01)


async def test_connecting_waits_for_a_server_that_is_only_starting(stoppable_postgres: PostgresServer) -> None:
    dsn = stoppable_postgres.create_database()
    await asyncio.to_thread(stoppable_postgres.stop)
    database = DatabaseFactory.with_installed_modules().create("postgresql", DatabaseSettings(url=dsn))
    connecting = asyncio.create_task(database.connect())
    await asyncio.wait([connecting], timeout=0.2)
    assert not connecting.done()
    await asyncio.to_thread(stoppable_postgres.start)
    await connecting
    assert (await database.health()).ok
    await database.disconnect()


async def test_a_server_that_does_not_come_is_given_up(stoppable_postgres: PostgresServer) -> None:
    dsn = stoppable_postgres.dsn("postgres")
    await asyncio.to_thread(stoppable_postgres.stop)
    settings = DatabaseSettings(url=dsn, connect_seconds=0.5)
    database = DatabaseFactory.with_installed_modules().create("postgresql", settings)
    with pytest.raises(NotConnected, match="cannot be reached"):
        await database.connect()
    assert (await database.health()).state is ConnectionState.DISCONNECTED


async def test_a_lock_that_does_not_come_is_not_waited_for_for_ever(away: tuple[PostgresServer, Database]) -> None:
    _, database = away
    issuer = samples.issuer()
    async with database.transaction() as tx:
        await tx.issuers.create(issuer)
    async with database.transaction() as tx:
        await tx.issuers.update(issuer, expected_version=1)
        with pytest.raises(QueryTimeout):
            await asyncio.create_task(_update(database, issuer))


async def _store(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.issuers.create(samples.issuer())


async def _update(database: Database, issuer: Issuer) -> None:
    async with database.transaction() as tx:
        await tx.issuers.update(issuer, expected_version=1)


async def test_several_servers_may_migrate_a_fresh_database_at_once(postgres: PostgresServer) -> None:
    for _ in range(3):
        dsn = postgres.create_database()
        databases = [
            DatabaseFactory.with_installed_modules().create("postgresql", DatabaseSettings(url=dsn)) for _ in range(6)
        ]
        try:
            await asyncio.gather(*(database.connect() for database in databases))
            statuses = await asyncio.gather(*(database.migrate() for database in databases))
            assert [status.pending for status in statuses] == [()] * 6
        finally:
            await asyncio.gather(*(database.disconnect() for database in databases))
            postgres.drop_database(dsn)
