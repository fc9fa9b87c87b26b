"""Connection settings in three tiers. They are read back, because a database or a pooler may ignore them."""

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
    """What to do if a setting is not in force."""

    CRITICAL = "refuse to start"
    IMPORTANT = "warn"
    OPTIONAL = "go on"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a session.

    Attributes:
        value: the value to set; None to only check the value in force.
        good: the accepted values, as the database reports them; by default `value`.
    """

    name: str
    value: str | None
    tier: Tier
    good: tuple[str, ...] = ()

    def is_good(self, reported: str | None) -> bool:
        """Return whether the reported value is accepted."""
        return reported in (self.good or (self.value,))


def check_settings(settings: Iterable[Setting], in_force: Mapping[str, str], *, hint: str, warned: set[str]) -> None:
    """Check that the settings are in force.

    Args:
        in_force: the reported values by name.
        hint: the hint of the error for a critical setting.
        warned: names that a warning was already logged for; updated.

    Raises:
        SettingRefused: a critical setting is not in force.
    """
    for setting in settings:
        reported = in_force.get(setting.name)
        if setting.is_good(reported) or setting.tier is Tier.OPTIONAL:
            continue
        expected = " or ".join(setting.good or (str(setting.value),))
        message = f"The database's {setting.name} is {reported}, not {expected}"
        if setting.tier is Tier.CRITICAL:
            raise SettingRefused(f"{message}.", hint=hint)
        if setting.name not in warned:
            _log.warning(message)
            warned.add(setting.name)
