"""What every repository has: statements run with their operation's name, metrics and context on errors."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Hashable, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from time import perf_counter
from typing import ClassVar, Generic, Protocol, TypeVar, cast
from uuid import UUID

from sqlalchemy import Select, Table

from lapel.database.caching import EntityCache, Key
from lapel.database.errors import DatabaseError, ForeignKeyViolation, OperationContext, RecordNotFound, UniqueViolation
from lapel.database.metrics import DatabaseMetrics
from lapel.database.repositories.mapper import Mapper
from lapel.database.repositories.queries import AT_ONCE, equal
from lapel.database.session import Session
from lapel.database.statement import InsertUnlessThere, Parameters, Row, Statement, insertion
from lapel.domain.identifiers import LAST_ID, NIL_ID
from lapel.errors import InUse, PreconditionFailed

__all__ = ["BaseRepository", "EntityRepository", "Recorder", "VersionedRepository"]


class _Identified(Protocol):
    @property
    def id(self) -> UUID: ...


Entity = TypeVar("Entity", bound=_Identified)
Subject = TypeVar("Subject")
Given = TypeVar("Given")
Result = TypeVar("Result")


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
        self.operations: tuple[str, ...] = ()
        self.changed: frozenset[Key] = frozenset()


class BaseRepository:
    """Runs statements on a session. It never commits: the transaction's end does."""

    entity: ClassVar[str]
    """What it keeps, in the singular; errors name it."""

    def __init__(self, session: Session, recorder: Recorder) -> None:
        self._session = session
        self._recorder = recorder

    def _rows(
        self, operation: str, statement: Statement, /, **parameters: object
    ) -> Coroutine[object, object, list[Row]]:
        return self._run(operation, self._session.fetch_all, statement, parameters)

    def _execute(self, operation: str, statement: Statement, parameters: Parameters) -> Coroutine[object, object, int]:
        return self._run(operation, self._session.execute, statement, parameters)

    async def _run(
        self, operation: str, method: Callable[[Subject, Given], Awaitable[Result]], subject: Subject, given: Given
    ) -> Result:
        """Every way to the database but streams: one of the session's methods, timed, named and explained."""
        started = perf_counter()
        try:
            result = await method(subject, given)
        except DatabaseError as error:
            raise self._explained(error, operation, subject, given, started) from error.__cause__
        self._record(operation, subject, given, started)
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
            raise self._explained(error, operation, statement, parameters, started) from error.__cause__
        self._record(operation, statement, parameters, started)

    def _changed(self, key: bytes) -> None:
        self._recorder.changed |= {(self.entity, key)}

    def _record(self, operation: str, subject: object, given: object, started: float, *, failed: bool = False) -> None:
        seconds = perf_counter() - started
        if self._recorder.metrics.observe(operation, seconds, failed=failed):
            self._recorder.metrics.log_slow(self._context(operation, given), seconds, sql=str(subject))
        if self._session.transaction_id is not None:
            self._recorder.operations = (*self._recorder.operations[-19:], operation)

    def _explained(
        self, error: DatabaseError, operation: str, subject: object, given: object, started: float
    ) -> DatabaseError:
        self._record(operation, subject, given, started, failed=True)
        return error.with_context(self._context(operation, given))

    def _context(self, operation: str, given: object) -> OperationContext:
        about = _id_in(given)
        entity_id = str(about) if isinstance(about, UUID) else None
        transaction_id, attempt = self._session.transaction_id, self._recorder.attempt
        return OperationContext(operation, self.entity, entity_id, transaction_id, attempt)


def _id_in(given: object) -> object:
    """Which entity a statement is about: the first column of a row that is stored, or the parameter that names one."""
    if isinstance(given, tuple):
        return given[0]
    return given.get("id", given.get("key")) if isinstance(given, Mapping) else None


