"""Read, change, write: again where somebody else was faster."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final, Protocol, TypeVar

from lapel.domain.ports import Store, Transaction
from lapel.errors import PreconditionFailed, Unavailable

__all__ = ["changing", "require_version"]

Changed = TypeVar("Changed")

_ATTEMPTS: Final = 20
_PAUSE_SECONDS: Final = 0.005


class _Versioned(Protocol):
    @property
    def version(self) -> int: ...


async def changing(store: Store, body: Callable[[Transaction], Awaitable[Changed]], *, again: bool) -> Changed:
    """What `body` answers, which reads the newest version and stores the next one.

    Args:
        again: whether to repeat it where another writer came between; not where the caller named the version.

    Raises:
        PreconditionFailed: somebody else was faster, and `again` is false.
        Unavailable: others were faster, again and again.
    """
    if not again:
        return await store.run(body)
    for number in range(1, _ATTEMPTS + 1):
        try:
            return await store.run(body)
        except PreconditionFailed:
            # A random pause, so that those who collided do not collide again.
            await asyncio.sleep(random.uniform(0, _PAUSE_SECONDS * number))  # noqa: S311 - no secret
    raise Unavailable("Too many requests are changing this at the same time.")


def require_version(what: str, found: _Versioned, expected: int | None) -> None:
    """Raise PreconditionFailed unless `found` is at the expected version, or none is expected."""
    if expected not in (None, found.version):
        raise PreconditionFailed(f"The {what} is at version {found.version}, which is not the expected one.")
