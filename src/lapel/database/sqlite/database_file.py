"""The file of an SQLite database in the file system: its path, identity, lock and log."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

from lapel.database.errors import DatabaseLocked, MissingDatabase, StorageFailure
from lapel.file_system import MOUNTS, access_problem, give_owner_of, network_file_system, write_problem

__all__ = ["OWNER_HINT", "DatabaseFile", "Identity"]

Identity: TypeAlias = tuple[int, int]
"""Device and inode, which distinguish a file from another one that replaces it."""

OWNER_HINT = "Run this as the server's user, who must be able to write the file and its folder (SQLITE_FILE)."
_AT_REST_SECONDS = 1.0


class DatabaseFile:
    """Operations on the file without SQLite.

    Args:
        path: the file's path; it need not exist.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._lock = f"{os.path.realpath(path)}.lock"  # the same for every path to the file

    def prepare(self, *, make: bool) -> None:
        """Make sure that SQLite can work with the file.

        Args:
            make: whether the file may be created. If so, its folder is created here, for its owner only.

        Raises:
            MissingDatabase: the file does not exist and may not be created.
            StorageFailure: its folder cannot be created or entered, or is on a network file system.
        """
        folder = Path(self.path).parent
        if problem := access_problem(Path(self.path), os.F_OK):
            raise StorageFailure(f"The database file {self.path} cannot be opened: {problem}.", hint=OWNER_HINT)
        if not make and not os.path.exists(self.path):
            raise MissingDatabase(
                f"There is no database file {os.path.abspath(self.path)}.",
                hint="Run this in the folder that the server runs in, or set SQLITE_FILE to the server's file."
                " `lapel serve`, `lapel db migrate` and `lapel demo` make a new one.",
            )
        try:
            if not folder.is_dir():
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                give_owner_of(folder.parent, folder)
        except OSError as error:
            raise StorageFailure(
                f"The folder {folder} cannot be made: {error.strerror}.",
                hint="Set SQLITE_FILE to a path you can write.",
            ) from error
        if kind := network_file_system(folder, mounts=MOUNTS):
            raise StorageFailure(
                f"{folder} is on a network file system ({kind}), where SQLite's log does not work and loses data.",
                hint="Set SQLITE_FILE to a path on a local disk, or use PostgreSQL.",
            )

    def make(self) -> None:
        """Create the file, empty and for its owner only. SQLite creates its companions with the same permissions.

        Raises:
            StorageFailure: the file is missing but its log exists, which SQLite would delete.
        """
        log = f"{self.path}-wal"
        if self.identity() is None and os.path.exists(log) and os.path.getsize(log):
            raise StorageFailure(
                f"There is the log {log} of a database file that is not there.",
                hint="Put the file back: what was stored last is in the log alone.",
            )
        with suppress(OSError):  # it already exists; any other error shows when SQLite opens it
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            give_owner_of(Path(self.path).parent, Path(self.path))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock of the one server during the block. The lock file is removed at the end.

        Raises:
            DatabaseLocked: another server holds the lock, or has just released it.
            StorageFailure: the lock file cannot be opened.
        """
        try:
            descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            problem = write_problem(Path(self._lock))
            detail = f"The lock file {self._lock} cannot be opened: {problem or error.strerror}."
            raise StorageFailure(detail, hint=OWNER_HINT if problem else None) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not self._is_the_lock(descriptor):  # removed by its owner after we opened it
                raise BlockingIOError
        except OSError:
            os.close(descriptor)
            raise DatabaseLocked(f"Another server already runs on {self.path}.") from None
        try:
            yield
        finally:
            with suppress(OSError):  # a leftover file does no harm
                if self._is_the_lock(descriptor):
                    os.unlink(self._lock)
            os.close(descriptor)

    def _is_the_lock(self, descriptor: int) -> bool:
        return os.path.samestat(os.fstat(descriptor), os.stat(self._lock))

    def identity(self, ending: str = "") -> Identity | None:
        """Return the identity of the file, or of its companion with that suffix; None if it is missing.

        An empty database file counts as missing.
        """
        try:
            status = os.stat(self.path + ending)
        except OSError:
            return None
        return (status.st_dev, status.st_ino) if status.st_size or ending else None

    def remove_log(self) -> None:
        """Remove the log and its index. Call this only while nobody has the file open."""
        for ending in ("-wal", "-shm"):
            Path(self.path + ending).unlink(missing_ok=True)

    def size_at_rest(self) -> int:
        """Return the size in bytes of a file that has replaced the open one.

        Raises:
            StorageFailure: the file is missing, or was written within the last second.
        """
        try:
            status = os.stat(self.path)
        except OSError as error:
            raise StorageFailure(
                "The database's file was removed or replaced while it was open.", hint="Put the file back."
            ) from error
        if abs(time.time() - status.st_mtime) < _AT_REST_SECONDS:
            raise StorageFailure("The database's file was replaced by one written just now, perhaps not to its end.")
        return status.st_size

    def uri(self, query: str) -> str:
        """Return the file's SQLite URI with that query (https://sqlite.org/uri.html)."""
        return f"{Path(self.path).absolute().as_uri()}?{query}"
