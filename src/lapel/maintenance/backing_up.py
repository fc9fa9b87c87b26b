"""Back a database up that is one file, while a server writes to it."""

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
from lapel.maintenance.examining import Examined, Surroundings, examined
from lapel.maintenance.staging import Tell, check_room, put_in_place, size_of, staged, sync_file
from lapel.maintenance.stored_keys import check_keys
from lapel.services.keys.master_key import KeptMasterKey, MissingMasterKey

__all__ = ["BackedUp", "Backup", "BackupThere", "OwnFile", "back_up", "own_file_of"]

_BESIDE: Final = ("-wal", "-shm", "-journal", ".lock", ".master-key")
"""How the names of what lies beside a database go on."""


class BackupThere(Conflict):
    """There is already a file of that name."""

    code = "backup_exists"
    hint = "Name another file, or add --replace."


class OwnFile(InvalidInput):
    """A backup must not overwrite a file of the database itself, or the master key's."""

    code = "own_file"
    hint = "Name another file."


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """What is wanted.

    Attributes:
        file: where the backup is to be.
        replace: in place of one that is there.
        key_file: where a copy of the master key is to be, if one is wanted.
    """

    file: Path
    replace: bool = False
    key_file: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BackedUp:
    """What was made.

    Attributes:
        moment: what was committed by then is in it.
        size: in bytes.
        key: the database's master key and where it was found; None where the settings name none, or another one.
        trouble: why there is no `key`.
    """

    moment: datetime
    size: int
    holds: Examined
    key: KeptMasterKey | None
    trouble: LapelError | None


def own_file_of(database: Database, file: Path | None, *, restoring: bool = False) -> Path:
    """The file of a database that is one, links followed. Raises `NotSupported`, with what to do instead."""
    own = database.own_file
    if own is None or not database.capabilities.whole_file:
        command = database.outside_tools(file or Path("lapel.dump"))[restoring]
        raise NotSupported(
            "This database is not a file that Lapel can copy.",
            hint=command and f"Use its own tools: `{command}` (docs/operating.md has the rest).",
        )
    return own.resolve()


async def back_up(
    database: Database, wanted: Backup, surroundings: Surroundings, *, advance: Tell, tell: Callable[[str], None]
) -> BackedUp:
    """Copy a database that is connected, verify the copy, and only then let it be there.

    Raises:
        NotSupported: the database is no file.
        BackupThere, OwnFile, AlreadyUnderWay: nothing may be made there.
        DatabaseFull, StorageFailure: there is no room, or the disk fails.
        UnsoundCopy: the copy, and so the database, is not sound.
        WrongMasterKey, MissingMasterKey: a copy of the master key is wanted, and there is none of this database.
    """
    own = own_file_of(database, wanted.file)
    target = wanted.file.absolute()
    _refuse(own, target, replace=wanted.replace)
    _refuse_key(wanted.key_file, target)
    try:
        with staged(target) as draft:
            check_room(target.parent, size_of(own, database.companions))
            copy = surroundings.open(draft)
            with copy.served_by_nobody():  # which also says whether a database can be opened there
                moment = await database.backup_to(draft, advance)
                holds, key, trouble = await _looked_into(copy, wanted, surroundings, tell)
                with copy.opened_by_nobody():
                    pass
            sync_file(draft)
            if wanted.key_file is not None and key is not None:
                _keep(key.key, wanted.key_file)
            _refuse(own, target, replace=wanted.replace)
            size = draft.stat().st_size
            put_in_place(draft, target, companions=database.companions)
    except (DatabaseFull, StorageFailure) as error:
        raise _nothing_left(error, target) from error
    except OSError as error:
        raise _nothing_left(StorageFailure(f"{error.strerror}."), target) from error
    return BackedUp(moment=moment, size=size, holds=holds, key=key, trouble=trouble)


def _nothing_left(error: DatabaseError, target: Path) -> DatabaseError:
    return type(error)(
        f"The backup {target} cannot be written: {error.detail}",
        hint="Free some space there, or name a file on another disk of this machine. Nothing was left of it.",
    )


def _refuse(own: Path, target: Path, *, replace: bool) -> None:
    there = target.resolve()
    if there.parent == own.parent and (there == own or there.name.removeprefix(own.name).startswith(_BESIDE)):
        raise OwnFile(f"{target} belongs to the database itself.")
    if target.exists() and not replace:
        raise BackupThere(f"{target} already exists.")


def _refuse_key(file: Path | None, target: Path) -> None:
    if file is not None and file.resolve() == target.resolve():
        raise OwnFile(f"{target} is the master key's file.")


async def _looked_into(
    copy: Database, wanted: Backup, surroundings: Surroundings, tell: Callable[[str], None]
) -> tuple[Examined, KeptMasterKey | None, LapelError | None]:
    """What is in the copy, and which key opens it."""
    await copy.connect()
    try:
        is_older = bool((await copy.migration_status()).pending)  # and left so
        async with nullcontext() if is_older else surroundings.services(copy) as services:
            holds = await examined(copy, services, tell)
            try:
                key = surroundings.master_key()
                _refuse_key(key.file, wanted.file)
                await check_keys(copy, key, is_older=is_older)
            except (MissingMasterKey, WrongMasterKey) as error:
                if wanted.key_file is not None:
                    raise
                return holds, None, error
            return holds, key, None
    finally:
        await copy.disconnect()


def _keep(key: MasterKey, file: Path) -> None:
    """Write the key into a new file, or see that it is in the one that is there."""
    text = key.to_text()
    try:
        write_secret(file, f"{text}\n".encode("ascii"))
    except FileExistsError as error:
        with suppress(OSError, UnicodeDecodeError, LapelError):
            if MasterKey.parse(file.read_text(encoding="ascii")).to_text() == text:
                return
        raise BackupThere(
            f"{file} holds something other than this database's master key.",
            hint="Name another file: earlier backups may need what is in that one.",
        ) from error
