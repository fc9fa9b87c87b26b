"""Finds the database's master key, checks it against the database, and rotates it."""

from __future__ import annotations

import os
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
from lapel.file_system import access_problem, give_owner_of, write_problem
from lapel.services.auditing.recording import record
from lapel.services.paging import all_pages

__all__ = [
    "CHECK_VALUE",
    "MasterKeyRotating",
    "MissingMasterKey",
    "RotatedMasterKey",
    "StoredMasterKey",
    "find_master_key",
]

CHECK_VALUE: Final = "master_key_check"
"""The server fact by which a database recognises its master key."""

_STORED_SECRETS: Final = {"recipient_look_up": RECIPIENT_LOOK_UP, "issue_keys": ISSUE_KEYS}
"""The server facts that hold, encrypted, secrets of the first master key, as stored rows are found by them for ever."""

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
    """The result of a rotation.

    Attributes:
        keys: how many private keys were encrypted again.
        file: the file of the new master key.
        old_file: the file of the old one, if the new one has taken its place.
    """

    keys: int
    file: Path
    old_file: Path | None


@dataclass(frozen=True, slots=True)
class StoredMasterKey:
    """A master key, and its file.

    Attributes:
        file: the file it was read from; None if it was read from a setting.
        new_file: the file to write it to: the key is new, so the database must be new, too.
    """

    key: MasterKey
    file: Path | None = None
    new_file: Path | None = None

    async def establish(self, store: Store, *, make: bool = True) -> None:
        """Write a new key to its file before anything depends on it, and check that the key is the database's.

        A new database gets the key's check value. Call this once at start-up.

        Args:
            make: write the file and the check value if they do not exist; otherwise nothing is written.

        Raises:
            WrongMasterKey: the database was created under another master key.
            MissingMasterKey: it was, and that key's file is missing; or the file cannot be written.
        """
        value = self.key.check_value()
        if make:
            if self.new_file is not None:
                _write_once(self.new_file, self.key.to_text() + "\n")
                give_owner_of(self.new_file.parent, self.new_file)
            stored = await store.run(lambda tx: tx.server_facts.put_if_absent(CHECK_VALUE, value), idempotent=True)
        else:
            stored = await store.read().server_facts.find(CHECK_VALUE) or value
        try:
            self.key.check(stored)
        except WrongMasterKey as error:
            if self.new_file is None:
                if self.file is not None and _next_file(self.file).exists():
                    next_file = _next_file(self.file)
                    hint = f"A rotation was interrupted just before its end: move {next_file} to {self.file}."
                    raise WrongMasterKey(error.detail, hint=hint) from error
                raise
            if make:  # otherwise it was not written
                self.new_file.unlink()
            raise MissingMasterKey(
                f"The database was made with a master key, and its file {self.new_file} is missing.",
                hint="Put the file back, or set LAPEL_MASTER_KEY to what the database was made with.",
            ) from error
        for fact, purpose in _STORED_SECRETS.items():
            if (sealed := await store.read().server_facts.find(fact)) is not None:
                self.key.keep(purpose, self.key.unwrap(sealed, associated_data=purpose))

    async def rotate(self, store: Store, *, new_file: Path | None = None) -> RotatedMasterKey:
        """Encrypt everything under a new master key, in one transaction. Running servers must be restarted.

        Args:
            new_file: the file of the new key; created if it does not exist. By default the new key replaces the old
                one in its file, and the old one is kept beside it.

        Raises:
            InvalidInput: `new_file` holds the key that is in use.
            WrongMasterKey: another process has just rotated the key.
            MasterKeyRotating: another rotation is under way, or was interrupted.
            MissingMasterKey: there is no file for the new key.
        """
        old = self.key
        with _successor(self.file, new_file) as (new, file, old_file):
            if new.to_text() == old.to_text():
                raise InvalidInput(
                    f"{file} holds the master key that is in use.", hint="Name a file that does not exist yet."
                )

            async def body(tx: Transaction) -> int:
                if (check_value := await tx.server_facts.find(CHECK_VALUE)) is not None:
                    old.check(check_value)
                count = await _encrypt_again(tx, old, new)
                for fact, purpose in _STORED_SECRETS.items():
                    sealed = new.wrap(old.derive(purpose), associated_data=purpose)
                    if await tx.server_facts.put_if_absent(fact, sealed) != sealed:
                        await tx.server_facts.replace(fact, sealed)
                await tx.server_facts.replace(CHECK_VALUE, new.check_value())
                await record(tx, _OPERATOR, Action.MASTER_KEY_ROTATED, after={"signingKeys": count})
                return count

            return RotatedMasterKey(await store.run(body, isolation=Isolation.SERIALIZABLE), file, old_file)


