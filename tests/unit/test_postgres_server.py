"""The PostgreSQL that the tests stand on does what its module says."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from tests.support.connections import connection_to
from tests.support.postgres_server import REPOSITORY, PostgresServer
from tests.support.waiting import eventually

OWNER = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests in the background has it ignored
from tests.support.postgres_server import PostgresServer
with PostgresServer.temporary() as server:
    print(server.pid, server.socket_dir.parent, flush=True)
    sys.stdin.read()
"""


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_fresh_database_is_empty_and_writable(postgres_dsn: str) -> None:
    async with connection_to(postgres_dsn) as connection:
        assert await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
        await connection.execute("CREATE TABLE badge (id int)")


async def test_two_databases_do_not_see_each_other(postgres: PostgresServer, postgres_dsn: str) -> None:
    other = postgres.create_database()
    async with connection_to(postgres_dsn) as connection:
        await connection.execute("CREATE TABLE badge (id int)")

    async with connection_to(other) as connection:
        assert await connection.fetchval("SELECT to_regclass('badge')") is None
    postgres.drop_database(other)


async def test_a_database_made_from_a_template_holds_what_the_template_holds(
    postgres: PostgresServer, postgres_dsn: str
) -> None:
    async with connection_to(postgres_dsn) as connection:
        await connection.execute("CREATE TABLE badge AS SELECT 7 AS id")

    copy = postgres.create_database(template=postgres_dsn)

    async with connection_to(copy) as connection:
        assert await connection.fetchval("SELECT id FROM badge") == 7
    postgres.drop_database(copy)


async def test_dropping_a_database_ends_its_sessions(postgres: PostgresServer) -> None:
    dsn = postgres.create_database()
    async with connection_to(dsn) as connection:
        postgres.drop_database(dsn)
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await connection.fetchval("SELECT 1")

    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await asyncpg.connect(dsn)
    postgres.drop_database(dsn)  # once more is no error


async def test_commits_are_durable_and_two_phase_commit_is_on(stoppable_postgres: PostgresServer) -> None:
    async with connection_to(stoppable_postgres.dsn("postgres")) as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            assert await connection.fetchval("SELECT current_setting($1)", setting) == "on"
        assert int(await connection.fetchval("SHOW max_prepared_transactions")) > 0
        assert await connection.fetchval("SHOW listen_addresses") == ""


@pytest.mark.parametrize("mode", ["immediate", "fast"])
async def test_what_was_committed_outlives_a_stop(stoppable_postgres: PostgresServer, mode: str) -> None:
    dsn = stoppable_postgres.create_database()
    async with connection_to(dsn) as connection:
        await connection.execute("CREATE TABLE badge AS SELECT 7 AS id")
        first, logged = stoppable_postgres.pid, len(stoppable_postgres.log())

        stoppable_postgres.stop("immediate" if mode == "immediate" else "fast")

        assert stoppable_postgres.pid is None
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await connection.fetchval("SELECT 1")
        with pytest.raises(OSError):
            await asyncpg.connect(dsn)

    stoppable_postgres.start()

    assert stoppable_postgres.pid != first
    async with connection_to(dsn) as connection:
        assert await connection.fetchval("SELECT id FROM badge") == 7
    crashed = "automatic recovery in progress" in stoppable_postgres.log()[logged:]
    assert crashed == (mode == "immediate")


def test_stopping_and_starting_twice_is_no_error(stoppable_postgres: PostgresServer) -> None:
    stoppable_postgres.stop()
    stoppable_postgres.stop()
    stoppable_postgres.restart()
    pid = stoppable_postgres.pid

    stoppable_postgres.start()

    assert stoppable_postgres.pid == pid


async def test_a_server_that_was_killed_starts_again_though_a_session_was_busy(
    stoppable_postgres: PostgresServer,
) -> None:
    killed = stoppable_postgres.pid
    assert killed is not None
    async with connection_to(stoppable_postgres.dsn("postgres")) as connection:
        busy = asyncio.create_task(connection.execute("SELECT count(*) FROM generate_series(1, 2000000)"))
        await asyncio.sleep(0)
        os.kill(killed, signal.SIGKILL)

        await asyncio.to_thread(stoppable_postgres.restart)

        assert stoppable_postgres.pid not in (None, killed)
        await asyncio.gather(busy, return_exceptions=True)


def test_a_suspended_server_stops(stoppable_postgres: PostgresServer) -> None:
    assert stoppable_postgres.pid is not None
    os.kill(stoppable_postgres.pid, signal.SIGSTOP)

    stoppable_postgres.stop("immediate")

    assert stoppable_postgres.pid is None


async def test_a_suspended_server_that_is_started_goes_on(stoppable_postgres: PostgresServer) -> None:
    assert stoppable_postgres.pid is not None
    os.kill(stoppable_postgres.pid, signal.SIGSTOP)

    stoppable_postgres.start()

    async with connection_to(stoppable_postgres.dsn("postgres")) as connection:
        assert await connection.fetchval("SELECT 1") == 1


def test_leaving_removes_the_server_and_its_folder() -> None:
    with PostgresServer.temporary() as server:
        pid, folder = server.pid, server.socket_dir.parent

    assert pid is not None
    assert not is_running(pid)
    assert not folder.exists()


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_of_a_server_whose_owner_was_killed(ending: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as owner:
        assert owner.stdout is not None
        pid, folder = owner.stdout.readline().split()
        assert is_running(int(pid))

        owner.send_signal(ending)
        owner.wait()

        assert eventually(lambda: not is_running(int(pid)))
        assert eventually(lambda: not Path(folder).exists())


def test_a_server_ends_with_its_supervisor() -> None:
    with PostgresServer.temporary() as server:
        pid = server.pid
        assert pid is not None
        supervisor = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])

        os.kill(supervisor, signal.SIGKILL)

        assert eventually(lambda: not is_running(pid))
        with pytest.raises(RuntimeError, match="supervisor is gone"):
            server.start()


def test_a_server_that_cannot_start_says_why() -> None:
    with (
        pytest.raises(RuntimeError, match="no_such_setting"),
        PostgresServer.temporary(settings={"no_such_setting": "1"}),
    ):
        pass


def test_only_its_owner_reaches_the_server(stoppable_postgres: PostgresServer) -> None:
    folder = stoppable_postgres.socket_dir.parent

    assert folder.stat().st_mode & 0o777 == 0o700
    assert stoppable_postgres.socket_dir.stat().st_mode & 0o777 == 0o700


async def test_a_given_server_is_used_and_not_managed(
    stoppable_postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_DATABASE_URL", stoppable_postgres.dsn("postgres"))

    with PostgresServer.for_tests() as given:
        assert not given.is_private
        dsn = given.create_database()
        async with connection_to(dsn) as connection:
            assert await connection.fetchval("SELECT current_database()") in dsn
        given.drop_database(dsn)
        with pytest.raises(RuntimeError, match="TEST_DATABASE_URL"):
            given.stop()


def test_an_address_is_made_from_any_form_of_the_given_one() -> None:
    given = PostgresServer.given("postgresql://me:p%40ss@db.example:5433/first?sslmode=require")

    assert given.dsn("second one") == "postgresql://me:p%40ss@db.example:5433/second%20one?sslmode=require"
