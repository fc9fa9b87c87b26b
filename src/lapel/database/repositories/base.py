"""What every repository has: statements run with their operation's name, metrics and context on errors."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Hashable, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from time import perf_counter
from typing import ClassVar, Final, Generic, TypeVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Select

from lapel.database.caching import EntityCache, Key
from lapel.database.errors import DatabaseError, ForeignKeyViolation, OperationContext, RecordNotFound, UniqueViolation
from lapel.database.metrics import DatabaseMetrics
from lapel.database.repositories.mapper import Mapper
from lapel.database.session import Session
from lapel.database.statement import Parameters, Row, Statement
from lapel.domain.identifiers import LAST_ID, NIL_ID
from lapel.errors import InUse

__all__ = [
    "BaseRepository",
    "EntityRepository",
    "Recorder",
    "among",
    "any_of",
    "bind",
    "deletion",
    "equal",
    "ordered_page_of",
    "page_of",
]

Entity = TypeVar("Entity")
Subject = TypeVar("Subject")
Given = TypeVar("Given")
Result = TypeVar("Result")

AT_ONCE: Final = 64


def bind(column: ColumnElement[object], name: str | None = None) -> ColumnElement[object]:
    """A named parameter of `column`'s type; its name is the column's unless told."""
    return sa.bindparam(name or str(column.key), type_=column.type)


def equal(column: ColumnElement[object], name: str | None = None) -> ColumnElement[bool]:
    """That `column` is the parameter of its name, or of the name told."""
    return column == bind(column, name)


def any_of(column: sa.Column[object]) -> Statement:
    """A row whose `column` is ``id``, if there is one."""
    return Statement(sa.select(column).where(equal(column, "id")).limit(1))


def deletion(column: sa.Column[object]) -> Statement:
    """``DELETE`` of the rows whose `column` is ``id``."""
    return Statement(sa.delete(column.table).where(equal(column, "id")))


def page_of(
    select: Select[*tuple[object, ...]], key: ColumnElement[object], *filters: ColumnElement[bool]
) -> Statement:
    """A page of `select`, newest first: ``limit`` rows whose `key` sorts before ``before``. See `_page`."""
    limit = sa.bindparam("limit", type_=sa.Integer())
    return Statement(select.where(*filters, key < bind(key, "before")).order_by(key.desc()).limit(limit))


def among(column: ColumnElement[object], number: int = AT_ONCE) -> ColumnElement[bool]:
    """That `column` is one of so many parameters, for `_among`."""
    return column.in_([bind(column, f"key{each}") for each in range(number)])


def ordered_page_of(
    select: Select[*tuple[object, ...]],
    key: ColumnElement[object],
    id_: ColumnElement[object],
    *filters: ColumnElement[bool],
    descending: bool,
) -> Statement:
    """A page of `select` in the order of `key`: ``limit`` rows after (``from_key``, ``from_id``), up to ``to_key``."""
    here, there = sa.tuple_(key, id_), sa.tuple_(bind(key, "from_key"), bind(id_, "from_id"))
    end, limit = bind(key, "to_key"), sa.bindparam("limit", type_=sa.Integer())
    if descending:
        return Statement(select.where(*filters, here < there, key >= end).order_by(key.desc(), id_.desc()).limit(limit))
    return Statement(select.where(*filters, here > there, key < end).order_by(key, id_).limit(limit))


class Recorder:
    """Tells the metrics of each operation and keeps the names of those in this transaction.

    Attributes:
        attempt: which attempt at its work this is, for the context of errors: 1 at first.
        cache: what repositories ask before the database.
        changed: what caches must forget once this transaction is committed.
        operations: the last twenty that ran, as ``aggregate.verb``; kept inside a transaction only.
    """

    def __init__(self, metrics: DatabaseMetrics, cache: EntityCache) -> None:
        self.attempt = 1
        self.cache = cache
        self.metrics = metrics
        self.operations: deque[str] = deque(maxlen=20)
        self.changed: set[Key] = set()


class BaseRepository:
    """Runs statements on a session. It never commits: the transaction's end does."""

    entity: ClassVar[str]
    """What it keeps, in the singular; errors name it."""

    def __init__(self, session: Session, recorder: Recorder) -> None:
        self._session = session
        self._recorder = recorder

    def _one(
        self, operation: str, statement: Statement, about: UUID | None = None, /, **parameters: object
    ) -> Coroutine[object, object, Row | None]:
        return self._run(operation, about, self._session.fetch_one, statement, parameters)

    def _execute(
        self, operation: str, statement: Statement, about: UUID | None, parameters: Parameters
    ) -> Coroutine[object, object, int]:
        return self._run(operation, about, self._session.execute, statement, parameters)

    async def _run(
        self,
        operation: str,
        about: UUID | None,
        method: Callable[[Subject, Given], Awaitable[Result]],
        subject: Subject,
        given: Given,
    ) -> Result:
        """Every way to the database but streams: one of the session's methods, timed, named and explained."""
        started = perf_counter()
        try:
            result = await method(subject, given)
        except DatabaseError as error:
            raise self._explained(error, operation, about, subject, started) from error.__cause__
        self._record(operation, about, subject, started)
        return result

    async def _stream(
        self, operation: str, statement: Statement, read: Callable[[Row], Result], /, **parameters: object
    ) -> AsyncGenerator[Result, None]:
        """What `read` makes of each row, in bounded memory."""
        started = perf_counter()
        try:
            async with aclosing(self._session.stream(statement, parameters)) as rows:
                async for row in rows:
                    yield read(row)
        except DatabaseError as error:
            raise self._explained(error, operation, None, statement, started) from error.__cause__
        self._record(operation, None, statement, started)

    def _record(
        self, operation: str, about: UUID | None, subject: object, started: float, *, failed: bool = False
    ) -> None:
        seconds = perf_counter() - started
        if self._recorder.metrics.observe(operation, seconds, failed=failed):
            self._recorder.metrics.log_slow(self._context(operation, about), seconds, sql=str(subject))
        if self._session.transaction_id is not None:
            self._recorder.operations.append(operation)

    def _explained(
        self, error: DatabaseError, operation: str, about: UUID | None, subject: object, started: float
    ) -> DatabaseError:
        self._record(operation, about, subject, started, failed=True)
        return error.with_context(self._context(operation, about))

    def _context(self, operation: str, about: UUID | None) -> OperationContext:
        entity_id = str(about) if about else None
        transaction_id, attempt = self._session.transaction_id, self._recorder.attempt
        return OperationContext(operation, self.entity, entity_id, transaction_id, attempt)