def find_master_key(*, text: str | None, file: Path | None, is_shared: bool, own_file: Path | None) -> StoredMasterKey:
    """Return the configured master key, the one beside the database file, or a new one for a new embedded database.

    Args:
        text: the key itself, if it is configured.
        file: the file that holds the key, if that is configured.
        is_shared: whether other machines may use the database; then the key must be configured.
        own_file: the database file; without one, a new key lives as long as this process.

    Raises:
        MissingMasterKey: there is no key, and none may be generated.
        InvalidMasterKey: the key is not 32 bytes in hexadecimal or base64.
    """
    if text is not None:
        return StoredMasterKey(MasterKey.parse(text))
    if file is not None:
        return StoredMasterKey(MasterKey.parse(_read_text(file)), file=file)
    if is_shared:
        raise MissingMasterKey("A shared database needs its master key to be set.")
    if own_file is None:
        return StoredMasterKey(MasterKey.generate())
    beside = own_file.with_name(f"{own_file.name}.master-key")
    if os.path.exists(beside):  # false also if its folder may not be entered, which the database reports
        return StoredMasterKey(MasterKey.parse(_read_text(beside)), file=beside)
    return StoredMasterKey(MasterKey.generate(), new_file=beside)


async def _encrypt_again(tx: Transaction, old: MasterKey, new: MasterKey) -> int:
    """Encrypt all private keys under the new master key, and return how many there are."""
    count = 0
    async for key in all_pages(tx.signing_keys.page):
        if key.private_key_encrypted is not None:
            private = old.unwrap(key.private_key_encrypted, associated_data=key.id.bytes)
            sealed = new.wrap(private, associated_data=key.id.bytes)
            await tx.signing_keys.update(replace(key, private_key_encrypted=sealed))
            count += 1
    return count


@contextmanager
def _successor(old_file: Path | None, new_file: Path | None) -> Iterator[tuple[MasterKey, Path, Path | None]]:
    """Write a new master key to disk, and put it into its place after the block.

    If the block fails, the new key stays on disk, because the transaction may have been committed.

    Yields:
        The new master key, its file after the block, and the old one's file after the block, if that was moved.
    """
    if new_file is not None and new_file.exists():
        yield MasterKey.parse(_read_text(new_file)), new_file, None
        return
    file = new_file or old_file
    if file is None:
        raise MissingMasterKey(
            "The master key is in a setting, so there is no file for a new one.", hint="Add --new-file FILE."
        )
    next_file = _next_file(file)
    rotating = MasterKeyRotating(
        f"{next_file} exists: a rotation is under way, or was interrupted.",
        hint=f"If none is under way, the database still has the old key: remove {next_file} and try again.",
    )
    if next_file.exists():
        raise rotating
    new, real_file = MasterKey.generate(), file.resolve()
    backup = None if new_file else _link_old(real_file)
    try:
        _write_once(next_file, new.to_text() + "\n", if_exists=rotating)
    except MissingMasterKey:
        if backup is not None:
            backup.unlink()
        raise
    if backup is not None:
        give_owner_of(backup, next_file)
    try:
        yield new, file, backup
    except (Conflict, WrongMasterKey):  # the transaction was refused, so it was not committed
        next_file.unlink()
        if backup is not None:
            backup.unlink()
        raise
    with suppress(FileNotFoundError):  # an operator may have moved it, as the hint of WrongMasterKey says
        next_file.replace(real_file)
    sync_folder(real_file.parent)


def _link_old(file: Path) -> Path:
    """Give a master key's file a second name, under which it stays when it is replaced, because old backups need it."""
    number = 1
    while True:
        link = file.with_name(f"{file.name}.old" if number == 1 else f"{file.name}.old.{number}")
        try:
            link.hardlink_to(file)
        except FileExistsError:
            if not link.samefile(file):  # it is the same after an interrupted rotation
                number += 1
                continue
        except OSError as error:
            raise MissingMasterKey(
                f"The old master key cannot be kept as {link}: {error.strerror}.",
                hint="Make that folder writable, or name a new file with --new-file.",
            ) from error
        return link


def _next_file(file: Path) -> Path:
    """Return the file of a new master key until the database has it. It is beside the target, if `file` is a link."""
    real_file = file.resolve()
    return real_file.with_name(f"{real_file.name}.next")


def _read_text(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii")
    except UnicodeDecodeError as error:
        raise MissingMasterKey(f"The master key's file {file} is not text.") from error
    except OSError as error:
        reason = access_problem(file, os.R_OK) or error.strerror
        hint = "Run this as the server's user, who must be able to read the file."
        raise MissingMasterKey(f"The master key's file {file} cannot be read: {reason}.", hint=hint) from error


def _write_once(file: Path, text: str, *, if_exists: LapelError | None = None) -> None:
    try:
        write_secret(file, text.encode("ascii"))
    except FileExistsError as error:
        raise if_exists or Unavailable("Another process is starting on this database right now.") from error
    except OSError as error:
        raise MissingMasterKey(
            f"The master key cannot be written to {file}: {write_problem(file) or error.strerror}.",
            hint="Make that folder writable for this user, and see that its disk has room.",
        ) from error
