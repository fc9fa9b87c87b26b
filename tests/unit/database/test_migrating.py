"""Migrations by real processes: two at once, and one that is killed in the middle."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from lapel.database.conformance.opening import connected
from lapel.database.errors import AlreadyExists
from lapel.database.migrations.runner import plan, status
from tests.support.connections import connection_to
from tests.support.databases import settings_for
from tests.support.forking import forked_lapel
from tests.support.server_process import LAPEL

STOPS_HALF_WAY = """
import asyncio, signal, sys
from lapel.database.interface import DatabaseSettings
from lapel.database.sqlite.driver import connect_stdlib
from lapel.database.sqlite.module import SqliteDatabase

def stop(statement):
    if "CREATE TABLE credentials" in statement:
        print("half way", flush=True)
        signal.pause()

def connect(path):
    connection = connect_stdlib(path)
    connection.set_trace_callback(stop)
    return connection

async def migrate():
    database = SqliteDatabase(DatabaseSettings(sqlite_file=sys.argv[1]), connector=connect)
    await database.connect()
    await database.migrate()

asyncio.run(migrate())
"""
GATE = 4711
STOP_HALF_WAY = f"""
CREATE FUNCTION stop() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock({GATE}); END $$;
CREATE EVENT TRIGGER stop ON ddl_command_end WHEN TAG IN ('CREATE INDEX') EXECUTE FUNCTION stop();
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def environment(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """One with an empty database."""
    kept = {name: value for name, value in os.environ.items() if not re.match("LAPEL_|DB_|SQLITE_|DATABASE_", name)}
    if request.param == "postgresql":
        return {**kept, "DATABASE_URL": request.getfixturevalue("postgres_dsn")}
    return {**kept, "SQLITE_FILE": str(tmp_path / "lapel.sqlite")}


@contextmanager
def started(*command: object, **environment: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        list(map(str, command)), env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def ended(*command: object, **environment: str) -> str:
    with started(*command, **environment) as process:
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0, output
        return output


def test_two_processes_at_once_do_it_once(environment: dict[str, str]) -> None:
    with started(LAPEL, "db", "migrate", **environment) as one, started(LAPEL, "db", "migrate", **environment) as other:
        outputs = [process.communicate(timeout=60)[0] for process in (one, other)]

    assert [one.returncode, other.returncode] == [0, 0], outputs
    assert "The database is sound" in ended(forked_lapel(), "db", "check", **environment)


def test_one_that_is_killed_half_way_in_sqlite_leaves_nothing_and_can_be_repeated(tmp_path: Path) -> None:
    file = tmp_path / "lapel.sqlite"
    environment = {**os.environ, "SQLITE_FILE": str(file)}
    with started(sys.executable, "-c", STOPS_HALF_WAY, file, **environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "half way\n"
        process.send_signal(signal.SIGKILL)
        process.wait()

    connection = sqlite3.connect(file)
    assert connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,)
    connection.close()
    said = ended(forked_lapel(), "db", "migrate", **environment)
    assert re.fullmatch(rf"The database \(sqlite {file}\) is at \d{{4}} \(it was empty\)\.", said.strip())
    assert "The database is sound" in ended(forked_lapel(), "db", "check", **environment)


async def test_one_that_is_killed_half_way_in_postgresql_leaves_nothing_and_can_be_repeated(postgres_dsn: str) -> None:
    environment = {**os.environ, "DATABASE_URL": postgres_dsn}
    waiting = f"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = {GATE} AND NOT granted"
    migrating = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    async with connection_to(postgres_dsn) as connection:
        await connection.execute(STOP_HALF_WAY)
        await connection.execute(f"SELECT pg_advisory_lock({GATE})")
        with started(LAPEL, "db", "migrate", **environment) as process:
            async with asyncio.timeout(30):
                while not await connection.fetchval(waiting):
                    await asyncio.sleep(0.01)
            process.send_signal(signal.SIGKILL)
            process.wait()
        await connection.execute(f"SELECT pg_advisory_unlock({GATE})")
        async with asyncio.timeout(30):
            while await connection.fetchval(migrating):
                await asyncio.sleep(0.01)

        assert await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0

        await connection.execute("DROP EVENT TRIGGER stop; DROP FUNCTION stop")
    assert "it was empty" in await asyncio.to_thread(ended, forked_lapel(), "db", "migrate", **environment)
    assert "The database is sound" in await asyncio.to_thread(ended, forked_lapel(), "db", "check", **environment)


@pytest.mark.parametrize(
    ("made", "named"),
    [
        ("CREATE TABLE two_phase_decisions (name integer)", "two_phase_decisions"),
        ("CREATE INDEX ix_changes_changed_in ON server_facts (value)", "ix_changes_changed_in"),
        ("ALTER TABLE achievement_versions ADD COLUMN suspendable integer", "suspendable"),
    ],
)
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_a_migration_that_meets_what_is_there_already_names_it(
    kind: str, made: str, named: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    dsn = request.getfixturevalue("postgres_dsn") if kind == "postgresql" else None
    name, settings = settings_for(kind, folder=tmp_path, dsn=dsn)
    async with connected(name, settings) as database:
        for statement in plan(database.dialect, replace(status((), ()), pending=("0001",))):
            async with database.maintenance(writes=True) as session:
                await session.run(statement)
        async with database.maintenance(writes=True) as session:
            await session.run(made)

        with pytest.raises(AlreadyExists) as caught:
            await database.migrate()

        assert named in caught.value.detail
        assert caught.value.hint is not None
        assert "lapel db migrate" in caught.value.hint
