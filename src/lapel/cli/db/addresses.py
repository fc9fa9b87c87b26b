"""Open a database that is named on the command line instead of by the settings."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from lapel.cli.running import PATIENCE_SECONDS

if TYPE_CHECKING:  # importing it takes seconds, which `lapel --help` need not
    from lapel.maintenance.examining import Database

__all__ = ["database_at"]


def database_at(text: str, *, serves: bool = False, make: bool = False) -> Database:
    """Return the database that `text` names (`lapel.maintenance.copying.parse_address`), not connected yet.

    Args:
        serves, make: as for `lapel.bootstrap.open_database`.

    Raises:
        BadDatabaseAddress, SettingsError: `text` names no database.
    """
    from lapel.bootstrap import open_database
    from lapel.config import load_settings
    from lapel.maintenance.copying import parse_address

    address = parse_address(text, os.environ)
    settings = load_settings(address.settings(os.environ))
    database = open_database(settings, serves=serves, make=make, patience=PATIENCE_SECONDS)
    address.check(database)
    return database
