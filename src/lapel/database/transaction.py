"""Transactions: one state machine for every database, driving a module's session."""

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
from lapel.database.caching import EntityCache, NullCache
from lapel.database.metrics import DatabaseMetrics
from lapel.database.open_transactions import OpenTransactions
from lapel.database.repository_factory import RepositoryFactory
from lapel.database.session import PreparableSession, ReadingSession, TransactionSession
from lapel.database.statement import Parameters, Row, Statement

__all__ = ["DatabaseTransaction", "OutsideSession"]

Result = TypeVar("Result")


class DatabaseTransaction(RepositoryFactory):
    """An open transaction with the repositories on it; to them it is their session.

    ``async with database.transaction() as tx:`` commits when the block ends well and rolls back on any error and on
    cancellation. The commit itself is shielded from cancellation: the CancelledError that comes after it has what went
    wrong as its ``__cause__``, and none if it is committed. After a failed statement only a rollback is left, of the
    whole or to a savepoint that was set before; leaving the block as if nothing had happened raises
    `TransactionFailed`. It belongs to the task that opened it, and is opened once; a task that ends and leaves it open
    has it rolled back (`OpenTransactions`).

    When its deadline is over, what its task waits for is cancelled as by `asyncio.timeout`, no statement starts, nor
    does the commit, and the block ends with `DeadlineExceeded`. A commit that has begun is waited for.

    Attributes:
        id: for logs and errors; opaque.
        start_time: when it was made, for people.
        opened_at: when it was opened, by the event loop's clock.
        operations: what ran in it last, up to twenty, as ``aggregate.verb``.
        outcome: of its commit: ``committed``, ``rolled_back``, ``unknown`` or ``prepared``; None where none was tried.
    """

    outcome: str | None = None
    _owner: ref[asyncio.Task[object]] | None = None  # None before it is open and after its end
    _loop: asyncio.AbstractEventLoop  # asking for the running one at each statement would cost half a microsecond
    _clock: asyncio.Timeout | None = None
    _used = False
    _failed = False
    _depth = 0

    def __init__(
        self,
        session: TransactionSession,
        *,
        transaction_id: str,
        start_time: datetime,
        metrics: DatabaseMetrics,
        open_transactions: OpenTransactions,
        cache: EntityCache,
        deadline: float | None = None,
        read_only: bool = False,
        prepared_as: str | None = None,
    ) -> None:
        self.id = self.transaction_id = transaction_id
        self.start_time = start_time
        self._session = session
        self._open = open_transactions
        self._to_tell = cache
        self._seconds = deadline
        self._read_only = read_only
        self._prepared_as = prepared_as
        self._after_commit: tuple[Callable[[], None], ...] = ()
        super().__init__(self, metrics=metrics, cache=NullCache())

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
            if self._seconds is None:
                await self._session.begin(self.id)
            else:
                self._clock = await asyncio.timeout(self._seconds).__aenter__()
                await self._session.begin(self.id, deadline=self._clock.when())
        except BaseException as error:
            await self._stop_clock(error)
            if isinstance(error, e.DatabaseError):
                self._explained(error, "begin")
            raise
        self._owner, self._loop = owner, task.get_loop()
        self.opened_at = self._loop.time()
        self._open.add(owner, self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is GeneratorExit and not self._is_ours():
            # Another task closes the generator that this is open in, or the garbage collector its coroutine, where
            # nothing can be waited for.
            if self._owner is not None:
                self._open.end(self._owner)
            return
        if self._owner is None:
            if error is None:
                raise e.TransactionEnded
            return
        del self._open.by_task[self._owner]
        late = self._clock is not None and self._is_late(self._clock)
        self._close()
        try:
            if error is not None or self._failed or late:
                await self._roll_back()
                if late and (error is None or isinstance(error, e.QueryTimeout | e.ConnectionLost)):
                    raise e.DeadlineExceeded from error  # the database may keep the time, too
                if error is None:
                    raise e.TransactionFailed
            else:
                await self._commit()
        except e.DatabaseError as failure:
            self._explained(failure, "commit")
            raise
        finally:
            if self._clock is not None:
                await self._stop_clock(error)

    async def _commit(self) -> None:
        started, outcome, begun = perf_counter(), "rolled_back", False
        good = "committed" if self._prepared_as is None else "prepared"
        try:
            if self.changed:
                await self._session.announce(self.changed)
            begun = True
            if self._prepared_as is None:
                await self._session.commit()
            else:
                await cast("PreparableSession", self._session).prepare(self._prepared_as)
            outcome = good
        except BaseException as error:
            if not begun:
                await self._session.rollback()
            failure = error.__cause__ if begun and isinstance(error, asyncio.CancelledError) else error
            known = "unknown" if isinstance(failure, e.OutcomeUnknown) else "rolled_back"
            outcome = good if failure is None else known
            raise
        finally:
            self.metrics.observe("transactions.commit", perf_counter() - started, failed=outcome != good)
            self.conclude(outcome)

    def conclude(self, outcome: str) -> None:
        """It has ended so. One that is prepared has not: who commits it, or rolls it back, says so here once more."""
        self.outcome = outcome
        if outcome == "prepared":
            return
        self.metrics.transactions[outcome] += 1
        if self.changed:  # however it ended: what was written may be there
            self._to_tell.forget(self.changed)
        if outcome == "committed":
            for call in self._after_commit:
                call()

    def after_commit(self, call: Callable[[], None]) -> None:
        """Call this once it is committed, and never if it is not. It must not fail, nor wait."""
        self._after_commit += (call,)

    async def give_up(self) -> None:
        """Roll back without the task that it belongs to."""
        self._close()
        await self._roll_back()

    def _close(self) -> None:
        """Let nobody use it any more, and no deadline cut short its end."""
        self._owner = None
        if self._clock is not None and not self._clock.expired():
            self._clock.reschedule(None)

    async def _roll_back(self) -> None:
        self.metrics.transactions["rolled_back"] += 1
        await self._session.rollback()

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """A nested transaction: an error that leaves its block undoes what was done inside, and nothing else.

        Savepoints end in the reverse of the order in which they were set; `SessionMisuse` is raised where they do not.
        """
        self._check()
        depth, name = self._depth, f"s{self._depth}"
        try:
            await self._finished(self._session.savepoint(name))
        except asyncio.CancelledError:
            if not self._failed:  # it is set
                await self._finished(self._session.rollback_to_savepoint(name))
            raise
        self._depth = depth + 1
        try:
            yield
            if self._owner is not None and self._depth != depth + 1:
                raise e.SessionMisuse("Another savepoint is to end before this one.")
            self._check()
        except BaseException:
            if self._is_ours() and self._depth > depth:  # else it has been undone already
                self._depth = depth
                await self._finished(self._session.rollback_to_savepoint(name))
                self._failed = False
            raise
        self._depth = depth
        await self._finished(self._session.release_savepoint(name))

    # As a session: each statement checked before, and the transaction marked as failed after one that fails.

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
        if self._clock is not None and self._is_late(self._clock):
            raise e.DeadlineExceeded
        if self._failed:
            raise e.TransactionFailed
        if writes and self._read_only:
            self._failed = True
            raise e.ReadOnlyDatabase("This transaction only reads.", hint="Open it without `read_only=True`.")

    def _is_ours(self) -> bool:
        """Whether it is open, in the task that runs."""
        task = self._owner() if self._owner is not None else None
        return task is not None and task is asyncio.current_task(self._loop)

    def _is_late(self, clock: asyncio.Timeout) -> bool:
        until = clock.when()
        return clock.expired() or (until is not None and self._loop.time() >= until)

    async def _stop_clock(self, error: BaseException | None) -> None:
        clock, self._clock = self._clock, None
        if clock is not None:
            try:
                await clock.__aexit__(type(error) if error else None, error, None)
            except TimeoutError:
                raise self._explained(e.DeadlineExceeded(), "wait") from error

    def _explained(self, error: e.DatabaseError, doing: str) -> e.DatabaseError:
        told = e.OperationContext(f"transaction.{doing}", "transaction", None, self.id, self.attempt)
        return error.with_context(told)

    async def _finished(self, work: Awaitable[None]) -> None:
        """`_guarded`, for what comes to its end even if the task is cancelled meanwhile: so nothing may have failed."""
        try:
            await self._guarded(work)
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
    """The reading session as repositories see it outside a transaction: nothing is written, nor read from inside one.

    A transaction holds a connection. Whoever holds one and waits for another may wait for himself.
    """

    __slots__ = ("_open", "_session")

    transaction_id = None

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
