"""SQLite's sessions. Statements run on the event loop, because switching to a thread costs more than running them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager, closing
from functools import cache, partial
from itertools import chain, islice

from sqlalchemy import Table
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import Dialect

from lapel.database.caching import Key
from lapel.database.errors import TransactionEnded
from lapel.database.session import Fetch, streamed
from lapel.database.shielding import Value, interruptible
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
"""Shared by all databases, because statements are compiled once per dialect object."""

_STREAM_BATCH = 200
_MAX_ROWS = 64  # in one INSERT, where each takes a third less time than one by one
_MAX_BYTES = 1024 * 1024  # of their blobs, because a prepared statement keeps the values with which it ran last
_STEPS_PER_DEADLINE_CHECK = 10_000
"""SQLite's virtual machine runs some ten million steps a second."""


class _SqliteSession:
    """Runs statements on the connection that a subclass provides."""

    def __init__(self, manager: SqliteConnectionManager) -> None:
        self._manager = manager

    def _connection(self) -> Connection:
        raise NotImplementedError

    async def fetch_all(self, statement: Statement, parameters: Parameters) -> list[Row]:
        compiled = statement.compiled(DIALECT)
        try:
            # All rows: a statement left unfinished would hold its snapshot, or with RETURNING not take effect.
            rows = self._connection().execute(compiled.sql, compiled.bind(parameters)).fetchall()
        except DRIVER_ERRORS as error:
            raise translated(error) from error
        return [compiled.row(row) for row in rows]


class _SqliteTransactionSession(_SqliteSession):
    """The methods of a `TransactionSession` except `begin`, `commit` and `rollback`."""

    _cursors: set[Cursor]  # of its open streams, which would keep its snapshot when the transaction has ended

    async def execute(self, statement: Statement, parameters: Parameters) -> int:
        compiled = statement.compiled(DIALECT)
        try:
            return self._connection().execute(compiled.sql, compiled.bind(parameters)).rowcount
        except DRIVER_ERRORS as error:
            raise translated(error) from error

    async def stream(self, statement: Statement, parameters: Parameters) -> AsyncGenerator[Row, None]:
        compiled = statement.compiled(DIALECT)
        first_row = partial(self._connection().execute, compiled.sql, compiled.bind(parameters))
        with translating(), closing(await self._step(first_row)) as cursor:
            self._cursors.add(cursor)
            try:
                while rows := await self._step(partial(cursor.fetchmany, _STREAM_BATCH)):
                    for row in rows:
                        yield compiled.row(row)
            finally:
                self._cursors.discard(cursor)

    async def _step(self, work: Callable[[], Value]) -> Value:
        await asyncio.sleep(0)
        self._connection()  # raises if the transaction has ended meanwhile
        return work()

    async def bulk_insert(self, table: Table, rows: Sequence[Parameters]) -> None:
        await self.load(table, map(insertion(table).compiled(DIALECT).bind, rows))

    async def command(self, sql: str) -> None:
        await self.run(sql)

    async def announce(self, changed: Collection[Key]) -> None:
        """Do nothing: SQLite itself shows other processes that something has changed (`SqliteChangeFeed`)."""

    async def maintain(self, *, alone: bool) -> None:
        pass  # statements have no time limit, and there is only one writer at a time

    @asynccontextmanager
    async def unloading(self, table: Table) -> AsyncIterator[Fetch]:
        with translating(), closing(self._connection().execute(selection(table).compiled(DIALECT).sql)) as cursor:

            async def fetch(max_rows: int) -> Sequence[Row]:
                with translating():
                    return cursor.fetchmany(max_rows)

            yield fetch

    async def load(self, table: Table, rows: Iterable[Row]) -> None:
        remaining = iter(rows)
        with translating():
            while batch := list(islice(remaining, _MAX_ROWS)):
                await asyncio.sleep(0)  # the transaction may end meanwhile: then `_connection` raises
                are_small = sum([len(value) for row in batch for value in row if type(value) is bytes]) <= _MAX_BYTES
                while batch:
                    count = 1 << len(batch).bit_length() - 1 if are_small else 1  # so that few statements are prepared
                    self._connection().execute(_insertion_of(table, count), list(chain.from_iterable(batch[:count])))
                    del batch[:count]

    async def run(self, sql: str) -> list[Row]:
        with translating():
            return self._connection().execute(sql).fetchall()


