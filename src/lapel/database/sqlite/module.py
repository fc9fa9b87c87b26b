"""SQLite as a database module."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from time import perf_counter

from lapel.database.errors import DatabaseError, StorageFailure
from lapel.database.interface import (
    Database,
    DatabaseHealth,
    DatabaseSettings,
    MigrationStatus,
    PoolStatus,
)
from lapel.database.migrations.runner import plan, status
from lapel.database.retry import attempts
from lapel.database.session import ReadingSession, TransactionSession
from lapel.database.sqlite.connection_manager import Connector, SqliteConnectionManager, connect_stdlib
from lapel.database.sqlite.errors import translated
from lapel.database.sqlite.session import (
    CAPABILITIES,
    DIALECT,
    FileReadingSession,
    MemoryReadingSession,
    MemorySnapshotSession,
    SnapshotSession,
    UnitSession,
)
from lapel.domain.ports import Isolation

__all__ = ["SqliteDatabase", "SqliteModule"]


class SqliteDatabase(Database):
    """One SQLite file, or ``:memory:``.

    Every transaction is serialisable, whatever isolation is asked: writers run one after another, and a read-only
    transaction sees one snapshot.

    Args:
        connector: how a connection is opened; another build of SQLite brings its own.
    """

    module_name = "sqlite"
    capabilities = CAPABILITIES

    def __init__(self, settings: DatabaseSettings, *, connector: Connector = connect_stdlib) -> None:
        super().__init__(settings)
        self.manager = SqliteConnectionManager(
            settings.sqlite_file,
            serves=settings.serves,
            make=settings.make,
            connector=connector,
            most_waiting=settings.most_waiting,
            busy_seconds=settings.lock_seconds,
            longest_unit_seconds=settings.idle_in_transaction_seconds,
        )

    async def connect(self) -> None:
        async for attempt in attempts(seconds=self.settings.connect_seconds):
            with attempt:
                await self.manager.connect()

    async def disconnect(self) -> None:
        await self.manager.disconnect()

    async def health(self) -> DatabaseHealth:
        started = perf_counter()
        detail, latency, version = None, None, None
        try:
            version = self._ask_version()
            latency = (perf_counter() - started) * 1000
        except DatabaseError as error:
            detail = error.detail
        return DatabaseHealth(
            ok=version is not None,
            module=self.module_name,
            state=self.manager.state,
            checked_at=self.settings.clock(),
            latency_ms=latency,
            server_version=version,
            pool=self.pool_status(),
            detail=detail,
        )

    def pool_status(self) -> PoolStatus:
        return self.manager.pool_status()

    def configuration(self) -> Mapping[str, str]:
        pragmas = {f"pragma.{name}": str(value) for name, value in self.manager.pragmas.items()}
        return {"file": self.manager.file, **pragmas}

    async def migrate(self) -> MigrationStatus:
        # A unit like any other: it waits for the write lock, which another process may hold for its own migration.
        writer = self.manager.writer
        unit = await writer.enter()
        try:
            connection = self.manager.write_connection
            for statement in plan(DIALECT, current=_current_revision(connection)).statements:
                connection.execute(statement)
        except sqlite3.Error as error:
            writer.abandon(unit)
            raise translated(error) from error
        except BaseException:
            writer.abandon(unit)
            raise
        await writer.leave(unit)
        return await self.migration_status()

    async def migration_status(self) -> MigrationStatus:
        try:
            return status(_current_revision(self.manager.read_connection))
        except sqlite3.Error as error:
            raise translated(error) from error

    def _open_session(self, *, isolation: Isolation, read_only: bool) -> TransactionSession:
        if not read_only:
            return UnitSession(self.manager)
        return MemorySnapshotSession(self.manager) if self.manager.in_memory else SnapshotSession(self.manager)

    def _reading_session(self) -> ReadingSession:
        return MemoryReadingSession(self.manager) if self.manager.in_memory else FileReadingSession(self.manager)

    def _ask_version(self) -> str:
        connection = self.manager.read_connection
        if not self.manager.file_is_ours():
            raise StorageFailure(
                "The database's file was removed or replaced while it was open.",
                hint="Stop the server and put the file back.",
            )
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            (version,) = connection.execute("SELECT sqlite_version()").fetchone()
        except sqlite3.Error as error:
            raise translated(error) from error
        return f"SQLite {version}"


class SqliteModule:
    """`lapel.database.interface.DatabaseModule` for SQLite."""

    name = "sqlite"
    create = SqliteDatabase


def _current_revision(connection: sqlite3.Connection) -> str | None:
    there = connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'alembic_version'")
    if not there.fetchall():
        return None
    rows = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    return str(rows[0][0]) if rows else None
