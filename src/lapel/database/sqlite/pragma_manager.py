"""SQLite's PRAGMAs, in the tiers of `lapel.database.setting_tiers`."""

from __future__ import annotations

from lapel.database.setting_tiers import Setting, SettingRefused, Tier, check_settings
from lapel.database.sqlite.driver import Connection

__all__ = ["OLDEST_SQLITE", "PRAGMAS", "apply_pragmas"]

OLDEST_SQLITE = (3, 37, 0)
"""The first version with STRICT tables; RETURNING came with 3.35."""

_HINT = "Put the database on a local disk, and use a current SQLite."

_ON_FILE = (
    # Applies to new files only. A credential's row takes a little more than half of a 4 kB page, so that such a page
    # holds a single row; and a COMMIT writes mostly index pages with one new entry each.
    Setting("page_size", "2048", Tier.OPTIONAL),
    Setting("journal_mode", "WAL", Tier.CRITICAL, good=("wal",)),
    # Only the write connection runs checkpoints, after its COMMIT and in the same thread. A concurrent checkpoint by
    # another connection can corrupt the file in every SQLite before 3.51.3 (https://sqlite.org/wal.html#walresetbug).
    # One runs every 32 MB, or some four thousand credentials, so that an index page that changes often is written to
    # the file once. Compared with 8 MB, fewer commits wait for a checkpoint, each twice as long.
    Setting("wal_autocheckpoint", "16000", Tier.IMPORTANT),
    Setting("fullfsync", "ON", Tier.IMPORTANT, good=("1",)),  # macOS only, where fsync leaves data in the disk's cache
    # Off, as by default: with a mapping, an I/O error kills the process, and a stray write reaches the file.
    Setting("mmap_size", "0", Tier.IMPORTANT, good=("0", "unknown")),
    Setting("journal_size_limit", "67108864", Tier.OPTIONAL),
)
PRAGMAS = (
    Setting("synchronous", "FULL", Tier.CRITICAL, good=("2",)),
    Setting("foreign_keys", "ON", Tier.CRITICAL, good=("1",)),
    # A wait inside a call would block the event loop; the callers wait and retry instead.
    Setting("busy_timeout", "0", Tier.CRITICAL),
    Setting("trusted_schema", "OFF", Tier.IMPORTANT, good=("0",)),
    Setting("cell_size_check", "ON", Tier.IMPORTANT, good=("1",)),
    Setting("secure_delete", "ON", Tier.IMPORTANT, good=("1",)),  # overwrites erased values in free pages
    Setting("cache_size", "-32000", Tier.OPTIONAL),
    Setting("temp_store", "MEMORY", Tier.OPTIONAL, good=("2",)),
)


def apply_pragmas(connection: Connection, *, on_file: bool, warned: set[str]) -> dict[str, str]:
    """Set every PRAGMA on a new connection and read it back.

    Args:
        warned: names that a warning was already logged for; updated.

    Returns:
        The values in force; accepted ones as written in `PRAGMAS`.

    Raises:
        SettingRefused: a critical PRAGMA is not in force, or SQLite is too old.
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
