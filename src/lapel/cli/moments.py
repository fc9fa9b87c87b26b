"""What a command is given to name a moment."""

from __future__ import annotations

from datetime import UTC, datetime

from lapel.errors import InvalidInput

__all__ = ["MOMENT", "moment_of"]

MOMENT = "a date, or a time such as 2026-01-31T12:00:00Z"


def moment_of(text: str | None) -> datetime | None:
    """The moment; UTC where no offset is given, and a day's begin. Raises InvalidInput."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(f"{text[:40]!r} is not a date or a time.", hint=f"Give {MOMENT}.") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
