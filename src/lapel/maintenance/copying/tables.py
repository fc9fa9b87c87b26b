"""Which tables are copied, in which order, and how their rows go by in bounded memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Final, TypeVar

from lapel.database.session import Table, TransactionSession
from lapel.database.statement import Row
from lapel.database.tables import metadata
from lapel.maintenance.copying.parity import Digest
from lapel.maintenance.copying.plain_form import PlainSession
from lapel.maintenance.counting import row_counts

__all__ = ["LEFT_OUT", "batches", "copied_tables", "count_rows", "ended"]

Result = TypeVar("Result")

LEFT_OUT: Final[Mapping[str, str]] = {
    "changes": "in which transactions of its own a database has changed entities: of no meaning in another one",
}
"""Tables that are not copied, and why."""

_BATCH_BYTES: Final = 2**20
_MOST_ROWS: Final = 500
_FIRST_ROWS: Final = 8


def copied_tables() -> list[Table]:
    """All others, each after those that it refers to."""
    return [table for table in metadata.sorted_tables if table.name not in LEFT_OUT]


async def count_rows(session: TransactionSession) -> dict[str, int]:
    """How many rows each of them has."""
    return await row_counts(session, [table.name for table in copied_tables()])


async def batches(session: PlainSession, table: Table, digest: Digest) -> AsyncGenerator[Sequence[Row], None]:
    """All rows of a table, some at a time, with the next ones under way; `digest` has taken in those that are given.

    As many at a time as have a mebibyte, if all of them are as large as the largest so far.
    """
    most, largest = _FIRST_ROWS, 1
    async with session.unloading(table) as fetch:
        coming = asyncio.ensure_future(fetch(most))
        try:
            while rows := await coming:
                coming = asyncio.ensure_future(fetch(most))
                await asyncio.sleep(0)  # lets it ask, so that the database looks for them while these are worked on
                largest = max(largest, digest.add(rows))
                most = min(max(_BATCH_BYTES // largest, 1), 2 * most, _MOST_ROWS)
                yield rows
        finally:
            await ended(coming)


async def ended(work: asyncio.Future[Result]) -> None:
    """Wait for it where nobody asks for its outcome any more: its connection is free then, to be rolled back."""
    await asyncio.wait([work])
    if not work.cancelled():
        work.exception()