class EntityRepository(BaseRepository, Generic[Entity]):
    """Keeps one kind of entity. Its operations are named after its table.

    Attributes:
        mapper: of the entity.
        table: where there is one row for each entity, by its ``id``: that of `mapper`, unless told.
        select: what `find` looks in: all that `mapper` selects, unless told.
    """

    table: ClassVar[Table]
    mapper: Mapper[Entity]
    select: ClassVar[Select[*tuple[object, ...]]]
    _FIND: ClassVar[Statement]

    def __init_subclass__(cls) -> None:
        if "mapper" in cls.__dict__:
            cls.table = cls.__dict__.get("table", cls.mapper.table)
            cls.select = cls.__dict__.get("select", cls.mapper.select)
            cls._FIND = Statement(cls.select.where(equal(cls.table.c.id)))

    async def create(self, entity: Entity) -> None:
        await self._execute(f"{self.table.name}.create", insertion(self.table), self.mapper.row(entity))

    async def find(self, entity_id: UUID) -> Entity | None:
        return await self._find(f"{self.table.name}.find", self._FIND, id=entity_id)

    async def get(self, entity_id: UUID) -> Entity:
        return self._present(await self.find(entity_id), entity_id)

    async def _create_if_absent(
        self, operation: str, entity: Entity, find: Callable[[], Awaitable[Entity | None]]
    ) -> Entity:
        """`entity`, stored; or what `find` gives, where that was there first."""
        insert = insertion(self.table, InsertUnlessThere)
        if await self._execute(operation, insert, self.mapper.row(entity)):
            return entity
        found = await find()
        if found is None:  # another constraint was in the way
            raise UniqueViolation(f"There is already another {self.entity} {entity.id}.")
        return found

    async def _create_many(self, operation: str, rows: Sequence[Parameters]) -> None:
        await self._run(operation, self._session.bulk_insert, self.table, rows)

    async def _find(self, operation: str, statement: Statement, /, **parameters: object) -> Entity | None:
        rows = await self._run(operation, self._session.fetch_all, statement, parameters)
        return self.mapper.entity(rows[0]) if rows else None

    async def _find_all(self, operation: str, statement: Statement, /, **parameters: object) -> list[Entity]:
        return [self.mapper.entity(row) for row in await self._rows(operation, statement, **parameters)]

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

    async def _cached(
        self, key: Hashable, operation: str, statement: Statement, /, *, lasting: bool = False, **parameters: object
    ) -> Entity | None:
        """`_find`, through the cache: by what `_changed` is told when it changes; `lasting`, if it never does."""
        cache, named = self._recorder.cache, (self.entity, key)
        if (kept := cache.kept(named)) is not None:  # nearly always, and at a third of the cost
            return cast("Entity", kept)
        return await cache.get(named, partial(self._find, operation, statement, **parameters), lasting=lasting)

    def _page(
        self, operation: str, statement: Statement, /, *, before: UUID | None = None, **parameters: object
    ) -> Coroutine[object, object, list[Entity]]:
        """Entities by a statement of `page_of`: those before `before`, or from the newest on."""
        return self._find_all(operation, statement, before=LAST_ID if before is None else before, **parameters)

    def _page_by_name(
        self, operation: str, statement: Statement, prefix: str, after: tuple[str, UUID] | None, **parameters: object
    ) -> Coroutine[object, object, list[Entity]]:
        """Entities by a statement of `ordered_page_of`: whose folded names begin with `prefix`, after `after`."""
        name, last = after or (prefix, NIL_ID)
        end = prefix + chr(sys.maxunicode)
        return self._find_all(operation, statement, from_key=name, from_id=last, to_key=end, **parameters)

    def _present(self, found: Entity | None, wanted: UUID) -> Entity:
        """`found`, or an error that names what was wanted."""
        if found is None:
            raise RecordNotFound(f"There is no {self.entity} {wanted}.")
        return found


class VersionedRepository(EntityRepository[Entity]):
    """Keeps entities that are changed from the version that was seen, and deleted while nothing uses them.

    Attributes:
        advance: updates the row ``key`` of `table` where that is at ``expected_version``.
        uses: statements that find what uses the entity ``id``, by what that is called.
        deletions: statements that delete the entity ``id`` and what is its own.
    """

    advance: ClassVar[Statement]
    uses: ClassVar[Mapping[str, Statement]]
    deletions: ClassVar[Sequence[Statement]]
    _LOCK: ClassVar[Statement]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        # Locked first, where rows can be: who makes anything for it meanwhile waits, and finds it gone.
        cls._LOCK = Statement(cls.select.where(equal(cls.table.c.id)).with_for_update(of=cls.table))

    async def update(self, entity: Entity, *, expected_version: int) -> None:
        self._changed(entity.id.bytes)
        values = {**self.mapper.values(entity), "key": entity.id, "expected_version": expected_version}
        if not await self._execute(f"{self.table.name}.update", self.advance, values):
            await self.get(entity.id)
            name = f"{self.entity.capitalize()} {entity.id}"
            raise PreconditionFailed(f"{name} is no longer at version {expected_version}.")

    async def delete(self, entity_id: UUID) -> Entity:
        key = {"id": entity_id}
        entity = self._present(await self._find(f"{self.table.name}.lock", self._LOCK, **key), entity_id)
        operation = f"{self.table.name}.delete"
        for others, statement in self.uses.items():
            if await self._rows(operation, statement, **key):
                raise InUse(f"There are {others} of this {self.entity}, so it cannot be deleted.")
        self._changed(entity_id.bytes)
        try:
            for statement in self.deletions:
                await self._execute(operation, statement, key)
        except ForeignKeyViolation as error:  # whoever came between the question and the deletion
            raise InUse(f"This {self.entity} is being used at this moment, so it cannot be deleted.") from error
        return entity
