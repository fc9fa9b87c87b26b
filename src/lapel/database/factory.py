"""Creates a database from the configuration. Modules, ours and third parties', are registered by name."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Self

from lapel.database.errors import UnknownDatabaseType
from lapel.database.interface import Database, DatabaseModule, DatabaseSettings

__all__ = ["ENTRY_POINT_GROUP", "DatabaseFactory"]

ENTRY_POINT_GROUP = "lapel.databases"
_NO_MODULES = "`DatabaseFactory.with_installed_modules()` knows the installed ones; this factory was given none."
_installed = cache(lambda: entry_points(group=ENTRY_POINT_GROUP))  # to read it of every package takes milliseconds


class DatabaseFactory:
    """Creates the database that the configuration names."""

    def __init__(self) -> None:
        self._modules: dict[str, DatabaseModule] = {}
        self._installed: dict[str, EntryPoint] = {}

    @classmethod
    def with_installed_modules(cls) -> Self:
        """Return a factory with every installed module (entry points ``lapel.databases``)."""
        factory = cls()
        factory._installed = {entry.name: entry for entry in _installed()}
        return factory

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all modules."""
        return tuple(sorted({*self._modules, *self._installed}))

    def register_module(self, module: DatabaseModule, *, name: str | None = None) -> None:
        """Register `module` under `name`, by default its own name. Replaces a module registered under the same name."""
        self._modules[name or module.name] = module

    def create(self, name: str, settings: DatabaseSettings) -> Database:
        """Create a database of the module `name`, not yet connected.

        Raises:
            UnknownDatabaseType: no such module is registered.
        """
        if name not in self._modules and name in self._installed:
            # Loaded on demand, so that another module's missing driver does no harm.
            self.register_module(self._installed[name].load()(), name=name)
        module = self._modules.get(name)
        if module is None:
            hint = f"Use one of: {', '.join(self.names)}." if self.names else _NO_MODULES
            raise UnknownDatabaseType(f"DB_TYPE is {name!r}, and there is no such database module.", hint=hint)
        return module.create(settings)
