"""Whether the configured master key is a database's, and opens every private key that is stored in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lapel.credentials.key_storage.master_key import UnreadableEnvelope
from lapel.database.interface import Database
from lapel.database.schema.catalogue import Finding
from lapel.domain.json import JsonObject
from lapel.errors import LapelError
from lapel.services.keys.master_key import KeptMasterKey, MissingMasterKey

__all__ = ["KeyStanding", "check_keys", "key_standing"]

_PAGE = 100


@dataclass(frozen=True, slots=True)
class KeyStanding:
    """How the configured master key stands to what is stored. Nothing of it is secret.

    Attributes:
        opened: how many private keys it opens.
        failure: why not all of them; None where it does.
        is_unknown: nothing that this process may read says which key it is, so that none was tried.
    """

    opened: int = 0
    failure: LapelError | None = None
    is_unknown: bool = False

    @property
    def wrong(self) -> LapelError | None:
        """`failure`, if the key was tried."""
        return None if self.is_unknown else self.failure

    def __str__(self) -> str:
        if self.failure is None:
            return f"opens every private key ({self.opened})"
        return f"not known here: {self.failure.detail}" if self.is_unknown else self.failure.detail

    def to_json(self) -> JsonObject:
        """For programs: ``ok`` is null where it is unknown."""
        detail = None if self.failure is None else self.failure.detail
        return {"ok": None if self.is_unknown else detail is None, "opened": self.opened, "detail": detail}

    def finding(self) -> Finding | None:
        """What `lapel db check` tells of it, if it is not as it should be."""
        if self.failure is None:
            return None
        detail, hint = self.failure.detail, self.failure.hint or "Look into the server's settings."
        if self.is_unknown:
            detail = f"Nobody has looked whether it opens the private keys. {detail}"
        return Finding(
            code=self.failure.code, about="the master key", detail=detail, hint=hint, is_note=self.is_unknown
        )


async def key_standing(database: Database, find: Callable[[], KeptMasterKey]) -> KeyStanding:
    """Try the master key that `find` gives on what is stored in a database that is connected."""
    try:
        kept = find()
    except LapelError as error:
        return KeyStanding(failure=error, is_unknown=isinstance(error, MissingMasterKey))
    try:
        status = await database.migration_status()
        if status.current is None:
            return KeyStanding()  # nothing is in it
        return KeyStanding(await check_keys(database, kept, is_older=bool(status.pending)))
    except LapelError as error:
        return KeyStanding(failure=error)


async def check_keys(database: Database, kept: KeptMasterKey, *, is_older: bool = False) -> int:
    """See that the master key is the database's, and opens every private key. How many those are.

    Args:
        is_older: the database is to be migrated first: only the first of the two can be told.

    Raises:
        WrongMasterKey, MissingMasterKey: it is not the database's, or not there.
        UnreadableEnvelope: a private key is damaged.
    """
    await kept.establish(database, make=False)
    before, opened = None, 0
    while not is_older and (page := await database.read().signing_keys.page(before=before, limit=_PAGE)):
        for key in page:
            if key.private_key_encrypted is not None:
                try:
                    kept.key.unwrap(key.private_key_encrypted, associated_data=key.id.bytes)
                except UnreadableEnvelope as error:
                    raise UnreadableEnvelope(f"The private key of signing key {key.id} cannot be opened.") from error
                opened += 1
        before = page[-1].id
    return opened
