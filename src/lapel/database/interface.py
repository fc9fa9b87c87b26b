"""The unified database interface: what every database offers, and what a database module must implement.

A third-party package adds support for another database product with an entry point in the group ``lapel.databases``
that names a `DatabaseModule`.
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

from lapel.database.caching import TtlCache
from lapel.database.capabilities import Capabilities
from lapel.database.change_feed import CacheWatch, ChangeFeed
from lapel.database.connection_manager import ConnectionManager, backoff
from lapel.database.errors import LOST_TO_OTHERS, DatabaseError, InvalidValue, OutcomeUnknown, TwoPhaseNotSupported
from lapel.database.health import Answer, ConnectionState, DatabaseHealth, PoolStatus
from lapel.database.metrics import DatabaseMetrics
from lapel.database.migrations.runner import SELECT_STAMP, STAMP, MigrationStatus, head, plan, status
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

_MAX_ATTEMPTS = 10
_DEFAULT_RETRY_SECONDS = 10.0
_log = structlog.get_logger("lapel.database")


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSettings:
    """The settings of all modules; each module reads those that apply to it.

    Attributes:
        sqlite_file: the database file, or ``:memory:``.
        url: a PostgreSQL URL; may contain a password.
        read_url: the URL of a standby that may answer reads; empty for none.
        serves: whether this process is a server. A database for a single process then refuses a second server.
        make: whether to create the file of an embedded database if it does not exist; otherwise `MissingDatabase` is
            raised.
        connect_seconds: how long to keep trying to connect, and how long closing waits for running work.
        pool_min, pool_max: the minimum and maximum number of connections to a database server.
        prepared_statements: whether to use prepared statements on a database server. Turn it off behind a pooler that
            assigns server connections by transaction.
        statement_seconds: how long one statement may run. SQLite, whose statements run in this process, has no such
            limit; there a transaction's deadline ends its reads.
        lock_seconds: how long a statement waits for a lock, and in SQLite a writer for its turn.
        idle_in_transaction_seconds: how long a transaction may be idle; in SQLite, how long it may keep others from
            writing.
        slow_query_seconds: operations that take longer are logged; 0 logs none.
        cache_seconds: how long issuers, achievements and API keys may be answered from memory; 0 disables the cache.
            Changes by another process are always seen within a second (`lapel.database.caching`).
        max_waiting: the maximum number of writers that may wait for the database; further ones are rejected.
        clock: the source of the times that are shown to people.
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
    max_waiting: int = 5_000
    clock: Clock = system_clock


