"""What every repository has: statements run with their operation's name, metrics and context on errors."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Hashable, Mapping, Sequence
from contextlib import aclosing
from time import perf_counter
from typing import ClassVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Table

from lapel.database.errors import DatabaseError, RecordNotFound, UniqueViolation
from lapel.database.metrics import DatabaseMetrics
from lapel.database.operation import OperationContext
from lapel.database.session import Session
from lapel.database.statement import Row, Statement
from lapel.domain.identifiers import LAST_ID

__all__ = ["BaseRepository", "Recorder", "before_or_last", "bind"]


def bind(column: ColumnElement[object], name: str | None = None) -> ColumnElement[object]:
    """A named parameter of `column`'s type; its name is the column's unless told."""
    return sa.bindparam(name or str(column.key), type_=column.type)


def before_or_last(before: UUID | None) -> UUID:
    """The upper bound of a page: `before`, or what sorts after every id."""
    return LAST_ID if before is None else before


class Recorder:
    """Tells the metrics of each operation and keeps the names of those in this transaction."""

    __slots__ = ("attempt", "changed", "metrics", "operations")

    def __init__(self, metrics: DatabaseMetrics) -> None:
        self.attempt = 1
        self.metrics = metrics
        self.operations: list[str] = []
        self.changed: list[tuple[str, Hashable]] = []  # what caches must forget if this is committed


class BaseRepository:
    """Runs statements on a session. It never commits: the transaction's end does."""

    entity: ClassVar[str]
    """What it keeps, in the singular; errors name it."""

    def __init__(self, session: Session, recorder: Recorder) -> None:
        self._session = session
        self._recorder = recorder

    async def _all(
        self, operation: str, statement: Statement, about: UUID | None = None, /, **parameters: object
    ) -> list[Row]:
        started = perf_counter()
        try:
            rows = await self._session.fetch_all(statement, parameters)
        except DatabaseError as error:
            raise self._explained(error, operation, about, started) from error.__cause__
        self._record(operation, started)
        return rows

    async def _one(
        self, operation: str, statement: Statement, about: UUID | None = None, /, **parameters: object
    ) -> Row | None:
        started = perf_counter()
        try:
            row = await self._session.fetch_one(statement, parameters)
        except DatabaseError as error:
            raise self._explained(error, operation, about, started) from error.__cause__
        self._record(operation, started)
        return row

    async def _execute(
        self, operation: str, statement: Statement, about: UUID | None, parameters: Mapping[str, object]
    ) -> int:
        started = perf_counter()
        try:
            touched = await self._session.execute(statement, parameters)
        except DatabaseError as error:
            raise self._explained(error, operation, about, started) from error.__cause__
        self._record(operation, started)
        return touched

    async def _bulk_insert(self, operation: str, table: Table, rows: Sequence[Mapping[str, object]]) -> None:
        started = perf_counter()
        try:
            await self._session.bulk_insert(table, rows)
        except DatabaseError as error:
            raise self._explained(error, operation, None, started) from error.__cause__
        self._record(operation, started)

    async def _stream(self, operation: str, statement: Statement, /, **parameters: object) -> AsyncGenerator[Row, None]:
        started = perf_counter()
        try:
            async with aclosing(self._session.stream(statement, parameters)) as rows:
                async for row in rows:
                    yield row
        except DatabaseError as error:
            raise self._explained(error, operation, None, started) from error.__cause__
        self._record(operation, started)

    def _record(self, operation: str, started: float, *, failed: bool = False) -> None:
        self._recorder.metrics.observe(operation, perf_counter() - started, failed=failed)
        if self._session.transaction_id is not None:
            self._recorder.operations.append(operation)

    def _explained(self, error: DatabaseError, operation: str, about: UUID | None, started: float) -> DatabaseError:
        self._record(operation, started, failed=True)
        return error.with_context(
            OperationContext(
                operation=operation,
                entity=self.entity,
                entity_id=str(about) if about else None,
                transaction_id=self._session.transaction_id,
                attempt=self._recorder.attempt,
            )
        )

    def _taken(self, wanted: UUID) -> UniqueViolation:
        return UniqueViolation(f"There is already another {self.entity} {wanted}.")

    def _missing(self, wanted: UUID) -> RecordNotFound:
        return RecordNotFound(f"There is no {self.entity} {wanted}.")
