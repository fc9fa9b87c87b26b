"""PostgreSQL's connections: a limited pool that reconnects automatically."""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TypeAlias

import asyncpg
import structlog
from asyncpg.pool import PoolConnectionProxy

from lapel.database.connection_manager import ConnectionManager
from lapel.database.errors import ConnectionLost, DatabaseBusy, DatabaseError, NotConnected, OutcomeUnknown
from lapel.database.health import Answer, ConnectionState, PoolStatus
from lapel.database.interface import DatabaseSettings
from lapel.database.migrations.runner import SELECT_STAMP, STAMP
from lapel.database.postgresql.config_manager import SessionConfiguration
from lapel.database.postgresql.errors import DRIVER_ERRORS, translated
from lapel.database.postgresql.hosts import Host, LoneConnection, hosts_of, masked, newest, tls_problem
from lapel.database.setting_tiers import SettingRefused

__all__ = ["Connection", "PostgresqlConnectionManager", "committing"]


_POOLING_HINT = "Let it pool by session, or by transaction with DB_PREPARED_STATEMENTS=false: docs/scaling.md."
_PARAMETER_HINT = "Name it in pgbouncer's ignore_startup_parameters, and set it for the database: docs/scaling.md."
_QUERY_HINT = "After its question mark, leave out what is no setting of PostgreSQL's and not known to the driver."
_TLS_HINT = "Look at sslmode, sslrootcert, sslcert and sslkey in DATABASE_URL, and at the server's certificate."
_UNANSWERED = "The commit was not answered in time, as when it waits for a standby that is away; it may yet happen."
_UNREACHABLE_HINT = "Is it running, and is DATABASE_URL right? `lapel db status` shows the address."
_UNCONFIRMED = "This is committed, but the standby has not confirmed it: a fail-over may undo it."
_UNCONFIRMED_HINT = "Look whether it is still there, once the database's standby is."
_log = structlog.get_logger("lapel.database")
logging.getLogger("asyncpg.pool").setLevel(logging.ERROR)  # the manager itself logs once that the server is away


_FIND_PRIMARY_SECONDS = 10.0
"""How often to check whether another server has become the primary without the current one noticing."""


Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"
_Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


@contextmanager
def committing(connection: Connection | LoneConnection) -> Iterator[None]:
    """Translate the errors of a commit in the block, and raise one if PostgreSQL warns that a standby did not confirm.

    Raises:
        OutcomeUnknown: the outcome is unknown, or a fail-over may undo the commit.
        DatabaseError: the server reports that it has not committed.
    """
    warnings: list[object] = []

    def collect(_: object, message: asyncpg.PostgresLogMessage) -> None:
        if message.server_source_function == "SyncRepWaitForLSN":  # the text of the message may be localised
            warnings.append(message)

    connection.add_log_listener(collect)
    try:
        yield
    except asyncio.CancelledError as error:  # the event loop is closing
        raise OutcomeUnknown from error
    except DRIVER_ERRORS as error:
        failure = translated(error)
        if isinstance(failure, ConnectionLost) or not isinstance(error, asyncpg.PostgresError):
            raise OutcomeUnknown(_UNANSWERED if isinstance(error, TimeoutError) else "") from error
        raise failure from error
    finally:
        with suppress(asyncpg.InterfaceError):  # it is broken, and already back in the pool
            connection.remove_log_listener(collect)
    if warnings:
        raise OutcomeUnknown(_UNCONFIRMED, hint=_UNCONFIRMED_HINT)


