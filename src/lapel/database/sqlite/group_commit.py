"""Group commit: many units of work, each in its own savepoint, share one durable COMMIT.

With ``synchronous=FULL``, a commit costs an fsync, and the rest of a small transaction next to nothing. So units run
one after another on the single write connection. While a COMMIT runs in a thread, further units queue, and then share
the next COMMIT.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass
from time import perf_counter

import structlog

from lapel.database import errors as e
from lapel.database.shielding import Inevitable
from lapel.database.sqlite.driver import Connection, Cursor
from lapel.database.sqlite.errors import DRIVER_ERRORS, is_busy, translated

__all__ = ["GroupCommit"]

_log = structlog.get_logger("lapel.database.sqlite")


@dataclass(eq=False)
class GroupCommit:
    """A fair lock on the write connection, and the commits of the units that have held it.

    A unit of work runs its statements on the connection between `enter` and `leave` or `abandon`::

        unit = await writer.enter()
        try:
            connection.execute("INSERT …")
        except BaseException:
            writer.abandon(unit)
            raise
        await writer.leave(unit)

    Guarantees:

    - `leave` returns only once the COMMIT with the unit's changes has returned. If the task is cancelled meanwhile, the
      cancellation is raised only then.
    - A failed unit rolls back to its own savepoint and does not affect the others.
    - A failed COMMIT, or an error after which SQLite has rolled everything back (disk full, I/O error, out of memory),
      fails all units of the group, each with an error of its own.
    - Units enter in the order of their calls. A group is committed when it is large or old enough, even if more units
      keep coming.
    - The queue is bounded: further units are rejected at once, and queued ones after a timeout. Cancelled ones leave
      nothing in it.
    - A unit that is open for too long while others wait is rolled back, so that one that hangs cannot stop all writes.

    All methods must be called on one event loop. A unit should not wait for anything but the database.

    Args:
        connection: a connection in autocommit mode (``isolation_level=None``), which only the current unit may use.
        executor: runs the COMMITs; None to commit inline after each unit, for a database in memory.
        max_group_size: the maximum number of units in one COMMIT.
        max_group_seconds: the age after which a group takes no further units.
        max_unit_seconds: the age after which a unit is rolled back if others wait.
        max_waiting: the maximum length of the queue; further units are rejected with `DatabaseBusy`.
        busy_seconds: how long to wait for the turn, and for another process that is writing to the file.
        still_ours: whether the open file is still the one at its path; otherwise commits would be lost.
    """

    connection: Connection
    _: KW_ONLY
    executor: Executor | None
    max_group_size: int = 512
    max_group_seconds: float = 0.05
    max_unit_seconds: float = 30.0
    max_waiting: int = 5_000
    busy_seconds: float = 10.0
    still_ours: Callable[[], bool] = lambda: True

    def __post_init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue: OrderedDict[asyncio.Future[None], float] = OrderedDict()  # turns with their deadlines
        self._timer: asyncio.TimerHandle | None = None
        self._in_group = 0  # successful units that wait for the next COMMIT
        self._group_began = 0.0
        self._outcome: Inevitable[e.DatabaseError | None] = Inevitable(loop=self._loop)  # the group's error, or None
        self._unit = 0  # the number of the current or last unit
        self._unit_began: float | None = None  # None while no unit is open
        self.cursors: set[Cursor] = set()  # of the unit's open streams, which would keep its snapshot
        self.busy = False  # while a unit is open or a COMMIT is running
        self._commit_scheduled = self._closed = False
        self._ended = asyncio.Event()  # set once it is closed and nothing runs
        self.units = self.commits = 0
        self.commit_seconds = 0.0

    @property
    def waiting(self) -> int:
        """The length of the queue."""
        return len(self._queue)

    async def enter(self) -> int:
        """Wait for the turn, then open a unit's savepoint. `leave` or `abandon` must follow.

        Returns:
            The unit's number, for the other methods.

        Raises:
            DatabaseBusy: the queue is full, the wait timed out, or another process kept the file locked too long.
            NotConnected: the writer is closed.
        """
        await self.acquire()
        try:
            if not self.connection.in_transaction:
                await self._begin()
            self.connection.execute("SAVEPOINT unit")
        except DRIVER_ERRORS as error:
            self._undo_group(error)
            self.release()
            raise translated(error) from error
        except BaseException:
            self.release()
            raise
        self._unit += 1
        self._unit_began = self._loop.time()
        return self._unit

    def check(self, unit: int) -> None:
        """Check that `unit` is still open.

        Raises:
            ConnectionLost: the unit was rolled back because it took too long.
            TransactionAborted: SQLite has rolled everything back.
        """
        if unit != self._unit or self._unit_began is None:
            raise e.ConnectionLost("The transaction was open too long and was rolled back.")
        if not self.connection.in_transaction:
            raise e.TransactionAborted

    async def leave(self, unit: int, *, gathered: bool = False) -> None:
        """End a successful unit: let the next one in at once, and return once this one's changes are durable.

        If the task is cancelled meanwhile, the cancellation is raised only then.

        Args:
            gathered: the unit already combines the work of many: if none is queued, commit without waiting for more.

        Raises:
            DatabaseError: the unit was rolled back, because it or the COMMIT of its group failed.
        """
        try:
            self.check(unit)
            self.connection.execute("RELEASE unit")
        except e.DatabaseError:
            self.abandon(unit)
            raise
        except DRIVER_ERRORS as error:
            self._undo_group(error)
            self._end_unit()
            raise translated(error) from error
        outcome = self._outcome
        self._in_group += 1
        self.units += 1
        self._end_unit(gathered=gathered)
        failure = await outcome.known()
        if failure is not None:
            raise type(failure)(failure.detail) from failure.__cause__  # each task needs an error object of its own

    def abandon(self, unit: int) -> None:
        """Roll back a failed unit alone and let the next one in. Does nothing if it is already rolled back."""
        if unit != self._unit or self._unit_began is None:
            return
        try:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK TO unit")
                self.connection.execute("RELEASE unit")
        except DRIVER_ERRORS as error:
            self._undo_group(error)
        else:
            if not self.connection.in_transaction:
                self._end_group(e.TransactionAborted())
        self._end_unit()

    async def acquire(self) -> None:
        """Wait for the connection, in the order of the calls. `release` must follow."""
        if self._closed:
            raise e.NotConnected
        if not self.busy:
            self.busy = True
            return
        if self.waiting >= self.max_waiting:
            raise e.DatabaseBusy(f"{self.waiting} writers are waiting already.")
        turn: asyncio.Future[None] = self._loop.create_future()
        deadline = self._loop.time() + self.busy_seconds
        self._queue[turn] = deadline
        if self._timer is None:
            self._timer = self._loop.call_at(min(deadline, self._unit_deadline()), self._enforce_deadlines)
        try:
            await turn
        except asyncio.CancelledError:
            self._queue.pop(turn, None)
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.release()  # the turn was granted just before the cancellation
            raise

    def release(self, *, gathered: bool = False) -> None:
        """Pass the connection to the next in the queue, or commit the group if that is due."""
        group_is_due = self._in_group > 0 and (
            self.executor is None
            or self._in_group >= self.max_group_size
            or self._loop.time() - self._group_began > self.max_group_seconds
        )
        if not group_is_due and (turn := self._next_turn()) is not None:
            turn.set_result(None)
            return
        if group_is_due or (self._in_group and gathered):
            self._start_commit()
        elif self._in_group:
            # Tasks that are ready to run may still join the group: they get one iteration of the loop.
            self.busy = False
            if not self._commit_scheduled:
                self._commit_scheduled = True
                self._loop.call_soon(self._commit_unless_joined)
        else:
            self._roll_back()  # ends a transaction that was begun for a unit that failed
            self.busy = False
            if self._closed:
                self._ended.set()

    async def close(self, *, within: float | None = None) -> None:
        """Reject the queued units, and return once the last group is durable. A unit that hangs is rolled back.

        Args:
            within: seconds to wait for the current unit; by default `busy_seconds`.
        """
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        while (turn := self._next_turn()) is not None:
            turn.set_exception(e.NotConnected())
        if not self.busy and not self._in_group:
            return
        try:
            async with asyncio.timeout(self.busy_seconds if within is None else within):
                await self._ended.wait()
        except TimeoutError:
            self._evict()
            await self._ended.wait()

    async def _begin(self) -> None:
        deadline = self._loop.time() + self.busy_seconds
        delay = 0.001
        while True:
            try:
                self.connection.execute("BEGIN IMMEDIATE")
            except DRIVER_ERRORS as error:
                if not is_busy(error):
                    raise
                if self._loop.time() > deadline:
                    raise e.DatabaseBusy("Another process is writing to the database file.") from error
                if self._closed:
                    raise e.NotConnected from error
                await asyncio.sleep(delay)
                delay = min(delay * 2, 0.05)
            else:
                self._group_began = self._loop.time()
                return

    def _end_unit(self, *, gathered: bool = False) -> None:
        self._unit_began = None
        while self.cursors:
            with suppress(*DRIVER_ERRORS):  # the next unit's turn must come all the same
                self.cursors.pop().close()
        self.release(gathered=gathered)

    def _unit_deadline(self) -> float:
        return (self._unit_began or self._loop.time()) + self.max_unit_seconds

    def _evict(self) -> None:
        if self._unit_began is not None:
            _log.error("a transaction was open too long and was rolled back", seconds=self.max_unit_seconds)
            self.abandon(self._unit)

    def _enforce_deadlines(self) -> None:
        self._timer = None
        now = self._loop.time()
        while self._queue and (deadline := next(iter(self._queue.values()))) <= now:
            turn, _ = self._queue.popitem(last=False)
            if not turn.done():
                turn.set_exception(e.DatabaseBusy(f"The turn to write did not come in {self.busy_seconds:g} s."))
        if self._unit_deadline() <= now:
            self._evict()
        if self._queue:
            self._timer = self._loop.call_at(min(deadline, self._unit_deadline()), self._enforce_deadlines)

    def _next_turn(self) -> asyncio.Future[None] | None:
        """Remove the next turn from the queue and return it."""
        while self._queue:
            turn, _ = self._queue.popitem(last=False)
            if not turn.done():
                return turn
        return None

    def _commit_unless_joined(self) -> None:
        self._commit_scheduled = False
        if not self.busy and self._in_group:
            self._start_commit()

    def _start_commit(self) -> None:
        self.busy = True
        if not self.still_ours():
            self._roll_back()
            self._end_group(e.StorageFailure("The database file was removed or replaced under the server."))
            self.release()
        elif self.executor is None:
            self._finish(*self._commit())
        else:
            try:
                self.executor.submit(lambda: self._loop.call_soon_threadsafe(self._finish, *self._commit()))
            except RuntimeError:  # no thread can be started: block the event loop rather than fail
                self._finish(*self._commit())

    def _commit(self) -> tuple[float, BaseException | None]:
        """Run COMMIT. Returns its duration in seconds, and its error."""
        error, started = None, perf_counter()
        try:
            self.connection.execute("COMMIT")
        except BaseException as failure:  # in a thread it would be lost
            error = failure
        return perf_counter() - started, error

    def _finish(self, seconds: float, error: BaseException | None) -> None:
        self.commits += 1
        self.commit_seconds += seconds
        if error is None:
            self._end_group(None)
        else:
            self._undo_group(error)
        self.release()

    def _undo_group(self, error: BaseException) -> None:
        self._roll_back()
        failure = translated(error) if isinstance(error, DRIVER_ERRORS) else e.TransactionAborted()
        failure.__cause__ = error
        self._end_group(failure)

    def _roll_back(self) -> None:
        with suppress(*DRIVER_ERRORS):  # if this fails, SQLite rolls back by itself
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")

    def _end_group(self, failure: e.DatabaseError | None) -> None:
        """Give the outcome to every unit of the group, and start the next group."""
        outcome, self._outcome = self._outcome, Inevitable(loop=self._loop)
        self._in_group = 0
        outcome.set_result(failure)
