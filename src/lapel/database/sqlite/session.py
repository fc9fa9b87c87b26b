"""SQLite's sessions: statements run inline on the event loop, because a hop to a thread costs more than they do."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence

from sqlalchemy import Table
from sqlalchemy.engine import Dialect

from lapel.database.capabilities import Capabilities
from lapel.database.errors import SessionMisuse, TransactionAborted
from lapel.database.sqlite.connection_manager import SqliteConnectionManager
from lapel.database.sqlite.errors import translated
from lapel.database.sqlite.group_commit import GroupCommit
from lapel.database.statement import Parameters, Row, Statement, insertion
from lapel.domain.ports import Isolation

__all__ = ["CAPABILITIES", "MemorySnapshotSession", "ReadingSession", "SnapshotSession", "UnitSession"]

CAPABILITIES = Capabilities(
    isolation_levels=frozenset({Isolation.SERIALIZABLE}),
    concurrent_writers=False,
    row_locks=False,
    two_phase=False,
    bulk_copy=False,
    change_notification=False,
    names_constraints=False,
    several_processes=False,
)

_STREAMED_AT_ONCE = 200
_DRIVER_ERRORS = (sqlite3.Error, OverflowError, UnicodeError)


class _SqliteSession:
    """Statements on whatever connection a subclass provides."""

    capabilities = CAPABILITIES

    def __init__(self, manager: SqliteConnectionManager, dialect: Dialect) -> None:
        self._manager = manager
        self._dialect = dialect

    @property
    def transaction_id(self) -> str | None:
        return None

    def _connection(self) -> sqlite3.Connection:
        raise NotImplementedError

    async def fetch_all(self, statement: Statement, parameters: Parameters) -> list[Row]:
        compiled = statement.compiled(self._dialect)
        try:
            rows = self._connection().execute(compiled.sql, compiled.bind(parameters)).fetchall()
        except _DRIVER_ERRORS as error:
            raise translated(error) from error
        return [compiled.row(row) for row in rows]

    async def fetch_one(self, statement: Statement, parameters: Parameters) -> Row | None:
        # To the end of the result: a statement left in the middle would hold its snapshot, and a RETURNING its effect.
        rows = await self.fetch_all(statement, parameters)
        return rows[0] if rows else None

    async def execute(self, statement: Statement, parameters: Parameters) -> int:
        compiled = statement.compiled(self._dialect)
        try:
            return self._connection().execute(compiled.sql, compiled.bind(parameters)).rowcount
        except _DRIVER_ERRORS as error:
            raise translated(error) from error

    async def bulk_insert(self, table: Table, rows: Sequence[Mapping[str, object]]) -> None:
        if not rows:
            return
        compiled = insertion(table).compiled(self._dialect)
        try:
            self._connection().executemany(compiled.sql, map(compiled.bind, rows))
        except _DRIVER_ERRORS as error:
            raise translated(error) from error

    async def stream(self, statement: Statement, parameters: Parameters) -> AsyncIterator[Row]:
        compiled = statement.compiled(self._dialect)
        try:
            cursor = self._connection().execute(compiled.sql, compiled.bind(parameters))
            try:
                while rows := cursor.fetchmany(_STREAMED_AT_ONCE):
                    for row in rows:
                        yield compiled.row(row)
                    await asyncio.sleep(0)
            finally:
                cursor.close()
        except _DRIVER_ERRORS as error:
            raise translated(error) from error


class UnitSession(_SqliteSession):
    """A write transaction: one unit of a group commit."""

    _writer: GroupCommit | None = None
    _id: str | None = None

    @property
    def transaction_id(self) -> str | None:
        return self._id

    def _connection(self) -> sqlite3.Connection:
        if self._writer is None:
            raise SessionMisuse("This transaction has ended or was never opened.")
        return self._manager.write_connection

    async def begin(self, transaction_id: str) -> None:
        writer = self._manager.writer
        await writer.enter()
        self._writer, self._id = writer, transaction_id

    async def commit(self) -> None:
        writer, self._writer = self._writer, None
        assert writer is not None
        if not self._manager.write_connection.in_transaction:
            writer.abandon()
            raise TransactionAborted
        await asyncio.shield(writer.leave())

    async def rollback(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.abandon()

    async def savepoint(self, name: str) -> None:
        self._run(f"SAVEPOINT {name}")

    async def release_savepoint(self, name: str) -> None:
        self._run(f"RELEASE {name}")

    async def rollback_to_savepoint(self, name: str) -> None:
        self._run(f"ROLLBACK TO {name}")
        self._run(f"RELEASE {name}")

    def _run(self, command: str) -> None:
        connection = self._connection()
        if not connection.in_transaction:
            raise TransactionAborted
        try:
            connection.execute(command)
        except sqlite3.Error as error:
            raise translated(error) from error


class SnapshotSession(_SqliteSession):
    """A read-only transaction: one snapshot on a connection of its own."""

    _own: sqlite3.Connection | None = None
    _id: str | None = None

    @property
    def transaction_id(self) -> str | None:
        return self._id

    def _connection(self) -> sqlite3.Connection:
        if self._own is None:
            raise SessionMisuse("This transaction has ended or was never opened.")
        return self._own

    async def begin(self, transaction_id: str) -> None:
        connection = await self._manager.check_out_reader()
        try:
            connection.execute("BEGIN")
            connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()  # takes the snapshot now
        except sqlite3.Error as error:
            self._manager.check_in_reader(connection)
            raise translated(error) from error
        self._own, self._id = connection, transaction_id

    async def commit(self) -> None:
        await self.rollback()

    async def rollback(self) -> None:
        connection, self._own = self._own, None
        if connection is None:
            return
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise translated(error) from error
        finally:
            self._manager.check_in_reader(connection)

    async def savepoint(self, name: str) -> None:
        self._connection().execute(f"SAVEPOINT {name}")

    async def release_savepoint(self, name: str) -> None:
        self._connection().execute(f"RELEASE {name}")

    async def rollback_to_savepoint(self, name: str) -> None:
        self._connection().execute(f"ROLLBACK TO {name}")
        self._connection().execute(f"RELEASE {name}")


class MemorySnapshotSession(UnitSession):
    """A read-only transaction on a database in memory: a unit on its only connection, with writing turned off."""

    async def begin(self, transaction_id: str) -> None:
        await super().begin(transaction_id)
        self._run("PRAGMA query_only = ON")

    async def commit(self) -> None:
        await self.rollback()

    async def rollback(self) -> None:
        if self._writer is not None:
            self._run("PRAGMA query_only = OFF")
        await super().rollback()


class ReadingSession(_SqliteSession):
    """Single statements outside a transaction, on a shared connection that sees committed data only."""

    def _connection(self) -> sqlite3.Connection:
        return self._manager.read_connection

    async def fetch_all(self, statement: Statement, parameters: Parameters) -> list[Row]:
        if not self._manager.in_memory:
            return await super().fetch_all(statement, parameters)
        async with self._manager.exclusively():
            return await super().fetch_all(statement, parameters)

    async def execute(self, statement: Statement, parameters: Parameters) -> int:
        raise SessionMisuse("A write needs a transaction.", hint="Use `async with database.transaction() as tx`.")

    async def bulk_insert(self, table: Table, rows: Sequence[Mapping[str, object]]) -> None:
        raise SessionMisuse("A write needs a transaction.", hint="Use `async with database.transaction() as tx`.")

    async def stream(self, statement: Statement, parameters: Parameters) -> AsyncIterator[Row]:
        if self._manager.in_memory:
            for row in await self.fetch_all(statement, parameters):
                yield row
            return
        connection = await self._manager.check_out_reader()
        compiled = statement.compiled(self._dialect)
        loop = asyncio.get_running_loop()
        try:
            cursor = connection.execute(compiled.sql, compiled.bind(parameters))
            try:
                while rows := await loop.run_in_executor(
                    self._manager.scan_executor, cursor.fetchmany, _STREAMED_AT_ONCE
                ):
                    for row in rows:
                        yield compiled.row(row)
            finally:
                cursor.close()
        except _DRIVER_ERRORS as error:
            raise translated(error) from error
        finally:
            self._manager.check_in_reader(connection)
