"""The right master key for the database: where it is found or kept, its check value in the database, its successor."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from lapel.credentials.key_storage.master_key import ISSUE_KEYS, RECIPIENT_LOOK_UP, MasterKey, WrongMasterKey
from lapel.credentials.key_storage.secret_file import sync_folder, write_secret
from lapel.domain.access import acting_for
from lapel.domain.audit import Action
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID
from lapel.domain.ports import Isolation, Store, Transaction
from lapel.errors import Conflict, InvalidInput, LapelError, Unavailable
from lapel.services.auditing.recording import record

__all__ = [
    "CHECK_VALUE",
    "KeptMasterKey",
    "MasterKeyRotating",
    "MissingMasterKey",
    "RotatedMasterKey",
    "find_master_key",
]

CHECK_VALUE: Final = "master_key_check"
"""The server fact by which a database knows its master key."""

_KEPT: Final = {"recipient_look_up": RECIPIENT_LOOK_UP, "issue_keys": ISSUE_KEYS}
"""Facts that hold, encrypted, what the first master key derived: what was stored by it must be found for ever."""

_PAGE: Final = 100
_OPERATOR: Final = acting_for(DEFAULT_ORGANISATION_ID)


class MissingMasterKey(InvalidInput):
    """There is no master key, and without one no private key can be read."""

    code = "missing_master_key"
    hint = "Set LAPEL_MASTER_KEY or LAPEL_MASTER_KEY_FILE; `openssl rand -hex 32` makes a new one."


class MasterKeyRotating(Conflict):
    """A rotation of the master key is under way, or was interrupted."""

    code = "master_key_rotating"


@dataclass(frozen=True, slots=True)
class RotatedMasterKey:
    """What a rotation has done: how many private keys it encrypted anew, and where the new master key is.

    Attributes:
        old_file: where the old one is now, if the new one has taken its place.
    """

    keys: int
    file: Path
    old_file: Path | None


@dataclass(frozen=True, slots=True)
class KeptMasterKey:
    """A master key.

    Attributes:
        file: where it was read from; None where it stood in a setting.
        new_file: where it is to be written: it is new, and so must the database be.
    """

    key: MasterKey
    file: Path | None = None
    new_file: Path | None = None

    async def establish(self, store: Store, *, make: bool = True) -> None:
        """Keep a new key in its file before anything depends on it; note its check value in a new database, and
        refuse a key that is not the database's. Call it once at the start.

        Args:
            make: write the file and the check value where they are not there; else leave both to who needs them.

        Raises:
            WrongMasterKey: the database was made under another master key.
            MissingMasterKey: it was, and the file of that one is gone; or the file cannot be written.
        """
        value = self.key.check_value()
        if make:
            if self.new_file is not None:
                _write_once(self.new_file, self.key.to_text() + "\n")
            noted = await store.run(lambda tx: tx.server_facts.put_if_absent(CHECK_VALUE, value), idempotent=True)
        else:
            noted = await store.read().server_facts.find(CHECK_VALUE) or value
        try:
            self.key.check(noted)
        except WrongMasterKey as error:
            if self.new_file is None:
                if self.file is not None and _next(self.file).exists():
                    hint = f"A rotation was interrupted just before its end: move {_next(self.file)} to {self.file}."
                    raise WrongMasterKey(error.detail, hint=hint) from error
                raise
            if make:  # else it was not written
                self.new_file.unlink()
            raise MissingMasterKey(
                f"The database was made with a master key, and its file {self.new_file} is missing.",
                hint="Put the file back, or set LAPEL_MASTER_KEY to what the database was made with.",
            ) from error
        for fact, purpose in _KEPT.items():
            if (sealed := await store.read().server_facts.find(fact)) is not None:
                self.key.keep(purpose, self.key.unwrap(sealed, associated_data=purpose))

    async def rotate(self, store: Store, *, new_file: Path | None = None) -> RotatedMasterKey:
        """Encrypt everything under a new master key, in one transaction. Servers that run need a new start.

        Args:
            new_file: holds the new key, or will; by default the key takes the place of the old one in its file, which
                is kept beside it.

        Raises:
            InvalidInput: `new_file` holds the key that is in use.
            WrongMasterKey: somebody else has just done the same.
            MasterKeyRotating: somebody else is at it, or was interrupted.
            MissingMasterKey: it is not known where to put the new key.
        """
        old = self.key
        with _successor(self.file, new_file) as (new, file, old_file):
            if new.to_text() == old.to_text():
                raise InvalidInput(
                    f"{file} holds the master key that is in use.", hint="Name a file that does not exist yet."
                )

            async def body(tx: Transaction) -> int:
                if (noted := await tx.server_facts.find(CHECK_VALUE)) is not None:
                    old.check(noted)
                done = await _encrypt_anew(tx, old, new)
                for fact, purpose in _KEPT.items():
                    sealed = new.wrap(old.derive(purpose), associated_data=purpose)
                    if await tx.server_facts.put_if_absent(fact, sealed) != sealed:
                        await tx.server_facts.replace(fact, sealed)
                await tx.server_facts.replace(CHECK_VALUE, new.check_value())
                await record(tx, _OPERATOR, Action.MASTER_KEY_ROTATED, after={"signingKeys": done})
                return done

            return RotatedMasterKey(await store.run(body, isolation=Isolation.SERIALIZABLE), file, old_file)


def find_master_key(*, text: str | None, file: Path | None, is_shared: bool, own_file: Path | None) -> KeptMasterKey:
    """The master key that is set, or the one beside the data; a new one for a new database of this machine's own.

    Args:
        text: the key itself, if it is set.
        file: the file that holds it, if that is set.
        is_shared: other machines may use the database, so that each must be told the key.
        own_file: the file that holds the data; without one, a new key lives as long as this process.

    Raises:
        MissingMasterKey: there is none, and none may be made.
        InvalidMasterKey: it is not 32 bytes in hexadecimal or base64.
    """
    if text is not None:
        return KeptMasterKey(MasterKey.parse(text))
    if file is not None:
        return KeptMasterKey(MasterKey.parse(_read_text(file)), file=file)
    if is_shared:
        raise MissingMasterKey("A shared database needs its master key to be set.")
    if own_file is None:
        return KeptMasterKey(MasterKey.generate())
    beside = own_file.with_name(f"{own_file.name}.master-key")
    if beside.exists():
        return KeptMasterKey(MasterKey.parse(_read_text(beside)), file=beside)
    return KeptMasterKey(MasterKey.generate(), new_file=beside)


async def _encrypt_anew(tx: Transaction, old: MasterKey, new: MasterKey) -> int:
    before, done = None, 0
    while page := await tx.signing_keys.page(before=before, limit=_PAGE):
        for key in page:
            if key.private_key_encrypted is not None:
                private = old.unwrap(key.private_key_encrypted, associated_data=key.id.bytes)
                sealed = new.wrap(private, associated_data=key.id.bytes)
                await tx.signing_keys.update(replace(key, private_key_encrypted=sealed))
                done += 1
        before = page[-1].id
    return done


@contextmanager
def _successor(old_file: Path | None, new_file: Path | None) -> Iterator[tuple[MasterKey, Path, Path | None]]:
    """The new master key, on the disk before anything is encrypted under it; where it is when the block has ended, and
    where the old one is then, if that has moved.

    A block that fails leaves it where it waits: nobody may know yet whether the transaction was committed.
    """
    if new_file is not None and new_file.exists():
        yield MasterKey.parse(_read_text(new_file)), new_file, None
        return
    file = new_file or old_file
    if file is None:
        raise MissingMasterKey(
            "The master key is in a setting, so there is no file for a new one.", hint="Add --new-file FILE."
        )
    waiting = _next(file)
    rotating = MasterKeyRotating(
        f"{waiting} exists: a rotation is under way, or was interrupted.",
        hint=f"If none is under way, the database still has the old key: remove {waiting} and try again.",
    )
    if waiting.exists():
        raise rotating
    new, real = MasterKey.generate(), file.resolve()
    kept = None if new_file else _kept_beside(real)
    _write_once(waiting, new.to_text() + "\n", there=rotating)
    try:
        yield new, file, kept
    except (Conflict, WrongMasterKey):  # it was refused, and so not committed
        waiting.unlink()
        if kept is not None:
            kept.unlink()
        raise
    with suppress(FileNotFoundError):  # somebody has been told at a start to move it, and has
        waiting.replace(real)
    sync_folder(real.parent)


def _kept_beside(file: Path) -> Path:
    """Another name of a master key's file, under which it stays when another takes its place: backups need it."""
    number = 1
    while True:
        kept = file.with_name(f"{file.name}.old" if number == 1 else f"{file.name}.old.{number}")
        try:
            kept.hardlink_to(file)
        except FileExistsError:
            if not kept.samefile(file):  # as it is where a rotation was interrupted
                number += 1
                continue
        except OSError as error:
            raise MissingMasterKey(
                f"The old master key cannot be kept as {kept}: {error.strerror}.",
                hint="Make that folder writable, or name a new file with --new-file.",
            ) from error
        return kept


def _next(file: Path) -> Path:
    """Where a new master key waits until the database has it: beside the file itself, where `file` is a link to it."""
    real = file.resolve()
    return real.with_name(f"{real.name}.next")


def _read_text(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise MissingMasterKey(f"The master key's file {file} cannot be read.") from error


def _write_once(file: Path, text: str, *, there: LapelError | None = None) -> None:
    try:
        write_secret(file, text.encode("ascii"))
    except FileExistsError as error:
        raise there or Unavailable("Another process is starting on this database right now.") from error
    except OSError as error:
        raise MissingMasterKey(
            f"The master key cannot be written to {file}: {error.strerror}.", hint="Make that folder writable."
        ) from error
