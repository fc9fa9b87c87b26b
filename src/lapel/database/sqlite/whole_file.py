"""A whole SQLite file: copied while others write to it, and at rest so that another can take its place."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from lapel.database.errors import CorruptDatabase, DatabaseBusy
from lapel.database.session import interruptible
from lapel.database.sqlite.database_file import DatabaseFile
from lapel.database.sqlite.driver import Connection, Connector
from lapel.database.sqlite.errors import translated, translating

__all__ = ["at_rest", "copied"]

_PAGES_AT_ONCE = 1024
_OPEN, _OPEN_HINT = "Another process has the database's file open.", "End what uses it, and try again."


async def copied(source: Connection, connector: Connector, file: Path, tell: Callable[[int, int], None]) -> None:
    """Copy one snapshot to `file`, which is empty. `source` is left in the transaction that holds it.

    Without that, SQLite begins anew whenever another process has written, and under load never ends. Nobody waits for
    a snapshot: only the log grows meanwhile by what is written.
    """
    given_up = threading.Event()

    def advance(_: int, left: int, total: int) -> None:
        if given_up.is_set():
            raise InterruptedError
        tell(total - left, total)

    def copy() -> None:
        with closing(connector(DatabaseFile(str(file)).uri("mode=rw"))) as target:
            ((page_size,),) = source.execute("PRAGMA page_size").fetchall()
            # Half a copy is none, and is thrown away. With another size of page an encrypted file cannot be written.
            for pragma in (f"page_size = {page_size}", "journal_mode = OFF", "synchronous = OFF"):
                target.execute(f"PRAGMA {pragma}").fetchall()
            source.execute("BEGIN")
            source.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall()
            source.backup(target, pages=_PAGES_AT_ONCE, progress=advance)

    with translating():
        await interruptible(asyncio.ensure_future(asyncio.to_thread(copy)), given_up.set)


@contextmanager
def at_rest(path: str, connector: Connector) -> Iterator[None]:
    """Bring a file's log into it, do without one, and keep everybody out. A damaged file is left as it is."""
    if not os.path.exists(path):
        yield
        return
    with closing(connector(DatabaseFile(path).uri("mode=rw"))) as connection:
        try:
            # Leaving WAL takes that nobody else has the file open: SQLite would read the log into what comes instead.
            ((mode,),) = connection.execute("PRAGMA journal_mode = DELETE").fetchall()
            if mode != "delete":
                raise DatabaseBusy(_OPEN, hint=_OPEN_HINT)
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            ours = translated(error)
            if not isinstance(ours, CorruptDatabase):
                raise (DatabaseBusy(_OPEN, hint=_OPEN_HINT) if isinstance(ours, DatabaseBusy) else ours) from error
        yield