class Database(WholeFile, ABC):
    """One database; implements `lapel.domain.ports.Store`.

    A module implements the abstract methods and sets the attributes; everything else is the same for all databases.

    Attributes:
        manager: opens, monitors and closes the connections.
    """

    module_name: str
    capabilities: Capabilities
    dialect: Dialect
    """The SQLAlchemy dialect that statements and migrations are compiled for."""
    catalogue: Catalogue

    manager: ConnectionManager

    def __init__(self, settings: DatabaseSettings) -> None:
        self.settings = settings
        self.metrics = DatabaseMetrics(slow_seconds=settings.slow_query_seconds, measure=self.measurements)
        self._readers: RepositoryFactory | None = None
        self._cache_watch: CacheWatch | None = None
        self._cache: TtlCache | None = None
        if settings.cache_seconds:
            counts = self.metrics.cache
            self._cache = TtlCache(seconds=settings.cache_seconds, counts=counts, on_store=self._watch_cache)
        self._open_transactions = OpenTransactions(too_long_seconds=settings.idle_in_transaction_seconds)
        self._id_prefix = f"{secrets.token_hex(3)}-"  # a transaction's id adds a counter: cheaper than a random id
        self._id_counter = itertools.count(1)

    async def connect(self) -> None:
        """Open the connections, retrying with backoff for `settings.connect_seconds`. Does nothing if connected."""
        await self.manager.connect()

    async def disconnect(self) -> None:
        """Wait up to `settings.connect_seconds` for running transactions and streams, then close everything."""
        try:
            await self.manager.disconnect()
        finally:  # reads use the cache until the last one has ended
            if self._cache_watch is not None:
                await self._cache_watch.stop()

    async def reconnect(self) -> None:
        """Close everything and connect again."""
        await self.disconnect()
        await self.connect()

    async def health(self) -> DatabaseHealth:
        """Query the database now and return the result. An unreachable database is reported, not raised."""
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
        """A number that grows when another database, such as a restored backup, replaces this one."""
        return self.manager.generation

    def pool_status(self) -> PoolStatus:
        """Return the state of this process's connections."""
        return self.manager.pool_status()

    def measurements(self) -> Mapping[str, float]:
        """Return the current values of the metrics, by their names in `lapel.database.metrics.MEASUREMENTS`."""
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
        """Return the settings in force, with secrets masked."""

    async def migrate(self) -> MigrationStatus:
        """Migrate the schema to this code's revision. Several processes may do so at the same time.

        The migration is one transaction. On an existing database that several processes may use, each revision is a
        transaction of its own, so that it does not hold the locks of the earlier ones.

        Raises:
            NewerDatabase: the database is at a newer revision than this code.
            ForeignDatabase: the database belongs to another application.
            DatabaseBusy: another process kept the database locked too long.
        """
        remaining: Sequence[str] = ("",)
        while remaining:
            async with self.maintenance(writes=True) as session:
                migration = await self._migration_status(session)  # another process may have migrated meanwhile
                is_shared = migration.current is not None and self.capabilities.several_processes
                batch = 1 if is_shared else len(migration.pending)
                for statement in plan(self.dialect, replace(migration, pending=migration.pending[:batch])):
                    await session.run(statement)
            remaining = migration.pending[batch:]
        return await self.migration_status()

    async def migration_status(self) -> MigrationStatus:
        """Return the schema's revision and the pending ones. Raises `NewerDatabase` and `ForeignDatabase`."""
        async with self.maintenance(limited=True) as session:
            return await self._migration_status(session)

    async def _migration_status(self, session: TransactionSession) -> MigrationStatus:
        tables = await self.catalogue.tables(session)
        stamps = await session.run(SELECT_STAMP) if STAMP in tables else []
        return status(tables, [str(stamp) for (stamp,) in stamps])

    @asynccontextmanager
    async def maintenance(self, *, writes: bool = False, limited: bool = False) -> AsyncIterator[TransactionSession]:
        """Open a transaction for raw SQL: committed at the block's end, rolled back on errors.

        Args:
            writes: allow writes, and exclude other maintenance that writes. Otherwise the transaction is read-only.
            limited: keep the time limits of ordinary transactions, for something short. Nobody is excluded then.

        Raises:
            DatabaseBusy: another process kept the schema locked too long.
            SessionMisuse: this task has a transaction open and would wait for itself.
        """
        self._open_transactions.refuse_inside("looks after the database", hint="Do it outside the transaction.")
        isolation = Isolation.READ_COMMITTED if writes else Isolation.REPEATABLE_READ
        session = self._open_session(isolation=isolation, read_only=not writes)
        await session.begin()
        try:
            if not limited:
                await session.maintain(alone=writes)
            yield session
        except BaseException:
            await session.rollback()
            raise
        await session.commit()

    @abstractmethod
    def _open_session(self, *, isolation: Isolation, read_only: bool) -> TransactionSession:
        """Return a session whose transaction has not begun."""

    @abstractmethod
    def _reading_session(self) -> ReadingSession:
        """Return the session that runs single statements outside a transaction."""

    def _change_feed(self) -> ChangeFeed | None:
        """Return the source of other processes' changes, if `capabilities.change_notification` is set.

        It is polled from the first time that the cache stores something.
        """
        return None

    async def participate(self) -> Participant:
        """Open a connection outside the pool for distributed transactions. The caller closes it.

        Raises:
            TwoPhaseNotSupported: `capabilities.two_phase` is not set.
        """
        raise TwoPhaseNotSupported(f"A database of the kind {self.module_name} prepares no transactions.")

    def _watch_cache(self, cache: TtlCache) -> None:
        if self._cache_watch is None and (feed := self._change_feed()) is not None:
            self._cache_watch = CacheWatch(cache, feed)
        if self._cache_watch is not None:
            self._cache_watch.touch()

    def transaction(
        self,
        *,
        isolation: Isolation = Isolation.READ_COMMITTED,
        read_only: bool = False,
        deadline: float | None = None,
        prepared_as: str | None = None,
    ) -> DatabaseTransaction:
        """Return a new `DatabaseTransaction`, to be opened with ``async with``.

        Args:
            isolation: the minimum isolation level.
            deadline: seconds for the whole transaction, including the wait for a turn or a connection.
            prepared_as: for `lapel.database.two_phase`: prepare the transaction under this name instead of committing.

        Raises:
            InvalidValue: `isolation` is not an `Isolation`.
        """
        if not isinstance(isolation, Isolation):
            raise InvalidValue(f"{isolation!r} is no isolation level.", hint="Use a member of `Isolation`.")
        return DatabaseTransaction(
            self._open_session(isolation=isolation, read_only=read_only),
            transaction_id=f"{self._id_prefix}{next(self._id_counter):x}",
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
        """Run `body` in a transaction, commit, and return its result; retry if the transaction was lost to others.

        It runs at most ten times, within `deadline` or ten seconds, with growing delays. A rejected transaction (too
        many waiting, no connection, a timeout) is not retried, so that the caller can decide at once. A commit whose
        outcome is unknown may have happened, and is retried only if `idempotent`. See `lapel.domain.ports.Store.run`.
        """
        retryable = (*LOST_TO_OTHERS, OutcomeUnknown) if idempotent else LOST_TO_OTHERS
        ends_at = time.monotonic() + (_DEFAULT_RETRY_SECONDS if deadline is None else deadline)
        outcome_unknown, attempt = False, 1
        while True:
            remaining = None if deadline is None else max(ends_at - time.monotonic(), 0.0)
            try:
                async with self.transaction(isolation=isolation, read_only=read_only, deadline=remaining) as tx:
                    tx.attempt = attempt
                    return await body(tx)
            except Unavailable as error:
                outcome_unknown |= isinstance(error, OutcomeUnknown)
                delay = backoff(attempt - 1)
                if not isinstance(error, retryable) or attempt == _MAX_ATTEMPTS or time.monotonic() + delay > ends_at:
                    if outcome_unknown and not isinstance(error, OutcomeUnknown):  # an earlier attempt may be committed
                        raise OutcomeUnknown from error
                    raise
                _log.debug("trying again", attempt=attempt, after_seconds=round(delay, 3), reason=repr(error))
            await asyncio.sleep(delay)
            attempt += 1
            self.metrics.transactions["retried"] += 1

    async def scrub(self) -> None:
        """Overwrite remnants of deleted values in the database's files. See `lapel.domain.ports.Store.scrub`."""

    async def make_durable(self) -> None:
        """Return once everything that can be read now is durable. See `lapel.domain.ports.Store.make_durable`."""

    def open_transactions(self) -> Sequence[DatabaseTransaction]:
        """Return this process's open transactions, the oldest first."""
        return sorted(self._open_transactions.by_task.values(), key=attrgetter("start_time"))

    def read(self) -> RepositoryFactory:
        """Return repositories for reads outside a transaction. Each statement sees committed data only.

        Issuers, achievements and API keys may come from the cache (`lapel.database.caching`).

        A task with an open transaction must read on that transaction: on some databases, reading outside it would
        make the task wait for itself. So such reads raise `SessionMisuse` on every database.
        """
        if self._readers is None:
            session = OutsideSession(self._reading_session(), self._open_transactions)
            self._readers = RepositoryFactory(session, self.metrics, self._cache)
        return self._readers


class DatabaseModule(Protocol):
    """A plug-in that adds support for one database product."""

    @property
    def name(self) -> str:
        """The value of ``DB_TYPE`` that selects this module."""

    @property
    def create(self) -> Callable[[DatabaseSettings], Database]:
        """Creates a database from its settings, not yet connected."""
