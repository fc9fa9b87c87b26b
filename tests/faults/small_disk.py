"""A place for a SQLite file that can be filled to the last byte, and emptied again."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from pathlib import Path

__all__ = ["FileSizeLimit", "SmallDisk", "SmallFileSystem", "may_mount"]

_MOUNT = 'mount -t tmpfs -o size=64m tmpfs "$0" && exec "$@"'
_LEFT_BYTES = 150_000
_UNSHARE = ("unshare", "--mount") if os.geteuid() == 0 else ("unshare", "--map-root-user", "--mount")


def may_mount() -> bool:
    """Whether this process may have file systems of its own."""
    try:
        return subprocess.run([*_UNSHARE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


class SmallFileSystem:
    """A small file system, which only the server sees."""

    full = "database_full"

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "small"
        self.folder.mkdir()
        self.within = (*_UNSHARE, "sh", "-c", _MOUNT, str(self.folder))

    def fill(self, server: int) -> None:
        """Leave next to nothing."""
        place = self._seen_by(server)
        free = os.statvfs(place)
        (place / "ballast").write_bytes(bytes(max(0, free.f_bavail * free.f_frsize - _LEFT_BYTES)))

    def empty(self, server: int) -> None:
        """Make room again."""
        (self._seen_by(server) / "ballast").unlink()

    def copy(self, server: int, to: Path) -> Path:
        """A copy of the database, at a moment when nobody writes: its file."""
        for name in ("lapel.sqlite", "lapel.sqlite-wal"):
            shutil.copy(self._seen_by(server) / name, to / name)
        return to / "lapel.sqlite"

    def _seen_by(self, server: int) -> Path:
        return Path(f"/proc/{server}/root{self.folder}")


class FileSizeLimit:
    """No file of the server's may grow any more: for where nothing can be mounted."""

    full = "database_storage_failure"  # what the system says is not that the disk is full
    within = ()

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self, server: int) -> None:
        """Leave next to nothing."""
        largest = max(file.stat().st_size for file in self.folder.glob("lapel.sqlite*"))
        self._limit(server, largest + _LEFT_BYTES)

    def empty(self, server: int) -> None:
        """Make room again."""
        self._limit(server, resource.RLIM_INFINITY)

    def copy(self, server: int, to: Path) -> Path:
        """The database's own file."""
        return self.folder / "lapel.sqlite"

    def _limit(self, server: int, size: int) -> None:
        resource.prlimit(server, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


SmallDisk = SmallFileSystem | FileSizeLimit
