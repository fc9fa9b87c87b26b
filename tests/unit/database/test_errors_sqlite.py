"""SQLite's result codes, really produced; all of them by table are in `test_errors_by_table.py`."""

# What a transaction refuses may show only where its block ends.
# ruff: noqa: PT012

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import sqlalchemy as sa

from lapel.database.errors import (
    CorruptDatabase,
    DatabaseError,
    DeadlineExceeded,
    InvalidValue,
    NotADatabase,
    NotConnected,
    PermissionDenied,
    QueryTimeout,
    ReadOnlyDatabase,
    StorageFailure,
    UniqueViolation,
    ValueTooLarge,
)
from lapel.database.interface import DatabaseSettings
from lapel.database.sqlite.driver import connect_stdlib
from lapel.database.sqlite.module import SqliteDatabase
from lapel.database.statement import Statement
from lapel.database.tables import server_facts
from lapel.database.transaction import DatabaseTransaction
from tests.support.databases import opened


@asynccontextmanager
async def prepared(
    file: Path, connector: Callable[[str], sqlite3.Connection] = connect_stdlib
) -> AsyncIterator[SqliteDatabase]:
    """A migrated file with one fact in it, opened by `connector`."""
    async with opened("sqlite", DatabaseSettings(sqlite_file=file)) as database, database.transaction() as tx:
        await tx.server_facts.put_if_absent("there", b"before")
    opened_by_it = SqliteDatabase(DatabaseSettings(sqlite_file=file, connect_seconds=0.1), connector=connector)
    await opened_by_it.connect()
    try:
        yield opened_by_it
    finally:
        await opened_by_it.disconnect()


async def put(database: SqliteDatabase, name: str = "name", value: bytes = b"value") -> None:
    async with database.transaction() as tx:
        await tx.server_facts.put_if_absent(name, value)


async def test_a_file_that_is_damaged_says_so_and_is_not_mended_silently(tmp_path: Path) -> None:
    file = tmp_path / "lapel.sqlite"
    async with opened("sqlite", DatabaseSettings(sqlite_file=file)) as database, database.transaction() as tx:
        for number in range(200):
            await tx.server_facts.put_if_absent(f"{number:03}", b"x" * 1_000)
    content = bytearray(file.read_bytes())
    content[8192:] = b"\xff" * (len(content) - 8192)
    file.write_bytes(content)
    database = SqliteDatabase(DatabaseSettings(sqlite_file=file, connect_seconds=0.1))
    with pytest.raises(CorruptDatabase) as caught:
        try:
            await database.connect()
            await database.read().server_facts.find("100")
        finally:
            await database.disconnect()
    assert caught.value.hint is not None
    assert "backup" in caught.value.hint


async def test_a_file_that_is_no_database_says_so(tmp_path: Path) -> None:
    (tmp_path / "lapel.sqlite").write_bytes(b"This is no database at all. " * 200)
    settings = DatabaseSettings(sqlite_file=tmp_path / "lapel.sqlite", serves=True)
    with pytest.raises(NotADatabase, match="not an SQLite database"):
        await SqliteDatabase(settings).connect()
    assert [found.name for found in tmp_path.iterdir()] == ["lapel.sqlite"], "nothing is left beside it"


async def test_a_file_beside_which_nothing_can_be_made_is_named(tmp_path: Path) -> None:
    file = tmp_path / "lapel.sqlite"
    async with opened("sqlite", DatabaseSettings(sqlite_file=file)):
        pass
    (tmp_path / "lapel.sqlite-wal").mkdir()
    with pytest.raises(StorageFailure, match=str(file)) as caught:
        await SqliteDatabase(DatabaseSettings(sqlite_file=file)).connect()
    assert isinstance(caught.value.__cause__, sqlite3.OperationalError)


async def test_a_file_that_may_only_be_read_refuses_writes_and_serves_reads(tmp_path: Path) -> None:
    def read_only(path: str) -> sqlite3.Connection:
        return sqlite3.connect(
            path.replace("mode=rw", "mode=ro"), uri=True, isolation_level=None, check_same_thread=False, timeout=0
        )

    file = tmp_path / "lapel.sqlite"
    # The first one keeps the WAL, which one that only reads cannot make.
    async with opened("sqlite", DatabaseSettings(sqlite_file=file)), prepared(file, read_only) as database:
        with pytest.raises(ReadOnlyDatabase):
            await put(database)
        assert await database.read().server_facts.find("there") == b"before"


async def test_what_an_authorizer_forbids_is_not_permitted(tmp_path: Path) -> None:
    def forbidding(path: str) -> sqlite3.Connection:
        connection = connect_stdlib(path)
        connection.set_authorizer(
            lambda action, name, *_: sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_INSERT else sqlite3.SQLITE_OK
        )
        return connection

    async with prepared(tmp_path / "lapel.sqlite", forbidding) as database:
        with pytest.raises(PermissionDenied):
            await put(database)


async def test_a_value_over_the_limit_is_too_large(tmp_path: Path) -> None:
    def limited(path: str) -> sqlite3.Connection:
        connection = connect_stdlib(path)
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 100_000)
        return connection

    async with prepared(tmp_path / "lapel.sqlite", limited) as database:
        with pytest.raises(ValueTooLarge):
            await put(database, value=b"x" * 200_000)
        await put(database)


