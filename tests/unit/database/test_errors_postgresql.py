"""PostgreSQL's SQLSTATEs, really produced; all of them by table are in `test_errors_by_table.py`."""

# What a transaction refuses may show only where its block ends.
# ruff: noqa: PT012

from __future__ import annotations

import asyncio
import dataclasses
import re
import secrets
import threading
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
import sqlalchemy as sa
from msgspec.structs import replace
from structlog.testing import capture_logs

from lapel.database.conformance import samples
from lapel.database.errors import (
    AccessRefused,
    ConnectionLost,
    CorruptDatabase,
    DatabaseBusy,
    DatabaseError,
    DeadlineExceeded,
    InvalidValue,
    PermissionDenied,
    QueryTimeout,
    ReadOnlyDatabase,
    UnknownDatabase,
    ValueTooLarge,
)
from lapel.database.interface import DatabaseSettings
from lapel.database.postgresql.module import PostgresqlDatabase
from lapel.database.setting_tiers import SettingRefused
from lapel.database.statement import Statement
from lapel.database.transaction import DatabaseTransaction
from tests.support.connections import administer, connection_to
from tests.support.databases import opened
from tests.support.postgres_server import PostgresServer
from tests.support.waiting import eventually


@pytest.fixture
async def database(postgres_dsn: str) -> AsyncIterator[PostgresqlDatabase]:
    async with opened("postgresql", DatabaseSettings(url=postgres_dsn, connect_seconds=0.5)) as database:
        assert isinstance(database, PostgresqlDatabase)
        yield database


def statement(sql: str) -> Statement:
    return Statement(sa.select(sa.literal_column(sql)))


async def ask(tx: DatabaseTransaction, sql: str) -> object:
    """The value of an SQL expression."""
    return (await tx.fetch_all(statement(sql), {}))[0][0]


async def put(database: PostgresqlDatabase, name: str = "name", value: bytes = b"value") -> None:
    async with database.transaction() as tx:
        await tx.server_facts.put_if_absent(name, value)


def as_role(dsn: str, role: str) -> str:
    parts = urlsplit(dsn)
    return urlunsplit(parts._replace(netloc=f"{role}@{parts.netloc.rpartition('@')[2]}"))


async def test_a_database_that_accepts_no_writes_says_so_and_serves_reads(
    database: PostgresqlDatabase, postgres_dsn: str
) -> None:
    name = urlsplit(postgres_dsn).path.strip("/")
    await administer(postgres_dsn, f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    await database.reconnect()
    with pytest.raises(ReadOnlyDatabase):
        await put(database)
    async with database.transaction() as tx:
        assert await tx.issuers.default() is None


async def test_a_role_without_rights_is_not_permitted(database: PostgresqlDatabase, postgres_dsn: str) -> None:
    role = f"role_{secrets.token_hex(4)}"
    await administer(postgres_dsn, f"CREATE ROLE {role} LOGIN")
    other = PostgresqlDatabase(DatabaseSettings(url=as_role(postgres_dsn, role)))
    await other.connect()
    try:
        with pytest.raises(PermissionDenied) as caught:
            await put(other)
        assert caught.value.context is not None
        assert caught.value.context.operation == "server_facts.put_if_absent"
    finally:
        await other.disconnect()
        await administer(postgres_dsn, f"DROP ROLE {role}")


async def test_a_role_that_may_open_no_more_connections_is_told_that_it_is_busy(postgres_dsn: str) -> None:
    role = f"role_{secrets.token_hex(4)}"
    await administer(postgres_dsn, f"CREATE ROLE {role} LOGIN CONNECTION LIMIT 1")
    url = as_role(postgres_dsn, role)
    try:
        async with connection_to(url):
            with pytest.raises(DatabaseBusy):
                await PostgresqlDatabase(DatabaseSettings(url=url, connect_seconds=0.3)).connect()
    finally:
        await administer(postgres_dsn, f"DROP ROLE {role}")


async def test_an_unknown_role_and_an_unknown_database_are_told_apart(postgres_dsn: str) -> None:
    settings = DatabaseSettings(url=as_role(postgres_dsn, "nobody_at_all"), connect_seconds=3_600)
    absent = dataclasses.replace(settings, url=postgres_dsn.replace("/lapel_", "/absent_"))
    async with asyncio.timeout(30):  # neither is tried again
        with pytest.raises(AccessRefused):
            await PostgresqlDatabase(settings).connect()
        with capture_logs() as logs, pytest.raises(UnknownDatabase) as caught:
            await PostgresqlDatabase(absent).connect()
    assert "absent_" not in f"{caught.value} {caught.value.hint}"
    assert "absent_" in str(logs[-1]["reason"]), "the operator is told which"


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("channel_binding=require", 'PostgreSQL refuses .* "channel_binding"'),  # libpq knows it, and the driver not
        ("connect_timeout=5", 'PostgreSQL refuses .* "connect_timeout"'),
        ("ssl=true", 'PostgreSQL refuses .* "ssl"'),
        ("sslmode=sometimes", "cannot be understood.*sslmode"),
        ("sslmode=verify-full", "cannot be understood.*root.crt"),
    ],
)
async def test_what_is_wrong_in_the_url_is_told(
    postgres_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str, told: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))  # where the driver looks for the certificate
    database = PostgresqlDatabase(DatabaseSettings(url=f"{postgres_dsn}&{asked}"))
    with pytest.raises((InvalidValue, SettingRefused)) as caught:
        await database.connect()
    assert re.search(told, f"{caught.value} {caught.value.hint}")


