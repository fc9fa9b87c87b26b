"""A place for a SQLite file that can be filled to the last byte, and emptied again."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

__all__ = ["FileSizeLimit", "SmallDisk", "SmallFileSystem", "may_mount"]

_LEFT_BYTES = 150_000
_MOUNT = 'mount -t tmpfs -o size="$3",mode=0700,uid="$1",gid="$2" tmpfs "$0" && shift 3 && exec "$@"'
_UNSHARE = ("unshare", "--mount") if os.geteuid() == 0 else ("unshare", "--map-root-user", "--mount")


def may_mount() -> bool:
    """Whether this process may have file systems of its own."""
    try:
        return subprocess.run([*_UNSHARE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


class SmallFileSystem:
    """A small file system at `folder`, which only the processes started `within` it see.

    Args:
        megabytes: its size.
        uid, gid: whose it is.
    """

    full = "database_full"

    def __init__(self, folder: Path, *, megabytes: int = 64, uid: int = 0, gid: int = 0) -> None:
        self.folder = folder
        self.within = (*_UNSHARE, "sh", "-c", _MOUNT, str(folder), str(uid), str(gid), f"{megabytes}m")

    def fill(self, server: int) -> None:
        """Leave next to nothing to a process, by its id, and all others that see what it sees."""
        place = self._seen_by(server)
        free = os.statvfs(place)
        with suppress(OSError):  # full already: the database has grown meanwhile
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
