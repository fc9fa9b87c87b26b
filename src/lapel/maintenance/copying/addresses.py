"""Parses an operator's address of a database: a path or URL, perhaps after a module's name, or ``env:NAME``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from lapel.database.errors import SameDatabase
from lapel.database.factory import DatabaseFactory
from lapel.database.interface import Database
from lapel.errors import InvalidInput

__all__ = ["BadDatabaseAddress", "DatabaseAddress", "parse_address", "refuse_same"]

_PATH_MODULE: Final = "sqlite"
"""The module for a path without a module's name."""
_URL: Final = "DATABASE_URL"
_ADDRESS_VARIABLES: Final = ("SQLITE_FILE", _URL, "DATABASE_READ_URL")
_SCHEMES: Final = {"postgres": "postgresql"}
"""URL schemes that differ from the module's name."""


class BadDatabaseAddress(InvalidInput):
    """This does not name a database."""

    code = "bad_database_address"
    hint = "Give the path of an SQLite file, postgresql://…, or env:NAME for an address in an environment variable."


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseAddress:
    """The address of a database, in the form of its module's settings.

    Attributes:
        module: the value of ``DB_TYPE``.
        variable: the module's variable for the address, ``SQLITE_FILE`` or ``DATABASE_URL``.
        address: the value of that variable; may contain a password.
    """

    module: str
    variable: str
    address: str = field(repr=False)

    def settings(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Return `environment` with its database replaced by this one, and all other settings kept."""
        others = {name: value for name, value in environment.items() if name not in _ADDRESS_VARIABLES}
        return {**others, "DB_TYPE": self.module, self.variable: self.address}

    def check(self, database: Database) -> None:
        """Raise `BadDatabaseAddress` if the database of these settings is a file, but the address is a URL."""
        if self.variable == _URL and database.own_file is not None:
            raise BadDatabaseAddress(
                f"The module {self.module} opens a file, and this is not a path.",
                hint=f"Write {self.module}:PATH.",
            )


def parse_address(text: str, environment: Mapping[str, str]) -> DatabaseAddress:
    """Parse the address of a database.

    Args:
        environment: the variables for ``env:NAME``.

    Raises:
        BadDatabaseAddress: it names no database, or one in memory.
    """
    if text.startswith("env:"):
        name = text.removeprefix("env:")
        text = environment.get(name, "").strip()
        if not text:
            raise BadDatabaseAddress(
                f"The environment variable {name} is not set.", hint="Set it, or name another one."
            )
    modules = DatabaseFactory.with_installed_modules().names
    scheme, colon, rest = text.partition(":")
    module = _SCHEMES.get(scheme, scheme)
    if not colon or module not in modules:
        if colon and "/" not in scheme:  # if the module is not installed, this must not create a file of that name
            hint = f"Use one of: {', '.join(modules)}. A file whose name has a colon in it is written sqlite:NAME."
            raise BadDatabaseAddress(f"There is no database module {scheme!r}.", hint=hint)
        module, rest = _PATH_MODULE, text
    if rest.startswith("//"):
        return DatabaseAddress(module=module, variable=_URL, address=text)
    if not rest or rest == ":memory:":
        raise BadDatabaseAddress
    return DatabaseAddress(module=module, variable="SQLITE_FILE", address=rest)


def refuse_same(source: Database, target: Database) -> None:
    """Raise `SameDatabase` if both have the same file or address. It does not detect aliases of a host."""
    source_file, target_file = source.own_file, target.own_file
    if source_file is not None and target_file is not None:
        is_same = source_file.exists() and target_file.exists() and source_file.samefile(target_file)
    else:
        is_same = (source.module_name, source.manager.address) == (target.module_name, target.manager.address)
    if is_same:
        raise SameDatabase
