"""The key: where the environment says that it is, and what is told when there is none that fits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from lapel.database.errors import DatabaseError

__all__ = ["Key", "MissingKey", "NoCipher", "NotEncrypted", "WrongKey", "refusal"]


class MissingKey(DatabaseError):
    """There is no key for the encrypted database."""

    code = "database_key_missing"
    hint = "Make one, `openssl rand -hex 32 > FILE`, for its owner alone, and set SQLITE_KEY_FILE to it."


class WrongKey(DatabaseError):
    """The database file is encrypted under another key, or is no database."""

    code = "database_key_wrong"
    hint = "Set SQLITE_KEY_FILE to the key of this file; after `lapel-sqlite-rekey` was interrupted, try the other one."


class NotEncrypted(DatabaseError):
    """The database file is not encrypted."""

    code = "database_not_encrypted"
    hint = "Open it with DB_TYPE=sqlite, or encrypt it with `lapel-sqlite-rekey --plain`."


class NoCipher(DatabaseError):
    """The installed `apsw` cannot encrypt."""

    code = "database_cipher_missing"
    hint = "`pip uninstall apsw`, then `pip install --force-reinstall apsw-sqlite3mc`: both have one name in Python."


@dataclass(frozen=True, slots=True)
class Key:
    """A key of 32 bytes, as hexadecimal digits; it is never shown."""

    digits: str = field(repr=False)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[0-9A-Fa-f]{64}", self.digits):
            raise MissingKey("The key is not written as 64 hexadecimal digits.")

    @classmethod
    def of_file(cls, file: str) -> Self:
        """The key in `file`."""
        try:
            return cls(Path(file).read_text(encoding="ascii", errors="replace").strip())
        except OSError as error:
            raise MissingKey(f"The key file {file} cannot be read: {error.strerror}.") from error

    @classmethod
    def of_environment(cls, environ: Mapping[str, str]) -> Self:
        """The key that ``SQLITE_KEY_FILE`` names, or that ``SQLITE_KEY`` is."""
        file, digits = (environ.get(name, "").strip() for name in ("SQLITE_KEY_FILE", "SQLITE_KEY"))
        if file and digits:
            raise MissingKey("SQLITE_KEY_FILE and SQLITE_KEY are both set.", hint="Set one of them.")
        if not file and not digits:
            raise MissingKey
        return cls.of_file(file) if file else cls(digits)


def refusal(file: Path) -> DatabaseError:
    """Why SQLite takes `file` for no database. Only for one that is closed: this takes its locks away."""
    with file.open("rb") as opened:
        return NotEncrypted() if opened.read(16) == b"SQLite format 3\0" else WrongKey()
