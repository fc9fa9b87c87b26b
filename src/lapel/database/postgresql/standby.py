"""Reads from a standby that are as current as those from the primary.

Before a read, the primary is asked for its write position, once for all concurrent reads. A standby that has replayed
its log up to there shows every commit that was acknowledged before the read began. The connection that reads checks
this itself, whatever server a name, a proxy or a fail-over has connected it to. If the standby is behind, away, hanging
or not a standby of this primary, the primary answers the read. If the primary is away, the read fails, because its last
acknowledged commit is unknown.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextvars import Context
from dataclasses import replace

from lapel.database.errors import DatabaseError, NotConnected
from lapel.database.health import Answer, ConnectionState, StandbyHealth
from lapel.database.interface import DatabaseSettings
from lapel.database.postgresql.connection_manager import Connection, PostgresqlConnectionManager
from lapel.database.postgresql.errors import DRIVER_ERRORS
from lapel.database.postgresql.hosts import LoneConnection
from lapel.database.postgresql.session import PooledSession
from lapel.database.statement import Parameters, Row, Statement

__all__ = ["StandbyManager", "StandbySession"]

# Servers with the same system identifier and timeline have the same history, so that their log positions are
# comparable. A standby may report its timeline late, but never early.
_WRITE_POSITION = """
SELECT CASE current_setting('synchronous_commit') WHEN 'off' THEN pg_current_wal_insert_lsn()
       ELSE pg_current_wal_flush_lsn() END,
       (SELECT system_identifier FROM pg_control_system()), current_database(),
       ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int
"""
_REPLAY_STATUS = """
SELECT greatest(0, $1::pg_lsn - pg_last_wal_replay_lsn())::bigint AS behind,
       pg_is_in_recovery() AND $2 = (SELECT system_identifier FROM pg_control_system()) AND $3 = current_database()
       AND $4 = (SELECT greatest(timeline_id, min_recovery_end_timeline)
                   FROM pg_control_checkpoint(), pg_control_recovery()) AS follows
"""
_READ_SECONDS = 1.0
_READ_DELAYS = (0.001, 0.002, 0.004, 0.008)  # to catch up before the primary answers a read
_PROBE_DELAYS = (0.01, 0.02, 0.04, 0.08, 0.16)  # to catch up before the standby counts as away
_SKIP_SECONDS = 0.2  # for which it is not used after a failed read


class StandbyManager(PostgresqlConnectionManager):
    """The connections to a standby. Its state is connected while it has caught up with the primary, else degraded."""

    what = "the standby"
    setting = "DATABASE_READ_URL"

    def __init__(self, settings: DatabaseSettings, primary: PostgresqlConnectionManager) -> None:
        super().__init__(replace(settings, url=settings.read_url, pool_min=0))  # so that `connect` needs no standby
        self._primary = primary
        self._query: asyncio.Task[Sequence[object] | None] | None = None  # the latest one
        self._joinable = False  # whether it has not been sent yet

    async def _ask(self) -> Answer:
        answer = await super()._ask()
        assert self._probe is not None
        try:
            await self.wait_for_replay(self._probe, await self.write_position(), delays=_PROBE_DELAYS)
        except DRIVER_ERRORS as error:
            raise self._unreachable(error) from error
        return answer

    async def write_position(self) -> Sequence[object]:
        """Return the primary's write position, with its history, as of now or later. Raises `NotConnected`."""
        if not self._joinable:
            self._joinable = True
            # In a new context: it belongs to none of the waiting requests in particular.
            work = self._query_primary(self._query)
            self._query = asyncio.get_running_loop().create_task(work, context=Context())
        assert self._query is not None
        position = await asyncio.shield(self._query)
        if position is None:
            raise NotConnected("The primary cannot be asked.")
        return position

    async def _query_primary(self, previous: asyncio.Task[Sequence[object] | None] | None) -> Sequence[object] | None:
        if previous is not None:
            await asyncio.wait([previous])
        try:
            connection = await self._primary.check_out()
        except DatabaseError:
            return None
        finally:
            self._joinable = False
        try:
            return tuple(await connection.fetchrow(_WRITE_POSITION) or ())
        except DRIVER_ERRORS:
            return None
        finally:
            await self._primary.check_in(connection)

    async def wait_for_replay(
        self, connection: Connection | LoneConnection, position: Sequence[object], *, delays: Sequence[float]
    ) -> None:
        """Wait until the server of this connection has replayed the log up to a position.

        Args:
            delays: seconds to wait between the checks.

        Raises:
            NotConnected: it does not do so in that time, or is not a standby of that primary.
        """
        for delay in (*delays, None):
            behind, follows = await connection.fetchrow(_REPLAY_STATUS, *position) or (None, False)
            if not follows:
                raise NotConnected("This is no standby of the primary, or not any more, or not yet.")
            if behind == 0:
                return
            if delay is not None:
                await asyncio.sleep(delay)
        raise NotConnected(f"The standby is {behind} bytes behind.")

    async def health(self) -> StandbyHealth:
        """Query the standby now, and return its health."""
        detail = None
        try:
            await self.ask()
        except DatabaseError as error:
            detail = error.detail
        return StandbyHealth(
            ok=detail is None, state=self.state, pool=self.pool_status(), reconnection=self.reconnection, detail=detail
        )


class _CaughtUpSession(PooledSession):
    """Runs single statements on a standby. Raises `NotConnected` if it does not catch up with the primary."""

    def __init__(self, standby: StandbyManager) -> None:
        super().__init__(standby)
        self._standby = standby

    async def _fetch_on_any(self, statement: Statement, parameters: Parameters) -> list[Row]:
        position = await self._standby.write_position()
        connection = await self._standby.check_out()
        try:
            with self._translating(connection):
                await self._standby.wait_for_replay(connection, position, delays=_READ_DELAYS)
            return await self._fetch(connection, statement, parameters)
        except asyncio.CancelledError:  # returning a connection that does not answer would hang
            self._standby.discard(connection)
            raise
        finally:
            await self._standby.check_in(connection)


class StandbySession(PooledSession):
    """Runs single statements outside a transaction, on the standby if it is current, else on the primary."""

    def __init__(self, primary: PostgresqlConnectionManager, standby: StandbyManager) -> None:
        super().__init__(primary)
        self._standby = standby
        self._standby_session = _CaughtUpSession(standby)
        self._skip_until = 0.0

    async def fetch_all(self, statement: Statement, parameters: Parameters) -> list[Row]:
        loop = asyncio.get_running_loop()
        if self._standby.state is ConnectionState.CONNECTED and loop.time() >= self._skip_until:
            try:
                async with asyncio.timeout(_READ_SECONDS):
                    return await self._standby_session.fetch_all(statement, parameters)
            except (DatabaseError, TimeoutError):
                self._skip_until = loop.time() + _SKIP_SECONDS
                self._standby.doubt()
        return await super().fetch_all(statement, parameters)
