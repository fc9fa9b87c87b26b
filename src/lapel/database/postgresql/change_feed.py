"""PostgreSQL: what other processes have changed, by a table of changes, and LISTEN for when to look.

A transaction that changes what others may keep writes so into ``changes``, with its own number; it is committed with
the change or not at all. Once committed, it notifies (PostgreSQL cannot PREPARE a transaction that has done so). The
notification carries nothing, neither names nor ids: it says when to look, and any number of them is one look. One that
is lost costs half a second, for then the table is looked at anyway.

No look misses a change, whatever the order in which transactions end: each begins where the oldest transaction stood
that was still running at the last look.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from contextlib import suppress

from lapel.database.caching import Key
from lapel.database.errors import ConnectionLost
from lapel.database.postgresql.connection_manager import Connection, PostgresqlConnectionManager
from lapel.database.postgresql.errors import DRIVER_ERRORS, translated
from lapel.database.postgresql.hosts import LoneConnection

__all__ = ["PostgresqlChangeFeed", "notify", "record"]

_CHANNEL = "lapel_changes"
_NOTIFY_SECONDS = 1.0  # whoever has committed is to be told so, whatever becomes of this
_RECORD = """
INSERT INTO changes (entity, key, changed_in)
SELECT entity, key, pg_current_xact_id()::text::bigint FROM unnest($1::text[], $2::bytea[]) AS changed (entity, key)
ON CONFLICT (entity, key) DO UPDATE SET changed_in = EXCLUDED.changed_in
"""
# Numbers that this server has not given yet are those of another one, from which the table was restored.
_LOOK = """
SELECT pg_snapshot_xmin(now)::text::bigint AS next, entity, key, changed_in
  FROM pg_current_snapshot() AS now
  LEFT JOIN changes ON changed_in >= $1 AND changed_in < pg_snapshot_xmax(now)::text::bigint
"""
_FROM_NOW_ON = 2**63 - 1


async def record(connection: Connection, changed: Collection[Key]) -> None:
    """Write into the open transaction that these change with it. Raises the driver's errors."""
    entities, keys = zip(*sorted(changed), strict=True)
    await connection.execute(_RECORD, entities, keys)


async def notify(connection: Connection | LoneConnection) -> None:
    """Tell everybody to look. It may fail, with the driver's errors and soon, for they look anyway."""
    await connection.execute(f"NOTIFY {_CHANNEL}", timeout=_NOTIFY_SECONDS)


class PostgresqlChangeFeed:
    """`lapel.database.change_feed.ChangeFeed`, on a connection of its own."""

    def __init__(self, manager: PostgresqlConnectionManager) -> None:
        self._manager = manager
        self._connection: LoneConnection | None = None
        self._generation = 0  # of the manager, when this was connected
        self._next = _FROM_NOW_ON
        self._seen: set[tuple[str, bytes, int]] = set()  # at the last look
        self._told = asyncio.Event()

    async def changes(self) -> Iterable[Key] | None:
        fresh = self._connection is None
        try:
            if self._connection is None:
                self._generation = self._manager.generation
                self._connection = await self._manager.connect_alone()
                self._connection.add_termination_listener(self._tell)
                await self._connection.add_listener(_CHANNEL, self._tell)
            elif self._connection.is_closed() or self._generation != self._manager.generation:
                raise ConnectionLost  # another server has taken its place, perhaps, and this one lives on
            self._told.clear()
            rows = await self._connection.fetch(_LOOK, self._next)
        except DRIVER_ERRORS as error:
            raise translated(error) from error
        self._next = rows[0]["next"]
        before, self._seen = self._seen, {tuple(row)[1:] for row in rows if row["entity"] is not None}
        return None if fresh else {(entity, key) for entity, key, _ in self._seen - before}

    async def told(self, *, within: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._told.wait()

    def close(self) -> None:
        connection, self._connection, self._next = self._connection, None, _FROM_NOW_ON
        if connection is not None:
            connection.terminate()

    def _tell(self, *_: object) -> None:
        self._told.set()