class PostgresqlConnectionManager(ConnectionManager):
    """A pool of connections, and one connection outside it that probes the server.

    Broken connections are replaced when the next one is requested, so that the pool recovers with the server. If the
    URL has several hosts and ``target_session_attrs=read-write``, the probe finds the primary and all connections go
    there, never to different servers.

    Attributes:
        setting: the name of the setting that contains the URL.
        host: the server in use, if the URL names several.

    Raises:
        InvalidValue: the URL is invalid.
    """

    setting = "DATABASE_URL"
    host: Host | None = None
    _pool: _Pool | None = None
    _probe: LoneConnection | None = None
    _find_primary_at = 0.0

    def __init__(self, settings: DatabaseSettings) -> None:
        super().__init__(masked(settings.url, self.setting), patience=settings.connect_seconds, clock=settings.clock)
        self.waiting = 0
        self.configuration = SessionConfiguration(settings)
        self._settings = settings
        self._hosts = hosts_of(settings.url)

    async def _open(self) -> None:
        # The event loop's timers reference the pool. With a strong reference to the manager, the pool would keep it
        # alive, and its warning that it was never closed would not be issued.
        settings, manager = self._settings, weakref.proxy(self)
        try:
            if len(self._hosts) > 1 and settings.pool_min:
                self._probe = await self._find()
            pool: _Pool = asyncpg.create_pool(
                connect=lambda *_, **__: manager.connect_alone(),
                min_size=min(settings.pool_min, settings.pool_max),
                max_size=settings.pool_max,
                max_inactive_connection_lifetime=300,
                init=self.configuration.check,
                reset=_keep,
            )
            self._pool = pool
            await pool
            if settings.pool_min:
                await self._check_pooling(pool)
        except (ValueError, *DRIVER_ERRORS) as error:
            raise _refusal(error, self._settings.url) or self._unreachable(error) from error

    async def _check_pooling(self, pool: _Pool) -> None:
        """Fail if prepared statements are lost while another transaction uses the server, as behind some poolers."""
        self._probe = self._probe or await self._find()
        async with pool.acquire() as connection:
            for _ in range(2):  # a pooler that rotates its servers has switched by then
                await connection.fetchval("SELECT 1")
            async with self._probe.transaction():
                await connection.fetchval("SELECT 1")

    async def _ask(self) -> Answer:
        loop = asyncio.get_running_loop()
        try:
            if len(self._hosts) > 1 and loop.time() > self._find_primary_at:
                self._drop_probe()
            if self._probe is None or self._probe.is_closed():
                self._probe = await self._find()
                self._find_primary_at = loop.time() + _FIND_PRIMARY_SECONDS
            version = await self._probe.fetchval("SELECT current_setting('server_version')")
            revision = await _current_revision(self._probe)
            if self.state is ConnectionState.DEGRADED and self._pool is not None:
                await self._pool.expire_connections()  # older ones may be dead without the pool having noticed
        except BaseException as error:
            self._drop_probe()
            if isinstance(error, DRIVER_ERRORS):
                raise self._unreachable(error) from error
            raise
        return Answer(f"PostgreSQL {version}", revision)

    async def _drain(self, within: float) -> None:
        try:
            async with asyncio.timeout(within):
                if self._probe is not None:
                    await self._probe.close()
                if self._pool is not None:
                    await self._pool.close()
        except (TimeoutError, *DRIVER_ERRORS) as error:
            _log.warning("connections to PostgreSQL were cut", reason=type(error).__name__)

    def _break(self) -> None:
        self._drop_probe()
        pool, self._pool = self._pool, None
        if pool is not None:
            with suppress(RuntimeError, *DRIVER_ERRORS):  # the event loop may be gone
                pool.terminate()

    async def connect_alone(self, host: Host | None = None) -> LoneConnection:
        """Open a connection outside the pool. The caller closes it. Raises the driver's errors.

        Args:
            host: the server to connect to; by default the one in use.
        """
        settings = self._settings
        name, port = host or self.host or (None, None)
        return await asyncpg.connect(
            settings.url,
            host=name,
            port=port,
            timeout=settings.connect_seconds,
            command_timeout=settings.statement_seconds + 2,  # so that the server's own limit applies first
            server_settings=self.configuration.parameters,
            statement_cache_size=100 if settings.prepared_statements else 0,
        )

    async def _find(self) -> LoneConnection:
        """Open a connection to the server to use from now on."""
        if len(self._hosts) < 2:
            return await self.connect_alone()
        host, connection = await newest(self._hosts, self.connect_alone)
        if host != self.host:
            self.generation += self.host is not None
            self.host = host
            if self._pool is not None:
                await self._pool.expire_connections()
        return connection

    async def check_out(self) -> Connection:
        """Check out a connection. `check_in` must follow.

        Raises:
            NotConnected: the pool is closed, or the server is unreachable.
            DatabaseBusy: every connection stayed in use, or too many tasks were already waiting.
        """
        if self.state is ConnectionState.DEGRADED:
            await self.ask()  # fails fast, unlike a pooled connection to a server that hangs
        pool = self._pool
        if pool is None or self.state is not ConnectionState.CONNECTED:
            raise NotConnected
        if self.waiting >= self._settings.max_waiting:
            raise DatabaseBusy(f"{self.waiting} transactions are waiting already.")
        self.waiting += 1
        try:
            async with asyncio.timeout(self._settings.connect_seconds):  # the pool's own timeout would create a task
                connection: Connection = await pool.acquire()
        except TimeoutError as error:
            if pool.get_idle_size() == 0 and pool.get_size() >= pool.get_max_size():
                raise DatabaseBusy("Every database connection is in use.") from error
            raise self._unreachable(error) from error
        except DRIVER_ERRORS as error:
            raise self._unreachable(error) from error
        finally:
            self.waiting -= 1
        return connection

    async def check_in(self, connection: Connection) -> None:
        """Return a connection to the pool. A broken one, or one of an earlier pool, is discarded."""
        with suppress(*DRIVER_ERRORS):
            if self._pool is not None:
                await self._pool.release(connection)
                return
        self.discard(connection)

    def discard(self, connection: Connection) -> None:
        """Terminate a connection that cannot be used any more."""
        with suppress(asyncpg.InterfaceError):  # it is already back in the pool
            connection.terminate()

    @staticmethod
    def is_gone(connection: Connection) -> bool:
        """Return whether a connection is known to be broken."""
        try:
            return bool(connection.is_closed())
        except asyncpg.InterfaceError:  # the pool has noticed and taken it back
            return True

    def find_primary_again(self) -> None:
        """Check at once, after a failed commit, whether another server has become the primary."""
        self._find_primary_at = 0.0
        self.doubt()

    def pool_status(self) -> PoolStatus:
        """Return the state of the pool."""
        pool = self._pool
        size, idle = (pool.get_size(), pool.get_idle_size()) if pool else (0, 0)
        return PoolStatus(
            size=size, idle=idle, in_use=size - idle, waiting=self.waiting, maximum=self._settings.pool_max
        )

    def _drop_probe(self) -> None:
        probe, self._probe = self._probe, None
        if probe is not None:
            with suppress(RuntimeError, *DRIVER_ERRORS):
                probe.terminate()

    def _unreachable(self, error: Exception) -> DatabaseError:
        failure = translated(error)
        self.doubt()
        if isinstance(failure, NotConnected | DatabaseBusy) or not failure.retryable:
            return failure
        return NotConnected("PostgreSQL cannot be reached.", hint=_UNREACHABLE_HINT)


