"""A session: one checked-out connection on which repositories run. Each database module brings its own.

Two uses. Inside a transaction, a `TransactionSession` is driven by `DatabaseTransaction`, which begins and ends it.
Outside one, the database's `ReadingSession` runs each statement on its own and sees committed data only.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Coroutine, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Protocol, TypeAlias, TypeVar

from sqlalchemy import Table

from lapel.database.caching import Key
from lapel.database.statement import Parameters, Row, Statement

__all__ = [
    "Fetch",
    "Inevitable",
    "PreparableSession",
    "ReadingSession",
    "Session",
    "Table",
    "TransactionSession",
    "interruptible",
    "shielded",
    "streamed",
]

Result = TypeVar("Result", bound=BaseException | None)
Done = TypeVar("Done")

Fetch: TypeAlias = Callable[[int], Coroutine[object, object, Sequence[Iterable[object]]]]
"""Gives so many rows at most, of the driver's own values; none after the last. One call at a time."""


class ReadingSession(Protocol):
    """Runs statements that read. Every method raises `lapel.database.errors.DatabaseError`, nothing of the driver's."""

    async def fetch_all(self, statement: Statement, parameters: Parameters) -> list[Row]:
        """Every row of the result, values in their outside form."""

    def stream(self, statement: Statement, parameters: Parameters) -> AsyncGenerator[Row, None]:
        """The rows one after another, from one snapshot; in bounded memory, unless the database itself is in memory."""


class Session(ReadingSession, Protocol):
    """Runs statements of every kind: what a repository is given."""

    @property
    def transaction_id(self) -> str | None:
        """The transaction this session is in; None outside one."""

    async def execute(self, statement: Statement, parameters: Parameters) -> int:
        """Run a statement that returns no rows. How many rows it touched."""

    async def bulk_insert(self, table: Table, rows: Sequence[Parameters]) -> None:
        """Insert many rows the fastest way the database has. Each row has what `insertion` takes."""


class TransactionSession(Session, Protocol):
    """A session whose transaction is driven from outside, by `DatabaseTransaction` alone.

    `commit`, `rollback` and what is done with a savepoint run to their end even if the calling task is cancelled
    meanwhile, and then raise what it is told with what went wrong as its ``__cause__`` (`shielded`).
    """

    async def begin(self, transaction_id: str, *, deadline: float | None = None) -> None:
        """Check a connection out and begin. On error nothing is held.

        Args:
            deadline: a time of the event loop's clock. The task is cancelled then; this is for databases that can
                keep the time themselves, so that a statement ends that nobody waits for any more.
        """

    async def announce(self, changed: Collection[Key]) -> None:
        """Before `commit`: once this is committed, other processes must forget these.

        For a database whose `lapel.database.change_feed.ChangeFeed` cannot tell by itself what was committed.
        """

    async def commit(self) -> None:
        """Commit, and let the connection go. Returns only when the work is durable."""

    async def rollback(self) -> None:
        """Undo everything and let the connection go. Never raises for a connection that is lost already."""

    async def savepoint(self, name: str) -> None: ...

    async def release_savepoint(self, name: str) -> None: ...

    async def rollback_to_savepoint(self, name: str) -> None: ...

    async def maintain(self, *, alone: bool) -> None:
        """Lift the time limits until the end of this transaction.

        Args:
            alone: nobody else may migrate meanwhile; raises `DatabaseBusy` if somebody does for too long.
        """

    def unloading(self, table: Table) -> AbstractAsyncContextManager[Fetch]:
        """Read every row of a table, in no order: see `Fetch`."""

    async def load(self, table: Table, rows: Iterable[Row]) -> None:
        """Insert rows of the driver's own values, the fastest way the database has."""

    async def run(self, sql: str) -> list[Row]:
        """Run one statement in the database's own dialect, as it is written; the values are the driver's."""


class PreparableSession(TransactionSession, Protocol):
    """What a module opens whose database can prepare a transaction (`lapel.database.capabilities`)."""

    async def prepare(self, name: str) -> None:
        """In place of `commit`: end it so that it can still be committed or rolled back, by that name, by whomever.

        Returns only when that is durable. Raises OutcomeUnknown where it cannot be told; `name` needs no quoting.
        """


async def streamed(
    session: TransactionSession, statement: Statement, parameters: Parameters
) -> AsyncGenerator[Row, None]:
    """`ReadingSession.stream` outside a transaction: in one of its own, on a session that has not begun yet."""
    await session.begin("stream")
    try:
        async with aclosing(session.stream(statement, parameters)) as rows:
            async for row in rows:
                yield row
    finally:
        await session.rollback()


class Inevitable(asyncio.Future[Result]):
    """What went wrong, or None: a future that refuses to be cancelled, for what happens whoever still waits."""

    def cancel(self, msg: object = None) -> bool:
        return False

    async def known(self) -> Result:
        """Wait for it. A task that is cancelled meanwhile is told so by the event loop when it is done, not before.

        Raises:
            asyncio.CancelledError: what went wrong is its ``__cause__``; without one, nothing did.
        """
        try:
            return await self
        except asyncio.CancelledError as cancelled:
            raise cancelled from self.result()


async def shielded(work: Awaitable[object]) -> None:
    """Wait for `work` to its end even if this task is cancelled meanwhile; then raise as `Inevitable.known` does."""
    future = asyncio.ensure_future(work)
    ended = Inevitable[BaseException | None]()
    future.add_done_callback(
        lambda done: ended.set_result(asyncio.CancelledError() if done.cancelled() else done.exception())
    )
    await ended.known()
    future.result()


async def interruptible(work: asyncio.Future[Done], interrupt: Callable[[], object]) -> Done:
    """Wait for what a thread does. If this task is cancelled meanwhile, `interrupt` it, and wait for its end first."""
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        interrupt()
        await shielded(asyncio.wait([work]))
        if not work.cancelled():
            work.exception()  # it was interrupted, as it was told
        raise
