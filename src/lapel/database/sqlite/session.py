"""SQLite's sessions: statements run inline on the event loop, because a hop to a thread costs more than they do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager, closing

from sqlalchemy import Table
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import Dialect

from lapel.database.caching import Key
from lapel.database.errors import TransactionEnded
from lapel.database.session import Fetch, interruptible, streamed
from lapel.database.sqlite.connection_manager import SqliteConnectionManager
from lapel.database.sqlite.driver import Connection, Cursor
from lapel.database.sqlite.errors import DRIVER_ERRORS, translated, translating
from lapel.database.sqlite.group_commit import GroupCommit
from lapel.database.statement import Parameters, Row, Statement, insertion, selection

__all__ = [
    "DIALECT",
    "FileReadingSession",
    "MemoryReadingSession",
    "MemorySnapshotSession",
    "SnapshotSession",
    "UnitSession",
]

DIALECT: Dialect = SQLiteDialect_pysqlite()
"""One for all: statements are compiled once for each dialect."""

_STREAMED_AT_ONCE = 200
_STEPS_BETWEEN_LOOKS = 10_000
"""Steps of SQLite's machine, of which it makes some ten million a second, between two looks at the clock."""


class _SqliteSession:
    """Statements on whatever connection a subclass provides."""

    def __init__(self, manager: SqliteConnectionManager) -> None:
        self._manager = manager

    def _connection(self) -> Connection:
        raise NotImplementedError

    async def fetch_all(self, statement: Statement, parameters: Parameters) -> list[Row]:
        compiled = statement.compiled(DIALECT)
        try:
            # To the end of the result: left in the middle, it would hold its snapshot, and a RETURNING its effect.
            rows = self._connection().execute(compiled.sql, compiled.bind(parameters)).fetchall()
        except DRIVER_ERRORS as error:
            raise translated(error) from error
        return [compiled.row(row) for row in rows]


class _SqliteTransactionSession(_SqliteSession):
    """Everything of a transaction but its beginning and end."""

    transaction_id: str | None = None

    async def execute(self, statement: Statement, parameters: Parameters) -> int:
        compiled = statement.compiled(DIALECT)
        try:
            return self._connection().execute(compiled.sql, compiled.bind(parameters)).rowcount
        except DRIVER_ERRORS as error:
            raise translated(error) from error

    async def stream(self, statement: Statement, parameters: Parameters) -> AsyncGenerator[Row, None]:
        compiled = statement.compiled(DIALECT)
        with translating(), closing(self._connection().execute(compiled.sql, compiled.bind(parameters))) as cursor:
            while rows := await self._some_of(cursor):
                for row in rows:
                    yield compiled.row(row)

    async def _some_of(self, cursor: Cursor) -> list[Row]:
        await asyncio.sleep(0)
        self._connection()  # raises if the transaction has ended meanwhile
        return cursor.fetchmany(_STREAMED_AT_ONCE)

    async def bulk_insert(self, table: Table, rows: Sequence[Parameters]) -> None:
        if rows:
            await self.load(table, map(insertion(table).compiled(DIALECT).bind, rows))

    async def savepoint(self, name: str) -> None:
        await self.run(f"SAVEPOINT {name}")

    async def release_savepoint(self, name: str) -> None:
        await self.run(f"RELEASE {name}")

    async def announce(self, changed: Collection[Key]) -> None:
        """Nothing to do: each connection is told by SQLite itself (`SqliteChangeFeed`)."""

    async def rollback_to_savepoint(self, name: str) -> None:
        await self.run(f"ROLLBACK TO {name}")
        await self.run(f"RELEASE {name}")

    async def maintain(self, *, alone: bool) -> None:
        pass  # nothing limits a statement, and whoever writes is alone

    @asynccontextmanager
    async def unloading(self, table: Table) -> AsyncIterator[Fetch]:
        with translating():
            reading = self._connection().execute(selection(table).compiled(DIALECT).sql)
        with closing(reading) as cursor:

            async def fetch(most: int) -> Sequence[Row]:
                with translating():
                    return cursor.fetchmany(most)

            yield fetch

    async def load(self, table: Table, rows: Iterable[Row]) -> None:
        with translating():
            self._connection().executemany(insertion(table).compiled(DIALECT).sql, rows)

    async def run(self, sql: str) -> list[Row]:
        with translating():
            return self._connection().execute(sql).fetchall()


