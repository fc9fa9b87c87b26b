"""Trying again: bounded, with exponential backoff and jitter."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

import stamina

from lapel.database.errors import DatabaseError
from lapel.database.interface import Database
from lapel.database.transaction import DatabaseTransaction
from lapel.domain.ports import Isolation

__all__ = ["attempts", "run_in_transaction"]

Result = TypeVar("Result")


def _worth_retrying(error: Exception) -> bool:
    return isinstance(error, DatabaseError) and error.retryable


def attempts(*, seconds: float, most: int | None = None) -> AsyncIterator[stamina.Attempt]:
    """Attempts for ``async for attempt in attempts(…): with attempt: …``, until one succeeds or time is up.

    Only errors that say `retryable` are tried again; the last one is raised.
    """
    return aiter(
        stamina.retry_context(
            on=_worth_retrying, attempts=most, timeout=seconds, wait_initial=0.02, wait_max=2.0, wait_jitter=0.1
        )
    )


async def run_in_transaction(
    database: Database,
    body: Callable[[DatabaseTransaction], Awaitable[Result]],
    *,
    isolation: Isolation = Isolation.READ_COMMITTED,
    seconds: float = 10.0,
    most: int = 10,
) -> Result:
    """Run `body` in a transaction; after a deadlock, a serialisation failure or a lost connection, run it again.

    `body` is run anew each time, so it must not have effects outside the transaction. A lost commit
    (`OutcomeUnknown`) is not tried again: the work may be there.
    """
    async for attempt in attempts(seconds=seconds, most=most):
        with attempt:
            async with database.transaction(isolation=isolation) as tx:
                tx.attempt = attempt.num
                result = await body(tx)  # returned only once the commit has succeeded
            return result  # noqa: RET504 - not before the commit
    raise AssertionError("unreachable: the last attempt returns or raises")
