"""PostgreSQL as a database module."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from lapel.database.capabilities import Capabilities
from lapel.database.change_feed import ChangeFeed
from lapel.database.interface import Database, DatabaseSettings
from lapel.database.postgresql.catalogue import PostgresqlCatalogue
from lapel.database.postgresql.change_feed import PostgresqlChangeFeed
from lapel.database.postgresql.connection_manager import PostgresqlConnectionManager
from lapel.database.postgresql.session import DIALECT, PooledSession, PostgresqlTransactionSession
from lapel.database.session import ReadingSession, TransactionSession
from lapel.domain.ports import Isolation

__all__ = ["PostgresqlDatabase", "PostgresqlModule"]


class PostgresqlDatabase(Database):
    """One PostgreSQL database, through a pool of connections."""

    module_name = "postgresql"
    capabilities = Capabilities(
        isolation_levels=frozenset(Isolation),
        concurrent_writers=True,
        two_phase=False,
        change_notification=True,
        names_constraints=True,
        several_processes=True,
    )
    dialect = DIALECT
    manager: PostgresqlConnectionManager

    def __init__(self, settings: DatabaseSettings) -> None:
        super().__init__(settings)
        self.manager = PostgresqlConnectionManager(settings)
        self.catalogue = PostgresqlCatalogue(self.manager)

    def configuration(self) -> Mapping[str, str]:
        return {"address": self.manager.address, **self.manager.configuration.in_force}

    def outside_tools(self, file: Path) -> tuple[str, str]:
        where, dump = shlex.quote(self.manager.address.replace(":***@", "@")), shlex.quote(str(file))
        return (
            f"pg_dump --format=custom --file={dump} {where}",
            f"pg_restore --no-owner --exit-on-error --single-transaction --dbname={where} {dump}",
        )

    def _open_session(self, *, isolation: Isolation, read_only: bool) -> TransactionSession:
        return PostgresqlTransactionSession(self.manager, isolation=isolation, read_only=read_only)

    def _change_feed(self) -> ChangeFeed:
        return PostgresqlChangeFeed(self.manager)

    def _reading_session(self) -> ReadingSession:
        return PooledSession(self.manager)


class PostgresqlModule:
    """`lapel.database.interface.DatabaseModule` for PostgreSQL."""

    name = "postgresql"
    create = PostgresqlDatabase
