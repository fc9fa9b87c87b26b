"""`lapel-sqlite-rekey`: encrypt a database file under another key."""

from __future__ import annotations

import argparse
import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from lapel.database.errors import DatabaseBusy, DatabaseError
from lapel_sqlite_encrypted.driver import EncryptedConnection
from lapel_sqlite_encrypted.key import Key, refusal

__all__ = ["main", "rekey"]


def rekey(file: Path, *, old: Key | None, new: Key) -> None:
    """Encrypt `file` under `new`, all of it or nothing, while nobody uses it.

    Args:
        old: what it is encrypted under now; None where it is not encrypted.

    Raises:
        WrongKey, NotEncrypted: `old` is not its key.
        DatabaseBusy: it is in use, or cannot be opened.
    """
    uri = f"{file.absolute().as_uri()}?mode=rw"
    try:
        with closing(EncryptedConnection(uri, old)) as connection:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE").fetchall()
            # Fails while anybody has it open: a log would go on under the old key.
            connection.execute("PRAGMA journal_mode = DELETE").fetchall()
            connection.give("rekey", new)
        with closing(EncryptedConnection(uri, new)) as connection:
            connection.execute("PRAGMA journal_mode = WAL").fetchall()
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_NOTADB:
            raise refusal(file) from error
        hint = "Stop the server and whatever else uses it, and look whether SQLITE_FILE names it."
        raise DatabaseBusy(f"{file} cannot be encrypted anew: {error}.", hint=hint) from error


def main() -> None:
    parser = argparse.ArgumentParser(description="Encrypt SQLITE_FILE under another key. Stop the server first.")
    parser.add_argument("new", metavar="NEW_KEY_FILE", help="holds the key that is to be: `openssl rand -hex 32`")
    parser.add_argument("--plain", action="store_true", help="the file is not encrypted yet")
    given = parser.parse_args()
    try:
        old = None if given.plain else Key.of_environment(os.environ)
        rekey(Path(os.environ.get("SQLITE_FILE") or "data/lapel.sqlite"), old=old, new=Key.of_file(given.new))
    except DatabaseError as error:
        sys.exit(f"error: {error.code}: {error.detail}\nhint: {error.hint}")
    print(f"Done. Set SQLITE_KEY_FILE to {given.new} from now on.")  # noqa: T201 - a command's answer
