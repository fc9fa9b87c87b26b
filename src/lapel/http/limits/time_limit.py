"""A limit on how long the work on one request may take.

Checking all running requests now and then costs less than a timer for each.
"""

from __future__ import annotations

import asyncio
import time
from typing import TypeAlias

__all__ = ["TimeLimit"]

_Task: TypeAlias = "asyncio.Task[object]"


class TimeLimit:
    """Cancels tasks that take too long. A commit that has begun is finished (`lapel.database.transaction`).

    Args:
        seconds: the limit. A task is cancelled up to a tenth of it later, and at most a second later.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._interval = min(seconds / 10, 1.0)
        self._running: dict[_Task, float] = {}
        self._cancelled: set[_Task] = set()
        self._next_check: asyncio.TimerHandle | None = None

    def begin(self, started: float) -> _Task:
        """Start the limit for the current task.

        Args:
            started: when its request arrived, by `time.perf_counter`.
        """
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a request is answered in a task")
        self._running[task] = started
        if self._next_check is None:
            self._next_check = task.get_loop().call_later(self._interval, self._cancel_late_tasks)
        return task

    def end(self, task: _Task) -> None:
        """Lift the limit of a task: from now on it may take as long as it wants."""
        self._running.pop(task, None)

    def cancelled(self, task: _Task) -> bool:
        """Return whether this limit has cancelled `task`, and if so undo the cancellation (`Task.uncancel`)."""
        if task not in self._cancelled:
            return False
        self._cancelled.discard(task)
        task.uncancel()
        return True

    def _cancel_late_tasks(self) -> None:
        self._next_check = None
        latest_start = time.perf_counter() - self._seconds
        for task, started in list(self._running.items()):  # the oldest first
            if started > latest_start:
                break
            del self._running[task]
            self._cancelled.add(task)
            task.cancel()
        if self._running:
            self._next_check = asyncio.get_running_loop().call_later(self._interval, self._cancel_late_tasks)
