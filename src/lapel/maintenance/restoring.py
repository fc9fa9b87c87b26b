"""Put a backup in the place of a database that is one file; and make safe what other tools have put back."""

from __future__ import annotations

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
from lapel.maintenance.backing_up import own_file_of
from lapel.maintenance.carrying_over import CarriedOver, carry_over
from lapel.maintenance.examining import Examined, Surroundings, UnsoundCopy, examined, findings_of
from lapel.maintenance.staging import Tell, check_room, copy_file, put_in_place, size_of, staged, state_of, sync_file
from lapel.maintenance.stored_keys import check_keys
from lapel.services.auditing.recording import record
from lapel.services.keys.master_key import KeptMasterKey, MissingMasterKey

__all__ = ["Restored", "make_safe", "restore"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What has come back.

    Attributes:
        file: where it is; None where other tools have put it back.
        kept: where the database is that was there.
        was: the backup's revision.
        closed: status lists that had room, of which nothing is given out any more.
        carried: what of the database that was there holds again; None where there was none that could be read.
    """

    file: Path | None = None
    kept: Path | None = None
    was: str
    holds: Examined
    closed: int
    carried: CarriedOver | None = None


async def restore(
    database: Database,
    backup: Path,
    surroundings: Surroundings,
    *,
    keep: bool,
    advance: Tell,
    tell: Callable[[str], None],
) -> Restored:
    """Verify a copy of a backup, bring it up to date, and let it take the database's place. Nothing is connected.

    Args:
        keep: let the database that was there stay beside it, named with the moment.

    Raises:
        NotSupported: the database is no file.
        NotFound, InvalidInput: the backup cannot be read, or is the database itself.
        DatabaseLocked, DatabaseBusy: a server runs on the database, or something else has it open.
        UnsoundCopy, NewerDatabase, ForeignDatabase, NotADatabase: the backup is of no use here.
        WrongMasterKey, MissingMasterKey: the master key that is there is not the backup's.
        DatabaseFull, StorageFailure: there is no room, or the disk fails.
    """
    own = own_file_of(database, backup, restoring=True)
    _refuse(own, backup)
    with _nobody_serving(database), staged(own) as draft:
        check_room(own.parent, size_of(backup, database.companions))
        _bring(backup, draft, database.companions, advance)
        copy = surroundings.open(draft)
        with _about(backup):
            await copy.connect()
            try:
                restored = await _made_ready(copy, own, surroundings, tell)
            finally:
                await copy.disconnect()
        with copy.opened_by_nobody():
            pass
        sync_file(draft)
        sync_folder(draft.parent)
        tell("putting it in place")
        if (carried := restored.carried) is not None and carried.seen != state_of(own, database.companions):
            raise DatabaseBusy("Something has written to the database meanwhile.", hint="Stop it, and restore again.")
        with database.opened_by_nobody():
            kept = _name_of_kept(own, database) if keep else None
            put_in_place(draft, own, kept=kept, companions=database.companions)
    return replace(restored, file=own, kept=kept)


async def make_safe(database: Database, surroundings: Surroundings, *, tell: Callable[[str], None]) -> Restored:
    """Verify a database that other tools have put back and that is connected, and have nothing given out twice.

    Raises:
        WrongSchema: it is to be migrated first.
        DatabaseLocked: a server runs on it, where that can be seen.
        UnsoundCopy, WrongMasterKey, MissingMasterKey: as `restore`.
    """
    if (await database.migration_status()).pending:
        raise WrongSchema("The database's tables are not those of this version.")
    with _nobody_serving(database) if database.capabilities.whole_file else nullcontext():
        return await _made_ready(database, None, surroundings, tell)


async def _made_ready(
    copy: Database, own: Path | None, surroundings: Surroundings, tell: Callable[[str], None]
) -> Restored:
    status = await copy.migration_status()
    if status.current is None:
        raise UnsoundCopy("There is nothing in it.")
    if status.pending:
        if found := await findings_of(copy, tell):  # migrating would only spread it
            raise UnsoundCopy(f"It is damaged: {found[0].detail}")
        tell("the migration to this version")
        await copy.migrate()
    await _check_keys(copy, surroundings.master_key())
    async with surroundings.services(copy) as services:
        holds = await examined(copy, services, tell)
        if own is None and holds.newest is None:  # its tables alone, made since by `lapel db migrate`
            hint = "See what the tools that should restore it have said, and start again with a new database."
            raise UnsoundCopy("There is nothing in it but tables.", hint=hint)
        carried = None if own is None else await carry_over(own, copy, services, surroundings, tell)
        principal = acting_for(DEFAULT_ORGANISATION_ID)
        async with copy.transaction() as tx:
            closed = await tx.status_lists.close(before=LAST_ID)
            newest = None if holds.newest is None else format_timestamp(holds.newest)
            await record(tx, principal, Action.DATABASE_RESTORED, after={"until": newest})
    return Restored(was=status.current, holds=holds, closed=closed, carried=carried)


async def _check_keys(copy: Database, key: KeptMasterKey) -> None:
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


def _refuse(own: Path, backup: Path) -> None:
    if not backup.is_file():
        raise NotFound(f"There is no file {backup}.", hint="Name a file made by `lapel db backup`.")
    if own.exists() and backup.samefile(own):
        raise InvalidInput(f"{backup} is the database itself.", hint="Name a backup of it.")


@contextmanager
def _nobody_serving(database: Database) -> Iterator[None]:
    with ExitStack() as stack:
        try:
            stack.enter_context(database.served_by_nobody())
        except DatabaseLocked as error:
            hint = "Stop it, restore, and start it again."
            raise DatabaseLocked("A server is running on the database.", hint=hint) from error
        yield


@contextmanager
def _about(backup: Path) -> Iterator[None]:
    """Say of what is wrong with the copy that it is so with the backup."""
    try:
        yield
    except (UnsoundCopy, CorruptDatabase, WrongSchema) as error:
        hint = (
            error.hint if isinstance(error, UnsoundCopy | NewerDatabase) else "Name a file made by `lapel db backup`."
        )
        raise type(error)(f"{backup}: {error.detail}", hint=hint, errors=error.errors) from error


def _bring(backup: Path, draft: Path, companions: Sequence[str], advance: Tell) -> None:
    """Copy the backup; where somebody has copied a database as it was, with what belonged to it."""
    try:
        copy_file(backup, draft, advance)
        for ending in companions:
            part = Path(f"{backup}{ending}")
            if part.exists():
                beside = Path(f"{draft}{ending}")
                beside.touch(mode=0o600)
                copy_file(part, beside, advance)
    except OSError as error:
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        raise (DatabaseFull if is_full else StorageFailure)(
            f"{backup} cannot be copied to {draft.parent}: {error.strerror}.",
            hint="Nothing was changed. Check that the backup can be read, and that there is enough space.",
        ) from error


def _name_of_kept(own: Path, database: Database) -> Path | None:
    if not own.exists():
        return None
    moment = database.settings.clock().strftime("%Y%m%dT%H%M%S")
    names = (own.with_name(f"{own.name}.replaced-{moment}{more}") for more in ("", *(f"-{n}" for n in range(2, 100))))
    return next(name for name in names if not name.exists())
