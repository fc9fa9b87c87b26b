"""Transactions: one state machine for every database, driving a module's session."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from types import TracebackType
from typing import Self
from weakref import WeakKeyDictionary

from sqlalchemy import Table

from lapel.database.capabilities import Capabilities
from lapel.database.errors import SessionMisuse, TransactionFailed
from lapel.database.metrics import DatabaseMetrics
from lapel.database.repository_factory import RepositoryFactory
from lapel.database.session import TransactionSession
from lapel.database.statement import Parameters, Row, Statement

__all__ = ["DatabaseTransaction"]

_open_in: WeakKeyDictionary[asyncio.Task[object], dict[int, DatabaseTransaction]] = WeakKeyDictionary()


class DatabaseTransaction(RepositoryFactory):
    """An open transaction with the repositories on it.

    ``async with database.transaction() as tx:`` commits when the block ends well and rolls back on any error and on
    cancellation. The commit itself is shielded from cancellation. After a failed statement only a rollback is left,
    of the whole or to a savepoint that was set before; leaving the block as if nothing had happened raises
    `TransactionFailed`. It belongs to the task that opened it.

    Attributes:
        id: for logs and errors; opaque.
        start_time: when it was opened.
        operations: what ran in it so far, as ``aggregate.verb``.
    """

    def __init__(
        self,
        session: TransactionSession,
        *,
        transaction_id: str,
        start_time: datetime,
        metrics: DatabaseMetrics,
        database_key: int,
    ) -> None:
        self.id = transaction_id
        self.start_time = start_time
        self._session = session
        self._task: asyncio.Task[object] | None = None
        self._failed = False
        self._depth = 0
        self._database_key = database_key
        super().__init__(_GuardedSession(self, session), metrics=metrics)

    async def __aenter__(self) -> Self:
        task = asyncio.current_task()
        if task is None:
            raise SessionMisuse("A transaction can only be opened inside a task.")
        open_here = _open_in.setdefault(task, {})
        if self._database_key in open_here:
            raise SessionMisuse(
                f"Transaction {open_here[self._database_key].id} is already open in this task.",
                hint="Use it, or `tx.savepoint()` for a nested one.",
            )
        await self._session.begin(self.id)
        self._task = task
        open_here[self._database_key] = self
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        task, self._task = self._task, None
        if task is not None:
            _open_in[task].pop(self._database_key, None)
        if error is not None:
            await self._session.rollback()
        elif self._failed:
            await self._session.rollback()
            raise TransactionFailed
        else:
            await self._session.commit()

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """A nested transaction: an error that leaves its block undoes what was done inside, and nothing else."""
        self._check()
        name = f"s{self._depth}"
        await self._session.savepoint(name)
        self._depth += 1
        try:
            yield
            if self._failed:
                raise TransactionFailed
        except BaseException:
            if self._task is not None:
                await self._session.rollback_to_savepoint(name)
                self._failed = False
            raise
        else:
            await self._session.release_savepoint(name)
        finally:
            self._depth -= 1

    def _check(self) -> None:
        if self._task is None:
            raise SessionMisuse("This transaction has ended or was never opened.")
        if asyncio.current_task() is not self._task:
            raise SessionMisuse(f"Transaction {self.id} belongs to another task.")
        if self._failed:
            raise TransactionFailed


class _GuardedSession:
    """The transaction's session as repositories see it: checked before, marked failed after, each statement."""

    __slots__ = ("_session", "_transaction", "capabilities")

    def __init__(self, transaction: DatabaseTransaction, session: TransactionSession) -> None:
        self._transaction = transaction
        self._session = session
        self.capabilities: Capabilities = session.capabilities

    @property
    def transaction_id(self) -> str | None:
        return self._transaction.id

    async def fetch_all(self, statement: Statement, parameters: Parameters) -> list[Row]:
        self._transaction._check()
        try:
            return await self._session.fetch_all(statement, parameters)
        except BaseException:
            self._transaction._failed = True
            raise

    async def fetch_one(self, statement: Statement, parameters: Parameters) -> Row | None:
        self._transaction._check()
        try:
            return await self._session.fetch_one(statement, parameters)
        except BaseException:
            self._transaction._failed = True
            raise

    async def execute(self, statement: Statement, parameters: Parameters) -> int:
        self._transaction._check()
        try:
            return await self._session.execute(statement, parameters)
        except BaseException:
            self._transaction._failed = True
            raise

    async def bulk_insert(self, table: Table, rows: Sequence[Mapping[str, object]]) -> None:
        self._transaction._check()
        try:
            await self._session.bulk_insert(table, rows)
        except BaseException:
            self._transaction._failed = True
            raise

    async def stream(self, statement: Statement, parameters: Parameters) -> AsyncIterator[Row]:
        self._transaction._check()
        try:
            async for row in self._session.stream(statement, parameters):
                yield row
                self._transaction._check()
        except GeneratorExit:
            raise
        except BaseException:
            self._transaction._failed = True
            raise
