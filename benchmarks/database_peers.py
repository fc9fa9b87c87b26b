"""What the database layer is measured beside: the raw drivers, with ready-made SQL and ready-made values."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import cache
from typing import TypeAlias
from uuid import UUID

import asyncpg

from lapel.database.conformance import samples
from lapel.database.interface import Database
from lapel.database.sqlite.module import SqliteDatabase
from lapel.database.tables import credentials
from lapel.domain.credential import Credential

__all__ = ["CREDENTIAL_BYTES", "Credentials", "RawPostgresql", "RawSqlite", "Values"]

CREDENTIAL_BYTES = 2_500
Values: TypeAlias = tuple[object, ...]

_COLUMNS = [column.name for column in credentials.columns]
_NAMES = ", ".join(_COLUMNS)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


@dataclass
class Credentials:
    """Makes credentials that can be stored, each with a new id and a new position in one status list."""

    scene: samples.Scene
    _position: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    @classmethod
    async def of(cls, database: Database) -> Credentials:
        """Those of an issuer that is stored now."""
        return cls(await samples.set_scene(database))

    def make(self, count: int) -> list[Credential]:
        """So many, later ones with later ids."""
        return [
            samples.credential(
                self.scene.issuer.id,
                achievement=self.scene.achievement,
                status_list_id=self.scene.status_list.id,
                status_index=next(self._position),
                signed=bytes(CREDENTIAL_BYTES),
            )
            for _ in range(count)
        ]


class RawSqlite:
    """The standard library's `sqlite3`, called inline, on the very connections that ours uses while ours does not."""

    _insert = f"INSERT INTO credentials ({_NAMES}) VALUES ({', '.join('?' * len(_COLUMNS))})"
    _select = f"SELECT {_NAMES} FROM credentials WHERE id = ?"

    def __init__(self, database: Database) -> None:
        assert isinstance(database, SqliteDatabase)
        writer = database.manager.writer.connection
        assert isinstance(writer, sqlite3.Connection)
        self._write = writer
        self._read = database.manager.read_connection

    @staticmethod
    def rows(made: Sequence[Credential]) -> list[Values]:
        """Values as SQLite keeps them."""
        return [tuple(_in_sqlite(getattr(credential, name, None)) for name in _COLUMNS) for credential in made]

    def insert_each(self, rows: Sequence[Values]) -> None:
        """A transaction for each row."""
        for row in rows:
            self._write.execute("BEGIN IMMEDIATE")
            self._write.execute(self._insert, row)
            self._write.execute("COMMIT")

    def insert_in_groups(self, rows: Sequence[Values], *, size: int) -> None:
        """A savepoint for each row, and a transaction for each `size` of them."""
        for start in range(0, len(rows), size):
            self._write.execute("BEGIN IMMEDIATE")
            for row in rows[start : start + size]:
                self._write.execute("SAVEPOINT unit")
                self._write.execute(self._insert, row)
                self._write.execute("RELEASE unit")
            self._write.execute("COMMIT")

    def insert_many(self, rows: Sequence[Values]) -> None:
        """``executemany`` in one transaction."""
        self._write.execute("BEGIN IMMEDIATE")
        self._write.executemany(self._insert, rows)
        self._write.execute("COMMIT")

    def insert_by_rows(self, rows: Sequence[Values], *, size: int) -> None:
        """``INSERT`` of `size` rows in each statement, in one transaction."""
        self._write.execute("BEGIN IMMEDIATE")
        for start in range(0, len(rows), size):
            batch = rows[start : start + size]
            self._write.execute(self._insertion_of(len(batch)), list(itertools.chain.from_iterable(batch)))
        self._write.execute("COMMIT")

    def checkpoint(self) -> None:
        """Empty the log: otherwise one side's rounds could do so for both, each time."""
        self._write.execute("PRAGMA wal_checkpoint").fetchall()

    @classmethod
    @cache
    def _insertion_of(cls, count: int) -> str:
        return cls._insert + f", ({', '.join('?' * len(_COLUMNS))})" * (count - 1)

    def find(self, key: str) -> object:
        """A row as the driver gives it."""
        (found,) = self._read.execute(self._select, (key,)).fetchmany(1)
        return found


class RawPostgresql:
    """asyncpg and its pool."""

    _insert = f"INSERT INTO credentials ({_NAMES}) VALUES ({', '.join(f'${n + 1}' for n in range(len(_COLUMNS)))})"
    _select = f"SELECT {_NAMES} FROM credentials WHERE id = $1"

    def __init__(self, pool: _Pool) -> None:
        self._pool = pool

    @classmethod
    @asynccontextmanager
    async def connected(cls, database: Database, *, size: int, reset: bool = True) -> AsyncIterator[RawPostgresql]:
        """On the same server, with as many connections.

        Args:
            reset: let the pool reset each connection that comes back, as it does by itself: one more round trip.
        """
        async with asyncpg.create_pool(
            database.settings.url,
            min_size=size,
            max_size=size,
            connection_class=asyncpg.Connection if reset else _NeverReset,
        ) as pool:
            yield cls(pool)

    @staticmethod
    def rows(made: Sequence[Credential]) -> list[Values]:
        """Values as asyncpg takes them."""
        return [tuple(getattr(credential, name, None) for name in _COLUMNS) for credential in made]

    async def insert(self, row: Values) -> None:
        """One row in a transaction of its own."""
        async with self._pool.acquire() as connection:
            await connection.execute("BEGIN")
            await connection.execute(self._insert, *row)
            await connection.execute("COMMIT")

    async def insert_many(self, rows: Sequence[Values]) -> None:
        """``COPY`` in one transaction."""
        async with self._pool.acquire() as connection:
            await connection.copy_records_to_table("credentials", records=rows, columns=_COLUMNS)

    async def find(self, key: UUID) -> object:
        """A row as the driver gives it."""
        async with self._pool.acquire() as connection:
            return await connection.fetchrow(self._select, key)


class _NeverReset(asyncpg.Connection):
    def get_reset_query(self) -> str:
        return ""


def _in_sqlite(value: object) -> object:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return (value - _EPOCH) // timedelta(milliseconds=1)
    return value.value if isinstance(value, Enum) else value
