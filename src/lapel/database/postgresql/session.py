"""PostgreSQL's sessions: statements on one asyncpg connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Coroutine, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

import asyncpg
from sqlalchemy import Table
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.engine import Dialect

from lapel.database import errors as e
from lapel.database.caching import Key
from lapel.database.postgresql.change_feed import notify, record
from lapel.database.postgresql.connection_manager import Connection, PostgresqlConnectionManager, committing
from lapel.database.postgresql.errors import DRIVER_ERRORS, translated
from lapel.database.session import Fetch, streamed
from lapel.database.shielding import shielded
from lapel.database.statement import Parameters, Row, Statement, insertion, selection
from lapel.domain.ports import Isolation

__all__ = ["DIALECT", "PooledSession", "PostgresqlTransactionSession"]

DIALECT: Dialect = PGDialect_asyncpg()  # type: ignore[no-untyped-call]  # SQLAlchemy does not annotate it
"""Shared by all databases, because statements are compiled once per dialect object."""

_STREAM_BATCH = 200
_GRACE_MS = 500
"""How much later the server's limits apply than ours, which leave the connection usable."""
_HAS_TRANSACTION_TIMEOUT = 17
_COMMAND_SECONDS = 5.0  # for commands that take a responsive server no time
_MAINTENANCE_SECONDS = 24 * 3600.0
"""The driver's limit for a statement of a migration or a check, for which only the server's limits matter."""
_MIGRATION_LOCK = 0x1A9E1  # any number, the same in every Lapel


class _PostgresqlSession:
    """Runs statements on the connection that a subclass provides."""

    def __init__(self, manager: PostgresqlConnectionManager) -> None:
        self._manager = manager

    async def _fetch(self, connection: Connection, statement: Statement, parameters: Parameters) -> list[Row]:
        compiled = statement.compiled(DIALECT)
        with self._translating(connection):
            records = await connection.fetch(compiled.sql, *compiled.bind(parameters))
        return [compiled.row(record) for record in records]

    @contextmanager
    def _translating(self, connection: Connection) -> Iterator[None]:
        """Raise the driver's errors as ours."""
        try:
            yield
        except DRIVER_ERRORS as error:
            if isinstance(error, TimeoutError | asyncpg.InvalidSQLStatementNameError):
                # On a timeout, the server has not even reported its own, shorter limit: a rollback would hang, too.
                # On an invalid name, the connection's cache of prepared statements is wrong.
                self._manager.discard(connection)
            failure = translated(error)
            if isinstance(failure, e.ConnectionLost):
                self._manager.doubt()
            raise failure from error


