"""The mark that a database carries from before the first row is copied into it until all are there and proved."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from msgspec import DecodeError, Struct, json

from lapel.database.caching import NullCache
from lapel.database.errors import DatabaseError
from lapel.database.interface import Database
from lapel.database.repository_factory import RepositoryFactory
from lapel.database.session import TransactionSession
from lapel.errors import Conflict

__all__ = [
    "COPY_MARK",
    "Mark",
    "UnfinishedCopy",
    "find_mark",
    "refuse_unfinished",
    "repositories",
    "unfinished_copy",
    "unmark",
]

COPY_MARK: Final = "copy_begun"
"""The server fact that is the mark."""


class UnfinishedCopy(Conflict):
    """A copy into this database was started and has not finished."""

    code = "unfinished_copy"
    hint = "If none is under way, run `lapel db copy` into it again; it holds nothing yet. Or recreate it, empty."


class Mark(Struct, frozen=True, kw_only=True):
    """A copy that was begun.

    Attributes:
        token: tells this copy from others.
        source: where from, without secrets.
    """

    token: str
    begun: datetime
    source: str

    def __str__(self) -> str:
        return f"A copy from {self.source} was started at {self.begun:%Y-%m-%d %H:%M:%S} UTC and has not finished."


def repositories(database: Database, session: TransactionSession) -> RepositoryFactory:
    """Those of `database`, on a transaction that is open for its maintenance."""
    return RepositoryFactory(session, metrics=database.metrics, cache=NullCache())


async def find_mark(database: Database) -> Mark | None:
    """The mark that `database` carries, whose tables are this version's."""
    return read_mark(await database.read().server_facts.find(COPY_MARK))


def read_mark(value: bytes | None) -> Mark | None:
    """The mark in the server fact."""
    if value is None:
        return None
    try:
        return json.decode(value, type=Mark)
    except DecodeError:  # a later version's, perhaps: what counts is that it is there
        return Mark(token="", begun=datetime.min.replace(tzinfo=UTC), source="another database")


async def refuse_unfinished(database: Database) -> None:
    """Raises `UnfinishedCopy` where `database` carries the mark: what it holds is not what it is to hold."""
    if (mark := await find_mark(database)) is not None:
        raise UnfinishedCopy(str(mark))


async def unfinished_copy(database: Database) -> UnfinishedCopy | None:
    """What to say where `database` carries the mark; None where it does not, or cannot tell."""
    try:
        await refuse_unfinished(database)
    except UnfinishedCopy as unfinished:
        return unfinished
    except DatabaseError:  # whoever looks at the whole database says what is wrong
        pass
    return None


async def unmark(session: TransactionSession) -> None:
    """Take the mark away, at the end of this transaction."""
    await session.run(f"DELETE FROM server_facts WHERE name = '{COPY_MARK}'")  # noqa: S608 - our own
