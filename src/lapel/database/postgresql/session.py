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
from lapel.database.session import Fetch, shielded, streamed
from lapel.database.statement import Parameters, Row, Statement, insertion, selection
from lapel.domain.ports import Isolation

__all__ = ["DIALECT", "PooledSession", "PostgresqlTransactionSession"]

DIALECT: Dialect = PGDialect_asyncpg()  # type: ignore[no-untyped-call]  # SQLAlchemy does not annotate it
"""One for all: statements are compiled once for each dialect."""

_STREAMED_AT_ONCE = 200
_GRACE_MS = 500
"""How much later than ours the server's limits are, so that ours, which leaves the connection whole, comes first."""
_HAS_TRANSACTION_TIMEOUT = 17
_ANSWER_SECONDS = 5.0  # to what takes the server no time: one that does not answer by then does not answer
_LONGEST = 24 * 3600.0
"""Seconds that the driver waits for a statement of a migration or a check; the server's limits are those that count."""
_MIGRATION_LOCK = 0x1A9E1  # any number, the same in every Lapel


class _PostgresqlSession:
    """Statements on whatever connection a subclass provides."""

    def __init__(self, manager: PostgresqlConnectionManager) -> None:
        self._manager = manager

    async def _fetch(self, connection: Connection, statement: Statement, parameters: Parameters) -> list[Row]:
        compiled = statement.compiled(DIALECT)
        with self._wall(connection):
            records = await connection.fetch(compiled.sql, *compiled.bind(parameters))
        return [compiled.row(record) for record in records]

    @contextmanager
    def _wall(self, connection: Connection) -> Iterator[None]:
        """The driver's errors in our words."""
        try:
            yield
        except DRIVER_ERRORS as error:
            if isinstance(error, TimeoutError | asyncpg.InvalidSQLStatementNameError):
                # The server did not even speak of its own, shorter limit: a rollback would wait as long again.
                # Or the connection believes in statements that are not prepared any more.
                self._manager.discard(connection)
            ours = translated(error)
            if isinstance(ours, e.ConnectionLost):
                self._manager.doubt()
            raise ours from error


