"""Reads from a standby, which never answer less than the primary would.

Before each read the primary is asked how far it has written: one question, and a small one, for all who read at the
same moment. A standby that shows its log up to there shows every commit of which anybody, anywhere, was told before
the read began. That is asked on the very connection that reads, whatever a name, a proxy or a fail-over has put behind
its address. Where the standby does not show that much, is away, hangs, or is no standby of this primary (any more),
the primary answers itself; and where the primary is away nobody does, for what it has last acknowledged is not known.
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

# Two servers with the same system and timeline have the same history, so that positions in their logs compare. A
# standby's timeline may be told late, and never too early.
_WRITTEN = """
SELECT CASE current_setting('synchronous_commit') WHEN 'off' THEN pg_current_wal_insert_lsn()
       ELSE pg_current_wal_flush_lsn() END,
       (SELECT system_identifier FROM pg_control_system()), current_database(),
       ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int
"""
_SHOWN = """
SELECT greatest(0, $1::pg_lsn - pg_last_wal_replay_lsn())::bigint AS behind,
       pg_is_in_recovery() AND $2 = (SELECT system_identifier FROM pg_control_system()) AND $3 = current_database()
       AND $4 = (SELECT greatest(timeline_id, min_recovery_end_timeline)
                   FROM pg_control_checkpoint(), pg_control_recovery()) AS follows
"""
_READ_SECONDS = 1.0
_READ_PAUSES = (0.001, 0.002, 0.004, 0.008)  # between looks whether it has caught up; then the primary answers
_LOOK_PAUSES = (0.01, 0.02, 0.04, 0.08, 0.16)  # after which it counts as away
_LEFT_ALONE_SECONDS = 0.2


class StandbyManager(PostgresqlConnectionManager):
    """The connections to a standby. It is connected when it shows what the primary has written, and else degraded."""

    what = "the standby"
    setting = "DATABASE_READ_URL"

    def __init__(self, settings: DatabaseSettings, primary: PostgresqlConnectionManager) -> None:
        super().__init__(replace(settings, url=settings.read_url, pool_min=0))  # so that opening needs no standby
        self._primary = primary
        self._asked: asyncio.Task[Sequence[object] | None] | None = None  # the newest question
        self._joinable = False  # it has not been sent yet

    async def _ask(self) -> Answer:
        answer = await super()._ask()
        assert self._probe is not None
        try:
            await self.require(self._probe, await self.written(), pauses=_LOOK_PAUSES)
        except DRIVER_ERRORS as error:
            raise self._unreachable(error) from error
        return answer

    async def written(self) -> Sequence[object]:
        """How far the primary has written at some moment from now on. Raises `NotConnected`."""
        if not self._joinable:
            self._joinable = True
            # In a context of its own: it is nobody's in particular of those who wait.
            work = self._ask_primary(self._asked)
            self._asked = asyncio.get_running_loop().create_task(work, context=Context())
        assert self._asked is not None
        written = await asyncio.shield(self._asked)
        if written is None:
            raise NotConnected("The primary cannot be asked.")
        return written

    async def _ask_primary(self, before: asyncio.Task[Sequence[object] | None] | None) -> Sequence[object] | None:
        if before is not None:
            await asyncio.wait([before])
        try:
            connection = await self._primary.check_out()
        except DatabaseError:
            return None
        finally:
            self._joinable = False
        try:
            return tuple(await connection.fetchrow(_WRITTEN) or ())
        except DRIVER_ERRORS:
            return None
        finally:
            await self._primary.check_in(connection)

    async def require(
        self, connection: Connection | LoneConnection, written: Sequence[object], *, pauses: Sequence[float]
    ) -> None:
        """Wait until what is read on this connection holds all of that.

        Raises:
            NotConnected: it does not in that time, or is no standby of that primary.
        """
        for pause in (*pauses, None):
            behind, follows = await connection.fetchrow(_SHOWN, *written) or (None, False)
            if not follows:
                raise NotConnected("This is no standby of the primary, or not any more, or not yet.")
            if behind == 0:
                return
            if pause is not None:
                await asyncio.sleep(pause)
        raise NotConnected(f"The standby is {behind} bytes behind.")

    async def health(self) -> StandbyHealth:
        """Ask it, now."""
        detail = None
        try:
            await self.ask()
        except DatabaseError as error:
            detail = error.detail
        return StandbyHealth(
            ok=detail is None, state=self.state, pool=self.pool_status(), reconnection=self.reconnection, detail=detail
        )


class _ShownSession(PooledSession):
    """Single statements on a standby, if it shows enough."""

    def __init__(self, standby: StandbyManager) -> None:
        super().__init__(standby)
        self._standby = standby

    async def _fetch_on_any(self, statement: Statement, parameters: Parameters) -> list[Row]:
        written = await self._standby.written()
        connection = await self._standby.check_out()
        try:
            with self._wall(connection):
                await self._standby.require(connection, written, pauses=_READ_PAUSES)
            return await self._fetch(connection, statement, parameters)
        except asyncio.CancelledError:  # giving back one that does not answer would wait for it
            self._standby.discard(connection)
            raise
        finally:
            await self._standby.check_in(connection)


class StandbySession(PooledSession):
    """Single statements outside a transaction: on the standby where that is as good, else on the primary."""

    def __init__(self, primary: PostgresqlConnectionManager, standby: StandbyManager) -> None:
        super().__init__(primary)
        self._standby = standby
        self._shown = _ShownSession(standby)
        self._not_before = 0.0

    async def fetch_all(self, statement: Statement, parameters: Parameters) -> list[Row]:
        loop = asyncio.get_running_loop()
        if self._standby.state is ConnectionState.CONNECTED and loop.time() >= self._not_before:
            try:
                async with asyncio.timeout(_READ_SECONDS):
                    return await self._shown.fetch_all(statement, parameters)
            except (DatabaseError, TimeoutError):
                self._not_before = loop.time() + _LEFT_ALONE_SECONDS
                self._standby.doubt()
        return await super().fetch_all(statement, parameters)
