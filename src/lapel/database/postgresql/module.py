"""The database module for PostgreSQL."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Mapping
from pathlib import Path

from msgspec.structs import replace

from lapel.database.capabilities import Capabilities
from lapel.database.change_feed import ChangeFeed
from lapel.database.health import DatabaseHealth
from lapel.database.interface import Database, DatabaseSettings
from lapel.database.postgresql.catalogue import PostgresqlCatalogue
from lapel.database.postgresql.change_feed import PostgresqlChangeFeed
from lapel.database.postgresql.connection_manager import PostgresqlConnectionManager
from lapel.database.postgresql.session import DIALECT, PooledSession, PostgresqlTransactionSession
from lapel.database.postgresql.standby import StandbyManager, StandbySession
from lapel.database.postgresql.two_phase import CONFIRMED, PostgresqlParticipant
from lapel.database.session import ReadingSession, TransactionSession
from lapel.domain.ports import Isolation

__all__ = ["PostgresqlDatabase", "PostgresqlModule"]


class PostgresqlDatabase(Database):
    """One PostgreSQL database, through a pool of connections."""

    module_name = "postgresql"
    capabilities = Capabilities(
        isolation_levels=frozenset(Isolation),
        concurrent_writers=True,
        two_phase=True,
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
        self.standby = StandbyManager(settings, self.manager) if settings.read_url else None

    async def connect(self) -> None:
        await super().connect()
        if self.standby is not None:
            await self.standby.connect()

    async def disconnect(self) -> None:
        try:
            if self.standby is not None:
                await self.standby.disconnect()
        finally:
            await super().disconnect()

    async def health(self) -> DatabaseHealth:
        if self.standby is None:
            return await super().health()
        primary, standby = await asyncio.gather(super().health(), self.standby.health())
        return replace(primary, standby=standby)

    def configuration(self) -> Mapping[str, str]:
        servers = {} if self.manager.host is None else {"host": ":".join(map(str, self.manager.host))}
        if self.standby is not None:
            servers["standby"] = self.standby.address
        return {"address": self.manager.address, **servers, **self.manager.configuration.in_force}

    async def make_durable(self) -> None:
        if not self.manager.configuration.in_force.get("synchronous_standby_names"):
            return  # without a synchronous standby, commits become visible only once they are on the server's disk
        async with self.maintenance(writes=True, limited=True) as session:
            await session.run(CONFIRMED)

    def outside_tools(self, file: Path) -> tuple[str, str]:
        url, dump = shlex.quote(self.manager.address.replace(":***@", "@")), shlex.quote(str(file))
        return (
            f"pg_dump --format=custom --file={dump} {url}",
            f"pg_restore --no-owner --exit-on-error --single-transaction --dbname={url} {dump}",
        )

    def _open_session(self, *, isolation: Isolation, read_only: bool) -> TransactionSession:
        return PostgresqlTransactionSession(self.manager, isolation=isolation, read_only=read_only)

    async def participate(self) -> PostgresqlParticipant:
        participant = PostgresqlParticipant(self.manager, patience=self.settings.statement_seconds)
        await participant.open()
        return participant

    def _change_feed(self) -> ChangeFeed:
        return PostgresqlChangeFeed(self.manager)

    def _reading_session(self) -> ReadingSession:
        return PooledSession(self.manager) if self.standby is None else StandbySession(self.manager, self.standby)


class PostgresqlModule:
    """`lapel.database.interface.DatabaseModule` for PostgreSQL."""

    name = "postgresql"
    create = PostgresqlDatabase
