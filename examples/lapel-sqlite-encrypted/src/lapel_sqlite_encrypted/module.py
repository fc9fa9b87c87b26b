"""The database module."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from lapel.database.errors import NotADatabase
from lapel.database.interface import DatabaseSettings
from lapel.database.sqlite.module import SqliteDatabase
from lapel_sqlite_encrypted.driver import CIPHER, EncryptedConnection
from lapel_sqlite_encrypted.key import Key, refusal

__all__ = ["EncryptedDatabase", "EncryptedModule"]


class EncryptedDatabase(SqliteDatabase):
    """SQLite, whose file and log only the key opens. All else is as with `SqliteDatabase`.

    Raises:
        MissingKey: the environment names no key, and so nothing is made or opened.
    """

    module_name = "sqlite-encrypted"

    def __init__(self, settings: DatabaseSettings) -> None:
        key = Key.of_environment(os.environ)
        super().__init__(settings, connector=lambda uri: EncryptedConnection(uri, key))

    async def connect(self) -> None:
        """As `Database.connect`. Raises `WrongKey` and `NotEncrypted`; the file is left as it is."""
        try:
            await super().connect()
        except NotADatabase as error:
            raise refusal(Path(self.settings.sqlite_file)) from error

    def configuration(self) -> Mapping[str, str]:
        return {**super().configuration(), "cipher": CIPHER, "key": "***"}


class EncryptedModule:
    """`lapel.database.interface.DatabaseModule`."""

    name = "sqlite-encrypted"
    create = EncryptedDatabase
