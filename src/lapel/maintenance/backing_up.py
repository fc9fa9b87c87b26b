"""Backs up a database that is a single file, while a server may write to it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from lapel.credentials.key_storage.master_key import MasterKey, WrongMasterKey
from lapel.credentials.key_storage.secret_file import write_secret
from lapel.database.errors import DatabaseError, DatabaseFull, NotSupported, StorageFailure
from lapel.database.interface import Database
from lapel.errors import Conflict, InvalidInput, LapelError
from lapel.maintenance.examining import CopyContents, Installation, examine
from lapel.maintenance.staging import OnProgress, check_room, put_in_place, size_of, staged, sync_file
from lapel.maintenance.stored_keys import check_keys
from lapel.services.keys.master_key import MissingMasterKey, StoredMasterKey

__all__ = ["BackedUp", "Backup", "BackupExists", "OwnFile", "back_up", "own_file_of"]

_COMPANIONS: Final = ("-wal", "-shm", "-journal", ".lock", ".master-key")
"""The suffixes of files beside a database that belong to it."""


class BackupExists(Conflict):
    """There is already a file of that name."""

    code = "backup_exists"
    hint = "Name another file, or add --replace."


class OwnFile(InvalidInput):
    """A backup must not overwrite a file of the database itself, or the master key's."""

    code = "own_file"
    hint = "Name another file."


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """The options of a backup.

    Attributes:
        file: where to write the backup.
        replace: whether to replace an existing file.
        key_file: where to write a copy of the master key; None for no copy.
    """

    file: Path
    replace: bool = False
    key_file: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BackedUp:
    """A finished backup.

    Attributes:
        moment: the backup contains everything committed by then.
        size: the size in bytes.
        contents: the verified contents.
        key: the database's master key and where it was found; None if the settings name none, or the wrong one.
        key_error: why `key` is None.
    """

    moment: datetime
    size: int
    contents: CopyContents
    key: StoredMasterKey | None
    key_error: LapelError | None


def own_file_of(database: Database, file: Path | None, *, restoring: bool = False) -> Path:
    """Return the file of a single-file database, with links resolved.

    Raises:
        NotSupported: the database is not a file. The hint names the database's own tools.
    """
    own = database.own_file
    if own is None or not database.capabilities.whole_file:
        dump, put_back = database.outside_tools(file or Path("lapel.dump"))
        command = put_back if restoring else dump
        raise NotSupported(
            "This database is not a file that Lapel can copy.",
            hint=command and f"Use its own tools: `{command}` (docs/backups.md has the rest).",
        )
    return own.resolve()


async def back_up(
    database: Database,
    options: Backup,
    installation: Installation,
    *,
    advance: OnProgress,
    begin_step: Callable[[str], None],
) -> BackedUp:
    """Copy a connected database, verify the copy, and then move it to its place.

    Raises:
        NotSupported: the database is not a file.
        BackupExists, OwnFile, AlreadyUnderWay: the backup cannot be written to that path.
        DatabaseFull, StorageFailure: the disk is full or fails.
        UnsoundCopy: the copy is damaged, and so is the database.
        WrongMasterKey, MissingMasterKey: a copy of the master key is requested, but this database's is not available.
    """
    own = own_file_of(database, options.file)
    target = options.file.absolute()
    _check_target(own, target, replace=options.replace)
    _check_key_file(options.key_file, target)
    try:
        with staged(target) as draft:
            check_room(target.parent, size_of(own, database.companions))
            copy = installation.open(draft)
            with copy.served_by_nobody():  # also checks whether the file system is suitable
                moment = await database.backup_to(draft, advance)
                contents, key, key_error = await _examine_copy(copy, options, installation, begin_step)
                with copy.opened_by_nobody():
                    pass
            sync_file(draft)
            if options.key_file is not None and key is not None:
                _save_key(key.key, options.key_file)
            _check_target(own, target, replace=options.replace)
            size = draft.stat().st_size
            put_in_place(draft, target, companions=database.companions)
    except (DatabaseFull, StorageFailure) as error:
        raise _cannot_write(error, target) from error
    except OSError as error:
        raise _cannot_write(StorageFailure(f"{error.strerror}."), target) from error
    return BackedUp(moment=moment, size=size, contents=contents, key=key, key_error=key_error)


def _cannot_write(error: DatabaseError, target: Path) -> DatabaseError:
    return type(error)(
        f"The backup {target} cannot be written: {error.detail}",
        hint="Free some space there, or name a file on another disk of this machine. Nothing was left of it.",
    )


def _check_target(own: Path, target: Path, *, replace: bool) -> None:
    path = target.resolve()
    if path.parent == own.parent and (path == own or path.name.removeprefix(own.name).startswith(_COMPANIONS)):
        raise OwnFile(f"{target} belongs to the database itself.")
    if target.exists() and not replace:
        raise BackupExists(f"{target} already exists.")


def _check_key_file(file: Path | None, target: Path) -> None:
    if file is not None and file.resolve() == target.resolve():
        raise OwnFile(f"{target} is the master key's file.")


async def _examine_copy(
    copy: Database, options: Backup, installation: Installation, begin_step: Callable[[str], None]
) -> tuple[CopyContents, StoredMasterKey | None, LapelError | None]:
    """Verify the copy. Returns its contents, and its master key or why there is none."""
    await copy.connect()
    try:
        is_older = bool((await copy.migration_status()).pending)  # the copy is not migrated
        async with nullcontext() if is_older else installation.services(copy) as services:
            contents = await examine(copy, services, begin_step)
            try:
                key = installation.master_key()
                _check_key_file(key.file, options.file)
                await check_keys(copy, key, is_older=is_older)
            except (MissingMasterKey, WrongMasterKey) as error:
                if options.key_file is not None:
                    raise
                return contents, None, error
            return contents, key, None
    finally:
        await copy.disconnect()


def _save_key(key: MasterKey, file: Path) -> None:
    """Write the key to a new file, or check that an existing one contains it."""
    text = key.to_text()
    try:
        write_secret(file, f"{text}\n".encode("ascii"))
    except FileExistsError as error:
        with suppress(OSError, UnicodeDecodeError, LapelError):
            if MasterKey.parse(file.read_text(encoding="ascii")).to_text() == text:
                return
        raise BackupExists(
            f"{file} holds something other than this database's master key.",
            hint="Name another file: earlier backups may need what is in that one.",
        ) from error
