"""SQLite as a database module."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from lapel.database.interface import Database, DatabaseSettings, MigrationStatus
from lapel.database.migrations.runner import plan
from lapel.database.session import ReadingSession, TransactionSession
from lapel.database.sqlite.connection_manager import (
    Connector,
    SqliteConnectionManager,
    connect_stdlib,
    current_revision,
)
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
    manager: SqliteConnectionManager

    def __init__(self, settings: DatabaseSettings, *, connector: Connector = connect_stdlib) -> None:
        super().__init__(settings)
        self.manager = SqliteConnectionManager(settings, connector=connector)

    def configuration(self) -> Mapping[str, str]:
        return {"file": self.manager.address, **self.manager.pragmas}

    async def migrate(self) -> MigrationStatus:
        # A unit like any other: it waits for the write lock, which another process may hold for its own migration.
        writer = self.manager.writer
        unit = await writer.enter()
        try:
            connection = self.manager.write_connection
            for statement in plan(DIALECT, current=current_revision(connection)).statements:
                connection.execute(statement)
        except sqlite3.Error as error:
            writer.abandon(unit)
            raise translated(error) from error
        except BaseException:
            writer.abandon(unit)
            raise
        await writer.leave(unit)
        return await self.migration_status()

    def _open_session(self, *, isolation: Isolation, read_only: bool) -> TransactionSession:
        if not read_only:
            return UnitSession(self.manager)
        return MemorySnapshotSession(self.manager) if self.manager.in_memory else SnapshotSession(self.manager)

    def _reading_session(self) -> ReadingSession:
        return MemoryReadingSession(self.manager) if self.manager.in_memory else FileReadingSession(self.manager)


class SqliteModule:
    """`lapel.database.interface.DatabaseModule` for SQLite."""

    name = "sqlite"
    create = SqliteDatabase
