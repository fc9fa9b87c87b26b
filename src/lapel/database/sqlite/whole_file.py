"""Operations on a whole SQLite file: copying it while others write to it, and closing it to everybody."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from lapel.database.errors import CorruptDatabase, DatabaseBusy
from lapel.database.shielding import interruptible
from lapel.database.sqlite.database_file import DatabaseFile
from lapel.database.sqlite.driver import Connection, Connector
from lapel.database.sqlite.errors import translated, translating

__all__ = ["at_rest", "copy_snapshot"]

_PAGES_PER_STEP = 1024


async def copy_snapshot(
    source: Connection, connector: Connector, file: Path, on_progress: Callable[[int, int], None]
) -> None:
    """Copy a snapshot to `file`, which is empty. Leaves `source` in the transaction that holds the snapshot.

    Without a transaction, SQLite restarts the copy whenever another process writes, and under load it never ends. The
    snapshot blocks nobody; only the log grows.
    """
    interrupted = threading.Event()

    def advance(_: int, remaining: int, total: int) -> None:
        if interrupted.is_set():
            raise InterruptedError
        on_progress(total - remaining, total)

    def copy() -> None:
        with closing(connector(DatabaseFile(str(file)).uri("mode=rw"))) as target:
            ((page_size,),) = source.execute("PRAGMA page_size").fetchall()
            # No journal: an unfinished copy is discarded anyway. Encrypted files need the same page size.
            for pragma in (f"page_size = {page_size}", "journal_mode = OFF", "synchronous = OFF"):
                target.execute(f"PRAGMA {pragma}").fetchall()
            source.execute("BEGIN")
            source.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall()
            source.backup(target, pages=_PAGES_PER_STEP, progress=advance)

    with translating():
        await interruptible(asyncio.ensure_future(asyncio.to_thread(copy)), interrupted.set)


@contextmanager
def at_rest(path: str, connector: Connector) -> Iterator[None]:
    """Move the log into the file and keep everybody out during the block. A damaged file is left as it is."""
    if not os.path.exists(path):
        yield
        return
    in_use = DatabaseBusy("Another process has the database's file open.", hint="End what uses it, and try again.")
    with closing(connector(DatabaseFile(path).uri("mode=rw"))) as connection:
        try:
            # Leaving WAL mode requires that nobody else has the file open, and leaves no log to apply to a new file.
            ((mode,),) = connection.execute("PRAGMA journal_mode = DELETE").fetchall()
            if mode != "delete":
                raise in_use
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            failure = translated(error)
            if not isinstance(failure, CorruptDatabase):
                raise (in_use if isinstance(failure, DatabaseBusy) else failure) from error
        yield
