"""Counts the rows of a database."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from lapel.database.session import TransactionSession

__all__ = ["row_counts"]


async def row_counts(session: TransactionSession, tables: Iterable[str]) -> dict[str, int]:
    """Return the number of rows by table. The names must be those of Lapel's own tables."""
    counts = dict[str, int]()
    for name in tables:
        ((count,),) = await session.run(f"SELECT count(*) FROM {name}")  # noqa: S608 - our own
        counts[name] = cast("int", count)
    return counts