async def _keep(connection: LoneConnection) -> None:
    """Leave a connection as it is when it is returned to the pool: Lapel's sessions leave nothing to reset."""


def _refusal(error: Exception, url: str) -> SettingRefused | None:
    """Return the error for a configuration of PostgreSQL, a pooler or this machine that retrying does not help."""
    if isinstance(error, asyncpg.InvalidSQLStatementNameError | asyncpg.DuplicatePreparedStatementError):
        return SettingRefused("A pooler before PostgreSQL loses prepared statements.", hint=_POOLING_HINT)
    if "statement pooling mode" in str(error):
        return SettingRefused("A pooler before PostgreSQL pools by statement: no transactions.", hint=_POOLING_HINT)
    if "unsupported startup parameter" in str(error):
        return SettingRefused(f"A pooler before PostgreSQL says: {error}.", hint=_PARAMETER_HINT)
    if isinstance(error, asyncpg.UndefinedObjectError | asyncpg.CantChangeRuntimeParamError):
        return SettingRefused(f"PostgreSQL refuses what DATABASE_URL asks for: {error}.", hint=_QUERY_HINT)
    if isinstance(error, OSError) and (problem := tls_problem(error, url)):
        return SettingRefused(f"TLS cannot be had as DATABASE_URL asks for it: {problem}.", hint=_TLS_HINT)
    return None


async def _current_revision(connection: Connection | LoneConnection) -> str | None:
    """Return the schema's revision, or None if there is no schema yet."""
    # By a scan of the catalogue, because to_regclass may use a cache from before a migration that was just committed.
    exists = "SELECT count(*) FROM pg_catalog.pg_tables WHERE tablename = $1 AND schemaname = current_schema()"
    if not await connection.fetchval(exists, STAMP):
        return None
    revision = await connection.fetchval(SELECT_STAMP)
    return None if revision is None else str(revision)
