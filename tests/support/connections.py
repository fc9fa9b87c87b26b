"""Connections to PostgreSQL of a test's own, past Lapel's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

__all__ = ["administer", "connection_to"]


@asynccontextmanager
async def connection_to(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection, which is closed after the block."""
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()


async def administer(dsn: str, *statements: str) -> list[asyncpg.Record]:
    """Run the statements on a connection; what the last one finds."""
    found: list[asyncpg.Record] = []
    async with connection_to(dsn) as connection:
        for statement in statements:
            found = await connection.fetch(statement)
    return found
