"""What an operator writes for a database: a path, an address, a module's name before one, a variable that holds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from lapel.database.errors import SameDatabase
from lapel.database.factory import DatabaseFactory
from lapel.database.interface import Database
from lapel.errors import InvalidInput

__all__ = ["BadPlace", "Place", "place_of", "refuse_same"]

_OF_PATHS: Final = "sqlite"
"""The module that is meant where there is a path and no module's name."""
_URL: Final = "DATABASE_URL"
_ADDRESSES: Final = ("SQLITE_FILE", _URL, "DATABASE_READ_URL")
_SCHEMES: Final = {"postgres": "postgresql"}
"""Other names of a module, as addresses begin."""


class BadPlace(InvalidInput):
    """This does not name a database."""

    code = "bad_database_address"
    hint = "Give the path of an SQLite file, postgresql://…, or env:NAME for an address in an environment variable."


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A database, as its module's settings name it.

    Attributes:
        module: what ``DB_TYPE`` calls it.
        variable: ``SQLITE_FILE`` or ``DATABASE_URL``, by which that module is told its address.
        address: may hold a password.
    """

    module: str
    variable: str
    address: str = field(repr=False)

    def settings(self, environment: Mapping[str, str]) -> dict[str, str]:
        """`environment` with this database in place of the one that it names: limits and the like stay."""
        others = {name: value for name, value in environment.items() if name not in _ADDRESSES}
        return {**others, "DB_TYPE": self.module, self.variable: self.address}

    def check(self, database: Database) -> None:
        """Raises `BadPlace` where `database`, which was made from these settings, is a file, and no file was named."""
        if self.variable == _URL and database.own_file is not None:
            raise BadPlace(
                f"The module {self.module} opens a file, and this is not a path.",
                hint=f"Write {self.module}:PATH.",
            )


def place_of(text: str, environment: Mapping[str, str]) -> Place:
    """What `text` names.

    Args:
        environment: where ``env:NAME`` is looked up.

    Raises:
        BadPlace: it names nothing, or what would be gone with this process.
    """
    if text.startswith("env:"):
        name = text.removeprefix("env:")
        text = environment.get(name, "").strip()
        if not text:
            raise BadPlace(f"The environment variable {name} is not set.", hint="Set it, or name another one.")
    modules = DatabaseFactory.with_installed_modules().names
    scheme, colon, rest = text.partition(":")
    module = _SCHEMES.get(scheme, scheme)
    if not colon or module not in modules:
        if colon and "/" not in scheme:  # of a module that is not installed, a plain file would be made
            hint = f"Use one of: {', '.join(modules)}. A file whose name has a colon in it is written sqlite:NAME."
            raise BadPlace(f"There is no database module {scheme!r}.", hint=hint)
        module, rest = _OF_PATHS, text
    if rest.startswith("//"):
        return Place(module=module, variable=_URL, address=text)
    if not rest or rest == ":memory:":
        raise BadPlace
    return Place(module=module, variable="SQLITE_FILE", address=rest)


def refuse_same(source: Database, target: Database) -> None:
    """Raises `SameDatabase` where two addresses, or files, are the same; not every alias of a host is seen through."""
    ours, theirs = source.own_file, target.own_file
    if ours is not None and theirs is not None:
        same = ours.exists() and theirs.exists() and ours.samefile(theirs)
    else:
        same = (source.module_name, source.manager.address) == (target.module_name, target.manager.address)
    if same:
        raise SameDatabase
