"""The tables to copy, in order, and reading their rows in batches of bounded size."""

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
"""The tables that are not copied, and why."""

_BATCH_BYTES: Final = 2**20
_MAX_ROWS: Final = 500
_FIRST_ROWS: Final = 8


def copied_tables() -> list[Table]:
    """Return the tables to copy, each after those that it refers to."""
    return [table for table in metadata.sorted_tables if table.name not in LEFT_OUT]


async def count_rows(session: TransactionSession) -> dict[str, int]:
    """Return the number of rows of each table to copy."""
    return await row_counts(session, [table.name for table in copied_tables()])


async def batches(session: PlainSession, table: Table, digest: Digest) -> AsyncGenerator[Sequence[Row], None]:
    """Yield all rows of a table in batches, and add them to `digest`. The next batch is fetched in the background.

    A batch has at most one mebibyte, if no row is larger than the largest so far.
    """
    size, largest = _FIRST_ROWS, 1
    async with session.unloading(table) as fetch:
        next_batch = asyncio.ensure_future(fetch(size))
        try:
            while rows := await next_batch:
                next_batch = asyncio.ensure_future(fetch(size))
                await asyncio.sleep(0)  # lets the fetch start, so that the database works while these are processed
                largest = max(largest, digest.add(rows))
                size = min(max(_BATCH_BYTES // largest, 1), 2 * size, _MAX_ROWS)
                yield rows
        finally:
            await ended(next_batch)


async def ended(work: asyncio.Future[Result]) -> None:
    """Wait for work whose result is no longer needed, so that its connection is free to be rolled back."""
    await asyncio.wait([work])
    if not work.cancelled():
        work.exception()
