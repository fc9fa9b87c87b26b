"""Group commit: many units of work, each in its own savepoint, share one durable COMMIT.

With ``synchronous=FULL`` a commit costs an fsync, and the rest of a small transaction next to nothing. So units run one
after another on the one write connection, and while a COMMIT is in flight in its thread the next units queue; they
then share the next one.
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
from lapel.database.session import Inevitable
from lapel.database.sqlite.driver import Connection
from lapel.database.sqlite.errors import DRIVER_ERRORS, is_busy, translated

__all__ = ["GroupCommit"]

_log = structlog.get_logger("lapel.database.sqlite")


@dataclass(eq=False)
class GroupCommit:
    """The writer: a fair lock over one connection, and the commits behind it.

    A unit of work runs its statements on the connection between `enter` and `leave`, or `abandon`::

        unit = await writer.enter()
        try:
            connection.execute("INSERT …")
        except BaseException:
            writer.abandon(unit)
            raise
        await writer.leave(unit)

    What it promises:

    - `leave` returns when the COMMIT that holds the unit's work has returned, and not before; a task that is cancelled
      meanwhile is told only then.
    - A unit that fails rolls back to its own savepoint and hurts no neighbour.
    - A failed COMMIT, or an error on which SQLite itself has rolled everything back (disk full, I/O error, out of
      memory), fails every unit of the group, and each is told by an error of its own.
    - Units enter in the order in which they asked. A group is closed when it is large or old enough, so that those who
      have finished do not wait for ever on those who keep coming.
    - Those who wait are counted: too many are turned away at once, and those who waited too long when their time is up.
      Who gives up or is cancelled in the queue leaves nothing there.
    - A unit that stays open too long while others wait is undone: one that hangs must not stop all writing.

    It belongs to one event loop, on which every method is called. A unit should not wait for anything but the database.

    Args:
        connection: in autocommit mode (``isolation_level=None``); used by whoever has the turn, and nobody else.
        executor: where COMMIT runs; None to run it inline after each unit, for a database in memory.
        most_in_group: units that share one COMMIT at the most.
        longest_group_seconds: after this a group takes no further units.
        longest_unit_seconds: after this a unit is undone if others wait for it.
        most_waiting: units that may queue; the next one is refused with `DatabaseBusy`.
        busy_seconds: how long to wait for the turn, and for another process that is writing to the file.
        still_ours: whether the file that is open is still the one at its path: what is committed to another is lost.
    """

    connection: Connection
    _: KW_ONLY
    executor: Executor | None
    most_in_group: int = 512
    longest_group_seconds: float = 0.05
    longest_unit_seconds: float = 30.0
    most_waiting: int = 5_000
    busy_seconds: float = 10.0
    still_ours: Callable[[], bool] = lambda: True

    def __post_init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue: OrderedDict[asyncio.Future[None], float] = OrderedDict()  # turns, and when each is turned away
        self._timer: asyncio.TimerHandle | None = None
        self._in_group = 0  # units that have ended well and wait for the next COMMIT
        self._group_began = 0.0
        self._outcome: Inevitable[e.DatabaseError | None] = Inevitable(loop=self._loop)  # why it failed, or None
        self._unit = 0  # the number of the unit that is open, or of the last one
        self._unit_began: float | None = None  # None: no unit is open
        self.busy = False  # a unit runs, or a COMMIT is in flight
        self._commit_is_near = False
        self._closed = False
        self._idle = asyncio.Event()
        self._idle.set()
        self.commits = 0
        self.commit_seconds = 0.0
        self.units = 0

    @property
    def waiting(self) -> int:
        """How many wait for their turn."""
        return len(self._queue)

    async def enter(self) -> int:
        """Wait for the turn, then open a savepoint. `leave` or `abandon` must follow.

        Returns:
            The unit's number, for the methods below.

        Raises:
            DatabaseBusy: too many wait already, or the turn did not come in time, or another process kept the file
                locked too long.
            NotConnected: the writer was closed.
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
        """Return if `unit` is still open.

        Raises:
            ConnectionLost: it was undone because it took too long.
            TransactionAborted: SQLite has rolled everything back.
        """
        if unit != self._unit or self._unit_began is None:
            raise e.ConnectionLost("The transaction was open too long and was rolled back.")
        if not self.connection.in_transaction:
            raise e.TransactionAborted

    async def leave(self, unit: int, *, gathered: bool = False) -> None:
        """The unit has ended well: let the next one in at once, and return when this one's work is durable.

        A task that is cancelled meanwhile hears of it only then.

        Args:
            gathered: it is the work of many already. If nobody waits, the COMMIT waits for nobody either.

        Raises:
            DatabaseError: the unit has been undone: it cannot be committed, or the COMMIT of its group has failed.
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
            raise type(failure)(failure.detail) from failure.__cause__  # one error must not be raised in several tasks

    def abandon(self, unit: int) -> None:
        """The unit has failed: undo it alone and let the next one in. Does nothing if it is undone already."""
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
        """Wait for the connection, first come, first served; `release` must follow."""
        if self._closed:
            raise e.NotConnected
        if not self.busy:
            self.busy = True
            self._idle.clear()
            return
        if self.waiting >= self.most_waiting:
            raise e.DatabaseBusy(f"{self.waiting} writers are waiting already.")
        turn: asyncio.Future[None] = self._loop.create_future()
        until = self._loop.time() + self.busy_seconds
        self._queue[turn] = until
        if self._timer is None:
            self._timer = self._loop.call_at(min(until, self._unit_ends()), self._look_for_late)
        try:
            await turn
        except asyncio.CancelledError:
            self._queue.pop(turn, None)
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.release()  # the turn had just come
            raise

    def release(self, *, gathered: bool = False) -> None:
        """Give the connection to the next in line, or commit the group if it is time."""
        group_is_due = self._in_group > 0 and (
            self.executor is None
            or self._in_group >= self.most_in_group
            or self._loop.time() - self._group_began > self.longest_group_seconds
        )
        if not group_is_due and (turn := self._next_turn()) is not None:
            turn.set_result(None)
            return
        if group_is_due or (self._in_group and gathered):
            self._start_commit()
        elif self._in_group:
            # Whoever is ready to run now may still join: they get one turn of the loop.
            self.busy = False
            if not self._commit_is_near:
                self._commit_is_near = True
                self._loop.call_soon(self._commit_unless_joined)
        else:
            self._roll_back()  # where a unit that failed had opened the transaction, and nobody else is in it
            self.busy = False
            self._idle.set()

    async def close(self, *, within: float | None = None) -> None:
        """Turn away those who wait, and return when the last group is durable. A unit that hangs is undone.

        Args:
            within: how long to wait for that; as for a turn unless told.
        """
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        while (turn := self._next_turn()) is not None:
            turn.set_exception(e.NotConnected())
        try:
            async with asyncio.timeout(self.busy_seconds if within is None else within):
                await self._idle.wait()
        except TimeoutError:
            self._evict()
            await self._idle.wait()

    async def _begin(self) -> None:
        until = self._loop.time() + self.busy_seconds
        pause = 0.001
        while True:
            try:
                self.connection.execute("BEGIN IMMEDIATE")
            except DRIVER_ERRORS as error:
                if not is_busy(error):
                    raise
                if self._loop.time() > until:
                    raise e.DatabaseBusy("Another process is writing to the database file.") from error
                if self._closed:
                    raise e.NotConnected from error
                await asyncio.sleep(pause)
                pause = min(pause * 2, 0.05)
            else:
                self._group_began = self._loop.time()
                return

    def _end_unit(self, *, gathered: bool = False) -> None:
        self._unit_began = None
        self.release(gathered=gathered)

    def _unit_ends(self) -> float:
        return (self._unit_began or self._loop.time()) + self.longest_unit_seconds

    def _evict(self) -> None:
        if self._unit_began is not None:
            _log.error("a transaction was open too long and was rolled back", seconds=self.longest_unit_seconds)
            self.abandon(self._unit)

    def _look_for_late(self) -> None:
        self._timer = None
        now = self._loop.time()
        while self._queue and (until := next(iter(self._queue.values()))) <= now:
            turn, _ = self._queue.popitem(last=False)
            if not turn.done():
                turn.set_exception(e.DatabaseBusy(f"The turn to write did not come in {self.busy_seconds:g} s."))
        if self._unit_ends() <= now:
            self._evict()
        if self._queue:
            self._timer = self._loop.call_at(min(until, self._unit_ends()), self._look_for_late)

    def _next_turn(self) -> asyncio.Future[None] | None:
        """Whose turn it is, no more in the queue."""
        while self._queue:
            turn, _ = self._queue.popitem(last=False)
            if not turn.done():
                return turn
        return None

    def _commit_unless_joined(self) -> None:
        self._commit_is_near = False
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
            except RuntimeError:  # the system gives us no thread: late is better than never
                self._finish(*self._commit())

    def _commit(self) -> tuple[float, BaseException | None]:
        """COMMIT. How many seconds it took, and what went wrong."""
        error, began = None, perf_counter()
        try:
            self.connection.execute("COMMIT")
        except BaseException as failure:  # in a thread nobody else would hear of it
            error = failure
        return perf_counter() - began, error

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
        with suppress(*DRIVER_ERRORS):  # SQLite rolls back by itself where it cannot go on
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")

    def _end_group(self, failure: e.DatabaseError | None) -> None:
        """Tell every unit of the group how it ended; the next group begins."""
        outcome, self._outcome = self._outcome, Inevitable(loop=self._loop)
        self._in_group = 0
        outcome.set_result(failure)
