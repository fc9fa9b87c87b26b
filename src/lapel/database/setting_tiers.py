"""What is set on every connection, in three tiers, and read back: a database or a pooler before it may not obey."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

import structlog

from lapel.database.errors import DatabaseError

__all__ = ["Setting", "SettingRefused", "Tier", "check_settings"]

_log = structlog.get_logger("lapel.database")


class SettingRefused(DatabaseError):
    """The database did not accept a setting without which data could be lost."""

    code = "database_setting_refused"


class Tier(Enum):
    """What happens when a setting is not in force."""

    CRITICAL = "refuse to start"
    IMPORTANT = "warn"
    OPTIONAL = "go on"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a session.

    Attributes:
        value: what is set; None where only what is in force is looked at.
        good: what may be in force, as the database reports it; `value` unless told.
    """

    name: str
    value: str | None
    tier: Tier
    good: tuple[str, ...] = ()

    def is_good(self, reported: str | None) -> bool:
        """Whether what is in force is as it should be."""
        return reported in (self.good or (self.value,))


def check_settings(settings: Iterable[Setting], in_force: Mapping[str, str], *, hint: str, warned: set[str]) -> None:
    """Compare what should be in force with what is.

    Args:
        in_force: as read back, by name.
        hint: what to do about a critical one.
        warned: of which a warning was given already; those warned of now are added.

    Raises:
        SettingRefused: a critical one is not in force.
    """
    for setting in settings:
        reported = in_force.get(setting.name)
        if setting.is_good(reported) or setting.tier is Tier.OPTIONAL:
            continue
        wanted = " or ".join(setting.good or (str(setting.value),))
        message = f"The database's {setting.name} is {reported}, not {wanted}"
        if setting.tier is Tier.CRITICAL:
            raise SettingRefused(f"{message}.", hint=hint)
        if setting.name not in warned:
            _log.warning(message)
            warned.add(setting.name)
