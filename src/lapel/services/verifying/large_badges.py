"""Large badges are verified a few at a time: meanwhile each takes up to fifty times as much memory as it is long."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Final

from lapel.errors import Unavailable
from lapel.services.turns import Turns

__all__ = ["LargeBadges", "TooManyLargeBadges"]

_LARGE: Final = 256 * 1024
_AT_A_TIME: Final = 4
_MOST_WAITING: Final = 16


class TooManyLargeBadges(Unavailable):
    """Too many large badges are being verified, and wait to be."""

    code = "too_many_large_badges"
    hint = f"Try again in some seconds. Badges of less than {_LARGE // 1024} KiB do not wait for them."
    retry_after_seconds = 5


class LargeBadges:
    """The turns of the large badges."""

    def __init__(self) -> None:
        self._turns = Turns(_AT_A_TIME, most_waiting=_MOST_WAITING, refusal=TooManyLargeBadges)

    def turn(self, size: int) -> AbstractAsyncContextManager[None]:
        """To be one of the few; at once for a badge that is not large.

        Args:
            size: of the badge, in characters or bytes.

        Raises:
            TooManyLargeBadges: too many wait already.
        """
        return nullcontext() if size < _LARGE else self._turns.turn()
