"""SQLite's connections: one that writes, one for single reads, a few for snapshots; and the lock of the one server."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager, suppress
from dataclasses import replace
from time import monotonic

import structlog

from lapel.database.connection_manager import ConnectionManager
from lapel.database.errors import DatabaseBusy, NotConnected, StorageFailure, WrongSchema
from lapel.database.health import Answer, ConnectionState, PoolStatus
from lapel.database.interface import DatabaseSettings
from lapel.database.migrations.runner import STAMP
from lapel.database.session import shielded
from lapel.database.sqlite.database_file import DatabaseFile
from lapel.database.sqlite.driver import MEMORY, Connection, Connector, connect_stdlib
from lapel.database.sqlite.errors import not_opened
from lapel.database.sqlite.group_commit import GroupCommit
from lapel.database.sqlite.pragma_manager import apply_pragmas

__all__ = ["SqliteConnectionManager"]

_log = structlog.get_logger("lapel.database")

_CHECK_FILE_EVERY = 0.1
_MOST_READERS = 8  # snapshots open at once
_HAS_WHOLE_PAGES = """
SELECT 1 FROM pragma_page_count, pragma_page_size WHERE page_count * page_size BETWEEN 1 AND ?
"""


class _Opened:
    """Everything that one connect has opened. What was lent out of it is never used again after the next."""

    def __init__(self, manager: SqliteConnectionManager, file: DatabaseFile, settings: DatabaseSettings) -> None:
        self.places = asyncio.Semaphore(_MOST_READERS)
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
            # Threads end first: a connection in use must not be closed.
            self.scan_executor = stack.enter_context(ThreadPoolExecutor(2, thread_name_prefix="lapel-sqlite-scan"))
            commits = stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="lapel-sqlite-commit"))
            self.writer = GroupCommit(
                write,
                executor=None if manager.in_memory else commits,
                most_waiting=settings.most_waiting,
                busy_seconds=settings.lock_seconds,
                longest_unit_seconds=settings.idle_in_transaction_seconds,
                still_ours=manager.file_is_ours,
            )
            self.file, self.log = file.identity(), file.identity("-wal")
            self._closing = stack.pop_all()

    def close(self) -> None:
        """Interrupt what runs on what was lent, and close everything."""
        for connection in self.lent:
            connection.interrupt()
        self._closing.close()

    def _close_readers(self) -> None:
        for connection in (*self.idle, *self.lent):
            connection.close()


class SqliteConnectionManager(ConnectionManager):
    """Opens, lends and closes connections to one file, or to ``:memory:``: one connection, everything in turn.

    A file that was moved away is the same when it comes back. Another one in its place is taken up by itself, once it
    is whole, at rest, and of the same schema.

    Args:
        settings: where the file is; whether to make it, and whether to take the server's lock, which refuses a
            second server on it.
        connector: how a connection is opened; another SQLite build brings its own.
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
        self._check_next = 0.0

    @property
    def writer(self) -> GroupCommit:
        """The group commit; raises `NotConnected`."""
        return self._current.writer

    @property
    def read_connection(self) -> Connection:
        """For single statements, read to the end at once. Raises as `check_file` does, a moment after the loss."""
        if monotonic() > self._check_next:
            self.check_file()
        return self._current.read

    @property
    def scan_executor(self) -> ThreadPoolExecutor:
        """Where long scans go."""
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
            await self._take_up_another_file()
        while True:
            try:
                answer = self._answer_anew()
            except DatabaseBusy:
                await asyncio.sleep(0.02)
            else:
                self._revision = answer.revision
                return answer

    def _answer_anew(self) -> Answer:
        # On a new connection: one that is open answers from what it remembers, whatever has become of the disk.
        with self._connecting() as connection, closing(connection):
            return _answer(connection)

    async def _take_up_another_file(self) -> None:
        self._refuse_unless_whole()
        if self._opened is not None:
            old = self._opened
            self._lost(StorageFailure("The database's file was replaced while it was open."))
            await shielded(old.writer.close(within=0))
            with suppress(sqlite3.Error):
                self._revision = _current_revision(old.read)
            self._empty_log(old)
            self._break()
            # SQLite leaves a moved file's log where it is, and would read it into the one that is there now.
            if self._file.identity("-wal") == old.log:
                self._file.remove_log()
        if self._answer_anew().revision != self._revision:
            raise WrongSchema("The database's file was replaced by one with other tables.")
        self._opened = _Opened(self, self._file, replace(self._settings, make=False))
        self.generation += 1
        _log.warning("another database file was put in place of the one that was open", file=self.address)

    def _refuse_unless_whole(self) -> None:
        """Look at a file that was put in place of ours: at it alone, with no log beside it, and locking nothing."""
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
        until = asyncio.get_running_loop().time() + within
        await shielded(opened.writer.close(within=within))
        try:
            async with asyncio.timeout_at(until):
                for _ in range(_MOST_READERS):
                    await opened.places.acquire()
        except TimeoutError:
            _log.warning("snapshots were still open and were cut", snapshots=len(opened.lent))
        if not self.file_is_ours():
            self._empty_log(opened)  # the file was moved away, and has left its log behind

    @staticmethod
    def _empty_log(opened: _Opened) -> None:
        with suppress(sqlite3.Error):
            opened.writer.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    async def empty_log(self) -> None:
        """Bring what the log holds into the file and cut it off, with old values of rows. A snapshot prevents that."""
        async with self.exclusively():
            await shielded(asyncio.to_thread(self._empty_log, self._current))

    def _break(self) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()

    async def check_out_reader(self) -> Connection:
        """A connection for one snapshot; `check_in_reader` must follow."""
        opened = self._current
        try:
            async with asyncio.timeout(self._settings.lock_seconds):
                await opened.places.acquire()
        except TimeoutError:
            raise DatabaseBusy(f"{_MOST_READERS} snapshots are open already.") from None
        try:
            if self._opened is not opened or self.state is ConnectionState.CLOSING:
                raise NotConnected
            reader = opened.idle.pop() if opened.idle else self.connection(query_only=True)
        except BaseException:
            opened.places.release()
            raise
        opened.lent.add(reader)
        return reader

    def check_in_reader(self, connection: Connection) -> None:
        """Give a snapshot's connection back; what is open on it is rolled back, and its deadline forgotten."""
        opened = self._opened
        if opened is None or connection not in opened.lent:  # of an earlier connect, and closed with it
            return
        opened.lent.remove(connection)
        opened.places.release()
        try:
            connection.set_progress_handler(None, 0)
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except sqlite3.Error:
            connection.close()
        else:
            opened.idle.append(connection)

    @asynccontextmanager
    async def exclusively(self) -> AsyncIterator[Connection]:
        """Hold the connection that writes while no unit and no COMMIT runs on it."""
        writer = self.writer
        await writer.acquire()
        try:
            yield writer.connection
        finally:
            writer.release()

    def check_file(self) -> None:
        """Return if the file is ours still. Raises `StorageFailure`: what is read or written elsewhere is nobody's."""
        if self._opened is not None and not self.file_is_ours():
            raise StorageFailure("The database's file was removed or replaced while it was open.")
        self._check_next = monotonic() + _CHECK_FILE_EVERY

    def file_is_ours(self) -> bool:
        """Whether the file at our path is still the one that we have open: SQLite goes on with one that was removed."""
        if self.in_memory:
            return True
        found = self._file.identity()
        return self._opened is not None and found is not None and found == self._opened.file

    def pool_status(self) -> PoolStatus:
        """The connections of this process, without the one that asks."""
        opened, fixed = self._opened, 1 if self.in_memory else 2
        maximum = fixed if self.in_memory else fixed + _MOST_READERS
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
        """A connection to the file that is open; to what is at the path, if none is. Closed where the block fails.

        It is sure before its first statement, at which SQLite would delete the log of a file that was moved away.
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
        """A new connection, set as all of ours are; whoever asks for it closes it. Raises `DatabaseError`."""
        with self._connecting() as connection:
            self.pragmas = apply_pragmas(connection, on_file=not self.in_memory, warned=self._warned)
            if query_only:
                connection.execute("PRAGMA query_only = ON")
            connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()  # what is no database is found now
        return connection


def _current_revision(connection: Connection) -> str | None:
    """The schema's revision; None where there is none yet."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", [STAMP]).fetchall():
        return None
    rows = connection.execute(f"SELECT version_num FROM {STAMP}").fetchall()  # noqa: S608 - our own
    return str(rows[0][0]) if rows else None


def _answer(connection: Connection) -> Answer:
    ((version,),) = connection.execute("SELECT sqlite_version()").fetchall()
    return Answer(f"SQLite {version}", _current_revision(connection))
