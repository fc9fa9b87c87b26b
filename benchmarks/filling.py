"""Databases with many credentials in them, brought to where one is that has served for a while."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from benchmarks.database_peers import Credentials
from lapel.database.interface import Database

__all__ = ["filled", "warm_up"]

_AT_ONCE = 5_000
_LOOKED_AT = 20_000


async def filled(database: Database, count: int) -> list[UUID]:
    """The ids of so many credentials, oldest first, now stored."""
    credentials = await Credentials.of(database)
    keys: list[UUID] = []
    while len(keys) < count:
        made = credentials.make(min(_AT_ONCE, count - len(keys)))
        async with database.transaction() as tx:
            await tx.credentials.create_many(made)
        keys += [credential.id for credential in made]
    return keys


async def warm_up(database: Database, keys: Sequence[UUID]) -> None:
    """Bring a database that was just filled to where one is that has served for a while.

    What was written is on the disk, the file in the system's cache (it is the layer that is measured, not the disk),
    and of the pages above the rows some are in the database's own.
    """
    os.sync()
    await database.reconnect()
    await asyncio.to_thread(_read_through, Path(str(database.settings.sqlite_file)))
    for key in random.sample(keys, min(_LOOKED_AT, len(keys))):
        await database.read().credentials.get(key)


def _read_through(file: Path) -> None:
    if file.exists():
        with file.open("rb", buffering=0) as content:
            while content.read(2**20):
                pass
