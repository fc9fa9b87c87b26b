"""Which transactions are open, in whose task; and those whose task has left them open, found, ended and named."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeAlias
from weakref import ref

import structlog

from lapel.database.errors import SessionMisuse

if TYPE_CHECKING:  # it imports this module
    from lapel.database.transaction import DatabaseTransaction

__all__ = ["OpenTransactions"]

_log = structlog.get_logger("lapel.database")

_SWEEP_SECONDS = 1.0

_Owner: TypeAlias = "ref[asyncio.Task[object]]"


class OpenTransactions:
    """One database's open transactions.

    A task is not kept alive by what it has open. Once a second, while anything is open, those are looked for whose
    task has ended or was collected as garbage: they are rolled back and logged as errors. One that is open for long in
    a task that lives is logged once, as a warning.

    Args:
        too_long_seconds: when open is too long.

    Attributes:
        by_task: each one by its task.
    """

    def __init__(self, *, too_long_seconds: float) -> None:
        self.by_task: dict[_Owner, DatabaseTransaction] = {}
        self._too_long = too_long_seconds
        self._warned: set[DatabaseTransaction] = set()
        self._sweep_is_due = False
        self._ending: set[asyncio.Future[None]] = set()

    def add(self, owner: _Owner, transaction: DatabaseTransaction) -> None:
        """`owner` has opened `transaction`."""
        self.by_task[owner] = transaction
        if not self._sweep_is_due:  # one timer for all of them: what each costs is next to nothing
            self._sweep_soon()

    def refuse_inside(self, doing: str, *, hint: str, task: asyncio.Task[object] | None = None) -> None:
        """Return if this task has nothing open; raise SessionMisuse if it has: it might wait for itself."""
        if not self.by_task:
            return
        task = task or asyncio.current_task()
        if task is not None and (inside := self.by_task.get(ref(task))) is not None:
            raise SessionMisuse(f"This task {doing} while its transaction {inside.id} is open.", hint=hint)

    def end(self, owner: _Owner) -> None:
        """Roll back what `owner` has left open, and say so. Call it from outside that task, on the event loop."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # the garbage collector, in another thread: the next sweep will find it
            return
        transaction = self.by_task.pop(owner)
        ending = loop.create_task(transaction.give_up())
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)
        _log.error("a transaction was left open and was rolled back", **_named(transaction))

    def _sweep(self) -> None:
        self._sweep_is_due = False
        for owner in list(self.by_task):
            task = owner()
            if task is None or task.done():
                self.end(owner)
        now = asyncio.get_running_loop().time()
        ages = {one: now - one.opened_at for one in self.by_task.values()}
        long = {one: seconds for one, seconds in ages.items() if seconds > self._too_long}
        for one in long.keys() - self._warned:
            _log.warning("a transaction has been open for long", seconds=round(long[one]), **_named(one))
        self._warned = set(long)
        if self.by_task:
            self._sweep_soon()

    def _sweep_soon(self) -> None:
        self._sweep_is_due = True
        asyncio.get_running_loop().call_later(_SWEEP_SECONDS, self._sweep)


def _named(transaction: DatabaseTransaction) -> dict[str, object]:
    return {
        "transaction": transaction.id,
        "since": transaction.start_time.isoformat(),
        "operations": list(transaction.operations),
    }
