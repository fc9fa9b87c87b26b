"""The unified interface: what every database offers, and what a module must bring to be one.

A third party makes another database product usable by a package with an entry point in the group
``lapel.databases`` that names a `DatabaseModule`.
"""

from __future__ import annotations

import itertools
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol, TypeVar

from lapel.database.caching import EntityCache, NullCache, TtlCache
from lapel.database.capabilities import Capabilities
from lapel.database.metrics import DatabaseMetrics
from lapel.database.open_transactions import OpenTransactions
from lapel.database.repository_factory import RepositoryFactory
from lapel.database.retry import repeated
from lapel.database.session import ReadingSession, TransactionSession
from lapel.database.transaction import DatabaseTransaction, OutsideSession
from lapel.domain.clock import Clock, system_clock
from lapel.domain.identifiers import IdSource, uuid7_source
from lapel.domain.json import JsonValue
from lapel.domain.ports import Isolation

__all__ = [
    "ConnectionState",
    "Database",
    "DatabaseHealth",
    "DatabaseModule",
    "DatabaseSettings",
    "MigrationStatus",
    "PoolStatus",
]


Result = TypeVar("Result")


class ConnectionState(StrEnum):
    """Where a connection manager stands."""

    DISCONNECTED = "disconnected"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    DEGRADED = "degraded"
    CLOSING = "closing"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSettings:
    """Everything a module may want to know; each takes what concerns it.

    Attributes:
        sqlite_file: the database file, or ``:memory:``.
        url: a PostgreSQL URL; may hold a password.
        serves: this process is a server: on a database for one process only, no second one may start.
        make: make an embedded database's file where there is none; without, `MissingDatabase` is raised.
        connect_seconds: how long connecting is tried before giving up.
        statement_seconds: how long one statement may run.
        lock_seconds: how long a statement waits for a lock.
        idle_in_transaction_seconds: how long a transaction may stand idle; in SQLite, how long it may keep others
            from writing.
        cache_seconds: how long a read issuer, achievement or API key may be answered from memory,
            and so how late another process' change may be seen; 0 keeps nothing.
        most_waiting: writers that may wait for the database before more are turned away.
    """

    sqlite_file: Path | str = Path("data/lapel.sqlite")
    url: str = field(default="", repr=False)
    serves: bool = False
    make: bool = True
    pool_min: int = 1
    pool_max: int = 10
    connect_seconds: float = 10.0
    statement_seconds: float = 30.0
    lock_seconds: float = 10.0
    idle_in_transaction_seconds: float = 30.0
    slow_query_seconds: float = 0.5
    cache_seconds: float = 1.0
    most_waiting: int = 5_000
    clock: Clock = system_clock
    new_id: IdSource = field(default_factory=uuid7_source)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolStatus:
    """The connections of this process."""

    size: int
    idle: int
    in_use: int
    waiting: int
    maximum: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseHealth:
    """What a real query has just shown.

    Attributes:
        ok: the database answered.
        latency_ms: how long the answer took; None without one.
        detail: what went wrong, without secrets.
    """

    ok: bool
    module: str
    state: ConnectionState
    checked_at: datetime
    latency_ms: float | None
    server_version: str | None
    pool: PoolStatus
    detail: str | None = None

    def to_json(self) -> dict[str, JsonValue]:
        """For ``/health/ready`` and ``lapel db status``."""
        return {
            "ok": self.ok,
            "module": self.module,
            "state": self.state.value,
            "latencyMs": self.latency_ms,
            "serverVersion": self.server_version,
            "pool": {
                "size": self.pool.size,
                "idle": self.pool.idle,
                "inUse": self.pool.in_use,
                "waiting": self.pool.waiting,
                "maximum": self.pool.maximum,
            },
            "detail": self.detail,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationStatus:
    """Where the database's schema stands.

    Attributes:
        current: the revision of the database; None where there is none yet.
        head: the revision of this code.
        pending: revisions still to be run, in order.
    """

    current: str | None
    head: str
    pending: tuple[str, ...]


class Database(ABC):
    """One database. Also a `lapel.domain.ports.Store`.

    A module implements the abstract methods; transactions, repositories and metrics are the same for all.
    """

    module_name: str
    capabilities: Capabilities

    def __init__(self, settings: DatabaseSettings) -> None:
        self.settings = settings
        self.metrics = DatabaseMetrics(slow_seconds=settings.slow_query_seconds)
        self._reading: RepositoryFactory | None = None
        self._cache: EntityCache = TtlCache(seconds=settings.cache_seconds) if settings.cache_seconds else NullCache()
        self._open_transactions = OpenTransactions(
            clock=settings.clock, too_long_seconds=settings.idle_in_transaction_seconds
        )
        self._prefix = f"{secrets.token_hex(3)}-"  # names a transaction in logs; a count is cheaper than randomness
        self._transactions = itertools.count(1)

    @abstractmethod
    async def connect(self) -> None:
        """Open the connections; tries again with backoff for `settings.connect_seconds`. Does nothing if connected."""

    @abstractmethod
    async def disconnect(self) -> None:
        """Let running transactions end, then close everything."""

    async def reconnect(self) -> None:
        """Close everything and connect anew."""
        await self.disconnect()
        await self.connect()

    @abstractmethod
    async def health(self) -> DatabaseHealth:
        """Ask the database, now. Never raises for a database that is away: it says so."""

    @abstractmethod
    def pool_status(self) -> PoolStatus:
        """The connections of this process."""

    @abstractmethod
    def configuration(self) -> Mapping[str, str]:
        """The settings in force, secrets masked."""

    @abstractmethod
    async def migrate(self) -> MigrationStatus:
        """Bring the schema to this code's revision; safe when two processes do it at once.

        Raises:
            NewerDatabase: the database is ahead of this code.
        """

    @abstractmethod
    async def migration_status(self) -> MigrationStatus:
        """Where the schema stands."""

    @abstractmethod
    def _open_session(self, *, isolation: Isolation, read_only: bool) -> TransactionSession:
        """A session that has not begun yet."""

    @abstractmethod
    def _reading_session(self) -> ReadingSession:
        """The session on which single statements run outside a transaction."""

    def transaction(
        self,
        *,
        isolation: Isolation = Isolation.READ_COMMITTED,
        read_only: bool = False,
        deadline: float | None = None,
    ) -> DatabaseTransaction:
        """A transaction, at least as isolated as asked. See `DatabaseTransaction`.

        Args:
            deadline: seconds for all of it from its opening on, the wait for a turn or a connection included.
        """
        return DatabaseTransaction(
            self._open_session(isolation=isolation, read_only=read_only),
            transaction_id=f"{self._prefix}{next(self._transactions):x}",
            start_time=self.settings.clock(),
            metrics=self.metrics,
            open_transactions=self._open_transactions,
            cache=self._cache,
            deadline=deadline,
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

        See `lapel.domain.ports.Store.run` and, for what is run again and how often, `lapel.database.retry.repeated`.
        """
        ends = None if deadline is None else time.monotonic() + deadline
        async for attempt in repeated(deadline=deadline, idempotent=idempotent):
            with attempt:
                left = None if ends is None else max(ends - time.monotonic(), 0.0)
                async with self.transaction(isolation=isolation, read_only=read_only, deadline=left) as tx:
                    tx.attempt = attempt.num
                    result = await body(tx)
                return result  # noqa: RET504 - not before the commit
        raise AssertionError("unreachable: the last attempt returns or raises")

    def open_transactions(self) -> Sequence[DatabaseTransaction]:
        """Those of this process that are open now, the oldest first: their id, start time and operations."""
        return self._open_transactions.oldest_first()

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
        ...

    @property
    def create(self) -> Callable[[DatabaseSettings], Database]:
        """Makes a database that is not connected yet."""
        ...
