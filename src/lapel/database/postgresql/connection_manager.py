"""PostgreSQL's connections: a pool with limits, that finds the server again by itself."""

from __future__ import annotations

import asyncio
import warnings
from contextlib import suppress
from typing import TypeAlias

import asyncpg
import structlog
from asyncpg.pool import PoolConnectionProxy

from lapel.database.errors import DatabaseBusy, DatabaseError, InvalidValue, NotConnected
from lapel.database.interface import ConnectionState, DatabaseSettings, PoolStatus
from lapel.database.postgresql.config_manager import masked, session_settings
from lapel.database.postgresql.errors import DRIVER_ERRORS, translated

__all__ = ["Connection", "PostgresqlConnectionManager"]


_log = structlog.get_logger("lapel.database.postgresql")


class _Connection(asyncpg.Connection):
    """Ours leave nothing behind in their session, so the round trip that would reset it is saved."""

    __slots__ = ()

    def get_reset_query(self) -> str:
        return ""


Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"
_Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


class PostgresqlConnectionManager:
    """Opens, lends and closes connections.

    A connection that breaks is replaced when the next one is asked for, so that the pool comes back by itself when
    the server does. With several hosts in the URL and ``target_session_attrs=read-write`` it finds the primary.
    """

    state = ConnectionState.DISCONNECTED
    _pool: _Pool | None = None

    def __init__(self, settings: DatabaseSettings) -> None:
        self.address = masked(settings.url)
        self.waiting = 0
        self._settings = settings
        self._changing = asyncio.Lock()
        self._probing = asyncio.Lock()
        self._probe: _Connection | None = None

    async def connect(self) -> None:
        """Open the pool. Does nothing if it is open.

        Raises:
            NotConnected: the server cannot be reached. Try again with `lapel.database.retry`.
            PermissionDenied: the user or the password is wrong.
            InvalidValue: DATABASE_URL cannot be understood.
        """
        async with self._changing:
            if self._pool is None:
                await self._connect()

    async def _connect(self) -> None:
        self.state = ConnectionState.CONNECTING
        settings = self._settings
        pool: _Pool = asyncpg.create_pool(
            settings.url,
            min_size=min(settings.pool_min, settings.pool_max),
            max_size=settings.pool_max,
            timeout=settings.connect_seconds,
            command_timeout=settings.statement_seconds + 2,  # the server's own limit should be the one that speaks
            max_inactive_connection_lifetime=300,
            connection_class=_Connection,
            server_settings=dict(session_settings(settings)),
        )
        try:
            await pool
        except DRIVER_ERRORS as error:
            self.state = ConnectionState.DISCONNECTED
            pool.terminate()
            raise self._unreachable(error) from error
        except ValueError as error:
            self.state = ConnectionState.DISCONNECTED
            pool.terminate()
            raise InvalidValue("DATABASE_URL cannot be understood.") from error
        except BaseException:
            self.state = ConnectionState.DISCONNECTED
            pool.terminate()
            raise
        self._pool = pool
        self.state = ConnectionState.CONNECTED

    async def disconnect(self) -> None:
        """Wait a moment for running transactions, then close everything. Does nothing if closed."""
        async with self._changing:
            if self._pool is None:
                return
            self.state = ConnectionState.CLOSING
            try:
                await _closed(self._pool, within=self._settings.connect_seconds)
            finally:
                self._drop_probe()
                self._pool = None
                self.state = ConnectionState.DISCONNECTED

    async def check_out(self) -> Connection:
        """A connection; `check_in` must follow.

        Raises:
            NotConnected: there is no pool, or the server cannot be reached.
            DatabaseBusy: every connection stayed in use, or too many were waiting already.
        """
        pool = self._pool
        if pool is None or self.state is ConnectionState.CLOSING:
            raise NotConnected
        if self.waiting >= self._settings.most_waiting:
            raise DatabaseBusy(f"{self.waiting} transactions are waiting already.")
        self.waiting += 1
        try:
            connection: Connection = await pool.acquire(timeout=self._settings.connect_seconds)
        except TimeoutError as error:
            if pool.get_idle_size() == 0 and pool.get_size() >= pool.get_max_size():
                raise DatabaseBusy("Every database connection is in use.") from error
            raise self._unreachable(error) from error
        except DRIVER_ERRORS as error:
            raise self._unreachable(error) from error
        finally:
            self.waiting -= 1
        self._found_again()
        return connection

    async def check_in(self, connection: Connection) -> None:
        """Give a connection back; a broken one is thrown away."""
        pool = self._pool
        if pool is None:
            self.discard(connection)
            return
        try:
            await pool.release(connection)
        except DRIVER_ERRORS:
            self.discard(connection)

    def discard(self, connection: Connection) -> None:
        """Break a connection that is good for nothing any more."""
        with suppress(asyncpg.InterfaceError):  # the pool has taken it back already
            connection.terminate()

    @staticmethod
    def is_gone(connection: Connection) -> bool:
        """Whether a connection is known to be broken."""
        try:
            return bool(connection.is_closed())
        except asyncpg.InterfaceError:  # broken long enough for the pool to have taken it back
            return True

    async def probe(self, query: str, *, within: float) -> object:
        """The value that `query` gives within so many seconds, on a connection kept for this alone.

        So a pool that is only busy does not look like a database that is away.

        Raises:
            NotConnected: there was no answer.
        """
        if self._pool is None:
            raise NotConnected
        try:
            async with asyncio.timeout(within), self._probing:
                if self._probe is None or self._probe.is_closed():
                    settings = self._settings
                    self._probe = await asyncpg.connect(
                        settings.url,
                        timeout=within,
                        connection_class=_Connection,
                        server_settings=dict(session_settings(settings)),
                    )
                answer: object = await self._probe.fetchval(query)
        except TimeoutError as error:
            self._drop_probe()
            if self.state is ConnectionState.CONNECTED and self._pool is not None:
                await self._pool.expire_connections()  # one that lies idle would hang as long as a statement may run
            self.lost()
            raise NotConnected(f"PostgreSQL did not answer within {within:g} s.") from error
        except DRIVER_ERRORS as error:
            self._drop_probe()
            raise self._unreachable(error) from error
        self._found_again()
        return answer

    def lost(self) -> None:
        """A connection has broken under somebody."""
        if self.state is ConnectionState.CONNECTED:
            self.state = ConnectionState.DEGRADED
            # Errors reach anybody who asks; where the database is, only the operator is told.
            _log.warning("PostgreSQL is away", address=self.address)

    def pool_status(self) -> PoolStatus:
        """The connections of this process."""
        pool = self._pool
        size = pool.get_size() if pool else 0
        idle = pool.get_idle_size() if pool else 0
        return PoolStatus(
            size=size, idle=idle, in_use=size - idle, waiting=self.waiting, maximum=self._settings.pool_max
        )

    def _drop_probe(self) -> None:
        if self._probe is not None:
            self._probe.terminate()
            self._probe = None

    def _found_again(self) -> None:
        if self.state is ConnectionState.DEGRADED:
            self.state = ConnectionState.CONNECTED
            _log.info("PostgreSQL is back", address=self.address)

    def _unreachable(self, error: Exception) -> DatabaseError:
        ours = translated(error)
        self.lost()
        if isinstance(ours, NotConnected) or not ours.retryable:
            return ours
        return NotConnected(
            "PostgreSQL cannot be reached.",
            hint="Is it running, and is DATABASE_URL right? `lapel db status` shows the address.",
        )

    def __del__(self) -> None:
        if self._pool is not None:
            warnings.warn(f"unclosed PostgreSQL pool for {self.address}", ResourceWarning, source=self, stacklevel=1)
            with suppress(RuntimeError, *DRIVER_ERRORS):  # the event loop may be gone
                self._drop_probe()
                self._pool.terminate()


async def _closed(pool: _Pool, *, within: float) -> None:
    try:
        async with asyncio.timeout(within):
            await pool.close()
    except (TimeoutError, *DRIVER_ERRORS):
        pool.terminate()
