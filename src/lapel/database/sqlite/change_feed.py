"""SQLite's change feed, which notices other processes' commits by ``PRAGMA data_version``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from lapel.database.caching import Key
from lapel.database.sqlite.connection_manager import SqliteConnectionManager
from lapel.database.sqlite.driver import Connection
from lapel.database.sqlite.errors import translating

__all__ = ["SqliteChangeFeed"]


class SqliteChangeFeed:
    """`lapel.database.change_feed.ChangeFeed` for SQLite.

    A connection's data version changes with the commits of other connections only. It is read on the write connection,
    so that this process's own changes, which the cache already knows, do not count.
    """

    def __init__(self, manager: SqliteConnectionManager) -> None:
        self._manager = manager
        self._last_seen: tuple[Connection, object] | None = None

    async def changes(self) -> Iterable[Key] | None:
        # Exclusively, because a COMMIT may be running on the connection in another thread.
        async with self._manager.exclusively() as connection:
            self._manager.check_file()
            with translating():
                ((version,),) = connection.execute("PRAGMA data_version").fetchall()
        last_seen, self._last_seen = self._last_seen, (connection, version)
        return () if last_seen == self._last_seen else None  # the version does not show what has changed

    async def wait_for_change(self, *, within: float) -> None:
        await asyncio.sleep(within)

    def close(self) -> None:
        self._last_seen = None