class PostgresqlTransactionSession(_PostgresqlSession):
    """A transaction on one connection."""

    def __init__(self, manager: PostgresqlConnectionManager, *, isolation: Isolation, read_only: bool) -> None:
        super().__init__(manager)
        # Not READ WRITE, which a standby would reject at once, even for transactions that only read.
        self._begin = f"BEGIN ISOLATION LEVEL {isolation.value}{' READ ONLY' if read_only else ''}"
        self._checked_out: Connection | None = None
        self._announced = False
        self._timeout: float | None = None  # None for the connection's own limit

    @property
    def _connection(self) -> Connection:
        if self._checked_out is None:
            raise e.TransactionEnded
        return self._checked_out

    async def begin(self, *, deadline: float | None = None) -> None:
        self._generation = self._manager.generation
        connection = await self._manager.check_out()
        try:
            with self._translating(connection):
                await connection.execute(self._begin + _limits(connection, deadline))
        except BaseException:
            await shielded(_roll_back(self._manager, connection))
            raise
        self._checked_out = connection

    async def announce(self, changed: Collection[Key]) -> None:
        with self._translating(self._connection):
            await record(self._connection, changed)
        self._announced = True

    async def commit(self) -> None:
        await shielded(self._commit("COMMIT"))

    async def prepare(self, name: str) -> None:
        await shielded(self._commit("SET LOCAL synchronous_commit = on", f"PREPARE TRANSACTION '{name}'"))

    async def rollback(self) -> None:
        connection, self._checked_out = self._checked_out, None
        if connection is not None:
            await shielded(_roll_back(self._manager, connection))

    async def command(self, sql: str) -> None:
        await shielded(self._command(sql))

    def fetch_all(self, statement: Statement, parameters: Parameters) -> Coroutine[object, object, list[Row]]:
        return self._fetch(self._connection, statement, parameters)

    async def execute(self, statement: Statement, parameters: Parameters) -> int:
        compiled = statement.compiled(DIALECT)
        with self._translating(self._connection):
            command_tag = await self._connection.execute(compiled.sql, *compiled.bind(parameters))
        count = command_tag.rpartition(" ")[2]
        return int(count) if count.isdigit() else 0

    async def bulk_insert(self, table: Table, rows: Sequence[Parameters]) -> None:
        if rows:
            await self.load(table, map(insertion(table).compiled(DIALECT).bind, rows))

    async def stream(self, statement: Statement, parameters: Parameters) -> AsyncGenerator[Row, None]:
        compiled = statement.compiled(DIALECT)
        with self._translating(self._connection):
            # Unnamed: a pooler that assigns servers by transaction would leave a named one behind.
            prepared = await self._connection.prepare(compiled.sql, name="")
            async for record in prepared.cursor(*compiled.bind(parameters), prefetch=_STREAM_BATCH):
                yield compiled.row(record)

    @asynccontextmanager
    async def unloading(self, table: Table) -> AsyncIterator[Fetch]:
        with self._translating(self._connection):
            cursor = await self._connection.cursor(selection(table).compiled(DIALECT).sql)

        async def fetch(max_rows: int) -> Sequence[Iterable[object]]:
            with self._translating(self._connection):
                return await cursor.fetch(max_rows, timeout=self._timeout)

        yield fetch

    async def load(self, table: Table, rows: Iterable[Row]) -> None:
        with self._translating(self._connection):
            copy, columns = self._connection.copy_records_to_table, table.columns.keys()
            await copy(table.name, records=rows, columns=columns, timeout=self._timeout)

    async def maintain(self, *, alone: bool) -> None:
        self._timeout = _MAINTENANCE_SECONDS
        for limit in ("statement_timeout", "idle_in_transaction_session_timeout"):
            await self.run(f"SET LOCAL {limit} = 0")
        if alone:
            try:  # `lock_timeout` stays in force, so that nobody waits forever, here or for a table's lock
                await self.run(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
            except e.QueryTimeout as error:
                raise e.DatabaseBusy(
                    "Another process has been migrating this database for longer than DB_LOCK_TIMEOUT_MS.",
                    hint="Let it finish, and try again.",
                ) from error.__cause__

    async def run(self, sql: str) -> list[Row]:
        with self._translating(self._connection):
            return [tuple(record) for record in await self._connection.fetch(sql, timeout=self._timeout)]

    async def _command(self, sql: str) -> None:
        with self._translating(self._connection):
            await self._connection.execute(sql, timeout=_COMMAND_SECONDS)

    async def _commit(self, *commands: str) -> None:
        connection, self._checked_out = self._connection, None
        try:
            # Nothing is committed yet, and nothing may be on a server that was replaced by a fail-over.
            if self._manager.is_gone(connection) or self._generation != self._manager.generation:
                self._manager.discard(connection)
                raise e.ConnectionLost
            with committing(connection):
                for command in commands:
                    if not command.startswith(await connection.execute(command)):
                        raise e.TransactionFailed  # PostgreSQL answers ROLLBACK if a statement has failed
        except e.OutcomeUnknown:
            self._manager.discard(connection)  # returning a connection that does not answer would hang
            self._manager.find_primary_again()
            raise
        else:
            if self._announced and commands == ("COMMIT",):
                try:
                    await notify(connection)
                except DRIVER_ERRORS:
                    self._manager.discard(connection)
        finally:
            await self._manager.check_in(connection)


class PooledSession(_PostgresqlSession):
    """Runs single statements outside a transaction, each on any free connection."""

    async def fetch_all(self, statement: Statement, parameters: Parameters) -> list[Row]:
        try:
            return await self._fetch_on_any(statement, parameters)
        except e.ConnectionLost:  # an idle connection had broken; a read can safely be repeated
            return await self._fetch_on_any(statement, parameters)

    def stream(self, statement: Statement, parameters: Parameters) -> AsyncGenerator[Row, None]:
        session = PostgresqlTransactionSession(self._manager, isolation=Isolation.REPEATABLE_READ, read_only=True)
        return streamed(session, statement, parameters)

    async def _fetch_on_any(self, statement: Statement, parameters: Parameters) -> list[Row]:
        connection = await self._manager.check_out()
        try:
            return await self._fetch(connection, statement, parameters)
        finally:
            await self._manager.check_in(connection)


def _limits(connection: Connection, deadline: float | None) -> str:
    """Return the SQL that sets the server's limits for a deadline, in case this process cannot enforce it."""
    if deadline is None:
        return ""
    milliseconds = round(max(deadline - asyncio.get_running_loop().time(), 0.0) * 1000) + _GRACE_MS
    limits = ["statement_timeout"]
    if connection.get_server_version().major >= _HAS_TRANSACTION_TIMEOUT:
        limits.append("transaction_timeout")
    return "".join(f"; SET LOCAL {limit} = {milliseconds}" for limit in limits)


async def _roll_back(manager: PostgresqlConnectionManager, connection: Connection) -> None:
    """Roll back and return the connection. If it is lost, the server has already rolled back."""
    try:
        if not manager.is_gone(connection):
            await connection.execute("ROLLBACK", timeout=_COMMAND_SECONDS)
    except DRIVER_ERRORS:
        manager.discard(connection)
    finally:
        await manager.check_in(connection)
