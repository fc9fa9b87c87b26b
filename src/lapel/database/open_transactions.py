"""The open transactions by task. Those whose task has ended are rolled back and logged."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeAlias
from weakref import ref

import structlog

from lapel.database.errors import SessionMisuse

if TYPE_CHECKING:  # that module imports this one
    from lapel.database.transaction import DatabaseTransaction

__all__ = ["OpenTransactions"]

_log = structlog.get_logger("lapel.database")

_SWEEP_SECONDS = 1.0

_Owner: TypeAlias = "ref[asyncio.Task[object]]"


class OpenTransactions:
    """One database's open transactions.

    Tasks are referenced weakly. Once a second, while any transaction is open, a sweep rolls back those whose task has
    ended or was garbage-collected, and logs them as errors. A transaction that is open for long in a living task is
    logged once, as a warning.

    Args:
        too_long_seconds: the age after which that warning is logged.

    Attributes:
        by_task: the open transactions by the task that opened them.
    """

    def __init__(self, *, too_long_seconds: float) -> None:
        self.by_task: dict[_Owner, DatabaseTransaction] = {}
        self._too_long = too_long_seconds
        self._warned: set[DatabaseTransaction] = set()
        self._sweep_is_due = False
        self._rollbacks: set[asyncio.Future[None]] = set()  # the event loop references tasks weakly

    def add(self, owner: _Owner, transaction: DatabaseTransaction) -> None:
        """Register a transaction that `owner` has opened."""
        self.by_task[owner] = transaction
        if not self._sweep_is_due:  # one timer for all transactions costs each next to nothing
            self._sweep_soon()

    def refuse_inside(self, doing: str, *, hint: str, task: asyncio.Task[object] | None = None) -> None:
        """Raise `SessionMisuse` if the task (by default this one) has a transaction open: it might wait for itself."""
        if not self.by_task:
            return
        task = task or asyncio.current_task()
        if task is not None and (transaction := self.by_task.get(ref(task))) is not None:
            raise SessionMisuse(f"This task {doing} while its transaction {transaction.id} is open.", hint=hint)

    def end(self, owner: _Owner) -> None:
        """Roll back and log the transaction that `owner` left open. Call it on the event loop, outside that task."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # called by the garbage collector in another thread: the next sweep ends it
            return
        transaction = self.by_task.pop(owner)
        rollback = loop.create_task(transaction.give_up())
        self._rollbacks.add(rollback)
        rollback.add_done_callback(self._rollbacks.discard)
        _log.error("a transaction was left open and was rolled back", **_log_fields(transaction))

    def _sweep(self) -> None:
        self._sweep_is_due = False
        for owner in list(self.by_task):
            if (task := owner()) is None or task.done():
                self.end(owner)
        now = asyncio.get_running_loop().time()
        overdue = {tx: age for tx in self.by_task.values() if (age := now - tx.opened_at) > self._too_long}
        for tx in overdue.keys() - self._warned:
            _log.warning("a transaction has been open for long", seconds=round(overdue[tx]), **_log_fields(tx))
        self._warned = set(overdue)
        if self.by_task:
            self._sweep_soon()

    def _sweep_soon(self) -> None:
        self._sweep_is_due = True
        asyncio.get_running_loop().call_later(_SWEEP_SECONDS, self._sweep)


def _log_fields(transaction: DatabaseTransaction) -> dict[str, object]:
    return {
        "transaction": transaction.id,
        "since": transaction.start_time.isoformat(),
        "operations": list(transaction.operations),
    }
