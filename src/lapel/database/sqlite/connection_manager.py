"""SQLite's connections: one for writes, one for single reads, a few for snapshots; and the lock of the one server."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager, suppress
from dataclasses import replace
from time import monotonic

import structlog

from lapel.database.connection_manager import ConnectionManager
from lapel.database.errors import DatabaseBusy, NotConnected, StorageFailure, WrongSchema
from lapel.database.health import Answer, ConnectionState, PoolStatus
from lapel.database.interface import DatabaseSettings
from lapel.database.migrations.runner import SELECT_STAMP, STAMP
from lapel.database.shielding import shielded
from lapel.database.sqlite.database_file import DatabaseFile
from lapel.database.sqlite.driver import MEMORY, Connection, Connector, Cursor, connect_stdlib
from lapel.database.sqlite.errors import not_opened
from lapel.database.sqlite.group_commit import GroupCommit
from lapel.database.sqlite.pragma_manager import apply_pragmas

__all__ = ["SqliteConnectionManager"]

_log = structlog.get_logger("lapel.database")

_CHECK_FILE_SECONDS = 0.1
_MAX_READERS = 8  # concurrent snapshots
_HAS_WHOLE_PAGES = "SELECT 1 FROM pragma_page_count, pragma_page_size WHERE page_count * page_size BETWEEN 1 AND ?"


class _Opened:
    """The resources of one successful connect. Connections lent out of it are not used after the next connect."""

    def __init__(self, manager: SqliteConnectionManager, file: DatabaseFile, settings: DatabaseSettings) -> None:
        self.slots = asyncio.Semaphore(_MAX_READERS)
        self.idle: list[Connection] = []
        self.lent: set[Connection] = set()
        with ExitStack() as stack:
            if not manager.in_memory:
                file.prepare(make=settings.make)
                if settings.serves:
                    stack.enter_context(file.locked())
                file.make()
            write = self.read = stack.enter_context(closing(manager.connection(query_only=False)))
            if not manager.in_memory:
                self.read = stack.enter_context(closing(manager.connection(query_only=True)))
            stack.callback(self._close_readers)
            # Closed in reverse order, so that the threads end before the connections that they use are closed.
            self.scan_executor = stack.enter_context(ThreadPoolExecutor(2, thread_name_prefix="lapel-sqlite-scan"))
            commits = stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="lapel-sqlite-commit"))
            self.writer = GroupCommit(
                write,
                executor=None if manager.in_memory else commits,
                max_waiting=settings.max_waiting,
                busy_seconds=settings.lock_seconds,
                max_unit_seconds=settings.idle_in_transaction_seconds,
                still_ours=manager.file_is_ours,
            )
            self.file, self.log = file.identity(), file.identity("-wal")
            self._closing = stack.pop_all()

    def close(self) -> None:
        """Interrupt what runs on lent connections, and close everything."""
        for connection in self.lent:
            connection.interrupt()
        self._closing.close()

    def _close_readers(self) -> None:
        for connection in (*self.idle, *self.lent):
            connection.close()


class SqliteConnectionManager(ConnectionManager):
    """Opens, lends and closes connections to one file, or the single connection to ``:memory:``.

    A file that was moved away is used again when it returns. If another file replaces it, that one is opened
    automatically once it is complete, no longer being written, and of the same schema revision.

    Args:
        settings: the file's path, whether to create it, and whether to take the lock against a second server.
        connector: opens connections; another SQLite build provides its own.
    """

    _opened: _Opened | None = None

    def __init__(self, settings: DatabaseSettings, *, connector: Connector = connect_stdlib) -> None:
        super().__init__(str(settings.sqlite_file), patience=settings.connect_seconds, clock=settings.clock)
        self.in_memory = self.address == MEMORY
        self.pragmas: dict[str, str] = {}
        self._file = DatabaseFile(self.address)
        self._settings = settings
        self._connector = connector
        self._warned: set[str] = set()
        self._revision: str | None = None
        self._next_check = 0.0

    @property
    def writer(self) -> GroupCommit:
        """The group commit. Raises `NotConnected`."""
        return self._current.writer

    @property
    def read_connection(self) -> Connection:
        """The connection for single statements. Their results must be fetched at once.

        Raises as `check_file` does, within a tenth of a second of the loss of the file.
        """
        if monotonic() > self._next_check:
            self.check_file()
        return self._current.read

    @property
    def scan_executor(self) -> ThreadPoolExecutor:
        """The threads for long scans."""
        return self._current.scan_executor

    @property
    def _current(self) -> _Opened:
        if self._opened is None:
            raise NotConnected
        return self._opened

    async def _open(self) -> None:
        self._opened = _Opened(self, self._file, self._settings)

    async def _ask(self) -> Answer:
        if self.in_memory:
            return _answer(self.read_connection)
        if not self.file_is_ours():
            await self._open_replacement()
        while True:
            try:
                answer = self._fresh_answer()
            except DatabaseBusy:
                await asyncio.sleep(0.02)
            else:
                self._revision = answer.revision
                return answer

    def _fresh_answer(self) -> Answer:
        # On a new connection: an open one may answer from its page cache even if the disk has failed.
        with self._connecting() as connection, closing(connection):
            return _answer(connection)

    async def _open_replacement(self) -> None:
        self._refuse_incomplete_file()
        if self._opened is not None:
            old = self._opened
            self._mark_lost(StorageFailure("The database's file was replaced while it was open."))
            await shielded(old.writer.close(within=0))
            with suppress(sqlite3.Error):
                self._revision = _current_revision(old.read)
            self._empty_log(old)
            self._break()
            # SQLite leaves the moved file's log at the old path, and would apply it to the new file.
            if self._file.identity("-wal") == old.log:
                self._file.remove_log()
        if self._fresh_answer().revision != self._revision:
            raise WrongSchema("The database's file was replaced by one with other tables.")
        self._opened = _Opened(self, self._file, replace(self._settings, make=False))
        self.generation += 1
        _log.warning("another database file was put in place of the one that was open", file=self.address)

    def _refuse_incomplete_file(self) -> None:
        """Raise `StorageFailure` unless a replacing file is complete. Reads it alone, without a log or locks."""
        size, cause = self._file.size_at_rest(), None
        try:
            with closing(self._connector(self._file.uri("mode=ro&immutable=1"))) as connection:
                if connection.execute(_HAS_WHOLE_PAGES, [size]).fetchall():
                    return
        except sqlite3.Error as error:
            cause = error
        raise StorageFailure("The database's file was replaced by one that is no whole SQLite database.") from cause

    async def _drain(self, within: float) -> None:
        opened = self._opened
        if opened is None:
            return
        deadline = asyncio.get_running_loop().time() + within
        await shielded(opened.writer.close(within=within))
        try:
            async with asyncio.timeout_at(deadline):
                for _ in range(_MAX_READERS):
                    await opened.slots.acquire()
        except TimeoutError:
            _log.warning("snapshots were still open and were cut", snapshots=len(opened.lent))
        if not self.file_is_ours():
            self._empty_log(opened)  # the file was moved away without its log

    @staticmethod
    def _empty_log(opened: _Opened) -> None:
        with suppress(sqlite3.Error):
            opened.writer.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    async def empty_log(self) -> None:
        """Move the log's content to the file and truncate it, with its old values. A snapshot prevents the latter."""
        async with self.exclusively():
            await shielded(asyncio.to_thread(self._empty_log, self._current))

    def _break(self) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()

    async def check_out_reader(self) -> Connection:
        """Lend a connection for one snapshot. `check_in_reader` must follow."""
        opened = self._current
        try:
            async with asyncio.timeout(self._settings.lock_seconds):
                await opened.slots.acquire()
        except TimeoutError:
            raise DatabaseBusy(f"{_MAX_READERS} snapshots are open already.") from None
        try:
            if self._opened is not opened or self.state is ConnectionState.CLOSING:
                raise NotConnected
            reader = opened.idle.pop() if opened.idle else self.connection(query_only=True)
        except BaseException:
            opened.slots.release()
            raise
        opened.lent.add(reader)
        return reader

    def check_in_reader(self, connection: Connection, cursors: Iterable[Cursor] = ()) -> None:
        """Return a snapshot's connection. Closes its cursors, rolls back its transaction and removes its deadline."""
        opened = self._opened
        if opened is None or connection not in opened.lent:  # lent by an earlier connect, which has closed it
            return
        opened.lent.remove(connection)
        opened.slots.release()
        try:
            for cursor in cursors:
                cursor.close()
            connection.set_progress_handler(None, 0)
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except sqlite3.Error:
            connection.close()
        else:
            opened.idle.append(connection)

    @asynccontextmanager
    async def exclusively(self) -> AsyncIterator[Connection]:
        """Hold the write connection while no unit or COMMIT runs on it."""
        writer = self.writer
        await writer.acquire()
        try:
            yield writer.connection
        finally:
            writer.release()

    def check_file(self) -> None:
        """Raise `StorageFailure` if the open file is no longer the one at its path, so that it must not be used."""
        if self._opened is not None and not self.file_is_ours():
            raise StorageFailure("The database's file was removed or replaced while it was open.")
        self._next_check = monotonic() + _CHECK_FILE_SECONDS

    def file_is_ours(self) -> bool:
        """Return whether the open file is still the one at its path. SQLite goes on using a file that was removed."""
        if self.in_memory:
            return True
        identity = self._file.identity()
        return self._opened is not None and identity is not None and identity == self._opened.file

    def pool_status(self) -> PoolStatus:
        """Return the state of this process's connections, except those of probes."""
        opened, fixed = self._opened, 1 if self.in_memory else 2
        maximum = fixed if self.in_memory else fixed + _MAX_READERS
        if opened is None:
            return PoolStatus(size=0, idle=0, in_use=0, waiting=0, maximum=maximum)
        size = fixed + len(opened.lent) + len(opened.idle)
        in_use = int(opened.writer.busy) + len(opened.lent)
        return PoolStatus(size=size, idle=size - in_use, in_use=in_use, waiting=opened.writer.waiting, maximum=maximum)

    def measurements(self) -> Mapping[str, float]:
        if self._opened is None:
            return {}
        writer = self._opened.writer
        return {
            "group_units_total": writer.units,
            "group_commits_total": writer.commits,
            "group_commit_seconds_total": writer.commit_seconds,
        }

    @contextmanager
    def _connecting(self) -> Iterator[Connection]:
        """Open a connection to the open file, or if none is open, to the path. Closes it if the block fails.

        The file is checked before the first statement, at which SQLite would delete the log of a file that was moved.
        """
        with ExitStack() as stack:
            try:
                uri = MEMORY if self.in_memory else self._file.uri("mode=rw")
                connection = stack.enter_context(closing(self._connector(uri)))
                self.check_file()
                yield connection
            except sqlite3.Error as error:
                raise not_opened(self.address, error) from error
            stack.pop_all()

    def connection(self, *, query_only: bool) -> Connection:
        """Return a new connection with the usual PRAGMAs. The caller closes it. Raises `DatabaseError`."""
        with self._connecting() as connection:
            self.pragmas = apply_pragmas(connection, on_file=not self.in_memory, warned=self._warned)
            if query_only:
                connection.execute("PRAGMA query_only = ON")
            connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()  # fails if the file is no database
        return connection


def _current_revision(connection: Connection) -> str | None:
    """Return the schema's revision, or None if there is no schema yet."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", [STAMP]).fetchall():
        return None
    rows = connection.execute(SELECT_STAMP).fetchall()
    return str(rows[0][0]) if rows else None


def _answer(connection: Connection) -> Answer:
    ((version,),) = connection.execute("SELECT sqlite_version()").fetchall()
    return Answer(f"SQLite {version}", _current_revision(connection))
