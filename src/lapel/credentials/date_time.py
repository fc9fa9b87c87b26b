"""Parsing dates and times: XML Schema 1.1 part 2, 3.3.7 (dateTime), and ISO 8601 as in Open Badges 2.0."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from lapel.domain.json import JsonValue

__all__ = ["parse_iso_8601", "parse_timestamp"]

_TIMESTAMP: Final = re.compile(
    r"(-?(?:[1-9]\d{4,8}|\d{4}))(-\d\d-\d\dT)(\d\d)(:\d\d:\d\d(?:\.\d{1,30})?)(Z|[+-](?:0\d|1[0-3]):[0-5]\d|[+-]14:00)?",
    re.ASCII,
)
_MIDNIGHT: Final = re.compile(r":00:00(?:\.0+)?").fullmatch
# OB 2.0, "Primitive datatypes": "hour number 0-23, minute, optional seconds and decimal microsecond, and a time zone
# indicator". Its validator reads all forms of ISO 8601 that have a time.
_ISO_8601: Final = re.compile(
    r"[0-9W-]{7,10}T[0-9:]{2,8}(?:[.,]\d{1,30})?(?:Z|[+-]\d\d(?::?\d\d)?)", re.ASCII
).fullmatch
_LEAP_YEAR: Final = 2000
_FIRST: Final = datetime.min.replace(tzinfo=UTC)
_LAST: Final = datetime.max.replace(tzinfo=UTC)


def parse_timestamp(value: JsonValue) -> datetime | None:
    """Parse an XML Schema dateTime; None if it is invalid. Without an offset it is in UTC.

    A moment before the year 1 or after 9999, outside the range of `datetime`, becomes the first or last `datetime`.
    """
    if not isinstance(value, str) or not (match := _TIMESTAMP.fullmatch(value)):
        return None
    year, day, hour, rest, offset = match.groups()
    end_of_day = hour == "24" and _MIDNIGHT(rest)  # XML Schema 1.1 part 2, 3.3.7: the next day's first moment
    number = int(year)
    out_of_range = not 1 <= number <= 9999
    # The calendar repeats every 400 years, so an equivalent year shows whether the date exists.
    equivalent = number % 400 + _LEAP_YEAR if out_of_range else number
    try:
        moment = datetime.fromisoformat(f"{equivalent:04}{day}{'00' if end_of_day else hour}{rest}{offset or 'Z'}")
    except ValueError:
        return None
    if out_of_range:
        return _LAST if number > 0 else _FIRST
    try:
        return moment.astimezone(UTC) + timedelta(days=1 if end_of_day else 0)
    except OverflowError:
        return _LAST if number > 1 else _FIRST


def parse_iso_8601(value: JsonValue) -> datetime | None:
    """Parse an ISO 8601 date and time with an offset; None if it is invalid."""
    if not isinstance(value, str) or not _ISO_8601(value):
        return None
    if (moment := parse_timestamp(value)) is not None:
        return moment
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
