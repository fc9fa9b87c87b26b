"""Group commit: many units of work, each in its own savepoint, share one durable COMMIT.

With ``synchronous=FULL`` a commit costs an fsync, and the rest of a small transaction next to nothing. So units run one
after another on the one write connection, and while a COMMIT is in flight in its thread the next units queue; they
then share the next one. Nobody is answered before the COMMIT that holds their work has returned.

The rules:

- A unit that fails rolls back to its own savepoint and hurts no neighbour.
- A failed COMMIT, or an error on which SQLite itself has rolled everything back (disk full, I/O error, out of
  memory), fails every unit of the group with a retryable error.
- Units enter in the order in which they asked. A group is closed when it is large or old enough, so that those who
  have finished do not wait for ever on those who keep coming. Too many waiting are turned away at once.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from concurrent.futures import Executor

from lapel.database.errors import DatabaseBusy, DatabaseError, NotConnected, TransactionAborted
from lapel.database.sqlite.errors import is_busy, translated

__all__ = ["GroupCommit"]


class GroupCommit:
    """The writer: a fair lock over one connection, and the commits behind it.

    Args:
        connection: in autocommit mode (``isolation_level=None``); used by nobody else.
        executor: where COMMIT runs; None to run it inline, for a database in memory.
        most_in_group: units that share one COMMIT at the most.
        longest_group_seconds: after this a group takes no further units.
        most_waiting: units that may queue; the next one is refused with `DatabaseBusy`.
        busy_seconds: how long to wait for another process that is writing to the file.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        *,
        executor: Executor | None,
        most_in_group: int = 512,
        longest_group_seconds: float = 0.05,
        most_waiting: int = 5_000,
        busy_seconds: float = 10.0,
    ) -> None:
        self._connection = connection
        self._executor = executor
        self._most_in_group = most_in_group
        self._longest = longest_group_seconds
        self._most_waiting = most_waiting
        self._busy_seconds = busy_seconds
        self._loop = asyncio.get_running_loop()
        self._queue: deque[asyncio.Future[None]] = deque()
        self._group: list[asyncio.Future[None]] = []
        self._group_began = 0.0
        self._held = False  # a unit runs, or a COMMIT is in flight
        self._closed = False
        self._idle = asyncio.Event()
        self._idle.set()
        self.commits = 0
        self.units = 0

    @property
    def waiting(self) -> int:
        """Units that queue."""
        return len(self._queue)

    @property
    def busy(self) -> bool:
        """A unit runs or a COMMIT is in flight."""
        return self._held

    async def enter(self) -> None:
        """Wait for the turn, then open a savepoint. `leave` or `abandon` must follow.

        Raises:
            DatabaseBusy: too many wait already, or another process kept the file locked too long.
            NotConnected: the writer was closed.
        """
        await self.acquire()
        try:
            if not self._connection.in_transaction:
                await self._begin()
            self._connection.execute("SAVEPOINT unit")
        except sqlite3.Error as error:
            raise self.failed(error) from error
        except BaseException:
            self.release()
            raise

    def leave(self) -> asyncio.Future[None]:
        """The unit has ended well: let the next one in.

        Returns:
            A future that is done when the unit's work is durable, or holds the error that undid it.
        """
        try:
            self._connection.execute("RELEASE unit")
        except sqlite3.Error as error:
            raise self.failed(error) from error
        durable: asyncio.Future[None] = self._loop.create_future()
        durable.add_done_callback(_seen)
        self._group.append(durable)
        self.units += 1
        self.release()
        return durable

    def abandon(self) -> None:
        """The unit has failed: undo it alone and let the next one in."""
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK TO unit")
                self._connection.execute("RELEASE unit")
        except sqlite3.Error as error:
            self._undo_group(error)
        else:
            if not self._connection.in_transaction:
                self._fail_group(TransactionAborted())
        self.release()

    def failed(self, error: sqlite3.Error) -> DatabaseError:
        """Our error for one that ends the unit before its savepoint stands or as it is released."""
        ours = translated(error)
        self._undo_group(error)
        self.release()
        return ours

    async def acquire(self) -> None:
        """Wait for the connection, first come, first served."""
        if self._closed:
            raise NotConnected
        if not self._held:
            self._held = True
            self._idle.clear()
            return
        if len(self._queue) >= self._most_waiting:
            raise DatabaseBusy(f"{len(self._queue)} writers are waiting already.")
        turn: asyncio.Future[None] = self._loop.create_future()
        self._queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.release()  # the turn had just come
            raise

    def release(self) -> None:
        """Give the connection to the next in line, or commit the group if it is time."""
        group_is_due = len(self._group) >= self._most_in_group or (
            bool(self._group) and self._loop.time() - self._group_began > self._longest
        )
        if not group_is_due and self._admit_next():
            return
        if not self._group:
            if self._connection.in_transaction:  # a unit that failed had opened it, and nobody else is in it
                self._connection.execute("ROLLBACK")
            self._held = False
            self._idle.set()
        elif group_is_due or self._executor is None:
            self._start_commit()
        else:
            # Whoever is ready to run now may still join: they get one turn of the loop.
            self._held = False
            self._loop.call_soon(self._commit_unless_joined)

    async def close(self) -> None:
        """Turn away those who wait, and return when the last group is durable."""
        self._closed = True
        while self._queue:
            turn = self._queue.popleft()
            if not turn.done():
                turn.set_exception(NotConnected())
        await self._idle.wait()

    async def _begin(self) -> None:
        deadline = self._loop.time() + self._busy_seconds
        pause = 0.001
        while True:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if not is_busy(error) or self._loop.time() > deadline:
                    raise
                await asyncio.sleep(pause)
                pause = min(pause * 2, 0.05)
            else:
                self._group_began = self._loop.time()
                return

    def _admit_next(self) -> bool:
        while self._queue:
            turn = self._queue.popleft()
            if not turn.done():
                turn.set_result(None)
                return True
        return False

    def _commit_unless_joined(self) -> None:
        if self._held or not self._group:
            return
        self._start_commit()

    def _start_commit(self) -> None:
        self._held = True
        group, self._group = self._group, []
        if self._executor is None:
            try:
                self._connection.execute("COMMIT")
            except sqlite3.Error as error:
                self._finish(group, error)
            else:
                self._finish(group, None)
            return
        running = self._loop.run_in_executor(self._executor, self._connection.execute, "COMMIT")
        running.add_done_callback(lambda done: self._finish(group, done.exception()))

    def _finish(self, group: list[asyncio.Future[None]], error: BaseException | None) -> None:
        self.commits += 1
        if error is None:
            for durable in group:
                if not durable.done():
                    durable.set_result(None)
        else:
            self._group = group
            self._undo_group(error)
        self.release()

    def _undo_group(self, error: BaseException) -> None:
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            pass  # SQLite rolls back by itself where it cannot go on
        self._fail_group(translated(error) if isinstance(error, sqlite3.Error) else TransactionAborted())

    def _fail_group(self, error: DatabaseError) -> None:
        group, self._group = self._group, []
        for durable in group:
            if not durable.done():
                durable.set_exception(type(error)(error.detail))


def _seen(durable: asyncio.Future[None]) -> None:
    """A unit whose task was cancelled never asks; its error is no surprise."""
    if not durable.cancelled():
        durable.exception()