class UnitSession(_SqliteTransactionSession):
    """A write transaction: one unit of a group commit."""

    _writer: GroupCommit | None = None
    _unit = 0
    _gathered = False

    def _connection(self) -> Connection:
        if self._writer is None:
            raise TransactionEnded
        self._writer.check(self._unit)
        return self._writer.connection

    async def bulk_insert(self, table: Table, rows: Sequence[Parameters]) -> None:
        self._gathered = True
        await super().bulk_insert(table, rows)

    async def begin(self, transaction_id: str, *, deadline: float | None = None) -> None:
        writer = self._manager.writer
        self._unit = await writer.enter()
        self._writer, self.transaction_id = writer, transaction_id

    async def commit(self) -> None:
        writer, self._writer = self._writer, None
        assert writer is not None
        await writer.leave(self._unit, gathered=self._gathered)

    async def rollback(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.abandon(self._unit)


class SnapshotSession(_SqliteTransactionSession):
    """A read-only transaction: one snapshot on a connection of its own. What it streams is read in a thread."""

    _own: Connection | None = None

    def _connection(self) -> Connection:
        if self._own is None:
            raise TransactionEnded
        return self._own

    async def begin(self, transaction_id: str, *, deadline: float | None = None) -> None:
        connection = await self._manager.check_out_reader()
        if deadline is not None:
            # A long scan stops the event loop, and perhaps its clock, so SQLite looks at another one itself.
            until = time.monotonic() + deadline - asyncio.get_running_loop().time()
            connection.set_progress_handler(lambda: time.monotonic() >= until, _STEPS_BETWEEN_LOOKS)
        try:
            connection.execute("BEGIN")
            connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()  # takes the snapshot now
        except DRIVER_ERRORS as error:
            self._manager.check_in_reader(connection)
            raise translated(error) from error
        self._own, self.transaction_id = connection, transaction_id

    async def commit(self) -> None:
        await self.rollback()

    async def rollback(self) -> None:
        connection, self._own = self._own, None
        if connection is not None:
            self._manager.check_in_reader(connection)

    async def _some_of(self, cursor: Cursor) -> list[Row]:
        connection = self._connection()
        scan = self._manager.scan_executor.submit(cursor.fetchmany, _STREAMED_AT_ONCE)

        def end() -> None:
            if not scan.cancel():  # it waits for a thread no more
                connection.interrupt()

        return await interruptible(asyncio.wrap_future(scan), end)


class MemorySnapshotSession(UnitSession):
    """A read-only transaction on a database in memory: a unit on its only connection, which leaves nothing behind."""

    async def commit(self) -> None:
        await self.rollback()


class FileReadingSession(_SqliteSession):
    """Single statements outside a transaction, on a shared connection that sees committed data only."""

    def _connection(self) -> Connection:
        return self._manager.read_connection

    def stream(self, statement: Statement, parameters: Parameters) -> AsyncGenerator[Row, None]:
        return streamed(SnapshotSession(self._manager), statement, parameters)


class MemoryReadingSession(FileReadingSession):
    """Single statements outside a transaction, on the only connection of a database in memory, between its units."""

    async def fetch_all(self, statement: Statement, parameters: Parameters) -> list[Row]:
        async with self._manager.exclusively():
            return await super().fetch_all(statement, parameters)

    async def stream(self, statement: Statement, parameters: Parameters) -> AsyncGenerator[Row, None]:
        for row in await self.fetch_all(statement, parameters):
            yield row
