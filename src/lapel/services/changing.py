"""Read, change, write: again where somebody else was faster."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from lapel.errors import PreconditionFailed

__all__ = ["changing"]

Changed = TypeVar("Changed")

_ATTEMPTS: Final = 8


async def changing(attempt: Callable[[], Awaitable[Changed]], *, again: bool) -> Changed:
    """What `attempt` answers; it reads the newest version and stores the next one, in a transaction of its own.

    Args:
        again: whether to repeat it where another writer came between; not where the caller named the version.

    Raises:
        PreconditionFailed: somebody else was faster, eight times.
    """
    for _ in range(_ATTEMPTS - 1 if again else 0):
        try:
            return await attempt()
        except PreconditionFailed:
            continue
    return await attempt()
