"""Base classes of repositories. They run statements with metrics, and add the operation to errors."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Hashable, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from time import perf_counter
from typing import ClassVar, Generic, Protocol, TypeVar, cast
from uuid import UUID

from sqlalchemy import Select, Table

from lapel.database.caching import Key, TtlCache
from lapel.database.errors import DatabaseError, ForeignKeyViolation, OperationContext, RecordNotFound, UniqueViolation
from lapel.database.metrics import DatabaseMetrics
from lapel.database.repositories.mapper import Mapper
from lapel.database.repositories.queries import AT_ONCE, among, equal
from lapel.database.session import Session
from lapel.database.statement import InsertIfAbsent, Parameters, Row, Statement, insertion
from lapel.domain.identifiers import LAST_ID, NIL_ID
from lapel.errors import InUse, PreconditionFailed

__all__ = ["BaseRepository", "EntityRepository", "Identified", "RepositoryContext", "VersionedRepository"]


class Identified(Protocol):
    """An entity with an id."""

    @property
    def id(self) -> UUID: ...


Entity = TypeVar("Entity", bound=Identified)
Subject = TypeVar("Subject")
Values = TypeVar("Values")
Result = TypeVar("Result")


class RepositoryContext:
    """What the repositories of one session share: those of a transaction, or those for reads outside one.

    Attributes:
        transaction_id: the id of the transaction, or None outside a transaction.
        attempt: the number of the attempt at the transaction, starting with 1, for the context of errors.
        cache: the cache for reads; None if they must come from the database, as inside a transaction.
        changed: the keys that caches must drop once this transaction is committed.
        operations: the last twenty operations, as ``aggregate.verb``; recorded inside a transaction only.
    """

    transaction_id: str | None = None
    attempt = 1
    operations: tuple[str, ...] = ()
    changed: frozenset[Key] = frozenset()

    def __init__(self, session: Session, metrics: DatabaseMetrics, cache: TtlCache | None = None) -> None:
        self.metrics = metrics
        self.cache = cache
        self._session = session

    def session(self) -> Session:
        """Return the session on which the repositories run. That of a transaction is the transaction itself.

        Not an attribute: a transaction that referred to itself would occupy memory until the garbage collector runs.
        """
        return self._session


class BaseRepository:
    """Runs statements on a session. A repository never commits."""

    entity: ClassVar[str]
    """The kind of entity, in the singular, for errors."""

    def __init__(self, context: RepositoryContext) -> None:
        self._session = context.session()
        self._context = context

    def _rows(
        self, operation: str, statement: Statement, /, **parameters: object
    ) -> Coroutine[object, object, list[Row]]:
        return self._run(operation, self._session.fetch_all, statement, parameters)

    def _execute(self, operation: str, statement: Statement, parameters: Parameters) -> Coroutine[object, object, int]:
        return self._run(operation, self._session.execute, statement, parameters)

    async def _run(
        self, operation: str, method: Callable[[Subject, Values], Awaitable[Result]], subject: Subject, values: Values
    ) -> Result:
        """Call a method of the session, with metrics and context. Everything except streams goes through here."""
        started = perf_counter()
        try:
            result = await method(subject, values)
        except DatabaseError as error:
            raise self._failed(error, operation, subject, values, started) from error.__cause__
        self._record(operation, subject, values, started)
        return result

    async def _stream(
        self, operation: str, statement: Statement, read: Callable[[Row], Result], /, **parameters: object
    ) -> AsyncGenerator[Result, None]:
        """Yield the result of `read` for each row, in bounded memory."""
        started = perf_counter()
        try:
            async with aclosing(self._session.stream(statement, parameters)) as rows:
                async for row in rows:
                    yield read(row)
        except DatabaseError as error:
            raise self._failed(error, operation, statement, parameters, started) from error.__cause__
        self._record(operation, statement, parameters, started)

    def _changed(self, key: bytes) -> None:
        self._context.changed |= {(self.entity, key)}

    def _record(self, operation: str, subject: object, values: object, started: float, *, failed: bool = False) -> None:
        seconds = perf_counter() - started
        if self._context.metrics.observe(operation, seconds, failed=failed):
            self._context.metrics.log_slow(self._operation_context(operation, values), seconds, sql=str(subject))
        if self._context.transaction_id is not None:
            self._context.operations = (*self._context.operations[-19:], operation)

    def _failed(
        self, error: DatabaseError, operation: str, subject: object, values: object, started: float
    ) -> DatabaseError:
        self._record(operation, subject, values, started, failed=True)
        return error.with_context(self._operation_context(operation, values))

    def _operation_context(self, operation: str, values: object) -> OperationContext:
        key = _entity_key(values)
        entity_id = str(key) if isinstance(key, UUID) else None
        return OperationContext(operation, self.entity, entity_id, self._context.transaction_id, self._context.attempt)


def _entity_key(values: object) -> object:
    """Return the key of a statement's entity: an inserted row's first value, or the parameter ``id`` or ``key``."""
    if isinstance(values, tuple):
        return values[0]
    return values.get("id", values.get("key")) if isinstance(values, Mapping) else None


class EntityRepository(BaseRepository, Generic[Entity]):
    """A repository of one kind of entity. Its operations are named after its table.

    Attributes:
        mapper: the entity's mapper.
        table: the table with one row for each entity, by its ``id``; by default the mapper's.
        select: the query that `find` filters; by default the mapper's.
        at_once: how many entities one statement of `find_many` finds.
    """

    table: ClassVar[Table]
    mapper: Mapper[Entity]
    select: ClassVar[Select[*tuple[object, ...]]]
    at_once: ClassVar[int] = AT_ONCE
    _FIND: ClassVar[Statement]
    _FIND_MANY: ClassVar[Statement]

    def __init_subclass__(cls) -> None:
        if "mapper" in cls.__dict__:
            cls.table = cls.__dict__.get("table", cls.mapper.table)
            cls.select = cls.__dict__.get("select", cls.mapper.select)
            cls._FIND = Statement(cls.select.where(equal(cls.table.c.id)))
            cls._FIND_MANY = Statement(cls.select.where(among(cls.table.c.id, cls.at_once)))

    async def create(self, entity: Entity) -> None:
        await self._execute(f"{self.table.name}.create", insertion(self.table), self.mapper.row(entity))

    async def find(self, entity_id: UUID) -> Entity | None:
        return await self._find(f"{self.table.name}.find", self._FIND, id=entity_id)

    async def get(self, entity_id: UUID) -> Entity:
        return self._present(await self.find(entity_id), entity_id)

    async def find_many(self, entity_ids: Sequence[UUID]) -> list[Entity]:
        return await self._among(f"{self.table.name}.find_many", self._FIND_MANY, entity_ids, self.at_once)

    async def _create_if_absent(
        self, operation: str, entity: Entity, find: Callable[[], Awaitable[Entity | None]]
    ) -> Entity:
        """Store and return `entity`, or return the result of `find` if that already exists."""
        if await self._execute(operation, insertion(self.table, InsertIfAbsent), self.mapper.row(entity)):
            return entity
        existing = await find()
        if existing is None:  # another constraint was violated
            raise UniqueViolation(f"There is already another {self.entity} {entity.id}.")
        return existing

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
        """Return the entities of any number of keys, by a statement with `among` for `at_once` of them."""
        entities: list[Entity] = []
        for first in range(0, len(keys), at_once):
            await asyncio.sleep(0)  # other requests get their turn
            parameters = {f"key{each}": keys[min(first + each, len(keys) - 1)] for each in range(at_once)}
            entities += await self._find_all(operation, statement, **parameters, **more)
        return entities

    async def _cached(
        self, key: Hashable, operation: str, statement: Statement, /, *, immutable: bool = False, **parameters: object
    ) -> Entity | None:
        """Find an entity through the cache. If it changes, `_changed` must be called with `key`, unless `immutable`."""
        cache, cache_key = self._context.cache, (self.entity, key)
        if cache is not None and (entity := cache.peek(cache_key)) is not None:  # at a third of the cost of `get`
            return cast("Entity", entity)
        find = partial(self._find, operation, statement, **parameters)
        return await (find() if cache is None else cache.get(cache_key, find, immutable=immutable))

    def _page(
        self, operation: str, statement: Statement, /, *, before: UUID | None = None, **parameters: object
    ) -> Coroutine[object, object, list[Entity]]:
        """Return the entities of a statement of `page_of`, starting before `before`, or with the newest."""
        return self._find_all(operation, statement, before=LAST_ID if before is None else before, **parameters)

    def _page_by_name(
        self, operation: str, statement: Statement, prefix: str, after: tuple[str, UUID] | None, **parameters: object
    ) -> Coroutine[object, object, list[Entity]]:
        """Return the entities with that prefix of the folded name, by a statement of `ordered_page_of`."""
        name, last = after or (prefix, NIL_ID)
        end = prefix + chr(sys.maxunicode)
        return self._find_all(operation, statement, from_key=name, from_id=last, to_key=end, **parameters)

    def _present(self, entity: Entity | None, entity_id: UUID) -> Entity:
        """Return `entity`, or raise `RecordNotFound` if it is None."""
        if entity is None:
            raise RecordNotFound(f"There is no {self.entity} {entity_id}.")
        return entity


class VersionedRepository(EntityRepository[Entity]):
    """A repository of entities with optimistic locking by version, which can be deleted while nothing uses them.

    Attributes:
        advance: a statement that updates the row ``key`` of `table` if it is at ``expected_version``.
        uses: statements that select users of the entity ``id``, by the users' name.
        deletions: statements that delete the entity ``id`` and its dependent rows.
    """

    advance: ClassVar[Statement]
    uses: ClassVar[Mapping[str, Statement]]
    deletions: ClassVar[Sequence[Statement]]
    _LOCK: ClassVar[Statement]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        # If the database can lock rows, concurrent inserts that refer to the entity wait, and then fail.
        cls._LOCK = Statement(Select(cls.table.c.id).where(equal(cls.table.c.id)).with_for_update())

    async def update(self, entity: Entity, *, expected_version: int) -> None:
        self._changed(entity.id.bytes)
        values = {**self.mapper.values(entity), "key": entity.id, "expected_version": expected_version}
        if not await self._execute(f"{self.table.name}.update", self.advance, values):
            await self.get(entity.id)
            name = f"{self.entity.capitalize()} {entity.id}"
            raise PreconditionFailed(f"{name} is no longer at version {expected_version}.")

    async def delete(self, entity_id: UUID) -> Entity:
        key, operation = {"id": entity_id}, f"{self.table.name}.delete"
        # Locked before it is read: a join that waits for another transaction does not see what that has inserted.
        await self._rows(operation, self._LOCK, **key)
        entity = self._present(await self._find(operation, self._FIND, **key), entity_id)
        for users, statement in self.uses.items():
            if await self._rows(operation, statement, **key):
                raise InUse(f"There are {users} of this {self.entity}, so it cannot be deleted.")
        self._changed(entity_id.bytes)
        try:
            for statement in self.deletions:
                await self._execute(operation, statement, key)
        except ForeignKeyViolation as error:  # a user was added since the check
            raise InUse(f"This {self.entity} is being used at this moment, so it cannot be deleted.") from error
        return entity
