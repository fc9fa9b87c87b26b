"""PostgreSQL as a database module."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter

import structlog

from lapel.database.errors import DatabaseError
from lapel.database.interface import Database, DatabaseHealth, DatabaseSettings, MigrationStatus, PoolStatus
from lapel.database.migrations.runner import plan, status
from lapel.database.postgresql.config_manager import session_settings
from lapel.database.postgresql.connection_manager import Connection, PostgresqlConnectionManager
from lapel.database.postgresql.errors import DRIVER_ERRORS, translated
from lapel.database.postgresql.session import CAPABILITIES, DIALECT, PooledSession, PostgresqlTransactionSession
from lapel.database.retry import attempts
from lapel.database.session import ReadingSession, TransactionSession
from lapel.domain.ports import Isolation

__all__ = ["PostgresqlDatabase", "PostgresqlModule"]

_log = structlog.get_logger("lapel.database.postgresql")

_HEALTH_SECONDS = 1.0
_WITHOUT_LIMITS = "; ".join(
    f"SET LOCAL {limit} = 0" for limit in ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")
)
_LONGEST_MIGRATION = 24 * 3600.0
_MIGRATION_LOCK = 0x1A9E1  # any number, the same in every Lapel


class PostgresqlDatabase(Database):
    """One PostgreSQL database, through a pool of connections."""

    module_name = "postgresql"
    capabilities = CAPABILITIES

    def __init__(self, settings: DatabaseSettings) -> None:
        super().__init__(settings)
        self.manager = PostgresqlConnectionManager(settings)

    async def connect(self) -> None:
        try:
            async for attempt in attempts(seconds=self.settings.connect_seconds):
                with attempt:
                    await self.manager.connect()
        except DatabaseError as error:
            _log.info("cannot connect to PostgreSQL", address=self.manager.address, reason=_reason(error))
            raise

    async def disconnect(self) -> None:
        await self.manager.disconnect()

    async def health(self) -> DatabaseHealth:
        started = perf_counter()
        detail, latency, version = None, None, None
        try:
            answer = await self.manager.probe("SELECT current_setting('server_version')", within=_HEALTH_SECONDS)
            version, latency = f"PostgreSQL {answer}", (perf_counter() - started) * 1000
        except DatabaseError as error:
            detail = error.detail
        return DatabaseHealth(
            ok=version is not None,
            module=self.module_name,
            state=self.manager.state,
            checked_at=self.settings.clock(),
            latency_ms=latency,
            server_version=version,
            pool=self.pool_status(),
            detail=detail,
        )

    def pool_status(self) -> PoolStatus:
        return self.manager.pool_status()

    def configuration(self) -> Mapping[str, str]:
        return {"address": self.manager.address, **session_settings(self.settings)}

    async def migrate(self) -> MigrationStatus:
        connection = await self.manager.check_out()
        try:
            async with connection.transaction():
                await connection.execute(_WITHOUT_LIMITS)
                await connection.execute(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})", timeout=_LONGEST_MIGRATION)
                for statement in plan(DIALECT, current=await _current_revision(connection)).statements:
                    await connection.execute(statement, timeout=_LONGEST_MIGRATION)
        except DRIVER_ERRORS as error:
            raise translated(error) from error
        finally:
            await self.manager.check_in(connection)
        return await self.migration_status()

    async def migration_status(self) -> MigrationStatus:
        connection = await self.manager.check_out()
        try:
            return status(await _current_revision(connection))
        except DRIVER_ERRORS as error:
            raise translated(error) from error
        finally:
            await self.manager.check_in(connection)

    def _open_session(self, *, isolation: Isolation, read_only: bool) -> TransactionSession:
        return PostgresqlTransactionSession(self.manager, isolation=isolation, read_only=read_only)

    def _reading_session(self) -> ReadingSession:
        return PooledSession(self.manager)


class PostgresqlModule:
    """`lapel.database.interface.DatabaseModule` for PostgreSQL."""

    name = "postgresql"
    create = PostgresqlDatabase


def _reason(error: DatabaseError) -> str:
    """What the driver said, or else what we say."""
    return str(error.__cause__ or "") or error.detail


async def _current_revision(connection: Connection) -> str | None:
    # By a scan of the catalogue: to_regclass may answer from a cache that has not heard of a migration just committed.
    there = "SELECT count(*) FROM pg_catalog.pg_tables WHERE tablename = $1 AND schemaname = current_schema()"
    if not await connection.fetchval(there, "alembic_version"):
        return None
    found = await connection.fetchval("SELECT version_num FROM alembic_version")
    return None if found is None else str(found)
