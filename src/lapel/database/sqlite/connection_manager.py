"""SQLite's connections: one that writes, one for single reads, a few for snapshots; and the lock of the one server."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
import warnings
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

from lapel.database.errors import DatabaseBusy, DatabaseLocked, MissingDatabase, NotConnected, StorageFailure
from lapel.database.interface import ConnectionState, PoolStatus
from lapel.database.session import shielded
from lapel.database.sqlite.errors import translated
from lapel.database.sqlite.group_commit import GroupCommit
from lapel.database.sqlite.pragma_manager import apply_pragmas

__all__ = ["Connector", "SqliteConnectionManager", "connect_stdlib"]

Connector = Callable[[str], sqlite3.Connection]
"""Opens a connection in autocommit mode that may be used from any thread, one at a time."""

_MEMORY = ":memory:"


def connect_stdlib(path: str) -> sqlite3.Connection:
    """A connection of the standard library's driver."""
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256, timeout=0)


class SqliteConnectionManager:
    """Opens, lends and closes connections to one file.

    Args:
        file: the database file; it and its folder are made for the owner alone when missing. Or ``:memory:``: one
            connection, everything in turn.
        serves: take the server's lock, which refuses a second server on the file.
        make: make the file if there is none.
        connector: how a connection is opened; another SQLite build brings its own.
        most_readers: snapshots open at once.
    """

    state = ConnectionState.DISCONNECTED

    def __init__(
        self,
        file: Path | str,
        *,
        serves: bool = False,
        make: bool = True,
        connector: Connector = connect_stdlib,
        most_readers: int = 8,
        most_waiting: int = 5_000,
        busy_seconds: float = 10.0,
        longest_unit_seconds: float = 30.0,
    ) -> None:
        self.file = str(file)
        self.in_memory = self.file == _MEMORY
        self.pragmas: dict[str, str | int] = {}
        self._serves = serves and not self.in_memory
        self._make = make
        self._connector = connector
        self._most_readers = most_readers
        self._most_waiting = most_waiting
        self._busy_seconds = busy_seconds
        self._longest_unit_seconds = longest_unit_seconds
        self._changing = asyncio.Lock()
        self._write: sqlite3.Connection | None = None
        self._read: sqlite3.Connection | None = None
        self._writer: GroupCommit | None = None
        self._commit_executor: ThreadPoolExecutor | None = None
        self._scan_executor: ThreadPoolExecutor | None = None
        self._idle_readers: list[sqlite3.Connection] = []
        self._readers_out = 0
        self._places = asyncio.Semaphore(most_readers)
        self._lock_descriptor: int | None = None
        self._identity: tuple[int, int] | None = None

    @property
    def writer(self) -> GroupCommit:
        """The group commit; raises `NotConnected`."""
        if self._writer is None:
            raise NotConnected
        return self._writer

    @property
    def write_connection(self) -> sqlite3.Connection:
        """Belongs to whoever holds the writer."""
        if self._write is None:
            raise NotConnected
        return self._write

    @property
    def read_connection(self) -> sqlite3.Connection:
        """For single statements, read to the end at once."""
        if self._read is None:
            raise NotConnected
        return self._read

    @property
    def scan_executor(self) -> ThreadPoolExecutor:
        """Where long scans go."""
        if self._scan_executor is None:
            raise NotConnected
        return self._scan_executor

    async def connect(self) -> None:
        """Open the file. Does nothing if it is open.

        Raises:
            DatabaseBusy: another process is just opening or closing it; try again with `lapel.database.retry`.
            DatabaseLocked: another server holds the file.
            StorageFailure: the file or its folder cannot be made or opened.
            MissingDatabase: there is no file, and none is to be made.
            PragmaRefused: a critical PRAGMA did not take.
        """
        async with self._changing:
            if self.state is not ConnectionState.CONNECTED:
                self._connect()

    def _connect(self) -> None:
        self.state = ConnectionState.CONNECTING
        try:
            if not self.in_memory:
                self._make_folder()
            if self._serves:
                self._take_server_lock()
            if not self.in_memory:
                self._make_file()
            self._write = self._open(query_only=False)
            if not self.in_memory:
                self._commit_executor = ThreadPoolExecutor(1, thread_name_prefix="lapel-sqlite-commit")
                self._scan_executor = ThreadPoolExecutor(2, thread_name_prefix="lapel-sqlite-scan")
                self._read = self._open(query_only=True)
            else:
                self._read = self._write
            self._writer = GroupCommit(
                self._write,
                executor=self._commit_executor,
                most_waiting=self._most_waiting,
                busy_seconds=self._busy_seconds,
                longest_unit_seconds=self._longest_unit_seconds,
                still_ours=self.file_is_ours,
            )
            self._identity = self._identity_now()
            self.state = ConnectionState.CONNECTED
        except BaseException:
            self._close()
            raise

    async def disconnect(self) -> None:
        """Let the last group commit, then close everything. Does nothing if closed."""
        async with self._changing:
            if self._writer is not None:
                self.state = ConnectionState.CLOSING
            try:
                if self._writer is not None:
                    await shielded(self._writer.close())
            finally:
                self._close()

    async def check_out_reader(self) -> sqlite3.Connection:
        """A connection for one snapshot; `check_in_reader` must follow."""
        if self.state is not ConnectionState.CONNECTED:
            raise NotConnected
        try:
            async with asyncio.timeout(self._busy_seconds):
                await self._places.acquire()
        except TimeoutError:
            raise DatabaseBusy(f"{self._most_readers} snapshots are open already.") from None
        try:
            if self.state is not ConnectionState.CONNECTED:
                raise NotConnected
            reader = self._idle_readers.pop() if self._idle_readers else self._open(query_only=True)
        except BaseException:
            self._places.release()
            raise
        self._readers_out += 1
        return reader

    def check_in_reader(self, connection: sqlite3.Connection) -> None:
        """Give a snapshot's connection back; what is open on it is rolled back."""
        self._readers_out -= 1
        self._places.release()
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except sqlite3.Error:
            connection.close()
        else:
            if self.state is ConnectionState.CONNECTED:
                self._idle_readers.append(connection)
            else:
                connection.close()

    @asynccontextmanager
    async def exclusively(self) -> AsyncIterator[None]:
        """Hold the one connection of a database in memory while no unit runs."""
        writer = self.writer
        await writer.acquire()
        try:
            yield
        finally:
            writer.release()

    def file_is_ours(self) -> bool:
        """Whether the file at our path is still the one that we have open: SQLite goes on with one that was removed."""
        return self._identity == self._identity_now()

    def pool_status(self) -> PoolStatus:
        """The connections of this process."""
        connected = self.state is ConnectionState.CONNECTED
        fixed = (1 if self.in_memory else 2) if connected else 0
        writing = int(self._writer.busy) if self._writer else 0
        idle = len(self._idle_readers)
        return PoolStatus(
            size=fixed + self._readers_out + idle,
            idle=max(fixed - writing, 0) + idle,
            in_use=writing + self._readers_out,
            waiting=self._writer.waiting if self._writer else 0,
            maximum=(1 if self.in_memory else 2 + self._most_readers),
        )

    def _identity_now(self) -> tuple[int, int] | None:
        if self.in_memory:
            return None
        try:
            found = os.stat(self.file)
        except OSError:
            return (0, 0)
        return (found.st_dev, found.st_ino)

    def _make_folder(self) -> None:
        folder = Path(self.file).parent
        if not self._make:
            if not os.path.exists(self.file):
                raise MissingDatabase(
                    f"There is no database file {os.path.abspath(self.file)}.",
                    hint="Run this in the folder that the server runs in, or set SQLITE_FILE to the server's file."
                    " `lapel serve`, `lapel db migrate` and `lapel demo` make a new one.",
                )
            return
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StorageFailure(
                f"The folder {folder} cannot be made: {error.strerror}.",
                hint="Set SQLITE_FILE to a path you can write.",
            ) from error

    def _make_file(self) -> None:
        """Make the file, empty and for its owner alone. SQLite gives those that it puts beside it the same rights."""
        try:
            os.close(os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        except OSError:
            return  # it is there already; where it cannot be made, opening it will tell

    def _open(self, *, query_only: bool) -> sqlite3.Connection:
        try:
            connection = self._connector(self.file)
        except sqlite3.Error as error:
            raise StorageFailure(
                f"The database file {self.file} cannot be opened.",
                hint="Set SQLITE_FILE to a path you can write.",
            ) from error
        try:
            self.pragmas = apply_pragmas(connection, on_file=not self.in_memory)
            if query_only:
                connection.execute("PRAGMA query_only = ON")
        except sqlite3.Error as error:
            connection.close()
            raise translated(error) from error
        except BaseException:
            connection.close()
            raise
        return connection

    def _take_server_lock(self) -> None:
        lock = f"{os.path.realpath(self.file)}.lock"  # one file has one lock, by whatever path it is reached
        try:
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StorageFailure(f"The lock file {lock} cannot be opened: {error.strerror}.") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise DatabaseLocked(f"Another server already runs on {self.file}.") from None
        self._lock_descriptor = descriptor

    def _close(self) -> None:
        connections = {
            id(found): found for found in (self._read, self._write, *self._idle_readers) if found is not None
        }
        self._writer = self._write = self._read = None
        self._idle_readers = []
        for executor in (self._commit_executor, self._scan_executor):
            if executor is not None:
                executor.shutdown(wait=True)
        self._commit_executor = self._scan_executor = None
        for connection in connections.values():
            connection.close()
        if self._lock_descriptor is not None:
            os.close(self._lock_descriptor)
            self._lock_descriptor = None
        self.state = ConnectionState.DISCONNECTED

    def __del__(self) -> None:
        if self.state is not ConnectionState.DISCONNECTED:
            warnings.warn(f"unclosed SQLite database {self.file}", ResourceWarning, source=self, stacklevel=1)
            self._close()
