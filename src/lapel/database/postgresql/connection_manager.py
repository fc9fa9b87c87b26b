"""PostgreSQL's connections: a pool with limits, that finds the server again by itself."""

from __future__ import annotations

import asyncio
import warnings
from typing import TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from lapel.database.errors import DatabaseBusy, DatabaseError, NotConnected
from lapel.database.interface import ConnectionState, DatabaseSettings, PoolStatus
from lapel.database.postgresql.config_manager import masked, session_settings
from lapel.database.postgresql.errors import DRIVER_ERRORS, translated

__all__ = ["Connection", "PostgresqlConnectionManager"]


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

    def __init__(self, settings: DatabaseSettings) -> None:
        self.address = masked(settings.url)
        self.state = ConnectionState.DISCONNECTED
        self.waiting = 0
        self._settings = settings
        self._pool: _Pool | None = None

    async def connect(self) -> None:
        """Open the pool. Does nothing if it is open.

        Raises:
            NotConnected: the server cannot be reached. Try again with `lapel.database.retry`.
            PermissionDenied: the user or the password is wrong.
        """
        if self._pool is not None:
            return
        self.state = ConnectionState.CONNECTING
        settings = self._settings
        pool: _Pool = asyncpg.create_pool(
            settings.url,
            min_size=settings.pool_min,
            max_size=settings.pool_max,
            timeout=settings.connect_seconds,
            command_timeout=settings.statement_seconds + 5,  # the server's own limit should be the one that speaks
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
        except BaseException:
            self.state = ConnectionState.DISCONNECTED
            pool.terminate()
            raise
        self._pool = pool
        self.state = ConnectionState.CONNECTED

    async def disconnect(self) -> None:
        """Wait a moment for running transactions, then close everything. Does nothing if closed."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        self.state = ConnectionState.CLOSING
        try:
            await _closed(pool, within=self._settings.connect_seconds)
        finally:
            self.state = ConnectionState.DISCONNECTED

    async def check_out(self) -> Connection:
        """A connection; `check_in` must follow.

        Raises:
            NotConnected: there is no pool, or the server cannot be reached.
            DatabaseBusy: every connection stayed in use, or too many were waiting already.
        """
        pool = self._pool
        if pool is None:
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
        if self.state is ConnectionState.DEGRADED:
            self.state = ConnectionState.CONNECTED
        return connection

    async def check_in(self, connection: Connection) -> None:
        """Give a connection back; a broken one is thrown away."""
        pool = self._pool
        if pool is None:
            connection.terminate()
            return
        try:
            await pool.release(connection)
        except DRIVER_ERRORS:
            connection.terminate()

    def lost(self) -> None:
        """A connection has broken under somebody."""
        if self.state is ConnectionState.CONNECTED:
            self.state = ConnectionState.DEGRADED

    def pool_status(self) -> PoolStatus:
        """The connections of this process."""
        pool = self._pool
        size = pool.get_size() if pool else 0
        idle = pool.get_idle_size() if pool else 0
        return PoolStatus(
            size=size, idle=idle, in_use=size - idle, waiting=self.waiting, maximum=self._settings.pool_max
        )

    def _unreachable(self, error: Exception) -> DatabaseError:
        ours = translated(error)
        self.lost()
        if isinstance(ours, NotConnected) or not ours.retryable:
            return ours
        return NotConnected(
            f"PostgreSQL at {self.address} cannot be reached.", hint="Is it running, and is DATABASE_URL right?"
        )

    def __del__(self) -> None:
        if self._pool is not None:
            warnings.warn(f"unclosed PostgreSQL pool for {self.address}", ResourceWarning, source=self, stacklevel=1)


async def _closed(pool: _Pool, *, within: float) -> None:
    try:
        async with asyncio.timeout(within):
            await pool.close()
    except (TimeoutError, *DRIVER_ERRORS):
        pool.terminate()
