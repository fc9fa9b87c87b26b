"""Time: UTC, in whole milliseconds, always asked of an injected clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache

__all__ = ["Clock", "format_timestamp", "from_milliseconds", "milliseconds", "system_clock", "truncate"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

Clock = Callable[[], datetime]
"""The time now: an aware datetime in UTC, whole milliseconds."""


def truncate(moment: datetime) -> datetime:
    """The same moment in UTC, cut to whole milliseconds: what both databases keep."""
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    beyond = utc.microsecond % 1000
    return utc.replace(microsecond=utc.microsecond - beyond) if beyond else utc


def system_clock() -> datetime:
    """The machine's clock."""
    return _moment(time.time_ns() // 1_000_000)


@lru_cache(maxsize=1)  # one request asks several times within a millisecond
def _moment(milliseconds: int) -> datetime:
    # Exact: a double holds today's milliseconds in seconds to a quarter of a microsecond, and the rest is rounded away.
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def milliseconds(moment: datetime) -> int:
    """Milliseconds since the Unix epoch, cut to whole ones."""
    return (moment - _EPOCH) // _MILLISECOND


def from_milliseconds(count: int) -> datetime:
    """The moment so many milliseconds after the Unix epoch."""
    return _EPOCH + count * _MILLISECOND


@lru_cache(maxsize=1024)
def format_timestamp(moment: datetime) -> str:
    """The moment as an XML Schema dateTimeStamp in UTC, with a fraction only where there is one."""
    utc = truncate(moment)
    return utc.isoformat(timespec="milliseconds" if utc.microsecond else "seconds").removesuffix("+00:00") + "Z"
