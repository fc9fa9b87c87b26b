"""How much a database holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from lapel.database.tables import metadata

if TYPE_CHECKING:  # which imports this package
    from lapel.database.interface import Database

__all__ = ["row_counts"]


async def row_counts(database: Database) -> Mapping[str, int]:
    """How many rows each of Lapel's tables has that is there, all at one moment."""
    counts = dict[str, int]()
    async with database.maintenance() as session:
        for name in sorted(metadata.tables.keys() & await database.catalogue.tables(session)):
            ((count,),) = await session.run(f"SELECT count(*) FROM {name}")  # noqa: S608 - our own
            counts[name] = cast("int", count)
    return counts
