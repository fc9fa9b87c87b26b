"""Transactions: one state machine for every database, driving a module's session."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Coroutine, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import datetime
from types import TracebackType
from typing import Self, TypeAlias, TypeVar

from sqlalchemy import Table

from lapel.database.caching import EntityCache
from lapel.database.errors import SessionMisuse, TransactionFailed
from lapel.database.metrics import DatabaseMetrics
from lapel.database.repository_factory import RepositoryFactory
from lapel.database.session import ReadingSession, TransactionSession
from lapel.database.statement import Parameters, Row, Statement

__all__ = ["DatabaseTransaction", "OpenTransactions", "OutsideSession"]

OpenTransactions: TypeAlias = "dict[asyncio.Task[object], DatabaseTransaction]"
"""One database's open transactions, by the task that opened them."""

Result = TypeVar("Result")


class DatabaseTransaction(RepositoryFactory):
    """An open transaction with the repositories on it.

    ``async with database.transaction() as tx:`` commits when the block ends well and rolls back on any error and on
    cancellation. The commit itself is shielded from cancellation. After a failed statement only a rollback is left,
    of the whole or to a savepoint that was set before; leaving the block as if nothing had happened raises
    `TransactionFailed`. It belongs to the task that opened it, and is opened once.

    Attributes:
        id: for logs and errors; opaque.
        start_time: when it was made.
        operations: what ran in it so far, as ``aggregate.verb``.
    """

    def __init__(
        self,
        session: TransactionSession,
        *,
        transaction_id: str,
        start_time: datetime,
        metrics: DatabaseMetrics,
        open_transactions: OpenTransactions,
        cache: EntityCache,
    ) -> None:
        self.id = transaction_id
        self.start_time = start_time
        self._session = session
        self._open = open_transactions
        self._to_tell = cache
        self._task: asyncio.Task[object] | None = None
        self._used = False
        self._failed = False
        self._depth = 0
        super().__init__(_GuardedSession(self, session), metrics=metrics)

    async def __aenter__(self) -> Self:
        task = asyncio.current_task()
        if task is None:
            raise SessionMisuse("A transaction can only be opened inside a task.")
        if task in self._open:
            raise SessionMisuse(
                f"Transaction {self._open[task].id} is already open in this task.",
                hint="Use it, or `tx.savepoint()` for a nested one.",
            )
        if self._used:
            raise SessionMisuse(f"Transaction {self.id} was opened before.", hint="Each one needs a new object.")
        self._used = True
        await self._session.begin(self.id)
        self._task = task
        self._open[task] = self
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        task, self._task = self._task, None
        assert task is not None
        del self._open[task]
        if error is not None:
            await self._session.rollback()
        elif self._failed:
            await self._session.rollback()
            raise TransactionFailed
        else:
            try:
                await self._session.commit()
            finally:  # however it ended: what was written may be there
                self._to_tell.forget(self._recorder.changed)

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """A nested transaction: an error that leaves its block undoes what was done inside, and nothing else."""
        self._check()
        name = f"s{self._depth}"
        await self._guarded(self._session.savepoint(name))
        self._depth += 1
        try:
            yield
            if self._failed:
                raise TransactionFailed
        except BaseException:
            if self._task is not None:
                await self._guarded(self._session.rollback_to_savepoint(name))
                self._failed = False
            raise
        else:
            await self._guarded(self._session.release_savepoint(name))
        finally:
            self._depth -= 1

    def _check(self) -> None:
        if self._task is None:
            raise SessionMisuse("This transaction has ended or was never opened.")
        if asyncio.current_task() is not self._task:
            raise SessionMisuse(f"Transaction {self.id} belongs to another task.")
        if self._failed:
            raise TransactionFailed

    async def _guarded(self, work: Awaitable[Result]) -> Result:
        try:
            return await work
        except BaseException:
            self._failed = True
            raise


class _GuardedSession:
    """The transaction's session as repositories see it: checked before, marked failed after, each statement."""

    __slots__ = ("_session", "_transaction", "capabilities")

    def __init__(self, transaction: DatabaseTransaction, session: TransactionSession) -> None:
        self._transaction = transaction
        self._session = session
        self.capabilities = session.capabilities

    @property
    def transaction_id(self) -> str | None:
        return self._transaction.id

    def fetch_all(self, statement: Statement, parameters: Parameters) -> Coroutine[object, object, list[Row]]:
        self._transaction._check()
        return self._transaction._guarded(self._session.fetch_all(statement, parameters))

    def fetch_one(self, statement: Statement, parameters: Parameters) -> Coroutine[object, object, Row | None]:
        self._transaction._check()
        return self._transaction._guarded(self._session.fetch_one(statement, parameters))

    def execute(self, statement: Statement, parameters: Parameters) -> Coroutine[object, object, int]:
        self._transaction._check()
        return self._transaction._guarded(self._session.execute(statement, parameters))

    def bulk_insert(self, table: Table, rows: Sequence[Mapping[str, object]]) -> Coroutine[object, object, None]:
        self._transaction._check()
        return self._transaction._guarded(self._session.bulk_insert(table, rows))

    async def stream(self, statement: Statement, parameters: Parameters) -> AsyncGenerator[Row, None]:
        self._transaction._check()
        try:
            async with aclosing(self._session.stream(statement, parameters)) as rows:
                async for row in rows:
                    yield row
                    self._transaction._check()
        except GeneratorExit:
            raise
        except BaseException:
            self._transaction._failed = True
            raise


class OutsideSession:
    """The reading session as repositories see it outside a transaction: nothing is written, nor read from inside one.

    A transaction holds a connection. Whoever holds one and waits for another may wait for himself.
    """

    __slots__ = ("_open", "_session", "capabilities")

    transaction_id = None

    def __init__(self, session: ReadingSession, open_transactions: OpenTransactions) -> None:
        self._session = session
        self._open = open_transactions
        self.capabilities = session.capabilities

    def fetch_all(self, statement: Statement, parameters: Parameters) -> Coroutine[object, object, list[Row]]:
        self._check(statement)
        return self._session.fetch_all(statement, parameters)

    def fetch_one(self, statement: Statement, parameters: Parameters) -> Coroutine[object, object, Row | None]:
        self._check(statement)
        return self._session.fetch_one(statement, parameters)

    def stream(self, statement: Statement, parameters: Parameters) -> AsyncGenerator[Row, None]:
        self._check(statement)
        return self._session.stream(statement, parameters)

    async def execute(self, statement: Statement, parameters: Parameters) -> int:
        raise _write_outside()

    async def bulk_insert(self, table: Table, rows: Sequence[Mapping[str, object]]) -> None:
        raise _write_outside()

    def _check(self, statement: Statement) -> None:
        if not statement.reads:
            raise _write_outside()
        if self._open and (inside := self._open.get(asyncio.current_task())) is not None:  # type: ignore[arg-type]  # None is no key
            raise SessionMisuse(
                f"This task reads outside while its transaction {inside.id} is open.", hint="Read on the transaction."
            )


def _write_outside() -> SessionMisuse:
    return SessionMisuse("A write needs a transaction.", hint="Use `async with database.transaction() as tx`.")
