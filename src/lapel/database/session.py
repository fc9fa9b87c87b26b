"""Sessions, which run the statements of repositories. Each database module provides its own.

Inside a transaction, a `DatabaseTransaction` drives a `TransactionSession`, on one checked-out connection. Outside of
one, the database's `ReadingSession` runs single statements and sees committed data only.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Coroutine, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Protocol, TypeAlias

from sqlalchemy import Table

from lapel.database.caching import Key
from lapel.database.statement import Parameters, Row, Statement

__all__ = ["Fetch", "PreparableSession", "ReadingSession", "Session", "Table", "TransactionSession", "streamed"]

Fetch: TypeAlias = Callable[[int], Coroutine[object, object, Sequence[Iterable[object]]]]
"""Fetches the next rows, at most the given number; none at the end. Values are the driver's. Not for concurrent use."""


class ReadingSession(Protocol):
    """Runs statements that only read. Methods raise `lapel.database.errors.DatabaseError`, never the driver's own."""

    async def fetch_all(self, statement: Statement, parameters: Parameters) -> list[Row]:
        """Return all rows of the result, with values in their Python form (`lapel.database.types`)."""

    def stream(self, statement: Statement, parameters: Parameters) -> AsyncGenerator[Row, None]:
        """Yield the rows of one snapshot, in bounded memory unless the database itself is in memory."""


class Session(ReadingSession, Protocol):
    """Runs statements of every kind, for repositories."""

    async def execute(self, statement: Statement, parameters: Parameters) -> int:
        """Run a statement that returns no rows. Returns the number of rows it affected."""

    async def bulk_insert(self, table: Table, rows: Sequence[Parameters]) -> None:
        """Insert many rows in the database's fastest way. Each row has the parameters of `insertion`."""


class TransactionSession(Session, Protocol):
    """A session whose transaction is begun and ended by `DatabaseTransaction`.

    `commit`, `rollback` and `command` complete even if the calling task is cancelled. They then raise
    `asyncio.CancelledError` with their own error, if any, as its ``__cause__``: see `lapel.database.shielding`.
    """

    async def begin(self, *, deadline: float | None = None) -> None:
        """Check out a connection and begin a transaction. On an error nothing stays checked out.

        Args:
            deadline: a time of the event loop's clock, at which the task will be cancelled. A database that can
                enforce the deadline itself should, so that no statement goes on running for nobody.
        """

    async def announce(self, changed: Collection[Key]) -> None:
        """Prepare to tell other processes, on commit, to drop these keys from their caches. Called before `commit`.

        For a database whose `lapel.database.change_feed.ChangeFeed` cannot find out by itself what was committed.
        """

    async def commit(self) -> None:
        """Commit and release the connection. Returns only once the changes are durable."""

    async def rollback(self) -> None:
        """Roll back and release the connection. Does not raise if the connection is already lost."""

    async def command(self, sql: str) -> None:
        """Run ``SAVEPOINT``, ``RELEASE SAVEPOINT`` or ``ROLLBACK TO SAVEPOINT``, with a name that needs no quoting."""

    async def maintain(self, *, alone: bool) -> None:
        """Lift the time limits until the end of this transaction.

        Args:
            alone: exclude other migrations. Raises `DatabaseBusy` if another one runs for too long.
        """

    def unloading(self, table: Table) -> AbstractAsyncContextManager[Fetch]:
        """Read all rows of a table, in no particular order: see `Fetch`."""

    async def load(self, table: Table, rows: Iterable[Row]) -> None:
        """Insert rows of the driver's values in the database's fastest way."""

    async def run(self, sql: str) -> list[Row]:
        """Run one statement of raw SQL. Returns its rows, with the driver's values."""


class PreparableSession(TransactionSession, Protocol):
    """The session of a database with `lapel.database.capabilities.Capabilities.two_phase`."""

    async def prepare(self, name: str) -> None:
        """Prepare the transaction instead of committing it, so that anybody can later commit or roll it back by name.

        Returns only once that is durable. Raises `OutcomeUnknown` if that is uncertain. `name` needs no quoting.
        """


async def streamed(
    session: TransactionSession, statement: Statement, parameters: Parameters
) -> AsyncGenerator[Row, None]:
    """Implement `ReadingSession.stream` outside a transaction, by a transaction on a session that has not begun."""
    await session.begin()
    try:
        async with aclosing(session.stream(statement, parameters)) as rows:
            async for row in rows:
                yield row
    finally:
        await session.rollback()