async def test_a_value_that_the_driver_does_not_know_is_invalid(tmp_path: Path) -> None:
    async with prepared(tmp_path / "lapel.sqlite") as database:
        with pytest.raises(InvalidValue):
            await put(database, value=object())  # type: ignore[arg-type]  # wrong on purpose


async def test_a_connection_that_is_closed_underneath_is_not_connected(tmp_path: Path) -> None:
    async with prepared(tmp_path / "lapel.sqlite") as database:
        database.manager.read_connection.close()
        with pytest.raises(NotConnected):
            await database.read().server_facts.find("there")


async def test_when_sqlite_undoes_everything_neighbours_are_told_and_done_again(tmp_path: Path) -> None:
    """`INSERT OR ROLLBACK` makes SQLite do what it does when the disk or the memory fails it in mid-transaction."""
    core = sa.insert(server_facts).prefix_with("OR ROLLBACK")
    violent = Statement(core.values({c.name: sa.bindparam(c.name, type_=c.type) for c in server_facts.columns}))
    async with prepared(tmp_path / "lapel.sqlite") as database:
        attempts: list[int] = []

        async def neighbour(tx: DatabaseTransaction) -> None:
            attempts.append(tx.attempt)
            await tx.server_facts.put_if_absent("neighbour", b"value")

        async def break_it() -> None:
            async with database.transaction() as tx:
                with pytest.raises(UniqueViolation):
                    await tx.execute(violent, {"name": "there", "value": b"again"})
                with pytest.raises(DatabaseError):
                    async with tx.savepoint():
                        pass

        with suppress(LookupError):
            async with database.transaction():  # both queue behind this one, so that they share a group
                working = [asyncio.create_task(database.run(neighbour)), asyncio.create_task(break_it())]
                await asyncio.sleep(0)
                raise LookupError
        outcomes = await asyncio.gather(*working, return_exceptions=True)
        assert outcomes[0] is None
        assert isinstance(outcomes[1], DatabaseError)
        assert attempts == [1, 2]
        assert await database.read().server_facts.find("neighbour") == b"value"
        assert await database.read().server_facts.find("there") == b"before"


async def test_a_long_scan_that_only_reads_is_interrupted_at_its_deadline(tmp_path: Path) -> None:
    numbers = sa.select(sa.literal_column("1").label("n")).cte("numbers", recursive=True)
    numbers = numbers.union_all(sa.select(numbers.c.n + 1).where(numbers.c.n < 1_000_000_000))
    endless = Statement(sa.select(sa.func.count()).select_from(numbers))
    async with prepared(tmp_path / "lapel.sqlite") as database:
        loop = asyncio.get_running_loop()
        before = loop.time()
        with pytest.raises(DeadlineExceeded) as caught:
            async with database.transaction(read_only=True, deadline=0.2) as tx:
                await tx.fetch_all(endless, {})
        assert loop.time() - before < 10
        assert isinstance(caught.value.__cause__, QueryTimeout)
        async with database.transaction(read_only=True) as tx:  # the same connection, without that limit
            assert await tx.server_facts.find("there") == b"before"


async def test_a_write_that_runs_is_not_interrupted_and_not_committed_after_its_deadline(tmp_path: Path) -> None:
    numbers = sa.select(sa.literal_column("1").label("n")).cte("numbers", recursive=True)
    numbers = numbers.union_all(sa.select(numbers.c.n + 1).where(numbers.c.n < 1_000_000))
    slow = Statement(
        sa.insert(server_facts).from_select(
            ["name", "value"],
            sa.select(sa.cast(numbers.c.n, sa.Text), sa.cast(numbers.c.n, sa.LargeBinary)).where(numbers.c.n > 999_990),
        )
    )
    async with prepared(tmp_path / "lapel.sqlite") as database:
        with pytest.raises(DeadlineExceeded):
            done = False
            async with database.transaction(deadline=0.01) as tx:
                await tx.execute(slow, {})
                done = True
        assert done
        assert await database.read().server_facts.find("1000000") is None
        await put(database)


OUT_OF_MEMORY = """
import asyncio, sys
from lapel.database.errors import DatabaseBusy
from lapel.database.interface import DatabaseSettings
from tests.support.databases import opened

async def put(database, name, size):
    async with database.transaction() as tx:
        await tx.server_facts.put_if_absent(name, b"x" * size)

async def main():
    async with opened("sqlite", DatabaseSettings(sqlite_file=sys.argv[1])) as database:
        await put(database, "before", 10)
        database.manager.writer.connection.execute("PRAGMA hard_heap_limit = 4000000").fetchall()
        tasks = [put(database, "small", 10), put(database, "large", 20_000_000), put(database, "other", 10)]
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        print([type(outcome).__name__ for outcome in outcomes])
        await put(database, "after", 10)
        read = database.read().server_facts
        print([len(await read.find(name) or b"") for name in ("before", "small", "large", "other", "after")])

asyncio.run(main())
"""


def test_memory_that_does_not_suffice_fails_one_and_not_its_neighbours(tmp_path: Path) -> None:
    """In a process of its own: SQLite's limit holds for the whole process and cannot be taken back."""
    done = subprocess.run(
        [sys.executable, "-c", OUT_OF_MEMORY, str(tmp_path / "lapel.sqlite")],
        cwd=Path(__file__).resolve().parents[3],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["['NoneType', 'DatabaseBusy', 'NoneType']", "[10, 10, 0, 10, 10]"]
