"""The pytest plug-in: the fixtures of the suite, and assertion rewriting for its modules."""

from __future__ import annotations

import pkgutil
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from lapel.database import conformance
from lapel.database.conformance.opening import opened
from lapel.database.interface import Database, DatabaseSettings

__all__ = ["database", "database_settings"]

pytest.register_assert_rewrite(
    *(
        f"{conformance.__name__}.{found.name}"
        for found in pkgutil.iter_modules(conformance.__path__)
        if found.name not in ("opening", "plugin")  # already imported, and without assertions
    )
)


@pytest.fixture
def database_settings() -> tuple[str, DatabaseSettings]:
    """The name of the module, and the settings of a fresh, empty database. Override this fixture."""
    raise pytest.UsageError("Define a fixture `database_settings`: see lapel.database.conformance.")


@pytest_asyncio.fixture
async def database(database_settings: tuple[str, DatabaseSettings]) -> AsyncIterator[Database]:
    """A fresh database, connected and migrated."""
    async with opened(*database_settings) as database:
        yield database