async def test_two_that_lock_crosswise_end_in_a_deadlock_for_one(database: PostgresqlDatabase) -> None:
    await put(database, "x")
    await put(database, "y")
    both = asyncio.Barrier(2)

    async def cross(first: str, second: str) -> None:
        async with database.transaction() as tx:
            await tx.server_facts.replace(first, b"")
            await both.wait()
            await tx.server_facts.replace(second, b"")

    outcomes = await asyncio.gather(cross("x", "y"), cross("y", "x"), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Deadlock", "NoneType"]


async def test_a_backend_that_is_killed_in_a_statement_is_a_lost_connection(
    database: PostgresqlDatabase, postgres_dsn: str
) -> None:
    async def sleep() -> None:
        async with database.transaction() as tx:
            await ask(tx, "pg_sleep(60)")

    sleeping = asyncio.create_task(sleep())
    kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
    async with asyncio.timeout(20):
        while not await administer(postgres_dsn, kill):
            await asyncio.sleep(0.02)
    with pytest.raises(ConnectionLost):
        await sleeping
    assert database.pool_status().in_use == 0
    await put(database)


async def test_a_statement_that_takes_too_long_is_ended_and_the_rest_rolled_back(postgres_dsn: str) -> None:
    async with opened("postgresql", DatabaseSettings(url=postgres_dsn, statement_seconds=0.1)) as database:
        with pytest.raises(QueryTimeout):
            async with database.transaction() as tx:
                await tx.issuers.create(samples.issuer())
                await ask(tx, "pg_sleep(60)")
        assert await database.read().issuers.default() is None


async def test_a_statement_that_runs_into_its_deadline_ends_on_the_server_too(
    database: PostgresqlDatabase, postgres_dsn: str
) -> None:
    with pytest.raises(DeadlineExceeded):
        async with database.transaction(deadline=0.2) as tx:
            await ask(tx, "pg_sleep(60)")
    running = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
    assert not await administer(postgres_dsn, running)
    assert database.pool_status().in_use == 0
    assert database.pool_status().idle >= 1, "the connection was kept"
    await put(database)


def test_where_this_process_stands_still_the_server_keeps_the_deadline(postgres_dsn: str) -> None:
    """A client whose event loop hangs holds its locks no longer than its deadline and a little."""
    locked, leave = threading.Event(), threading.Event()

    async def hang() -> None:
        async with opened("postgresql", DatabaseSettings(url=postgres_dsn)) as database:
            with suppress(DatabaseError):
                async with database.transaction(deadline=1) as tx:
                    await tx.server_facts.put_if_absent("x", b"")
                    locked.set()
                    leave.wait(120)  # on the loop, which is what it is about

    held = "SELECT 1 FROM pg_stat_activity WHERE state = 'idle in transaction' AND datname = current_database()"
    hanging = threading.Thread(target=lambda: asyncio.run(hang()))
    with asyncio.Runner() as runner:
        looking = runner.run(asyncpg.connect(postgres_dsn))  # by now: it may take longer than the transaction

        def is_locked() -> bool:
            return runner.run(looking.fetchval(held)) is not None

        hanging.start()
        try:
            assert locked.wait(60)
            assert is_locked()
            assert eventually(lambda: not is_locked())
        finally:
            leave.set()
            hanging.join()
            runner.run(looking.close())


async def test_the_servers_own_limits_are_a_transactions_alone(database: PostgresqlDatabase) -> None:
    limits = ("statement_timeout", "transaction_timeout")
    async with database.transaction(deadline=600) as tx:
        asked = [await ask(tx, f"extract(epoch FROM current_setting('{limit}')::interval)::float8") for limit in limits]
        assert all(500 < float(str(limit)) <= 600.5 for limit in asked)  # the deadline's rest, and half a second
    async with database.transaction() as tx:
        assert [await ask(tx, f"current_setting('{limit}')") for limit in limits] == ["30s", "0"]


async def test_a_limit_that_is_configured_is_told_as_busy(database: PostgresqlDatabase) -> None:
    with pytest.raises(DatabaseBusy):
        async with database.transaction() as tx:
            for limit in ("work_mem", "temp_file_limit"):
                await ask(tx, f"set_config('{limit}', '64kB', true)")
            await ask(tx, "(SELECT max(a) FROM (SELECT random() a FROM generate_series(1, 100000) ORDER BY a) s)")


async def test_prepared_statements_that_vanish_as_behind_a_pooler_are_prepared_anew(
    database: PostgresqlDatabase, postgres_dsn: str
) -> None:
    forgetting = "BEGIN DEALLOCATE ALL; RETURN 1; END"
    await administer(postgres_dsn, f"CREATE FUNCTION forget() RETURNS integer LANGUAGE plpgsql AS '{forgetting}'")
    attempts: list[int] = []

    async def body(tx: DatabaseTransaction) -> None:
        attempts.append(tx.attempt)
        await tx.server_facts.find("x")
        if tx.attempt == 1:
            await ask(tx, "forget()")
        await tx.server_facts.find("x")

    await database.run(body)
    assert attempts == [1, 2]
    assert database.pool_status().in_use == 0


async def test_a_page_that_is_damaged_says_so(stoppable_postgres: PostgresServer) -> None:
    dsn = stoppable_postgres.create_database()
    async with opened("postgresql", DatabaseSettings(url=dsn)) as database, database.transaction() as tx:
        await tx.server_facts.put_if_absent("there", b"x" * 1_000)
    ((where,),) = await administer(dsn, "SELECT pg_relation_filepath('server_facts')")
    await asyncio.to_thread(stoppable_postgres.stop)
    file = stoppable_postgres.socket_dir.parent / "data" / str(where)
    file.write_bytes(b"\xff" * file.stat().st_size)
    await asyncio.to_thread(stoppable_postgres.start)
    database = PostgresqlDatabase(DatabaseSettings(url=dsn))
    await database.connect()
    try:
        with pytest.raises(CorruptDatabase):
            await database.read().server_facts.find("there")
    finally:
        await database.disconnect()


async def test_an_index_entry_that_is_too_large_is_told_as_that(database: PostgresqlDatabase) -> None:
    with pytest.raises(ValueTooLarge):
        async with database.transaction() as tx:
            await tx.api_keys.create(replace(samples.api_key(), digest=secrets.token_bytes(10_000)))
