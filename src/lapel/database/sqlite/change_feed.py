"""SQLite: what other processes have written, by ``PRAGMA data_version``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from lapel.database.caching import Key
from lapel.database.sqlite.connection_manager import SqliteConnectionManager
from lapel.database.sqlite.driver import Connection
from lapel.database.sqlite.errors import translating

__all__ = ["SqliteChangeFeed"]


class SqliteChangeFeed:
    """`lapel.database.change_feed.ChangeFeed` of one file.

    A connection's data version changes when another connection has committed, and not with what it commits itself. So
    it is the writing connection that is asked: all of our own changes are its own, and the cache knows of them already.
    """

    def __init__(self, manager: SqliteConnectionManager) -> None:
        self._manager = manager
        self._seen: tuple[Connection, object] | None = None

    async def changes(self) -> Iterable[Key] | None:
        # Between two units: a COMMIT may be running on it in another thread.
        async with self._manager.exclusively() as connection:
            self._manager.check_file()
            with translating():
                ((version,),) = connection.execute("PRAGMA data_version").fetchall()
        seen, self._seen = self._seen, (connection, version)
        return () if seen == self._seen else None  # what has changed it does not tell

    async def told(self, *, within: float) -> None:
        await asyncio.sleep(within)

    def close(self) -> None:
        self._seen = None
