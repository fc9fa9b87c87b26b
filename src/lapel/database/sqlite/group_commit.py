"""Group commit: many units of work, each in its own savepoint, share one durable COMMIT.

With ``synchronous=FULL`` a commit costs an fsync, and the rest of a small transaction next to nothing. So units run one
after another on the one write connection, and while a COMMIT is in flight in its thread the next units queue; they
then share the next one. Nobody is answered before the COMMIT that holds their work has returned.

The rules:

- A unit that fails rolls back to its own savepoint and hurts no neighbour.
- A failed COMMIT, or an error on which SQLite itself has rolled everything back (disk full, I/O error, out of
  memory), fails every unit of the group, and each is told.
- Units enter in the order in which they asked. A group is closed when it is large or old enough, so that those who
  have finished do not wait for ever on those who keep coming. Too many waiting are turned away at once, and those
  who waited too long when their time is up.
- A unit that stays open too long while others wait is undone: one that hangs must not stop all writing.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from time import perf_counter

import structlog

from lapel.database.errors import (
    ConnectionLost,
    DatabaseBusy,
    DatabaseError,
    NotConnected,
    StorageFailure,
    TransactionAborted,
)
from lapel.database.sqlite.errors import is_busy, translated

__all__ = ["GroupCommit"]

_log = structlog.get_logger("lapel.database.sqlite")


class GroupCommit:
    """The writer: a fair lock over one connection, and the commits behind it.

    Args:
        connection: in autocommit mode (``isolation_level=None``); used by nobody else.
        executor: where COMMIT runs; None to run it inline after each unit, for a database in memory.
        most_in_group: units that share one COMMIT at the most.
        longest_group_seconds: after this a group takes no further units.
        longest_unit_seconds: after this a unit is undone if others wait for it.
        most_waiting: units that may queue; the next one is refused with `DatabaseBusy`.
        busy_seconds: how long to wait for the turn, and for another process that is writing to the file.
        still_ours: whether the file that is open is still the one at its path: what is committed to another is lost.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        *,
        executor: Executor | None,
        most_in_group: int = 512,
        longest_group_seconds: float = 0.05,
        longest_unit_seconds: float = 30.0,
        most_waiting: int = 5_000,
        busy_seconds: float = 10.0,
        still_ours: Callable[[], bool] = lambda: True,
    ) -> None:
        self._connection = connection
        self._executor = executor
        self._most_in_group = most_in_group
        self._longest_group = longest_group_seconds
        self._longest_unit = longest_unit_seconds
        self._most_waiting = most_waiting
        self._busy_seconds = busy_seconds
        self._still_ours = still_ours
        self._loop = asyncio.get_running_loop()
        self._queue: deque[tuple[float, asyncio.Future[None]]] = deque()  # (when it is turned away, its turn)
        self._timer: asyncio.TimerHandle | None = None
        self._group: list[asyncio.Future[None]] = []
        self._group_began = 0.0
        self._unit = 0  # the number of the unit that is open, or of the last one
        self._unit_began: float | None = None  # None: no unit is open
        self._held = False  # a unit runs, or a COMMIT is in flight
        self._closed = False
        self._idle = asyncio.Event()
        self._idle.set()
        self.waiting = 0
        self.commits = 0
        self.commit_seconds = 0.0
        self.units = 0

    @property
    def busy(self) -> bool:
        """A unit runs or a COMMIT is in flight."""
        return self._held

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
            if not self._connection.in_transaction:
                await self._begin()
            self._connection.execute("SAVEPOINT unit")
        except sqlite3.Error as error:
            ours = translated(error)
            self._undo_group(error)
            self.release()
            raise ours from error
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
            raise ConnectionLost("The transaction was open too long and was rolled back.")
        if not self._connection.in_transaction:
            raise TransactionAborted

    def leave(self, unit: int) -> asyncio.Future[None]:
        """The unit has ended well: let the next one in.

        Returns:
            A future that is done when the unit's work is durable, or holds the error that undid it.

        Raises:
            DatabaseError: it cannot be committed; it has been undone.
        """
        try:
            self.check(unit)
        except DatabaseError:
            self.abandon(unit)
            raise
        try:
            self._connection.execute("RELEASE unit")
        except sqlite3.Error as error:
            self._undo_group(error)
            self._end_unit()
            raise translated(error) from error
        durable: asyncio.Future[None] = self._loop.create_future()
        durable.add_done_callback(_seen)
        self._group.append(durable)
        self.units += 1
        self._end_unit()
        return durable

    def abandon(self, unit: int) -> None:
        """The unit has failed: undo it alone and let the next one in. Does nothing if it is undone already."""
        if unit != self._unit or self._unit_began is None:
            return
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK TO unit")
                self._connection.execute("RELEASE unit")
        except sqlite3.Error as error:
            self._undo_group(error)
        else:
            if not self._connection.in_transaction:
                self._fail_group(TransactionAborted(), None)
        self._end_unit()

    async def acquire(self) -> None:
        """Wait for the connection, first come, first served; `release` must follow."""
        if self._closed:
            raise NotConnected
        if not self._held:
            self._held = True
            self._idle.clear()
            return
        if self.waiting >= self._most_waiting:
            raise DatabaseBusy(f"{self.waiting} writers are waiting already.")
        turn: asyncio.Future[None] = self._loop.create_future()
        until = self._loop.time() + self._busy_seconds
        self._queue.append((until, turn))
        if self._timer is None:
            self._timer = self._loop.call_at(min(until, self._unit_ends()), self._look_for_late)
        self.waiting += 1
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.release()  # the turn had just come
            raise
        finally:
            self.waiting -= 1

    def release(self) -> None:
        """Give the connection to the next in line, or commit the group if it is time."""
        group_is_due = bool(self._group) and (
            self._executor is None
            or len(self._group) >= self._most_in_group
            or self._loop.time() - self._group_began > self._longest_group
        )
        if not group_is_due and self._admit_next():
            return
        if group_is_due:
            self._start_commit()
        elif self._group:
            # Whoever is ready to run now may still join: they get one turn of the loop.
            self._held = False
            self._loop.call_soon(self._commit_unless_joined)
        else:
            self._roll_back()  # where a unit that failed had opened the transaction, and nobody else is in it
            self._held = False
            self._idle.set()

    async def close(self, *, within: float | None = None) -> None:
        """Turn away those who wait, and return when the last group is durable. A unit that hangs is undone.

        Args:
            within: how long to wait for that; as for a turn unless told.
        """
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        while self._queue:
            _, turn = self._queue.popleft()
            if not turn.done():
                turn.set_exception(NotConnected())
        try:
            async with asyncio.timeout(self._busy_seconds if within is None else within):
                await self._idle.wait()
        except TimeoutError:
            self._evict()
            await self._idle.wait()

    async def _begin(self) -> None:
        until = self._loop.time() + self._busy_seconds
        pause = 0.001
        while True:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if not is_busy(error):
                    raise
                if self._loop.time() > until:
                    raise DatabaseBusy("Another process is writing to the database file.") from error
                if self._closed:
                    raise NotConnected from error
                await asyncio.sleep(pause)
                pause = min(pause * 2, 0.05)
            else:
                self._group_began = self._loop.time()
                return

    def _end_unit(self) -> None:
        self._unit_began = None
        self.release()

    def _unit_ends(self) -> float:
        return (self._unit_began or self._loop.time()) + self._longest_unit

    def _evict(self) -> None:
        if self._unit_began is not None:
            _log.error("a transaction was open too long and was rolled back", seconds=self._longest_unit)
            self.abandon(self._unit)

    def _look_for_late(self) -> None:
        self._timer = None
        now = self._loop.time()
        while self._queue and (self._queue[0][1].done() or self._queue[0][0] <= now):
            _, turn = self._queue.popleft()
            if not turn.done():
                turn.set_exception(DatabaseBusy(f"The turn to write did not come in {self._busy_seconds:g} s."))
        if self._unit_ends() <= now:
            self._evict()
        if self._queue:
            self._timer = self._loop.call_at(min(self._queue[0][0], self._unit_ends()), self._look_for_late)

    def _admit_next(self) -> bool:
        while self._queue:
            _, turn = self._queue.popleft()
            if not turn.done():
                turn.set_result(None)
                return True
        return False

    def _commit_unless_joined(self) -> None:
        if not self._held and self._group:
            self._start_commit()

    def _start_commit(self) -> None:
        self._held = True
        if not self._still_ours():
            self._roll_back()
            self._fail_group(StorageFailure("The database file was removed or replaced under the server."), None)
            self.release()
            return
        group, self._group = self._group, []
        began = perf_counter()
        if self._executor is None:
            try:
                self._connection.execute("COMMIT")
            except sqlite3.Error as error:
                self._finish(group, began, error)
            else:
                self._finish(group, began, None)
            return
        running = self._loop.run_in_executor(self._executor, self._connection.execute, "COMMIT")
        running.add_done_callback(lambda done: self._finish(group, began, done.exception()))

    def _finish(self, group: list[asyncio.Future[None]], began: float, error: BaseException | None) -> None:
        self.commits += 1
        self.commit_seconds += perf_counter() - began
        if error is None:
            for durable in group:
                if not durable.done():
                    durable.set_result(None)
        else:
            self._group = group
            self._undo_group(error)
        self.release()

    def _undo_group(self, error: BaseException) -> None:
        self._roll_back()
        self._fail_group(translated(error) if isinstance(error, sqlite3.Error) else TransactionAborted(), error)

    def _roll_back(self) -> None:
        with suppress(sqlite3.Error):  # SQLite rolls back by itself where it cannot go on
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def _fail_group(self, error: DatabaseError, cause: BaseException | None) -> None:
        group, self._group = self._group, []
        for durable in group:
            if not durable.done():
                own = type(error)(error.detail)  # one error must not be raised in several tasks
                own.__cause__ = cause
                durable.set_exception(own)


def _seen(durable: asyncio.Future[None]) -> None:
    """A unit whose task was cancelled never asks; its error is no surprise."""
    if not durable.cancelled():
        durable.exception()
