"""Transactions: one state machine for every database, which drives the session of a database module."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import datetime
from time import perf_counter
from types import TracebackType
from typing import Self, TypeVar, cast
from weakref import ref

from sqlalchemy import Table

from lapel.database import errors as e
from lapel.database.caching import TtlCache
from lapel.database.metrics import DatabaseMetrics
from lapel.database.open_transactions import OpenTransactions
from lapel.database.repository_factory import RepositoryFactory
from lapel.database.session import PreparableSession, ReadingSession, Session, TransactionSession
from lapel.database.statement import Parameters, Row, Statement

__all__ = ["DatabaseTransaction", "OutsideSession"]

Result = TypeVar("Result")


class DatabaseTransaction(RepositoryFactory):
    """A transaction with its repositories, which use it as their session.

    ``async with database.transaction() as tx:`` commits at the end of the block and rolls back on any error, including
    cancellation. The commit itself is shielded from cancellation: the `asyncio.CancelledError` raised after it has the
    commit's error as its ``__cause__``, or none if it succeeded. After a failed statement, only a rollback is possible,
    of the transaction or to an earlier savepoint; reaching the end of the block raises `TransactionFailed`.

    A transaction can be opened once and belongs to the task that opened it. If that task ends and leaves it open,
    `OpenTransactions` rolls it back.

    When the deadline passes, the task's current wait is cancelled as by `asyncio.timeout`, no further statement or
    commit starts, and the block ends with `DeadlineExceeded`. A commit that has already begun is awaited.

    Attributes:
        id: an opaque identifier for logs and errors.
        start_time: when the object was created, for people.
        opened_at: when the transaction was opened, by the event loop's clock.
        operations: the last operations, at most twenty, as ``aggregate.verb``.
        outcome: ``committed``, ``rolled_back``, ``unknown`` or ``prepared``; None if no commit was attempted.
    """

    outcome: str | None = None
    _session: TransactionSession
    _owner: ref[asyncio.Task[object]] | None = None  # None while the transaction is not open
    _loop: asyncio.AbstractEventLoop  # looking it up for each statement would cost half a microsecond
    _timeout: asyncio.Timeout | None = None
    _used = False
    _failed = False
    _depth = 0  # of savepoints

    def __init__(
        self,
        session: TransactionSession,
        *,
        transaction_id: str,
        start_time: datetime,
        metrics: DatabaseMetrics,
        open_transactions: OpenTransactions,
        cache: TtlCache | None,
        deadline: float | None = None,
        read_only: bool = False,
        prepared_as: str | None = None,
    ) -> None:
        self.id = self.transaction_id = transaction_id
        self.start_time = start_time
        self._open = open_transactions
        self._shared_cache = cache
        self._deadline = deadline
        self._read_only = read_only
        self._prepared_as = prepared_as
        self._after_commit: tuple[Callable[[], None], ...] = ()
        super().__init__(session, metrics)

    def session(self) -> Session:
        return self

    async def __aenter__(self) -> Self:
        task = asyncio.current_task()
        if task is None:
            raise e.SessionMisuse("A transaction can only be opened inside a task.")
        owner = ref(task)
        self._open.refuse_inside("opens another", hint="Use that, or `tx.savepoint()` for a nested one.", task=task)
        if self._used:
            raise e.SessionMisuse(f"Transaction {self.id} was opened before.", hint="Each one needs a new object.")
        self._used = True
        try:
            if self._deadline is None:
                await self._session.begin()
            else:
                self._timeout = await asyncio.timeout(self._deadline).__aenter__()
                await self._session.begin(deadline=self._timeout.when())
        except BaseException as error:
            await self._stop_timeout(error)
            if isinstance(error, e.DatabaseError):
                self._add_context(error, "begin")
            raise
        self._owner, self._loop = owner, task.get_loop()
        self.opened_at = self._loop.time()
        self._open.add(owner, self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is GeneratorExit and not self._is_own_task():
            # Another task closes the generator that has opened the transaction, or the garbage collector closes its
            # coroutine, which cannot await anything then.
            if self._owner is not None:
                self._open.end(self._owner)
            return
        if self._owner is None:
            if error is None:
                raise e.TransactionEnded
            return
        del self._open.by_task[self._owner]
        late = self._timeout is not None and self._is_late(self._timeout)
        self._close()
        try:
            if error is not None or self._failed or late:
                await self._roll_back()
                if late and (error is None or isinstance(error, e.QueryTimeout | e.ConnectionLost)):
                    raise e.DeadlineExceeded from error  # the database itself may enforce the deadline, too
                if error is None:
                    raise e.TransactionFailed
            else:
                await self._commit()
        except e.DatabaseError as failure:
            self._add_context(failure, "commit")
            raise
        finally:
            if self._timeout is not None:
                await self._stop_timeout(error)

    async def _commit(self) -> None:
        started, outcome, commit_sent = perf_counter(), "rolled_back", False
        success = "committed" if self._prepared_as is None else "prepared"
        try:
            if self.changed:
                await self._session.announce(self.changed)
            commit_sent = True
            if self._prepared_as is None:
                await self._session.commit()
            else:
                await cast("PreparableSession", self._session).prepare(self._prepared_as)
            outcome = success
        except BaseException as error:
            if not commit_sent:
                await self._session.rollback()
            failure = error.__cause__ if commit_sent and isinstance(error, asyncio.CancelledError) else error
            if failure is None or isinstance(failure, e.OutcomeUnknown):
                outcome = success if failure is None else "unknown"
            raise
        finally:
            self.metrics.observe("transactions.commit", perf_counter() - started, failed=outcome != success)
            self.conclude(outcome)

    def conclude(self, outcome: str) -> None:
        """Record how the transaction ended. After ``prepared``, call this again once it is committed or rolled back."""
        self.outcome = outcome
        if outcome == "prepared":
            return
        self.metrics.transactions[outcome] += 1
        if self.changed and self._shared_cache is not None:  # whatever the outcome: they may have been written
            self._shared_cache.forget(self.changed)
        if outcome == "committed":
            for callback in self._after_commit:
                callback()

    def after_commit(self, call: Callable[[], None]) -> None:
        """Register a callback for after a successful commit. It must neither fail nor block."""
        self._after_commit += (call,)

    async def give_up(self) -> None:
        """Roll back from outside the owning task."""
        self._close()
        await self._roll_back()

    def _close(self) -> None:
        """Reject further use, and keep the deadline from interrupting the commit or rollback."""
        self._owner = None
        if self._timeout is not None and not self._timeout.expired():
            self._timeout.reschedule(None)

    async def _roll_back(self) -> None:
        self.metrics.transactions["rolled_back"] += 1
        await self._session.rollback()

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """Open a nested transaction. An error that leaves the block undoes only the changes made inside it.

        Savepoints must end in the reverse order of their opening; otherwise `SessionMisuse` is raised.
        """
        self._check()
        depth, name = self._depth, f"s{self._depth}"
        try:
            await self._command(f"SAVEPOINT {name}")
        except asyncio.CancelledError:
            if not self._failed:  # the savepoint was set
                await self._command(f"RELEASE SAVEPOINT {name}")
            raise
        self._depth = depth + 1
        try:
            yield
            if self._owner is not None and self._depth != depth + 1:
                raise e.SessionMisuse("Another savepoint is to end before this one.")
            self._check()
        except BaseException:
            if self._is_own_task() and self._depth > depth:  # otherwise it has already been rolled back
                self._depth = depth
                await self._command(f"ROLLBACK TO SAVEPOINT {name}")
                await self._command(f"RELEASE SAVEPOINT {name}")
                self._failed = False
            raise
        self._depth = depth
        await self._command(f"RELEASE SAVEPOINT {name}")

    # `lapel.database.session.Session`: checks each statement first, and marks the transaction as failed if it fails.

    def fetch_all(self, statement: Statement, parameters: Parameters) -> Coroutine[object, object, list[Row]]:
        self._check(writes=not statement.reads)
        return self._guarded(self._session.fetch_all(statement, parameters))

    def execute(self, statement: Statement, parameters: Parameters) -> Coroutine[object, object, int]:
        self._check(writes=True)
        return self._guarded(self._session.execute(statement, parameters))

    def bulk_insert(self, table: Table, rows: Sequence[Parameters]) -> Coroutine[object, object, None]:
        self._check(writes=True)
        return self._guarded(self._session.bulk_insert(table, rows))

    async def stream(self, statement: Statement, parameters: Parameters) -> AsyncGenerator[Row, None]:
        self._check()
        try:
            async with aclosing(self._session.stream(statement, parameters)) as rows:
                async for row in rows:
                    yield row
                    self._check()
        except BaseException as error:
            self._failed |= not isinstance(error, GeneratorExit)
            raise

    def _check(self, *, writes: bool = False) -> None:
        if self._owner is None:
            raise e.TransactionEnded
        if asyncio.current_task(self._loop) is not self._owner():
            raise e.SessionMisuse(f"Transaction {self.id} belongs to another task.")
        if self._timeout is not None and self._is_late(self._timeout):
            raise e.DeadlineExceeded
        if self._failed:
            raise e.TransactionFailed
        if writes and self._read_only:
            self._failed = True
            raise e.ReadOnlyDatabase("This transaction only reads.", hint="Open it without `read_only=True`.")

    def _is_own_task(self) -> bool:
        """Return whether the transaction is open in the current task."""
        task = self._owner() if self._owner is not None else None
        return task is not None and task is asyncio.current_task(self._loop)

    def _is_late(self, timeout: asyncio.Timeout) -> bool:
        deadline = timeout.when()
        return timeout.expired() or (deadline is not None and self._loop.time() >= deadline)

    async def _stop_timeout(self, error: BaseException | None) -> None:
        timeout, self._timeout = self._timeout, None
        if timeout is not None:
            try:
                await timeout.__aexit__(type(error) if error else None, error, None)
            except TimeoutError:
                raise self._add_context(e.DeadlineExceeded(), "wait") from error

    def _add_context(self, error: e.DatabaseError, step: str) -> e.DatabaseError:
        context = e.OperationContext(f"transaction.{step}", "transaction", None, self.id, self.attempt)
        return error.with_context(context)

    async def _command(self, sql: str) -> None:
        """Run a command to its end. If the task is cancelled meanwhile, the transaction fails only if it has failed."""
        try:
            await self._guarded(self._session.command(sql))
        except asyncio.CancelledError as cancelled:
            self._failed = cancelled.__cause__ is not None
            raise

    async def _guarded(self, work: Awaitable[Result]) -> Result:
        try:
            return await work
        except BaseException:
            self._failed = True
            raise


class OutsideSession:
    """The session of repositories outside a transaction: refuses writes, and reads by a task with an open transaction.

    Such a task holds a connection; if it waited for another one, it could wait for itself.
    """

    __slots__ = ("_open", "_session")

    def __init__(self, session: ReadingSession, open_transactions: OpenTransactions) -> None:
        self._session = session
        self._open = open_transactions

    def fetch_all(self, statement: Statement, parameters: Parameters) -> Coroutine[object, object, list[Row]]:
        self._check(statement)
        return self._session.fetch_all(statement, parameters)

    def stream(self, statement: Statement, parameters: Parameters) -> AsyncGenerator[Row, None]:
        self._check(statement)
        return self._session.stream(statement, parameters)

    async def execute(self, statement: Statement, parameters: Parameters) -> int:
        raise _write_outside()

    async def bulk_insert(self, table: Table, rows: Sequence[Parameters]) -> None:
        raise _write_outside()

    def _check(self, statement: Statement) -> None:
        if not statement.reads:
            raise _write_outside()
        self._open.refuse_inside("reads outside", hint="Read on the transaction.")


def _write_outside() -> e.SessionMisuse:
    return e.SessionMisuse("A write needs a transaction.", hint="Use `async with database.transaction() as tx`.")
