"""Time: UTC in whole milliseconds, always read from an injected clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache

__all__ = ["Clock", "format_timestamp", "from_milliseconds", "milliseconds", "system_clock", "truncate"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

Clock = Callable[[], datetime]
"""Returns the current time as an aware datetime in UTC, in whole milliseconds."""


def truncate(moment: datetime) -> datetime:
    """Return `moment` in UTC, truncated to whole milliseconds, the precision of both databases."""
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    excess = utc.microsecond % 1000
    return utc.replace(microsecond=utc.microsecond - excess) if excess else utc


def system_clock() -> datetime:
    """Read the machine's clock."""
    return _moment(time.time_ns() // 1_000_000)


@lru_cache(maxsize=1)  # one request reads the clock several times within a millisecond
def _moment(milliseconds: int) -> datetime:
    # Exact: for today's dates a double is precise to a quarter of a microsecond, and `fromtimestamp` rounds.
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def milliseconds(moment: datetime) -> int:
    """Return whole milliseconds since the Unix epoch."""
    return (moment - _EPOCH) // _MILLISECOND


def from_milliseconds(count: int) -> datetime:
    """Return the moment `count` milliseconds after the Unix epoch."""
    return _EPOCH + count * _MILLISECOND


@lru_cache(maxsize=1024)
def format_timestamp(moment: datetime) -> str:
    """Format `moment` as an XML Schema dateTimeStamp in UTC, without a fraction if that is zero."""
    utc = truncate(moment)
    return utc.isoformat(timespec="milliseconds" if utc.microsecond else "seconds").removesuffix("+00:00") + "Z"