class UnitSession(_SqliteTransactionSession):
    """A write transaction, which is one unit of a group commit."""

    _writer: GroupCommit | None = None
    _gathered = False

    def _connection(self) -> Connection:
        if self._writer is None:
            raise TransactionEnded
        self._writer.check(self._unit)
        return self._writer.connection

    async def bulk_insert(self, table: Table, rows: Sequence[Parameters]) -> None:
        self._gathered = True
        await super().bulk_insert(table, rows)

    async def begin(self, *, deadline: float | None = None) -> None:
        writer = self._manager.writer
        self._unit = await writer.enter()
        self._writer, self._cursors = writer, writer.cursors

    def commit(self) -> Coroutine[object, object, None]:
        writer, self._writer = self._writer, None
        assert writer is not None
        return writer.leave(self._unit, gathered=self._gathered)

    async def rollback(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.abandon(self._unit)


class SnapshotSession(_SqliteTransactionSession):
    """A read-only transaction: one snapshot, on a connection of its own. Streams read in a thread."""

    _reader: Connection | None = None

    def _connection(self) -> Connection:
        if self._reader is None:
            raise TransactionEnded
        return self._reader

    async def begin(self, *, deadline: float | None = None) -> None:
        connection = await self._manager.check_out_reader()
        if deadline is not None:
            # A long scan blocks the event loop and its timers, so SQLite itself checks the deadline.
            ends_at = time.monotonic() + deadline - asyncio.get_running_loop().time()
            connection.set_progress_handler(lambda: time.monotonic() >= ends_at, _STEPS_PER_DEADLINE_CHECK)
        try:
            connection.execute("BEGIN")
            connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()  # takes the snapshot now
        except DRIVER_ERRORS as error:
            self._manager.check_in_reader(connection)
            raise translated(error) from error
        self._reader, self._cursors = connection, set()

    async def rollback(self) -> None:
        connection, self._reader = self._reader, None
        if connection is not None:
            self._manager.check_in_reader(connection, self._cursors)

    commit = rollback

    async def _step(self, work: Callable[[], Value]) -> Value:
        connection = self._connection()
        scan = self._manager.scan_executor.submit(work)

        def interrupt() -> None:
            if not scan.cancel():  # it has started
                connection.interrupt()

        return await interruptible(asyncio.wrap_future(scan), interrupt)


class MemorySnapshotSession(UnitSession):
    """A read-only transaction on a database in memory: a unit on its only connection, which is always rolled back."""

    commit = UnitSession.rollback


class FileReadingSession(_SqliteSession):
    """Runs single statements outside a transaction, on a shared connection that sees committed data only."""

    def _connection(self) -> Connection:
        return self._manager.read_connection

    async def fetch_all(self, statement: Statement, parameters: Parameters) -> list[Row]:
        if statement.scans:
            return [row async for row in self.stream(statement, parameters)]
        return await super().fetch_all(statement, parameters)

    def stream(self, statement: Statement, parameters: Parameters) -> AsyncGenerator[Row, None]:
        return streamed(SnapshotSession(self._manager), statement, parameters)


class MemoryReadingSession(FileReadingSession):
    """Runs single statements outside a transaction, on the only connection of a database in memory, between units."""

    async def fetch_all(self, statement: Statement, parameters: Parameters) -> list[Row]:
        async with self._manager.exclusively():
            return await _SqliteSession.fetch_all(self, statement, parameters)

    async def stream(self, statement: Statement, parameters: Parameters) -> AsyncGenerator[Row, None]:
        for row in await self.fetch_all(statement, parameters):
            yield row


@cache
def _insertion_of(table: Table, count: int) -> str:
    """Return the SQL that inserts so many rows."""
    return insertion(table).compiled(DIALECT).sql + f", ({', '.join('?' * len(table.columns))})" * (count - 1)