class PostgresqlTransactionSession(_PostgresqlSession):
    """One connection inside one transaction."""

    def __init__(self, manager: PostgresqlConnectionManager, *, isolation: Isolation, read_only: bool) -> None:
        super().__init__(manager)
        # Not READ WRITE: whether one that may write does is the server's to say, which may be a standby.
        self._begin = f"BEGIN ISOLATION LEVEL {isolation.value}{' READ ONLY' if read_only else ''}"
        self._own: Connection | None = None
        self.transaction_id: str | None = None
        self._announced = False
        self._patience: float | None = None  # of `run`; None: the connection's own

    @property
    def _connection(self) -> Connection:
        if self._own is None:
            raise e.TransactionEnded
        return self._own

    async def begin(self, transaction_id: str, *, deadline: float | None = None) -> None:
        self._generation = self._manager.generation
        connection = await self._manager.check_out()
        try:
            with self._wall(connection):
                await connection.execute(self._begin + _limits(connection, deadline))
        except BaseException:
            await shielded(_abandoned(self._manager, connection))
            raise
        self._own, self.transaction_id = connection, transaction_id

    async def announce(self, changed: Collection[Key]) -> None:
        with self._wall(self._connection):
            await record(self._connection, changed)
        self._announced = True

    async def commit(self) -> None:
        await shielded(self._commit("COMMIT"))

    async def prepare(self, name: str) -> None:
        await shielded(self._commit("SET LOCAL synchronous_commit = on", f"PREPARE TRANSACTION '{name}'"))

    async def rollback(self) -> None:
        connection, self._own = self._own, None
        if connection is not None:
            await shielded(_abandoned(self._manager, connection))

    async def savepoint(self, name: str) -> None:
        await shielded(self._command(f"SAVEPOINT {name}"))

    async def release_savepoint(self, name: str) -> None:
        await shielded(self._command(f"RELEASE SAVEPOINT {name}"))

    async def rollback_to_savepoint(self, name: str) -> None:
        await shielded(self._command(f"ROLLBACK TO SAVEPOINT {name}; RELEASE SAVEPOINT {name}"))

    def fetch_all(self, statement: Statement, parameters: Parameters) -> Coroutine[object, object, list[Row]]:
        return self._fetch(self._connection, statement, parameters)

    async def execute(self, statement: Statement, parameters: Parameters) -> int:
        compiled = statement.compiled(DIALECT)
        with self._wall(self._connection):
            outcome = await self._connection.execute(compiled.sql, *compiled.bind(parameters))
        count = outcome.rpartition(" ")[2]
        return int(count) if count.isdigit() else 0

    async def bulk_insert(self, table: Table, rows: Sequence[Parameters]) -> None:
        if rows:
            await self.load(table, map(insertion(table).compiled(DIALECT).bind, rows))

    async def stream(self, statement: Statement, parameters: Parameters) -> AsyncGenerator[Row, None]:
        compiled = statement.compiled(DIALECT)
        with self._wall(self._connection):
            # Without a name: where a pooler gives each transaction another server, one with a name would stay behind.
            prepared = await self._connection.prepare(compiled.sql, name="")
            async for record in prepared.cursor(*compiled.bind(parameters), prefetch=_STREAMED_AT_ONCE):
                yield compiled.row(record)

    @asynccontextmanager
    async def unloading(self, table: Table) -> AsyncIterator[Fetch]:
        with self._wall(self._connection):
            cursor = await self._connection.cursor(selection(table).compiled(DIALECT).sql)

        async def fetch(most: int) -> Sequence[Iterable[object]]:
            with self._wall(self._connection):
                return await cursor.fetch(most, timeout=self._patience)

        yield fetch

    async def load(self, table: Table, rows: Iterable[Row]) -> None:
        with self._wall(self._connection):
            copy, columns = self._connection.copy_records_to_table, table.columns.keys()
            await copy(table.name, records=rows, columns=columns, timeout=self._patience)

    async def maintain(self, *, alone: bool) -> None:
        self._patience = _LONGEST
        for limit in ("statement_timeout", "idle_in_transaction_session_timeout"):
            await self.run(f"SET LOCAL {limit} = 0")
        if alone:
            try:  # within `lock_timeout`, which stays, so that nobody queues for ever behind a table's lock either
                await self.run(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
            except e.QueryTimeout as error:
                raise e.DatabaseBusy(
                    "Another process has been migrating this database for longer than DB_LOCK_TIMEOUT_MS.",
                    hint="Let it finish, and try again.",
                ) from error.__cause__

    async def run(self, sql: str) -> list[Row]:
        with self._wall(self._connection):
            return [tuple(record) for record in await self._connection.fetch(sql, timeout=self._patience)]

    async def _command(self, sql: str) -> None:
        with self._wall(self._connection):
            await self._connection.execute(sql, timeout=_ANSWER_SECONDS)

    async def _commit(self, *commands: str) -> None:
        connection, self._own = self._connection, None
        try:
            # Before the commit is sent: nothing has happened, nor is to on a server whose place another has taken.
            if self._manager.is_gone(connection) or self._generation != self._manager.generation:
                self._manager.discard(connection)
                raise e.ConnectionLost
            with committing(connection):
                for command in commands:
                    if not command.startswith(await connection.execute(command)):
                        raise e.TransactionFailed  # PostgreSQL answers ROLLBACK where a statement has failed
        except e.OutcomeUnknown:
            self._manager.discard(connection)  # a rollback on one that does not answer would wait for it
            self._manager.look_anew()
            raise
        else:
            if self._announced and commands == ("COMMIT",):
                try:
                    await notify(connection)
                except DRIVER_ERRORS:  # giving back one that does not answer would wait for it
                    self._manager.discard(connection)
        finally:
            await self._manager.check_in(connection)


class PooledSession(_PostgresqlSession):
    """Single statements outside a transaction, each on whatever connection is free."""

    async def fetch_all(self, statement: Statement, parameters: Parameters) -> list[Row]:
        try:
            return await self._fetch_on_any(statement, parameters)
        except e.ConnectionLost:  # one that broke while it lay idle; reading once more does no harm
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
    """The server's own limits for a transaction that has a deadline, for where this process cannot keep it."""
    if deadline is None:
        return ""
    milliseconds = round(max(deadline - asyncio.get_running_loop().time(), 0.0) * 1000) + _GRACE_MS
    limits = ["statement_timeout"]
    if connection.get_server_version().major >= _HAS_TRANSACTION_TIMEOUT:
        limits.append("transaction_timeout")
    return "".join(f"; SET LOCAL {limit} = {milliseconds}" for limit in limits)


async def _abandoned(manager: PostgresqlConnectionManager, connection: Connection) -> None:
    """Roll back if the connection still can, and give it back; a lost one has been rolled back by the server."""
    try:
        if not manager.is_gone(connection):
            await connection.execute("ROLLBACK", timeout=_ANSWER_SECONDS)
    except DRIVER_ERRORS:
        manager.discard(connection)
    finally:
        await manager.check_in(connection)
