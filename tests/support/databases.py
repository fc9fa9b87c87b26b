"""Every database that Lapel runs on, for tests with one `database` fixture."""

from __future__ import annotations

from pathlib import Path

from lapel.database.conformance.opening import opened
from lapel.database.interface import DatabaseSettings
from tests.support.connections import connection_to

__all__ = ["DATABASES", "opened", "roll_back_prepared", "settings_for"]

DATABASES = ("sqlite", "sqlite-memory", "postgresql")
"""What the fixtures are parametrised over; ``-memory`` is SQLite without a file."""


def settings_for(kind: str, *, folder: Path, dsn: str | None) -> tuple[str, DatabaseSettings]:
    """The module's name and the settings of a fresh database of that kind."""
    if kind == "postgresql":
        assert dsn is not None
        return kind, DatabaseSettings(url=dsn)
    file = ":memory:" if kind == "sqlite-memory" else folder / "lapel.sqlite"
    return "sqlite", DatabaseSettings(sqlite_file=file)


async def roll_back_prepared(dsn: str) -> None:
    """Whatever stands prepared there, so that the database can be dropped."""
    async with connection_to(dsn) as connection:
        for (name,) in await connection.fetch("SELECT gid FROM pg_prepared_xacts WHERE database = current_database()"):
            await connection.execute("ROLLBACK PREPARED '{}'".format(name.replace("'", "''")))
