"""Distributed transactions on PostgreSQL: PREPARE TRANSACTION, an advisory lock, and the log of decisions."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import datetime

import asyncpg

from lapel.database import errors as e
from lapel.database.postgresql.change_feed import notify
from lapel.database.postgresql.connection_manager import PostgresqlConnectionManager, committing
from lapel.database.postgresql.errors import DRIVER_ERRORS, translated
from lapel.database.postgresql.hosts import LoneConnection

__all__ = ["CONFIRMED", "PostgresqlParticipant"]

_LOCK = 0x1A9E2  # any number, the same in every Lapel; a lock belongs to its database
_IDENTIFY = """
SELECT to_hex(system_identifier) || '.' || to_hex(oid::bigint) || '.'
         || to_hex(coalesce(quote_ident(current_schema())::regnamespace::oid::bigint, 0)) AS identity,
       current_setting('max_prepared_transactions')::int AS most, pg_backend_pid() AS process
  FROM pg_control_system(), pg_database WHERE datname = current_database()
"""
# A statement timeout would end the wait for the standby and report a commit. Keepalives release the lock of a machine
# that has vanished soon, but not that of a coordinator that is merely waiting.
_SETTINGS = """
SET synchronous_commit = on; SET statement_timeout = 0; SET idle_session_timeout = 0;
SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3
"""
_PREPARED = "SELECT gid, prepared FROM pg_prepared_xacts WHERE database = current_database()"
_DECIDE = """
INSERT INTO two_phase_decisions (name, decided_at) SELECT unnest($1::text[]), date_trunc('milliseconds', now())
"""
_DECIDED = "SELECT name, decided_at FROM two_phase_decisions"
CONFIRMED = "SELECT pg_logical_emit_message(true, 'lapel', '')"
"""A statement whose commit waits until the standby has received everything that was committed before."""
_FORGET = "DELETE FROM two_phase_decisions WHERE name = ANY($1)"


class PostgresqlParticipant:
    """`lapel.database.two_phase.participant.Participant` for PostgreSQL. Call `open` first.

    Args:
        patience: seconds to wait for each answer.
    """

    identity: str = ""
    _connection: LoneConnection
    _max_prepared: int
    _is_direct: bool

    def __init__(self, manager: PostgresqlConnectionManager, *, patience: float) -> None:
        self.address = manager.address
        self._manager = manager
        self._patience = patience

    async def open(self) -> None:
        """Connect or reconnect. Raises `DatabaseError`, after which nothing is open."""
        try:
            await self._connect()
        except DRIVER_ERRORS as error:
            failure = translated(error)
            raise e.NotConnected if isinstance(failure, e.ConnectionLost) else failure from error

    def check(self) -> None:
        self._refuse_pooler()
        if not self._max_prepared:
            raise e.TwoPhaseOff(
                hint=f"Set max_prepared_transactions (such as to 20) in the postgresql.conf of {self.address}, and"
                " restart PostgreSQL."
            )

    async def hold(self, *, alone: bool) -> None:
        self._refuse_pooler()
        try:
            await self._fetch(f"SELECT pg_advisory_lock{'' if alone else '_shared'}({_LOCK})")
        except e.QueryTimeout as error:
            raise e.DatabaseBusy(
                f"{'Distributed transactions are' if alone else 'Recovery is'} at work on this database.",
                hint="Let it finish, and try again.",
            ) from error.__cause__

    async def prepared(self) -> Mapping[str, datetime]:
        return {row["gid"]: row["prepared"] for row in await self._fetch(_PREPARED)}

    async def settle(self, name: str, *, commit: bool) -> bool:
        command = f"{'COMMIT' if commit else 'ROLLBACK'} PREPARED '{name}'"
        for is_last in (False, True):
            try:
                if self._connection.is_closed():
                    await self.open()
                with committing(self._connection):
                    await self._connection.execute(command, timeout=self._patience)
            except e.DatabaseError as error:
                if isinstance(error.__cause__, asyncpg.UndefinedObjectError):
                    if commit:  # whoever has committed it may not have waited for the standby to confirm
                        await self._confirm()
                    return False
                if is_last or not self._connection.is_closed():
                    raise
            else:
                break
        with suppress(*DRIVER_ERRORS):
            if commit:
                await notify(self._connection)
        return True

    async def decide(self, names: Collection[str]) -> None:
        if self._connection.is_closed():
            raise e.ConnectionLost
        with committing(self._connection):
            await self._connection.execute(_DECIDE, names, timeout=self._patience)

    async def decided(self) -> Mapping[str, datetime]:
        if rows := await self._fetch(_DECIDED):
            await self._confirm()
        return {row["name"]: row["decided_at"] for row in rows}

    async def forget(self, names: Collection[str]) -> None:
        await self._fetch(_FORGET, names)

    def close(self) -> None:
        self._connection.terminate()

    async def _connect(self) -> None:
        self._connection = connection = await self._manager.connect_alone()
        try:
            ((identity, self._max_prepared, process),) = await connection.fetch(_IDENTIFY, timeout=self._patience)
            if identity != (self.identity or identity):
                raise e.NotConnected(f"Another database answers at {self.address} than before.")
            self.identity, self._is_direct = identity, process == connection.get_server_pid()
            if self._is_direct:
                await connection.execute(_SETTINGS, timeout=self._patience)
        except BaseException:
            connection.terminate()
            raise

    def _refuse_pooler(self) -> None:
        if not self._is_direct:
            raise e.TwoPhaseNotSupported(
                "Something stands between Lapel and PostgreSQL that may hand one connection to several.",
                hint="Give an address without a pooler: the lock of a coordinator belongs to one connection.",
            )

    async def _fetch(self, statement: str, *values: object) -> list[asyncpg.Record]:
        try:
            return await self._connection.fetch(statement, *values, timeout=self._patience)
        except DRIVER_ERRORS as error:
            raise translated(error) from error

    async def _confirm(self) -> None:
        """Make everything committed so far durable on the standby, by a commit that waits for its confirmation."""
        with committing(self._connection):
            await self._fetch(CONFIRMED)
