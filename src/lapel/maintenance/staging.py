"""Files that are written to a temporary folder and then moved to their place in one step."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TypeAlias

from lapel.credentials.key_storage.secret_file import sync_folder
from lapel.database.errors import DatabaseFull
from lapel.errors import Conflict

__all__ = [
    "AlreadyUnderWay",
    "OnProgress",
    "check_room",
    "copy_file",
    "put_in_place",
    "size_of",
    "staged",
    "state_of",
    "sync_file",
]

OnProgress: TypeAlias = Callable[[int, int], None]
"""A progress callback with the amount done and the total. It may be called from any thread."""

_CHUNK: Final = 4 * 1024 * 1024


class AlreadyUnderWay(Conflict):
    """Another command is making the same file right now."""

    code = "already_under_way"
    hint = "Wait for it, or name another file."


@contextmanager
def staged(target: Path) -> Iterator[Path]:
    """Create an empty file, accessible to its owner only, on `target`'s file system, and remove it after the block.

    The file is in a folder of its own, which is removed with everything that a database creates beside the file. What a
    killed run has left there is removed first. An existing folder with other content, or that others can write to, is
    left alone.

    Raises:
        AlreadyUnderWay: another process uses the folder, or it is not one of ours.
        OSError: the folder or the file cannot be created.
    """
    folder = target.with_name(f"{target.name}.partial")
    folder.mkdir(mode=0o700, exist_ok=True)
    if not _is_own(folder, target.name):
        raise AlreadyUnderWay(
            f"{folder} exists, and does not belong to this command.", hint="Move it, or name another file."
        )
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_ours = os.path.samestat(os.fstat(descriptor), os.stat(folder))
        except OSError:
            is_ours = False
        if not is_ours:  # or the other process has just ended and removed its folder
            raise AlreadyUnderWay(f"{folder} is in use.")
        for leftover in folder.iterdir():
            leftover.unlink()
        draft = folder / target.name
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        try:
            yield draft
        finally:
            with suppress(OSError):  # the next run removes it
                shutil.rmtree(folder)
    finally:
        os.close(descriptor)


def _is_own(folder: Path, name: str) -> bool:
    """Return whether `staged` created the folder: a private folder, not a link, that contains only such drafts."""
    status = folder.lstat()
    is_private = status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    return stat.S_ISDIR(status.st_mode) and is_private and all(each.name.startswith(name) for each in folder.iterdir())


def put_in_place(draft: Path, target: Path, *, kept: Path | None = None, companions: Sequence[str]) -> None:
    """Atomically rename a durable file to `target`. If the process is killed, either the old or the new file is there.

    Args:
        kept: another name for the old file and its companions; None to delete them.
        companions: suffixes of files that belong to the old file and must not stay beside the new one.
    """
    if kept is not None:
        for ending in ("", *companions):
            with suppress(FileNotFoundError):
                os.link(f"{target}{ending}", f"{kept}{ending}")
        sync_folder(target.parent)
    for ending in companions:
        Path(f"{target}{ending}").unlink(missing_ok=True)
    draft.replace(target)
    sync_folder(target.parent)


def copy_file(source: Path, target: Path, on_progress: OnProgress) -> None:
    """Copy a file's content to an existing empty file.

    Raises:
        OSError: the source cannot be read, or the target cannot be written.
    """
    with source.open("rb") as reading, target.open("r+b") as writing:
        total, done = os.fstat(reading.fileno()).st_size, 0
        while chunk := reading.read(_CHUNK):
            writing.write(chunk)
            done += len(chunk)
            on_progress(done, max(done, total))


def sync_file(file: Path) -> None:
    """Make a file durable. Do not call this while a database has it open, because that would lose its locks."""
    with file.open("r+b") as opened:
        os.fsync(opened.fileno())


def size_of(file: Path, companions: Sequence[str]) -> int:
    """Return the size of the file and its companions in bytes."""
    return sum(status.st_size for status in _statuses(file, companions))


def state_of(file: Path, companions: Sequence[str]) -> Sequence[object]:
    """Return a value that changes whenever somebody writes to the file or its companions."""
    return [(status.st_ino, status.st_size, status.st_mtime_ns) for status in _statuses(file, companions)]


def _statuses(file: Path, companions: Sequence[str]) -> Iterator[os.stat_result]:
    parts = (Path(f"{file}{ending}") for ending in ("", *companions))
    return (part.stat() for part in parts if part.exists())


def check_room(folder: Path, needed: int) -> None:
    """Raise `DatabaseFull` if the folder's disk has less than `needed` free bytes."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DatabaseFull(
            f"{folder} has room for {free:,} bytes, and {needed:,} are needed.",
            hint="Free some space there, or name a file on another disk.",
        )
