"""Moments as credentials write them: XML Schema 1.1 part 2, 3.3.7 (dateTime)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from lapel.domain.json import JsonValue

__all__ = ["parse_timestamp"]

_TIMESTAMP: Final = re.compile(r"(\d{4}-\d\d-\d\dT)(\d\d)(:\d\d:\d\d(?:\.\d{1,30})?(?:Z|[+-]\d\d:\d\d)?)", re.ASCII)
_MIDNIGHT: Final = re.compile(r":00:00(?:\.0+)?(?![.\d])")


def parse_timestamp(value: JsonValue) -> datetime | None:
    """The moment that an XML Schema date and time names, or None. Without an offset it is in UTC."""
    if not isinstance(value, str) or not (found := _TIMESTAMP.fullmatch(value)):
        return None
    day, hour, rest = found.groups()
    end_of_day = hour == "24" and _MIDNIGHT.match(rest)  # XML Schema 1.1 part 2, 3.3.7: the next day's first moment
    try:
        moment = datetime.fromisoformat(f"{day}00{rest}" if end_of_day else value)
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        return moment + timedelta(days=1) if end_of_day else moment
    except (ValueError, OverflowError):
        return None
