"""PostgreSQL's change feed: a table of changes, and LISTEN for when to read it.

A transaction that changes cached entities records their keys in ``changes``, with its own transaction id. After the
commit it sends a notification (PostgreSQL cannot PREPARE a transaction that has sent one). The notification has no
payload; any number of them cause one read. If one is lost, the table is still read within half a second.

No read misses a change, in whatever order transactions end: each read starts at the oldest transaction that was still
running at the time of the previous read.
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
_NOTIFY_SECONDS = 1.0  # the transaction is already committed and must not wait for long
_RECORD = """
INSERT INTO changes (entity, key, changed_in)
SELECT entity, key, pg_current_xact_id()::text::bigint FROM unnest($1::text[], $2::bytea[]) AS changed (entity, key)
ON CONFLICT (entity, key) DO UPDATE SET changed_in = EXCLUDED.changed_in
"""
# Ids that this server has not assigned yet come from another server, in a table that was restored.
_READ_CHANGES = """
SELECT pg_snapshot_xmin(now)::text::bigint AS next, entity, key, changed_in
  FROM pg_current_snapshot() AS now
  LEFT JOIN changes ON changed_in >= $1 AND changed_in < pg_snapshot_xmax(now)::text::bigint
"""
_FROM_NOW_ON = 2**63 - 1


async def record(connection: Connection, changed: Collection[Key]) -> None:
    """Record in the open transaction that it changes these keys. Raises the driver's errors."""
    entities, keys = zip(*sorted(changed), strict=True)
    await connection.execute(_RECORD, entities, keys)


async def notify(connection: Connection | LoneConnection) -> None:
    """Notify all feeds. Raises the driver's errors, which may be ignored because the feeds also poll."""
    await connection.execute(f"NOTIFY {_CHANNEL}", timeout=_NOTIFY_SECONDS)


class PostgresqlChangeFeed:
    """`lapel.database.change_feed.ChangeFeed` for PostgreSQL, on a connection of its own."""

    def __init__(self, manager: PostgresqlConnectionManager) -> None:
        self._manager = manager
        self._connection: LoneConnection | None = None
        self._generation = 0  # the manager's, when this connected
        self._next = _FROM_NOW_ON
        self._last_read: set[tuple[str, bytes, int]] = set()
        self._notified = asyncio.Event()

    async def changes(self) -> Iterable[Key] | None:
        is_first = self._connection is None
        try:
            if self._connection is None:
                self._generation = self._manager.generation
                self._connection = await self._manager.connect_alone()
                self._connection.add_termination_listener(self._on_notification)
                await self._connection.add_listener(_CHANNEL, self._on_notification)
            elif self._connection.is_closed() or self._generation != self._manager.generation:
                raise ConnectionLost  # after a fail-over, the old server may still be running
            self._notified.clear()
            rows = await self._connection.fetch(_READ_CHANGES, self._next)
        except DRIVER_ERRORS as error:
            raise translated(error) from error
        self._next = rows[0]["next"]
        before, self._last_read = self._last_read, {tuple(row)[1:] for row in rows if row["entity"] is not None}
        return None if is_first else {(entity, key) for entity, key, _ in self._last_read - before}

    async def wait_for_change(self, *, within: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._notified.wait()

    def close(self) -> None:
        connection, self._connection, self._next = self._connection, None, _FROM_NOW_ON
        if connection is not None:
            connection.terminate()

    def _on_notification(self, *_: object) -> None:
        self._notified.set()
