"""How much a database holds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from lapel.database.session import TransactionSession

__all__ = ["row_counts"]


async def row_counts(session: TransactionSession, tables: Iterable[str]) -> dict[str, int]:
    """How many rows each of these tables has, by its name, which is one of Lapel's own."""
    counts = dict[str, int]()
    for name in tables:
        ((count,),) = await session.run(f"SELECT count(*) FROM {name}")  # noqa: S608 - our own
        counts[name] = cast("int", count)
    return counts
