"""The file of an SQLite database as the operating system sees it: where it lies, which it is, if it is whole."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

from lapel.database.errors import DatabaseLocked, MissingDatabase, StorageFailure

__all__ = ["MOUNTS", "DatabaseFile", "Identity", "network_file_system"]

Identity: TypeAlias = tuple[int, int]
"""Device and inode: what tells one file from another that was put in its place."""

_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ncpfs", "ceph", "lustre", "fuse.sshfs"})
MOUNTS = Path("/proc/self/mountinfo")
"""Where Linux tells what is mounted."""

_AT_REST_SECONDS = 1.0


class DatabaseFile:
    """What is done to the file without SQLite.

    Args:
        path: where it is, or is to be.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._lock = f"{os.path.realpath(path)}.lock"  # one for one file, by whatever path it is reached

    def prepare(self, *, make: bool) -> None:
        """Make sure that SQLite can work there.

        Args:
            make: where there is no file, it will be made, and here its folder, for the owner alone.

        Raises:
            MissingDatabase: there is no file, and none is to be made.
            StorageFailure: its folder cannot be made, or lies on a network file system.
        """
        folder = Path(self.path).parent
        if not make and not os.path.exists(self.path):
            raise MissingDatabase(
                f"There is no database file {os.path.abspath(self.path)}.",
                hint="Run this in the folder that the server runs in, or set SQLITE_FILE to the server's file."
                " `lapel serve`, `lapel db migrate` and `lapel demo` make a new one.",
            )
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
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
        """Make the file, empty and for its owner alone. SQLite gives those that it puts beside it the same rights.

        Raises:
            StorageFailure: it is gone, and its log is there, which SQLite would delete beside a new one.
        """
        log = f"{self.path}-wal"
        if self.identity() is None and os.path.exists(log) and os.path.getsize(log):
            raise StorageFailure(
                f"There is the log {log} of a database file that is not there.",
                hint="Put the file back: what was stored last is in the log alone.",
            )
        with suppress(OSError):  # it is there already; where it cannot be made, opening it will tell
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock of the one server. Its file is taken away when it is given back.

        Raises:
            DatabaseLocked: another server has it, or has only just given it back.
        """
        try:
            descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StorageFailure(f"The lock file {self._lock} cannot be opened: {error.strerror}.") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not self._is_the_lock(descriptor):  # taken away by its owner after we had opened it
                raise BlockingIOError
        except OSError:
            os.close(descriptor)
            raise DatabaseLocked(f"Another server already runs on {self.path}.") from None
        try:
            yield
        finally:
            with suppress(OSError):  # a file that stays does no harm
                if self._is_the_lock(descriptor):
                    os.unlink(self._lock)
            os.close(descriptor)

    def _is_the_lock(self, descriptor: int) -> bool:
        return os.path.samestat(os.fstat(descriptor), os.stat(self._lock))

    def identity(self, ending: str = "") -> Identity | None:
        """Which file is there now, or the one beside it with that ending; None if there is none, or an empty one."""
        try:
            found = os.stat(self.path + ending)
        except OSError:
            return None
        return (found.st_dev, found.st_ino) if found.st_size or ending else None

    def remove_log(self) -> None:
        """Remove what SQLite has put beside the file. Only while nobody has it open."""
        for ending in ("-wal", "-shm"):
            Path(self.path + ending).unlink(missing_ok=True)

    def size_at_rest(self) -> int:
        """How many bytes are in a file that was put in place of ours.

        Raises:
            StorageFailure: there is none, or it was written just now.
        """
        try:
            about = os.stat(self.path)
        except OSError as error:
            raise StorageFailure(
                "The database's file was removed or replaced while it was open.", hint="Put the file back."
            ) from error
        if abs(time.time() - about.st_mtime) < _AT_REST_SECONDS:
            raise StorageFailure("The database's file was replaced by one written just now, perhaps not to its end.")
        return about.st_size

    def uri(self, how: str) -> str:
        """The file as SQLite is told to open it (https://sqlite.org/uri.html); it makes none that is not there."""
        return f"{Path(self.path).absolute().as_uri()}?{how}"


def network_file_system(folder: Path, *, mounts: Path) -> str | None:
    """The kind of the network file system that `folder` is on; None where it is local, or where nobody can tell."""
    try:
        lines = mounts.read_text().splitlines()
    except OSError:
        return None
    where, found = folder.resolve(), ("", "")
    for line in lines:  # proc(5): the mount point is the fifth field, the type follows the lone hyphen
        before, _, after = line.partition(" - ")
        point = before.split()[4].encode().decode("unicode_escape")  # blanks are written \040
        if where.is_relative_to(point) and len(point) >= len(found[0]):
            found = (point, after.split()[0])
    return found[1] if found[1] in _NETWORK else None
