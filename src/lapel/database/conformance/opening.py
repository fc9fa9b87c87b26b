"""Opens databases for the conformance tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from lapel.database.factory import DatabaseFactory
from lapel.database.interface import Database, DatabaseSettings

__all__ = ["connected", "made", "opened"]


def made(module: str, settings: DatabaseSettings) -> Database:
    """Return the database, not connected."""
    return DatabaseFactory.with_installed_modules().create(module, settings)


@asynccontextmanager
async def connected(module: str, settings: DatabaseSettings) -> AsyncIterator[Database]:
    """Connect the database, without migrating it."""
    database = made(module, settings)
    await database.connect()
    try:
        yield database
    finally:
        await database.disconnect()


@asynccontextmanager
async def opened(module: str, settings: DatabaseSettings) -> AsyncIterator[Database]:
    """Connect and migrate the database."""
    async with connected(module, settings) as database:
        await database.migrate()
        yield database
