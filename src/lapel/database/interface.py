"""The unified interface: what every database offers, and what a module must bring to be one.

A third party makes another database product usable by a package with an entry point in the group
``lapel.databases`` that names a `DatabaseModule`.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from operator import attrgetter
from pathlib import Path
from time import perf_counter
from typing import Protocol, TypeVar

import structlog
from sqlalchemy.engine import Dialect

from lapel.database.caching import EntityCache, NullCache, TtlCache
from lapel.database.capabilities import Capabilities
from lapel.database.change_feed import CacheWatch, ChangeFeed
from lapel.database.connection_manager import ConnectionManager, backoff
from lapel.database.errors import LOST_TO_OTHERS, DatabaseError, InvalidValue, OutcomeUnknown, TwoPhaseNotSupported
from lapel.database.health import Answer, ConnectionState, DatabaseHealth, PoolStatus
from lapel.database.metrics import DatabaseMetrics
from lapel.database.migrations.runner import STAMP, MigrationStatus, head, plan, status
from lapel.database.open_transactions import OpenTransactions
from lapel.database.repository_factory import RepositoryFactory
from lapel.database.schema.catalogue import Catalogue
from lapel.database.session import ReadingSession, TransactionSession
from lapel.database.transaction import DatabaseTransaction, OutsideSession
from lapel.database.two_phase.participant import Participant
from lapel.database.whole_file import WholeFile
from lapel.domain.clock import Clock, system_clock
from lapel.domain.ports import Isolation
from lapel.errors import Unavailable

__all__ = ["Database", "DatabaseModule", "DatabaseSettings"]

Result = TypeVar("Result")

_MOST_RUNS = 10
_LONGEST_SECONDS = 10.0
_log = structlog.get_logger("lapel.database")


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSettings:
    """Everything a module may want to know; each takes what concerns it.

    Attributes:
        sqlite_file: the database file, or ``:memory:``.
        url: a PostgreSQL URL; may hold a password.
        read_url: where a standby may answer reads; empty for none.
        serves: this process is a server: on a database for one process only, no second one may start.
        make: make an embedded database's file where there is none; without, `MissingDatabase` is raised.
        connect_seconds: how long connecting is tried before giving up, and how long closing waits for what still runs.
        pool_min, pool_max: connections of a database that is a server of its own, at least and at most.
        prepared_statements: such a server keeps them; not behind a pooler that gives each transaction another one.
        statement_seconds: how long one statement may run. SQLite, where they run in this process, has no such limit; a
            transaction's deadline ends its reads.
        lock_seconds: how long a statement waits for a lock; in SQLite, a writer for its turn.
        idle_in_transaction_seconds: how long a transaction may stand idle; in SQLite, how long it may keep others
            from writing.
        slow_query_seconds: an operation that takes longer is logged; 0 logs none.
        cache_seconds: how long a read issuer, achievement or API key may be answered from memory; 0 keeps nothing.
            Another process' change is seen within a second all the same (`lapel.database.caching`).
        most_waiting: writers that may wait for the database before more are turned away.
        clock: tells the moments that are shown to people.
    """

    sqlite_file: Path | str = Path("data/lapel.sqlite")
    url: str = field(default="", repr=False)
    read_url: str = field(default="", repr=False)
    serves: bool = False
    make: bool = True
    pool_min: int = 1
    pool_max: int = 10
    prepared_statements: bool = True
    connect_seconds: float = 10.0
    statement_seconds: float = 30.0
    lock_seconds: float = 10.0
    idle_in_transaction_seconds: float = 30.0
    slow_query_seconds: float = 0.5
    cache_seconds: float = 60.0
    most_waiting: int = 5_000
    clock: Clock = system_clock


class Database(WholeFile, ABC):
    """One database. Also a `lapel.domain.ports.Store`.

    A module implements the abstract methods and brings its `manager`; all else is the same for all.

    Attributes:
        manager: opens, watches and closes the connections.
    """

    module_name: str
    capabilities: Capabilities
    dialect: Dialect
    """SQLAlchemy's, in which statements and migrations are written."""
    catalogue: Catalogue

    manager: ConnectionManager

    def __init__(self, settings: DatabaseSettings) -> None:
        self.settings = settings
        self.metrics = DatabaseMetrics(slow_seconds=settings.slow_query_seconds, measure=self.measurements)
        self._reading: RepositoryFactory | None = None
        self._watch: CacheWatch | None = None
        self._cache: EntityCache = NullCache()
        if settings.cache_seconds:
            counts = self.metrics.cache
            self._cache = TtlCache(seconds=settings.cache_seconds, counts=counts, tell=self._watch_cache)
        self._open_transactions = OpenTransactions(too_long_seconds=settings.idle_in_transaction_seconds)
        self._prefix = f"{secrets.token_hex(3)}-"  # names a transaction in logs; a count is cheaper than randomness
        self._transactions = itertools.count(1)

    async def connect(self) -> None:
        """Open the connections; tries again with backoff for `settings.connect_seconds`. Does nothing if connected."""
        await self.manager.connect()

    async def disconnect(self) -> None:
        """Let running transactions and streams end for so long, then close everything."""
        try:
            await self.manager.disconnect()
        finally:  # not before the last read has ended
            if self._watch is not None:
                await self._watch.stop()

    async def reconnect(self) -> None:
        """Close everything and connect anew."""
        await self.disconnect()
        await self.connect()

    async def health(self) -> DatabaseHealth:
        """Ask the database, now. Never raises for a database that is away: it says so."""
        started = perf_counter()
        answer: Answer | None = None
        detail, latency = None, None
        try:
            answer = await self.manager.ask()
            latency = (perf_counter() - started) * 1000
        except DatabaseError as error:
            detail = error.detail
        return DatabaseHealth(
            ok=answer is not None,
            module=self.module_name,
            state=self.manager.state,
            checked_at=self.settings.clock(),
            latency_ms=latency,
            server_version=answer.server_version if answer else None,
            revision=answer.revision if answer else None,
            migrated=answer.revision == head() if answer else None,
            pool=self.pool_status(),
            open_transactions=len(self._open_transactions.by_task),
            reconnection=self.manager.reconnection,
            detail=detail,
        )

    @property
    def generation(self) -> int:
        """Grows when another database has taken this one's place, such as a backup that was put back."""
        return self.manager.generation

    def pool_status(self) -> PoolStatus:
        """The connections of this process."""
        return self.manager.pool_status()

    def measurements(self) -> Mapping[str, float]:
        """What can be said of it at any moment, by its name in `lapel.database.metrics`."""
        pool = self.pool_status()
        return {
            "up": self.manager.state is ConnectionState.CONNECTED,
            "pool_connections": pool.size,
            "pool_idle": pool.idle,
            "pool_in_use": pool.in_use,
            "pool_waiting": pool.waiting,
            "pool_maximum": pool.maximum,
            "open_transactions": len(self._open_transactions.by_task),
            "reconnections_total": self.manager.reconnections,
            **self.metrics.cache.measurements(),
            **self.manager.measurements(),
        }

    @abstractmethod
    def configuration(self) -> Mapping[str, str]:
        """The settings in force, secrets masked."""

    async def migrate(self) -> MigrationStatus:
        """Bring the schema to this code's revision; safe when two processes do it at once.

        All or nothing, but where others may be reading meanwhile: there each revision is, so that none keeps the
        locks of those before it.

        Raises:
            NewerDatabase: the database is ahead of this code.
            ForeignDatabase: it is not Lapel's.
            DatabaseBusy: another process kept it locked too long.
        """
        left: Sequence[str] = ("",)
        while left:
            async with self.maintenance(alone=True) as session:
                where = await self._status(session)  # anew each time: another process may have gone on
                is_shared = where.current is not None and self.capabilities.several_processes
                at_once = 1 if is_shared else len(where.pending)
                for statement in plan(self.dialect, replace(where, pending=where.pending[:at_once])):
                    await session.run(statement)
            left = where.pending[at_once:]
        return await self.migration_status()

    async def migration_status(self) -> MigrationStatus:
        """Where the schema stands. Raises `NewerDatabase` and `ForeignDatabase`."""
        async with self.maintenance(patient=False) as session:
            return await self._status(session)

    async def _status(self, session: TransactionSession) -> MigrationStatus:
        tables = await self.catalogue.tables(session)
        stamps = await session.run(f"SELECT version_num FROM {STAMP}") if STAMP in tables else []  # noqa: S608 - our own
        return status(tables, [str(stamp) for (stamp,) in stamps])

    @asynccontextmanager
    async def maintenance(self, *, alone: bool = False, patient: bool = True) -> AsyncIterator[TransactionSession]:
        """A transaction for SQL as it is written; a read-only one unless `alone` among migrations.

        Args:
            patient: without the time limits that hold elsewhere.

        Raises:
            DatabaseBusy: another process kept the schema locked too long.
            SessionMisuse: this task has a transaction open, which it would wait for.
        """
        self._open_transactions.refuse_inside("looks after the database", hint="Do it outside the transaction.")
        isolation = Isolation.READ_COMMITTED if alone else Isolation.REPEATABLE_READ
        async with self._begun("maintenance", isolation=isolation, read_only=not alone) as session:
            if patient:
                await session.maintain(alone=alone)
            yield session

    @asynccontextmanager
    async def _begun(self, name: str, *, isolation: Isolation, read_only: bool) -> AsyncIterator[TransactionSession]:
        """A session without repositories, whose transaction ends as the block does."""
        session = self._open_session(isolation=isolation, read_only=read_only)
        await session.begin(name)
        try:
            yield session
        except BaseException:
            await session.rollback()
            raise
        await session.commit()

    @abstractmethod
    def _open_session(self, *, isolation: Isolation, read_only: bool) -> TransactionSession:
        """A session that has not begun yet."""

    @abstractmethod
    def _reading_session(self) -> ReadingSession:
        """The session on which single statements run outside a transaction."""

    def _change_feed(self) -> ChangeFeed | None:
        """How this process learns what others have committed, where `capabilities.change_notification` is set.

        It is asked from when something is first kept of what was read.
        """
        return None

    async def participate(self) -> Participant:
        """Take part in distributed transactions, on a connection beside the pool: whoever asks closes it.

        Raises:
            TwoPhaseNotSupported: `capabilities.two_phase` is not set.
        """
        raise TwoPhaseNotSupported(f"A database of the kind {self.module_name} prepares no transactions.")

    def _watch_cache(self, cache: TtlCache) -> None:
        if self._watch is None and (feed := self._change_feed()) is not None:
            self._watch = CacheWatch(cache, feed)
        if self._watch is not None:
            self._watch.kept()

    def transaction(
        self,
        *,
        isolation: Isolation = Isolation.READ_COMMITTED,
        read_only: bool = False,
        deadline: float | None = None,
        prepared_as: str | None = None,
    ) -> DatabaseTransaction:
        """A transaction, at least as isolated as asked. See `DatabaseTransaction`.

        Args:
            deadline: seconds for all of it from its opening on, the wait for a turn or a connection included.
            prepared_as: its end prepares it under that name in place of committing it: for `lapel.database.two_phase`.

        Raises:
            InvalidValue: `isolation` is no `Isolation`.
        """
        if not isinstance(isolation, Isolation):
            raise InvalidValue(f"{isolation!r} is no isolation level.", hint="Use a member of `Isolation`.")
        return DatabaseTransaction(
            self._open_session(isolation=isolation, read_only=read_only),
            transaction_id=f"{self._prefix}{next(self._transactions):x}",
            start_time=self.settings.clock(),
            metrics=self.metrics,
            open_transactions=self._open_transactions,
            cache=self._cache,
            deadline=deadline,
            read_only=read_only,
            prepared_as=prepared_as,
        )

    async def run(
        self,
        body: Callable[[DatabaseTransaction], Awaitable[Result]],
        *,
        isolation: Isolation = Isolation.READ_COMMITTED,
        read_only: bool = False,
        deadline: float | None = None,
        idempotent: bool = False,
    ) -> Result:
        """What `body` answers, run in a transaction that is committed; run anew where that was lost to others.

        Ten times at the most, within `deadline` or ten seconds, with growing pauses. Not run again is what was turned
        away (too many waiting, no connection, a timeout): who is told at once can decide; nor, unless it is
        `idempotent`, a commit whose outcome is unknown, for the work may be there. See `lapel.domain.ports.Store.run`.
        """
        again = (*LOST_TO_OTHERS, OutcomeUnknown) if idempotent else LOST_TO_OTHERS
        ends = time.monotonic() + (_LONGEST_SECONDS if deadline is None else deadline)
        unknown, attempt = False, 1
        while True:
            left = None if deadline is None else max(ends - time.monotonic(), 0.0)
            try:
                async with self.transaction(isolation=isolation, read_only=read_only, deadline=left) as tx:
                    tx.attempt = attempt
                    return await body(tx)
            except Unavailable as error:
                unknown |= isinstance(error, OutcomeUnknown)
                pause = backoff(attempt - 1)
                if not isinstance(error, again) or attempt == _MOST_RUNS or time.monotonic() + pause > ends:
                    if unknown and not isinstance(error, OutcomeUnknown):  # what failed after it does not take it back
                        raise OutcomeUnknown from error
                    raise
                _log.debug("trying again", attempt=attempt, after_seconds=round(pause, 3), reason=repr(error))
            await asyncio.sleep(pause)
            attempt += 1
            self.metrics.transactions["retried"] += 1

    async def scrub(self) -> None:
        """Overwrite what the database still holds of values that were deleted. See `lapel.domain.ports.Store.scrub`."""

    async def make_durable(self) -> None:
        """Return when what can be read now cannot be lost. See `lapel.domain.ports.Store.make_durable`."""

    def open_transactions(self) -> Sequence[DatabaseTransaction]:
        """Those of this process that are open now, the oldest first: their id, start time and operations."""
        return sorted(self._open_transactions.by_task.values(), key=attrgetter("start_time"))

    def read(self) -> RepositoryFactory:
        """Repositories for reads outside a transaction: each statement on its own, committed data only.

        Issuers, achievements and API keys may come from memory (`lapel.database.caching`).

        A task that has a transaction open reads on that: here it would wait for itself, on one database or another,
        and so it is refused with `SessionMisuse` on all.
        """
        if self._reading is None:
            session = OutsideSession(self._reading_session(), self._open_transactions)
            self._reading = RepositoryFactory(session, metrics=self.metrics, cache=self._cache)
        return self._reading


class DatabaseModule(Protocol):
    """The plug-in that makes one database product usable."""

    @property
    def name(self) -> str:
        """What ``DB_TYPE`` calls it."""

    @property
    def create(self) -> Callable[[DatabaseSettings], Database]:
        """Makes a database that is not connected yet."""
