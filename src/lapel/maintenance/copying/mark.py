"""The mark of a database that a copy was started into and not finished. It is removed with the copy's commit."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from msgspec import DecodeError, Struct, json

from lapel.database.errors import DatabaseError
from lapel.database.interface import Database
from lapel.database.repository_factory import RepositoryFactory
from lapel.database.session import TransactionSession
from lapel.errors import Conflict

__all__ = [
    "COPY_MARK",
    "Mark",
    "UnfinishedCopy",
    "read_mark",
    "refuse_unfinished",
    "repositories",
    "unfinished_copy",
    "unmark",
]

COPY_MARK: Final = "copy_begun"
"""The name of the server fact that stores the mark."""


class UnfinishedCopy(Conflict):
    """A copy into this database was started and has not finished."""

    code = "unfinished_copy"
    hint = "If none is under way, run `lapel db copy` into it again; it holds nothing yet. Or recreate it, empty."


class Mark(Struct, frozen=True, kw_only=True):
    """A copy that was started.

    Attributes:
        token: a random value that identifies the copy.
        begun: when it was started.
        source: the source's address, without secrets.
    """

    token: str
    begun: datetime
    source: str

    def __str__(self) -> str:
        return f"A copy from {self.source} was started at {self.begun:%Y-%m-%d %H:%M:%S} UTC and has not finished."


def repositories(database: Database, session: TransactionSession) -> RepositoryFactory:
    """Return the repositories on a transaction of `Database.maintenance`."""
    return RepositoryFactory(session, database.metrics)


def read_mark(value: bytes | None) -> Mark | None:
    """Return the mark in the value of the server fact, if there is one."""
    if value is None:
        return None
    try:
        return json.decode(value, type=Mark)
    except DecodeError:  # perhaps a later version's: all that matters is that there is one
        return Mark(token="", begun=datetime.min.replace(tzinfo=UTC), source="another database")


async def refuse_unfinished(database: Database) -> None:
    """Raise `UnfinishedCopy` if the database has the mark. Its schema must be this version's."""
    if (mark := read_mark(await database.read().server_facts.find(COPY_MARK))) is not None:
        raise UnfinishedCopy(str(mark))


async def unfinished_copy(database: Database) -> UnfinishedCopy | None:
    """Return the error of `refuse_unfinished`; None if the database has no mark or cannot be read."""
    try:
        await refuse_unfinished(database)
    except UnfinishedCopy as unfinished:
        return unfinished
    except DatabaseError:  # the checks of the database report it
        pass
    return None


async def unmark(session: TransactionSession) -> None:
    """Delete the mark, in this transaction."""
    await session.run(f"DELETE FROM server_facts WHERE name = '{COPY_MARK}'")  # noqa: S608 - our own
