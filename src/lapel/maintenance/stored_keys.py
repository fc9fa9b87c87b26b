"""Checks whether the configured master key is the database's and decrypts all of its private keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lapel.credentials.key_storage.master_key import UnreadableEnvelope
from lapel.database.interface import Database
from lapel.database.schema.catalogue import Finding
from lapel.domain.json import JsonObject
from lapel.errors import LapelError
from lapel.services.keys.master_key import MissingMasterKey, StoredMasterKey
from lapel.services.paging import all_pages

__all__ = ["KeyStanding", "check_keys", "key_standing"]


@dataclass(frozen=True, slots=True)
class KeyStanding:
    """Whether the configured master key fits the database. Contains no secrets.

    Attributes:
        opened: the number of private keys that it decrypts.
        failure: why it does not decrypt all of them; None if it does.
        is_unknown: whether this process does not know the master key, so that it could not be tried.
    """

    opened: int = 0
    failure: LapelError | None = None
    is_unknown: bool = False

    @property
    def wrong(self) -> LapelError | None:
        """The failure, if the master key was tried."""
        return None if self.is_unknown else self.failure

    def __str__(self) -> str:
        if self.failure is None:
            return f"opens every private key ({self.opened})"
        return f"not known here: {self.failure.detail}" if self.is_unknown else self.failure.detail

    def to_json(self) -> JsonObject:
        """Return the JSON form, for programs. ``ok`` is null if the key is unknown."""
        detail = None if self.failure is None else self.failure.detail
        return {"ok": None if self.is_unknown else detail is None, "opened": self.opened, "detail": detail}

    def finding(self) -> Finding | None:
        """Return the finding for `lapel db check`, or None if the key fits."""
        if self.failure is None:
            return None
        detail, hint = self.failure.detail, self.failure.hint or "Look into the server's settings."
        if self.is_unknown:
            detail = f"Nobody has looked whether it opens the private keys. {detail}"
        return Finding(
            code=self.failure.code, about="the master key", detail=detail, hint=hint, is_note=self.is_unknown
        )


async def key_standing(database: Database, find: Callable[[], StoredMasterKey]) -> KeyStanding:
    """Try the master key that `find` returns on the private keys of a connected database."""
    try:
        master_key = find()
    except LapelError as error:
        return KeyStanding(failure=error, is_unknown=isinstance(error, MissingMasterKey))
    try:
        status = await database.migration_status()
        if status.current is None:
            return KeyStanding()  # the database is empty
        return KeyStanding(await check_keys(database, master_key, is_older=bool(status.pending)))
    except LapelError as error:
        return KeyStanding(failure=error)


async def check_keys(database: Database, master_key: StoredMasterKey, *, is_older: bool = False) -> int:
    """Check that the master key is the database's and decrypts all private keys, and return the number of those.

    Args:
        is_older: the database needs a migration first, so that the private keys are not tried.

    Raises:
        WrongMasterKey, MissingMasterKey: it is not the database's, or there is none.
        UnreadableEnvelope: a private key is damaged.
    """
    await master_key.establish(database, make=False)
    opened = 0
    if is_older:
        return opened
    async for key in all_pages(database.read().signing_keys.page):
        if key.private_key_encrypted is not None:
            try:
                master_key.key.unwrap(key.private_key_encrypted, associated_data=key.id.bytes)
            except UnreadableEnvelope as error:
                raise UnreadableEnvelope(f"The private key of signing key {key.id} cannot be opened.") from error
            opened += 1
    return opened
