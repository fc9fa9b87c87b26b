"""How long the work on one request may take.

A look at all of them every now and then costs less than a timer for each.
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
        seconds: at least; at most a tenth more, and a second more.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._pause = min(seconds / 10, 1.0)
        self._running: dict[_Task, float] = {}
        self._over: set[_Task] = set()
        self._look: asyncio.TimerHandle | None = None

    def begin(self, started: float) -> _Task:
        """From now on the task that runs has its time.

        Args:
            started: by `time.perf_counter`.
        """
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a request is answered in a task")
        self._running[task] = started
        if self._look is None:
            self._look = task.get_loop().call_later(self._pause, self._look_for_late_ones)
        return task

    def end(self, task: _Task) -> None:
        """It may now take as long as it wants."""
        self._running.pop(task, None)

    def ended(self, task: _Task) -> bool:
        """Whether `task` was cancelled because its time was over. It is as if it had not been, then."""
        if task not in self._over:
            return False
        self._over.discard(task)
        task.uncancel()
        return True

    def _look_for_late_ones(self) -> None:
        self._look = None
        latest = time.perf_counter() - self._seconds
        for task, started in list(self._running.items()):  # the oldest first
            if started > latest:
                break
            del self._running[task]
            self._over.add(task)
            task.cancel()
        if self._running:
            self._look = asyncio.get_running_loop().call_later(self._pause, self._look_for_late_ones)
