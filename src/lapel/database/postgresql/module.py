"""PostgreSQL as a database module."""

from __future__ import annotations

from collections.abc import Mapping

from lapel.database.interface import Database, DatabaseSettings, MigrationStatus
from lapel.database.migrations.runner import plan
from lapel.database.postgresql.connection_manager import PostgresqlConnectionManager, current_revision
from lapel.database.postgresql.errors import DRIVER_ERRORS, translated
from lapel.database.postgresql.session import CAPABILITIES, DIALECT, PooledSession, PostgresqlTransactionSession
from lapel.database.session import ReadingSession, TransactionSession
from lapel.domain.ports import Isolation

__all__ = ["PostgresqlDatabase", "PostgresqlModule"]

_WITHOUT_LIMITS = "; ".join(
    f"SET LOCAL {limit} = 0" for limit in ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")
)
_LONGEST_MIGRATION = 24 * 3600.0
_MIGRATION_LOCK = 0x1A9E1  # any number, the same in every Lapel


class PostgresqlDatabase(Database):
    """One PostgreSQL database, through a pool of connections."""

    module_name = "postgresql"
    capabilities = CAPABILITIES
    manager: PostgresqlConnectionManager

    def __init__(self, settings: DatabaseSettings) -> None:
        super().__init__(settings)
        self.manager = PostgresqlConnectionManager(settings)

    def configuration(self) -> Mapping[str, str]:
        return {"address": self.manager.address, **self.manager.configuration.in_force}

    async def migrate(self) -> MigrationStatus:
        connection = await self.manager.check_out()
        try:
            async with connection.transaction():
                await connection.execute(_WITHOUT_LIMITS)
                await connection.execute(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})", timeout=_LONGEST_MIGRATION)
                for statement in plan(DIALECT, current=await current_revision(connection)).statements:
                    await connection.execute(statement, timeout=_LONGEST_MIGRATION)
        except DRIVER_ERRORS as error:
            raise translated(error) from error
        finally:
            await self.manager.check_in(connection)
        return await self.migration_status()

    def _open_session(self, *, isolation: Isolation, read_only: bool) -> TransactionSession:
        return PostgresqlTransactionSession(self.manager, isolation=isolation, read_only=read_only)

    def _reading_session(self) -> ReadingSession:
        return PooledSession(self.manager)


class PostgresqlModule:
    """`lapel.database.interface.DatabaseModule` for PostgreSQL."""

    name = "postgresql"
    create = PostgresqlDatabase