class EntityRepository(BaseRepository, Generic[Entity]):
    """Keeps one kind of entity."""

    mapper: Mapper[Entity]

    async def _find(
        self, operation: str, statement: Statement, about: UUID | None = None, /, **parameters: object
    ) -> Entity | None:
        row = await self._run(operation, about, self._session.fetch_one, statement, parameters)
        return None if row is None else self.mapper.entity(row)

    async def _find_all(
        self, operation: str, statement: Statement, about: UUID | None = None, /, **parameters: object
    ) -> list[Entity]:
        rows = await self._run(operation, about, self._session.fetch_all, statement, parameters)
        return [self.mapper.entity(row) for row in rows]

    async def _among(
        self, operation: str, statement: Statement, keys: Sequence[object], at_once: int = AT_ONCE, /, **more: object
    ) -> list[Entity]:
        """What a statement with `among` so many parameters gives of the keys, however many they are."""
        found: list[Entity] = []
        for first in range(0, len(keys), at_once):
            some = keys[first : first + at_once]
            asked = {f"key{each}": some[min(each, len(some) - 1)] for each in range(at_once)}
            found += await self._find_all(operation, statement, **asked, **more)
        return found

    def _cached(
        self,
        key: Hashable,
        operation: str,
        statement: Statement,
        about: UUID | None = None,
        /,
        *,
        lasting: bool = False,
        **parameters: object,
    ) -> Awaitable[Entity | None]:
        """`_find`, through the cache: by what `_changed` is told when it changes; `lasting`, if it never does."""
        found = partial(self._find, operation, statement, about, **parameters)
        return self._recorder.cache.get((self.entity, key), found, lasting=lasting)

    def _changed(self, key: bytes) -> None:
        self._recorder.changed.add((self.entity, key))

    async def _remove(
        self, found: Entity | None, wanted: UUID, *, uses: Mapping[str, Statement], deletions: Sequence[Statement]
    ) -> Entity:
        """Delete `found` and what is its own, unless something uses it: each statement takes its ``id``."""
        entity = self._present(found, wanted)
        operation, key = f"{self.entity}s.delete", {"id": wanted}
        for others, statement in uses.items():
            if await self._one(operation, statement, wanted, **key) is not None:
                raise InUse(f"There are {others} of this {self.entity}, so it cannot be deleted.")
        self._changed(wanted.bytes)
        try:
            for statement in deletions:
                await self._execute(operation, statement, wanted, key)
        except ForeignKeyViolation as error:  # whoever came between the question and the deletion
            raise InUse(f"This {self.entity} is being used at this moment, so it cannot be deleted.") from error
        return entity

    def _page(
        self,
        operation: str,
        statement: Statement,
        about: UUID | None = None,
        /,
        *,
        before: UUID | None,
        limit: int,
        **parameters: object,
    ) -> Coroutine[object, object, list[Entity]]:
        """Entities by a statement of `page_of`: those before `before`, or from the newest on."""
        before = LAST_ID if before is None else before
        return self._find_all(operation, statement, about, before=before, limit=limit, **parameters)

    def _page_by_name(
        self,
        operation: str,
        statement: Statement,
        prefix: str,
        /,
        *,
        after: tuple[str, UUID] | None,
        limit: int,
        **parameters: object,
    ) -> Coroutine[object, object, list[Entity]]:
        """Entities by a statement of `ordered_page_of`: whose folded names begin with `prefix`, after `after`."""
        name, last = after or (prefix, NIL_ID)
        end = prefix + chr(sys.maxunicode)
        return self._find_all(operation, statement, from_key=name, from_id=last, to_key=end, limit=limit, **parameters)

    def _present(self, found: Entity | None, wanted: UUID) -> Entity:
        """`found`, or an error that names what was wanted."""
        if found is None:
            raise RecordNotFound(f"There is no {self.entity} {wanted}.")
        return found

    def _first(self, found: Entity | None, wanted: UUID) -> Entity:
        """`found`, the one that was there first; without one, another constraint was in the way of `wanted`."""
        if found is None:
            raise UniqueViolation(f"There is already another {self.entity} {wanted}.")
        return found
