"""The right master key for the database: where it is found or kept, and its check value, which is in the database."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lapel.credentials.master_key import MasterKey, WrongMasterKey
from lapel.domain.ports import Store
from lapel.errors import InvalidInput, Unavailable

__all__ = ["CHECK_VALUE", "KeptMasterKey", "MissingMasterKey", "find_master_key"]

CHECK_VALUE: Final = "master_key_check"
"""The server fact by which a database knows its master key."""


class MissingMasterKey(InvalidInput):
    """There is no master key, and without one no private key can be read."""

    code = "missing_master_key"
    hint = "Set LAPEL_MASTER_KEY or LAPEL_MASTER_KEY_FILE; `openssl rand -hex 32` makes a new one."


@dataclass(frozen=True, slots=True)
class KeptMasterKey:
    """A master key.

    Attributes:
        new_file: where it is to be written: it is new, and so must the database be.
    """

    key: MasterKey
    new_file: Path | None = None

    async def settle(self, store: Store, *, make: bool = True) -> None:
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
                raise
            if make:  # else it was not written
                self.new_file.unlink()
            raise MissingMasterKey(
                f"The database was made with a master key, and its file {self.new_file} is not there.",
                hint="Put the file back, or set LAPEL_MASTER_KEY to what the database was made with.",
            ) from error


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
        return KeptMasterKey(MasterKey.parse(_read_text(file)))
    if is_shared:
        raise MissingMasterKey("A database that is shared needs a master key that is set.")
    if own_file is None:
        return KeptMasterKey(MasterKey.generate())
    beside = own_file.with_name(f"{own_file.name}.master-key")
    if beside.exists():
        return KeptMasterKey(MasterKey.parse(_read_text(beside)))
    return KeptMasterKey(MasterKey.generate(), new_file=beside)


def _read_text(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise MissingMasterKey(f"The master key's file {file} cannot be read.") from error


def _write_once(file: Path, text: str) -> None:
    """Write a secret file that appears whole or not at all."""
    draft = file.with_name(f"{file.name}.{os.getpid()}.new")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as opened:
                opened.write(text)
                opened.flush()
                os.fsync(opened.fileno())
            os.link(draft, file)
        finally:
            draft.unlink()
    except FileExistsError as error:
        raise Unavailable("Another process is starting on this database at this moment.") from error
    except OSError as error:
        raise MissingMasterKey(
            f"The master key cannot be written to {file}: {error.strerror}.", hint="Make that folder writable."
        ) from error
