"""Waiting for work that runs to its end even if the waiting task is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

__all__ = ["Inevitable", "Value", "interruptible", "shielded"]

Result = TypeVar("Result", bound=BaseException | None)
Value = TypeVar("Value")


class Inevitable(asyncio.Future[Result]):
    """A future that cannot be cancelled, for work that completes whoever waits. Its result is the error, or None."""

    def cancel(self, msg: object = None) -> bool:
        return False

    async def known(self) -> Result:
        """Wait for the result. If the task is cancelled meanwhile, the cancellation is raised only afterwards.

        Raises:
            asyncio.CancelledError: the task was cancelled. The ``__cause__`` is the result.
        """
        try:
            return await self
        except asyncio.CancelledError as cancelled:
            raise cancelled from self.result()


async def shielded(work: Awaitable[object]) -> None:
    """Wait until `work` has completed, even if this task is cancelled. Raises its error, or as `Inevitable.known`."""
    future = asyncio.ensure_future(work)
    outcome = Inevitable[BaseException | None]()
    future.add_done_callback(
        lambda done: outcome.set_result(asyncio.CancelledError() if done.cancelled() else done.exception())
    )
    await outcome.known()
    future.result()


async def interruptible(work: asyncio.Future[Value], interrupt: Callable[[], object]) -> Value:
    """Wait for a thread's work. If this task is cancelled, call `interrupt`, and wait for the work to end first."""
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        interrupt()
        await shielded(asyncio.wait([work]))
        if not work.cancelled():
            work.exception()  # marks the error as retrieved: the interruption was ours
        raise
