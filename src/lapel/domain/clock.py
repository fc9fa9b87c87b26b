"""Time: UTC, in whole milliseconds, always asked of an injected clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

__all__ = ["Clock", "format_timestamp", "milliseconds", "system_clock", "truncate"]

Clock = Callable[[], datetime]
"""The time now: an aware datetime in UTC, whole milliseconds."""


def truncate(moment: datetime) -> datetime:
    """The same moment in UTC, cut to whole milliseconds: what both databases keep."""
    utc = moment.astimezone(UTC)
    return utc.replace(microsecond=utc.microsecond // 1000 * 1000)


def system_clock() -> datetime:
    """The machine's clock."""
    return truncate(datetime.now(UTC))


def milliseconds(moment: datetime) -> int:
    """Milliseconds since the Unix epoch."""
    return round(moment.timestamp() * 1000)


def format_timestamp(moment: datetime) -> str:
    """The moment as an XML Schema dateTimeStamp in UTC, with a fraction only where there is one."""
    utc = truncate(moment)
    text = utc.strftime("%Y-%m-%dT%H:%M:%S")
    if len(text) < 19:  # strftime does not pad years below 1000
        text = text.zfill(19)
    fraction = f".{utc.microsecond // 1000:03d}" if utc.microsecond else ""
    return f"{text}{fraction}Z"
