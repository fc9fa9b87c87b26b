"""Replaces a single-file database by a backup, and makes databases safe that other tools have restored."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from lapel.credentials.key_storage.master_key import WrongMasterKey
from lapel.credentials.key_storage.secret_file import sync_folder
from lapel.database.errors import (
    CorruptDatabase,
    DatabaseBusy,
    DatabaseFull,
    DatabaseLocked,
    NewerDatabase,
    StorageFailure,
    WrongSchema,
)
from lapel.database.interface import Database
from lapel.domain.access import acting_for
from lapel.domain.audit import Action
from lapel.domain.clock import format_timestamp
from lapel.domain.identifiers import LAST_ID
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID
from lapel.errors import InvalidInput, NotFound
from lapel.file_system import give_owner_of
from lapel.maintenance.backing_up import own_file_of
from lapel.maintenance.carrying_over import CarriedOver, carry_over
from lapel.maintenance.examining import CopyContents, Installation, UnsoundCopy, examine, findings_of
from lapel.maintenance.staging import (
    OnProgress,
    check_room,
    copy_file,
    put_in_place,
    size_of,
    staged,
    state_of,
    sync_file,
)
from lapel.maintenance.stored_keys import check_keys
from lapel.services.auditing.recording import record
from lapel.services.keys.master_key import MissingMasterKey, StoredMasterKey

__all__ = ["Restored", "make_safe", "restore"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """A restored database.

    Attributes:
        file: its file; None if other tools have restored it.
        kept: where the replaced database was kept; None if it was not.
        was: the backup's revision.
        contents: the verified contents.
        closed: the number of status lists that were closed, so that none of their positions is allocated twice.
        carried: the removals that were repeated; None if there was no replaced database that could be read.
    """

    file: Path | None = None
    kept: Path | None = None
    was: str
    contents: CopyContents
    closed: int
    carried: CarriedOver | None = None


async def restore(
    database: Database,
    backup: Path,
    installation: Installation,
    *,
    keep: bool,
    advance: OnProgress,
    begin_step: Callable[[str], None],
) -> Restored:
    """Verify and migrate a copy of a backup, and replace the database by it. The database must not be connected.

    Args:
        keep: whether to keep the replaced database beside the new one, under a name with the time.

    Raises:
        NotSupported: the database is not a file.
        NotFound, InvalidInput: the backup does not exist, or is the database itself.
        DatabaseLocked, DatabaseBusy: a server runs on the database, or something else has it open.
        UnsoundCopy, NewerDatabase, ForeignDatabase, NotADatabase: the backup cannot be used.
        WrongMasterKey, MissingMasterKey: the configured master key is not the backup's.
        DatabaseFull, StorageFailure: the disk is full or fails.
    """
    own = own_file_of(database, backup, restoring=True)
    _check_backup(own, backup)
    with _no_server(database), staged(own) as draft:
        check_room(own.parent, size_of(backup, database.companions))
        _copy_backup(backup, draft, database.companions, advance)
        copy = installation.open(draft)
        with _errors_about(backup):
            await copy.connect()
            try:
                restored = await _make_ready(copy, own, installation, begin_step)
            finally:
                await copy.disconnect()
        with copy.opened_by_nobody():
            pass
        sync_file(draft)
        sync_folder(draft.parent)
        begin_step("putting it in place")
        if (carried := restored.carried) is not None and carried.seen != state_of(own, database.companions):
            raise DatabaseBusy("Something has written to the database meanwhile.", hint="Stop it, and restore again.")
        with database.opened_by_nobody():
            kept = _unused_name(own, database) if keep else None
            give_owner_of(own if own.exists() else own.parent, draft)
            await asyncio.sleep(0)  # the last moment at which somebody's Ctrl-C leaves everything as it was
            put_in_place(draft, own, kept=kept, companions=database.companions)
    return replace(restored, file=own, kept=kept)


async def make_safe(database: Database, installation: Installation, *, begin_step: Callable[[str], None]) -> Restored:
    """Verify a connected database that other tools have restored, and keep positions from being allocated twice.

    Raises:
        WrongSchema: the database needs a migration first.
        DatabaseLocked: a server runs on the database, if that can be detected.
        UnsoundCopy, WrongMasterKey, MissingMasterKey: as for `restore`.
    """
    if (await database.migration_status()).pending:
        raise WrongSchema("The database's tables are not those of this version.")
    with _no_server(database) if database.capabilities.whole_file else nullcontext():
        return await _make_ready(database, None, installation, begin_step)


async def _make_ready(
    copy: Database, own: Path | None, installation: Installation, begin_step: Callable[[str], None]
) -> Restored:
    status = await copy.migration_status()
    if status.current is None:
        raise UnsoundCopy("There is nothing in it.")
    if status.pending:
        if findings := await findings_of(copy, begin_step):  # a migration would only spread the damage
            raise UnsoundCopy(f"It is damaged: {findings[0].detail}")
        begin_step("the migration to this version")
        await copy.migrate()
    await _check_keys(copy, installation.master_key())
    async with installation.services(copy) as services:
        contents = await examine(copy, services, begin_step)
        if own is None and contents.newest is None:  # only the empty tables that `lapel db migrate` creates
            hint = "See what the tools that should restore it have said, and start again with a new database."
            raise UnsoundCopy("There is nothing in it but tables.", hint=hint)
        carried = None if own is None else await carry_over(own, copy, services, installation, begin_step)
        principal = acting_for(DEFAULT_ORGANISATION_ID)
        async with copy.transaction() as tx:
            closed = await tx.status_lists.close(before=LAST_ID)
            newest = None if contents.newest is None else format_timestamp(contents.newest)
            await record(tx, principal, Action.DATABASE_RESTORED, after={"until": newest})
    return Restored(was=status.current, contents=contents, closed=closed, carried=carried)


async def _check_keys(copy: Database, key: StoredMasterKey) -> None:
    try:
        await check_keys(copy, key)
    except (WrongMasterKey, MissingMasterKey) as error:
        place = key.file or key.new_file
        where = f"put it in {place}" if place else "set LAPEL_MASTER_KEY to it"
        raise type(error)(
            error.detail,
            hint="Keep the present master key, which the present database needs. Then take the one from the time of the"
            f" backup, and {where}.",
        ) from error


def _check_backup(own: Path, backup: Path) -> None:
    if not backup.is_file():
        raise NotFound(f"There is no file {backup}.", hint="Name a file made by `lapel db backup`.")
    if own.exists() and backup.samefile(own):
        raise InvalidInput(f"{backup} is the database itself.", hint="Name a backup of it.")


@contextmanager
def _no_server(database: Database) -> Iterator[None]:
    with ExitStack() as stack:
        try:
            stack.enter_context(database.served_by_nobody())
        except DatabaseLocked as error:
            hint = "Stop it, restore, and start it again."
            raise DatabaseLocked("A server is running on the database.", hint=hint) from error
        yield


@contextmanager
def _errors_about(backup: Path) -> Iterator[None]:
    """Name the backup in errors about its copy."""
    try:
        yield
    except (UnsoundCopy, CorruptDatabase, WrongSchema) as error:
        hint = (
            error.hint if isinstance(error, UnsoundCopy | NewerDatabase) else "Name a file made by `lapel db backup`."
        )
        raise type(error)(f"{backup}: {error.detail}", hint=hint, errors=error.errors) from error


def _copy_backup(backup: Path, draft: Path, companions: Sequence[str], advance: OnProgress) -> None:
    """Copy the backup, with its companions if it is a plain copy of a database that was in use."""
    try:
        copy_file(backup, draft, advance)
        for ending in companions:
            part = Path(f"{backup}{ending}")
            if part.exists():
                companion = Path(f"{draft}{ending}")
                companion.touch(mode=0o600)
                copy_file(part, companion, advance)
    except OSError as error:
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        raise (DatabaseFull if is_full else StorageFailure)(
            f"{backup} cannot be copied to {draft.parent}: {error.strerror}.",
            hint="Nothing was changed. Check that the backup can be read, and that there is enough space.",
        ) from error


def _unused_name(own: Path, database: Database) -> Path | None:
    """Return a free name for the replaced database; None if there is none to replace."""
    if not own.exists():
        return None
    moment = database.settings.clock().strftime("%Y%m%dT%H%M%S")
    names = (own.with_name(f"{own.name}.replaced-{moment}{more}") for more in ("", *(f"-{n}" for n in range(2, 100))))
    return next(name for name in names if not name.exists())
