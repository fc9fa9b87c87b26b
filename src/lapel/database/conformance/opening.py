"""A database as the kit's tests take it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from lapel.database.factory import DatabaseFactory
from lapel.database.interface import Database, DatabaseSettings

__all__ = ["opened"]


@asynccontextmanager
async def opened(module: str, settings: DatabaseSettings) -> AsyncIterator[Database]:
    """That database, connected and migrated."""
    database = DatabaseFactory.with_installed_modules().create(module, settings)
    await database.connect()
    try:
        await database.migrate()
        yield database
    finally:
        await database.disconnect()
