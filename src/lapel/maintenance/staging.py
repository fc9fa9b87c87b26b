"""Files that come to be whole, or not at all: made aside, and put in their places in one step."""

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
    "Tell",
    "check_room",
    "copy_file",
    "put_in_place",
    "size_of",
    "staged",
    "state_of",
    "sync_file",
]

Tell: TypeAlias = Callable[[int, int], None]
"""Is told how much is done, and of how much; in any thread."""

_CHUNK: Final = 4 * 1024 * 1024


class AlreadyUnderWay(Conflict):
    """Another command is making the same file right now."""

    code = "already_under_way"
    hint = "Wait for it, or name another file."


@contextmanager
def staged(target: Path) -> Iterator[Path]:
    """A new empty file, its owner's alone, on the file system of `target`. What is left of it goes when the block ends.

    It lies in a folder of its own, so that whatever a database puts beside it goes too; what a run that was killed has
    left there goes first. A folder of that name with anything else in it, or that others could write to, is left alone.

    Raises:
        AlreadyUnderWay: another process is at it, or the folder is somebody's.
        OSError: nothing can be made there.
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
        if not is_ours:  # or the other one has just ended, and taken its folder away
            raise AlreadyUnderWay(f"{folder} is in use.")
        for left in folder.iterdir():
            left.unlink()
        draft = folder / target.name
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        try:
            yield draft
        finally:
            with suppress(OSError):  # it goes the next time
                shutil.rmtree(folder)
    finally:
        os.close(descriptor)


def _is_own(folder: Path, name: str) -> bool:
    """Whether it is one of `staged`: a folder and no link, its owner's alone, with nothing in it but such drafts."""
    about = folder.lstat()
    is_private = about.st_uid == os.geteuid() and not about.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    return stat.S_ISDIR(about.st_mode) and is_private and all(left.name.startswith(name) for left in folder.iterdir())


def put_in_place(draft: Path, target: Path, *, kept: Path | None = None, companions: Sequence[str] = ()) -> None:
    """Let a file that is durable become `target`. Killed at any moment, the one or the other is there.

    Args:
        kept: the name by which what was there stays, with what belongs to it.
        companions: endings of what belongs to the old file, and must not be beside the new one.
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


def copy_file(source: Path, target: Path, tell: Tell) -> None:
    """Copy what is in a file to one that is there, and empty.

    Raises:
        OSError: it cannot be read, or not be written.
    """
    with source.open("rb") as reading, target.open("r+b") as writing:
        total, done = os.fstat(reading.fileno()).st_size, 0
        while chunk := reading.read(_CHUNK):
            writing.write(chunk)
            done += len(chunk)
            tell(done, max(done, total))


def sync_file(file: Path) -> None:
    """Make what is in a file durable. Not while a database has it open, which would lose its locks."""
    with file.open("r+b") as opened:
        os.fsync(opened.fileno())


def size_of(file: Path, companions: Sequence[str]) -> int:
    """Bytes, those of its companions included."""
    parts = (Path(f"{file}{ending}") for ending in ("", *companions))
    return sum(part.stat().st_size for part in parts if part.exists())


def state_of(file: Path, companions: Sequence[str]) -> Sequence[object]:
    """What differs as soon as somebody has written to a file, or to what belongs to it."""
    parts = (Path(f"{file}{ending}") for ending in ("", *companions))
    return [
        (about.st_ino, about.st_size, about.st_mtime_ns) for part in parts if part.exists() and (about := part.stat())
    ]


def check_room(folder: Path, wanted: int) -> None:
    """Raises `DatabaseFull` where there is less room than that."""
    free = shutil.disk_usage(folder).free
    if free < wanted:
        raise DatabaseFull(
            f"{folder} has room for {free:,} bytes, and {wanted:,} are needed.",
            hint="Free some space there, or name a file on another disk.",
        )
