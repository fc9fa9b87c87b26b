"""Copying a whole database, SQLite → PostgreSQL → SQLite, beside what the raw drivers write in bulk, and its memory.

    .venv/bin/python -m benchmarks.copying --credentials 50000

Each copy is a process of its own, whose peak memory the system tells. Beside it, in the same run, the same rows are
written by the driver alone into such tables, in one transaction: asyncpg's COPY, and sqlite3's executemany. Reading
them, and the proof of the copy, are in our time and not in theirs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from time import perf_counter

import asyncpg

from benchmarks.filling import filled
from benchmarks.memory import most_memory
from lapel.bootstrap import open_database
from lapel.config import load_settings
from lapel.credentials.jsonld import Contexts
from lapel.database.conformance.opening import opened
from lapel.database.interface import Database, DatabaseSettings
from lapel.database.session import Table
from lapel.database.sqlite.module import SqliteDatabase
from lapel.database.statement import Row
from lapel.domain.clock import system_clock
from lapel.maintenance.copying import copy, parse_address
from lapel.maintenance.copying.parity import Digest
from lapel.maintenance.copying.plain_form import PlainSession, for_driver
from lapel.maintenance.copying.tables import batches, copied_tables
from tests.support.postgres_server import PostgresServer

MAX_BYTES = 300 * 10**6
LEAST = 0.4


def main() -> None:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--credentials", type=int, default=1_000_000, help="how many; a million takes some ten minutes")
    parser.add_argument("--copy", nargs=2, metavar=("SOURCE", "TARGET"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.copy:
        print(json.dumps(asyncio.run(_copy(*options.copy))))
        return
    missed = asyncio.run(_measure(options.credentials))
    if missed:
        raise SystemExit(f"not met: {'; '.join(missed)}")


async def _measure(count: int) -> list[str]:
    missed: list[str] = []
    with tempfile.TemporaryDirectory() as folder, PostgresServer.temporary() as postgres:
        first, last, raw = (Path(folder) / f"{name}.sqlite" for name in ("first", "last", "raw"))
        async with _opened(first) as database:
            await filled(database, count)
        middle, peer = postgres.create_database(), postgres.create_database()
        print(f"{count:,} credentials; rows a second")
        there = _copied(str(first), middle)
        async with _opened(first) as source, _opened(peer) as target:
            seconds = await _raw(source, target)
        missed += _tell("SQLite to PostgreSQL, beside asyncpg's COPY", there, seconds)
        back = _copied(middle, str(last))
        async with _opened(middle) as source, _opened(raw) as target:
            seconds = await _raw(source, target)
        missed += _tell("PostgreSQL to SQLite, beside sqlite3's executemany", back, seconds)
        if there["digests"] != back["digests"]:
            missed.append("what came back is not what went there")
    return missed


def _opened(where: Path | str) -> AbstractAsyncContextManager[Database]:
    """The SQLite file, or the PostgreSQL database at that address."""
    if isinstance(where, Path):
        return opened("sqlite", DatabaseSettings(sqlite_file=where, slow_query_seconds=0))
    return opened("postgresql", DatabaseSettings(url=where, slow_query_seconds=0))


class _Clock:
    """`lapel.maintenance.copying.Progress`, which takes the time of each step."""

    def __init__(self) -> None:
        self.began: dict[str, float] = {}

    def between(self, source: str, target: str) -> None:
        """They are connected."""

    def begin(self, doing: str, rows: int) -> None:
        """A step begins."""
        self.began[doing] = perf_counter()

    def advance(self, rows: int) -> None:
        """Nothing is shown."""


async def _copy(source: str, target: str) -> dict[str, object]:
    """Copy, in this process; how long it took and what it needed."""
    taken, given = (open_database(load_settings(parse_address(text, {}).settings({}))) for text in (source, target))
    clock = _Clock()
    copied = await copy(taken, given, contexts=Contexts.bundled(), clock=system_clock, progress=clock)
    ended = perf_counter()
    return {
        "rows": copied.rows,
        "copy": clock.began["prove"] - clock.began["copy"],
        "prove": ended - clock.began["prove"],
        "bytes": most_memory(),
        "digests": {table.table: table.digest for table in copied.tables},
    }


def _copied(source: str, target: str) -> dict[str, object]:
    """The same, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.copying", "--copy", source, target]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    told: dict[str, object] = json.loads(done.stdout)
    return told


def _tell(what: str, told: dict[str, object], raw_seconds: float) -> list[str]:
    rows, copying, proving, peak = (float(str(told[name])) for name in ("rows", "copy", "prove", "bytes"))
    share = raw_seconds / (copying + proving)
    print(
        f"{what} ({rows / raw_seconds:,.0f}):\n"
        f"  copy {rows / copying:,.0f} ({raw_seconds / copying:.0%} of that), prove {rows / proving:,.0f}; together"
        f" {rows / (copying + proving):,.0f}, {share:.0%} of that (at least {LEAST:.0%})\n"
        f"  peak of the copying process {peak / 1e6:,.0f} MB (at most {MAX_BYTES / 1e6:,.0f} MB)"
    )
    return [
        *([f"{what}: {share:.0%} of its rate"] if share < LEAST else []),
        *([f"{what}: {peak / 1e6:,.0f} MB"] if peak > MAX_BYTES else []),
    ]


class _RawPostgresql:
    """asyncpg, one connection."""

    def __init__(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        self._connection = connection

    async def run(self, sql: str) -> None:
        """A statement."""
        await self._connection.execute(sql)

    async def write(self, table: Table, rows: Sequence[Row]) -> None:
        """``COPY``."""
        await self._connection.copy_records_to_table(table.name, records=rows, columns=table.columns.keys())


class _RawSqlite:
    """`sqlite3`, on the very connection that ours writes on while ours does not."""

    def __init__(self, database: SqliteDatabase) -> None:
        connection = database.manager.writer.connection
        assert isinstance(connection, sqlite3.Connection)
        self._connection = connection

    async def run(self, sql: str) -> None:
        """A statement."""
        self._connection.execute(sql)

    async def write(self, table: Table, rows: Sequence[Row]) -> None:
        """``executemany``."""
        names, places = ", ".join(table.columns.keys()), ", ".join("?" * len(table.columns))
        self._connection.executemany(f"INSERT INTO {table.name} ({names}) VALUES ({places})", rows)


@asynccontextmanager
async def _driver_of(target: Database) -> AsyncIterator[_RawPostgresql | _RawSqlite]:
    if isinstance(target, SqliteDatabase):
        yield _RawSqlite(target)
        return
    connection = await asyncpg.connect(target.settings.url)
    try:
        yield _RawPostgresql(connection)
    finally:
        await connection.close()


async def _raw(source: Database, target: Database) -> float:
    """Seconds in which the driver alone writes all rows, in one transaction; they are ready when it is given them."""
    seconds = 0.0
    async with _driver_of(target) as driver, source.maintenance() as session:
        await driver.run("BEGIN")
        await driver.run("DELETE FROM organisations")
        for table in copied_tables():
            async for rows in batches(PlainSession(source, session), table, Digest()):
                values = for_driver(rows, table, target)
                began = perf_counter()
                await driver.write(table, values)
                seconds += perf_counter() - began
        began = perf_counter()
        await driver.run("COMMIT")
        return seconds + perf_counter() - began


if __name__ == "__main__":
    main()
