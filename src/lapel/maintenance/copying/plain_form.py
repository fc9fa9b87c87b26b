"""The plain form of rows, in which they are copied: the values of a driver without native types.

`lapel.database.types` lists that form of each type.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, TypeAlias

from lapel.database.interface import Database
from lapel.database.session import Table, TransactionSession
from lapel.database.statement import Row
from lapel.database.types import Flag, Identifier, Portable, Timestamp
from lapel.domain.clock import from_milliseconds, milliseconds

__all__ = ["PlainSession", "for_driver"]

_Fetch: TypeAlias = Callable[[int], Coroutine[object, object, Sequence[Row]]]
_Conversions: TypeAlias = Mapping[type[Portable[Any]], Callable[[Any], object]]


@lru_cache(maxsize=1024)
def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _count(moment: datetime | None) -> int | None:
    if moment is None:
        return None
    return milliseconds(moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC))  # as `Timestamp` does


def _moment(count: int | None) -> datetime | None:
    return None if count is None else from_milliseconds(count)


# Only the types whose native form differs. Native drivers also accept a UUID's text.
_TO_PLAIN: Final[_Conversions] = {Identifier: _text, Timestamp: _count, Flag: int}
_FROM_PLAIN: Final[_Conversions] = {Timestamp: _moment, Flag: bool}


class PlainSession:
    """Reads and writes rows in their plain form, on a session of `Database.maintenance`."""

    def __init__(self, database: Database, session: TransactionSession) -> None:
        self._database = database
        self._session = session

    @asynccontextmanager
    async def unloading(self, table: Table) -> AsyncIterator[_Fetch]:
        """Read all rows: see `TransactionSession.unloading`."""
        async with self._session.unloading(table) as fetch:

            async def fetch_plain(max_rows: int) -> Sequence[Row]:
                return _converted(await fetch(max_rows), table, self._database, _TO_PLAIN)

            yield fetch_plain

    async def load(self, table: Table, rows: Sequence[Row]) -> None:
        """Insert rows: see `TransactionSession.load`."""
        await self._session.load(table, for_driver(rows, table, self._database))


def for_driver(rows: Sequence[Row], table: Table, database: Database) -> Sequence[Row]:
    """Return plain rows in the form that the driver accepts."""
    return _converted(rows, table, database, _FROM_PLAIN)


def _converted(
    rows: Sequence[Iterable[object]], table: Table, database: Database, conversions: _Conversions
) -> Sequence[Row]:
    if not rows or not database.dialect.supports_native_uuid:
        return list(map(tuple, rows))
    columns = list(zip(*rows, strict=True))  # column by column, which is faster than row by row
    converted: list[Iterable[object]] = list(columns)
    for index, column in enumerate(table.columns):
        assert isinstance(column.type, Portable), f"every column of {table.name} needs a type of `lapel.database.types`"
        convert = conversions.get(type(column.type))
        if convert is not None and columns[index].count(None) < len(rows):
            converted[index] = map(convert, columns[index])
    return list(zip(*converted, strict=True))
