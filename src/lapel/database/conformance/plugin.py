"""The plug-in for pytest: what the suite's tests take, and assertions that explain themselves."""

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
        if found.name not in ("opening", "plugin")  # imported already, and they assert nothing
    )
)


@pytest.fixture
def database_settings() -> tuple[str, DatabaseSettings]:
    """A module's name and settings for a fresh, empty database: to be overridden by whoever runs the suite."""
    raise pytest.UsageError("Define a fixture `database_settings`: see lapel.database.conformance.")


@pytest_asyncio.fixture
async def database(database_settings: tuple[str, DatabaseSettings]) -> AsyncIterator[Database]:
    """A fresh database, connected and migrated."""
    async with opened(*database_settings) as database:
        yield database
