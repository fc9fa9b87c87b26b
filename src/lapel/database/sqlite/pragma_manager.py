"""PRAGMAs in three tiers: critical ones refuse to start, important ones warn, optional ones are tried."""

from __future__ import annotations

from lapel.database.setting_tiers import Setting, SettingRefused, Tier, check_settings
from lapel.database.sqlite.driver import Connection

__all__ = ["OLDEST_SQLITE", "PRAGMAS", "apply_pragmas"]

OLDEST_SQLITE = (3, 37, 0)
"""The first with STRICT tables; RETURNING came with 3.35."""

_HINT = "Put the database on a local disk, and use a current SQLite."

_ON_FILE = (
    # For a new file alone. A credential's row is a little larger than half a page of 4 kB, so that a page of those
    # holds one; and what a COMMIT writes is mostly pages of indexes with one new entry in each.
    Setting("page_size", "2048", Tier.OPTIONAL),
    Setting("journal_mode", "WAL", Tier.CRITICAL, good=("wal",)),
    # One connection writes, and it alone makes checkpoints, after its COMMIT and in that one's thread. A second one
    # that makes them beside it can damage the file in every SQLite before 3.51.3 (https://sqlite.org/wal.html#walresetbug).
    # 32 MB, some four thousand credentials, between two of them: a page of an index that came by again and again is
    # then written to the file once. Fewer commits wait for a checkpoint than with 8 MB, each twice as long.
    Setting("wal_autocheckpoint", "16000", Tier.IMPORTANT),
    Setting("fullfsync", "ON", Tier.IMPORTANT, good=("1",)),  # macOS alone: there fsync leaves data in the disk's cache
    # Off, as by default: through a mapping an I/O error kills the process, and a stray write reaches the file.
    Setting("mmap_size", "0", Tier.IMPORTANT, good=("0", "unknown")),
    Setting("journal_size_limit", "67108864", Tier.OPTIONAL),
)
PRAGMAS = (
    Setting("synchronous", "FULL", Tier.CRITICAL, good=("2",)),
    Setting("foreign_keys", "ON", Tier.CRITICAL, good=("1",)),
    # Never wait inside a call, which would stop the event loop: whoever finds the file locked waits outside.
    Setting("busy_timeout", "0", Tier.CRITICAL),
    Setting("trusted_schema", "OFF", Tier.IMPORTANT, good=("0",)),
    Setting("cell_size_check", "ON", Tier.IMPORTANT, good=("1",)),
    Setting("secure_delete", "ON", Tier.IMPORTANT, good=("1",)),  # what is erased leaves nothing in free pages
    Setting("cache_size", "-32000", Tier.OPTIONAL),
    Setting("temp_store", "MEMORY", Tier.OPTIONAL, good=("2",)),
)


def apply_pragmas(connection: Connection, *, on_file: bool, warned: set[str]) -> dict[str, str]:
    """Set every PRAGMA on a new connection and read each back.

    Args:
        warned: of which a warning was given already; those warned of now are added.

    Returns:
        What is in force, in the words of `PRAGMAS` where that is what SQLite reports.

    Raises:
        SettingRefused: a critical one did not take, or SQLite is too old.
    """
    ((version,),) = connection.execute("SELECT sqlite_version()").fetchall()
    if tuple(map(int, str(version).split("."))) < OLDEST_SQLITE:
        oldest = ".".join(map(str, OLDEST_SQLITE))
        raise SettingRefused(f"SQLite {version} is too old: Lapel needs {oldest} or newer.", hint=_HINT)
    settings = (*_ON_FILE, *PRAGMAS) if on_file else PRAGMAS
    in_force: dict[str, str] = {}
    for setting in settings:
        connection.execute(f"PRAGMA {setting.name} = {setting.value}").fetchall()
        rows = connection.execute(f"PRAGMA {setting.name}").fetchall()
        in_force[setting.name] = str(rows[0][0]) if rows else "unknown"
    check_settings(settings, in_force, hint=_HINT, warned=warned)
    return {one.name: str(one.value) if one.is_good(in_force[one.name]) else in_force[one.name] for one in settings}
