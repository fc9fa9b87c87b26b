"""PRAGMAs in three tiers: critical ones refuse to start, important ones warn, optional ones are tried."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from enum import Enum

import structlog

from lapel.database.errors import DatabaseError

__all__ = ["PRAGMAS", "Pragma", "PragmaRefused", "Tier", "apply_pragmas"]

_log = structlog.get_logger("lapel.database.sqlite")


class PragmaRefused(DatabaseError):
    """SQLite did not accept a setting without which data could be lost."""

    code = "sqlite_pragma_refused"
    hint = "Put the database on a local disk, and use a current SQLite."


class Tier(Enum):
    """What happens when SQLite does not take the value."""

    CRITICAL = "refuse to start"
    IMPORTANT = "warn"
    OPTIONAL = "go on"


@dataclass(frozen=True, slots=True)
class Pragma:
    """One setting and the value that SQLite must report afterwards."""

    name: str
    value: str
    tier: Tier
    reported: str | int
    on_file_only: bool = False


PRAGMAS = (
    Pragma("journal_mode", "WAL", Tier.CRITICAL, "wal", on_file_only=True),
    Pragma("synchronous", "FULL", Tier.CRITICAL, 2),
    Pragma("foreign_keys", "ON", Tier.CRITICAL, 1),
    # Never wait inside a call, which would stop the event loop: whoever finds the file locked waits outside.
    Pragma("busy_timeout", "0", Tier.CRITICAL, 0),
    Pragma("trusted_schema", "OFF", Tier.IMPORTANT, 0),
    Pragma("cell_size_check", "ON", Tier.IMPORTANT, 1),
    Pragma("wal_autocheckpoint", "4000", Tier.IMPORTANT, 4000, on_file_only=True),
    Pragma("journal_size_limit", "67108864", Tier.OPTIONAL, 67108864, on_file_only=True),
    Pragma("cache_size", "-32000", Tier.OPTIONAL, -32000),
    Pragma("temp_store", "MEMORY", Tier.OPTIONAL, 2),
)


def apply_pragmas(connection: sqlite3.Connection, *, on_file: bool) -> dict[str, str | int]:
    """Set every PRAGMA on a new connection and read each back.

    Returns:
        What SQLite reports for each.

    Raises:
        PragmaRefused: a critical one did not take.
    """
    in_force: dict[str, str | int] = {}
    for pragma in PRAGMAS:
        if pragma.on_file_only and not on_file:
            continue
        connection.execute(f"PRAGMA {pragma.name} = {pragma.value}").fetchall()
        row = connection.execute(f"PRAGMA {pragma.name}").fetchone()
        in_force[pragma.name] = row[0] if row else "unknown"
        if in_force[pragma.name] == pragma.reported:
            continue
        message = f"PRAGMA {pragma.name} is {in_force[pragma.name]!r}, not {pragma.reported!r}"
        if pragma.tier is Tier.CRITICAL:
            raise PragmaRefused(f"{message}.")
        if pragma.tier is Tier.IMPORTANT:
            _log.warning(message)
    return in_force
