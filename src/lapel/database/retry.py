"""Trying again: bounded, with exponential backoff and jitter."""

from __future__ import annotations

from collections.abc import AsyncIterator

import stamina

from lapel.database.errors import ConnectionLost, Deadlock, OutcomeUnknown, SerializationFailure, TransactionAborted

__all__ = ["repeated"]

_LOST_TO_OTHERS = (ConnectionLost, Deadlock, SerializationFailure, TransactionAborted)
_MOST_RUNS = 10
_LONGEST_SECONDS = 10.0


def repeated(*, deadline: float | None = None, idempotent: bool = False) -> AsyncIterator[stamina.Attempt]:
    """Attempts at a transaction whose work is run anew: ten at the most, within `deadline` or ten seconds.

    Run again is what was lost to others: a deadlock, a serialisation failure, a group or a connection that went down
    under it. Not what was turned away (too many waiting, no connection, a timeout): who is told at once can decide;
    and not a commit whose outcome is unknown, because the work may be there, unless it is `idempotent`.
    """
    again = (*_LOST_TO_OTHERS, OutcomeUnknown) if idempotent else _LOST_TO_OTHERS
    return aiter(
        stamina.retry_context(
            on=again,
            attempts=_MOST_RUNS,
            timeout=_LONGEST_SECONDS if deadline is None else max(deadline, 0.001),  # 0 is warned of
            wait_initial=0.02,
            wait_max=2.0,
            wait_jitter=0.1,
        )
    )
