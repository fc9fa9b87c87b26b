"""The database module for SQLite."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path

from lapel.database.capabilities import Capabilities
from lapel.database.change_feed import ChangeFeed
from lapel.database.interface import Database, DatabaseSettings
from lapel.database.session import ReadingSession, TransactionSession
from lapel.database.sqlite import session, whole_file
from lapel.database.sqlite.catalogue import SqliteCatalogue
from lapel.database.sqlite.change_feed import SqliteChangeFeed
from lapel.database.sqlite.connection_manager import SqliteConnectionManager
from lapel.database.sqlite.database_file import DatabaseFile
from lapel.database.sqlite.driver import Connector, connect_stdlib
from lapel.domain.ports import Isolation

__all__ = ["SqliteDatabase", "SqliteModule"]


class SqliteDatabase(Database):
    """One SQLite file, or ``:memory:``.

    Every transaction is serialisable, whatever the requested isolation: writers run one after another, and a read-only
    transaction sees one snapshot.

    Args:
        connector: opens connections; another build of SQLite provides its own.
    """

    module_name = "sqlite"
    capabilities = Capabilities(
        isolation_levels=frozenset({Isolation.SERIALIZABLE}), change_notification=True, whole_file=True
    )
    dialect = session.DIALECT
    companions = ("-wal", "-journal")
    manager: SqliteConnectionManager

    def __init__(self, settings: DatabaseSettings, *, connector: Connector = connect_stdlib) -> None:
        super().__init__(settings)
        self.manager = SqliteConnectionManager(settings, connector=connector)
        self.catalogue = SqliteCatalogue(connector)
        self._connector = connector

    def configuration(self) -> Mapping[str, str]:
        return {"file": self.manager.address, **self.manager.pragmas}

    async def scrub(self) -> None:
        await self.manager.empty_log()

    @property
    def own_file(self) -> Path | None:
        return None if self.manager.in_memory else Path(self.manager.address)

    async def backup_to(self, file: Path, on_progress: Callable[[int, int], None]) -> datetime:
        reader = await self.manager.check_out_reader()
        try:
            moment = self.settings.clock()  # before the snapshot, so that it contains everything committed by then
            await whole_file.copy_snapshot(reader, self._connector, file, on_progress)
        finally:
            self.manager.check_in_reader(reader)
        return moment

    def served_by_nobody(self) -> AbstractContextManager[None]:
        file = DatabaseFile(self.manager.address)
        file.prepare(make=True)
        return file.locked()

    def opened_by_nobody(self) -> AbstractContextManager[None]:
        return whole_file.at_rest(self.manager.address, self._connector)

    def _open_session(self, *, isolation: Isolation, read_only: bool) -> TransactionSession:
        if not read_only:
            return session.UnitSession(self.manager)
        kind = session.MemorySnapshotSession if self.manager.in_memory else session.SnapshotSession
        return kind(self.manager)

    def _change_feed(self) -> ChangeFeed:
        return SqliteChangeFeed(self.manager)

    def _reading_session(self) -> ReadingSession:
        return (session.MemoryReadingSession if self.manager.in_memory else session.FileReadingSession)(self.manager)


class SqliteModule:
    """`lapel.database.interface.DatabaseModule` for SQLite."""

    name = "sqlite"
    create = SqliteDatabase
