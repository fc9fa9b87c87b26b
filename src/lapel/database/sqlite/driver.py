"""The driver interface for SQLite, which ``sqlite3`` implements. Another build of SQLite provides its own driver."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Protocol, Self, TypeAlias

from lapel.database.statement import Row

__all__ = ["MEMORY", "Connection", "Connector", "Cursor", "connect_stdlib"]

MEMORY = ":memory:"


class Cursor(Protocol):
    """The result of one statement, which may still be running. Methods raise the same errors as a `Connection`'s."""

    @property
    def rowcount(self) -> int:
        """The number of rows that an ``INSERT``, ``UPDATE`` or ``DELETE`` has affected."""

    def fetchmany(self, size: int, /) -> list[Row]:
        """Return the next rows, at most `size`; none at the end."""

    def fetchall(self) -> list[Row]:
        """Return the remaining rows and end the statement, so that it no longer holds a snapshot."""

    def close(self) -> None: ...


class Connection(Protocol):
    """A connection in autocommit mode, usable from any thread but not concurrently, except for `interrupt`.

    Values have SQLite's types: None, int, float, str, bytes.

    Errors are ``sqlite3.Error`` with SQLite's extended result code as ``sqlite_errorcode``. Without a code, they are
    ``sqlite3.ProgrammingError``: for a value that cannot be bound, and for a closed connection (with "closed" in the
    message). So every driver's errors can be translated in the same way.
    """

    @property
    def in_transaction(self) -> bool: ...

    def execute(self, sql: str, parameters: Sequence[object] = ..., /) -> Cursor:
        """Run one statement. One that returns no rows runs to completion."""

    def set_progress_handler(self, handler: Callable[[], bool] | None, steps: int, /) -> None:
        """Set a handler that is called every so many steps and returns whether to interrupt; None for no handler."""

    def backup(self, target: Self, /, *, pages: int, progress: Callable[[int, int, int], object]) -> None:
        """Overwrite `target` with a copy of the database, so many pages at a time.

        Args:
            progress: called after each step with a status code of SQLite's, the remaining pages and all pages. An
                exception that it raises ends the copying.
        """

    def interrupt(self) -> None:
        """Interrupt the running statement with ``SQLITE_INTERRUPT``."""

    def close(self) -> None:
        """Close the connection, even with open statements. Does nothing if it is closed."""


Connector: TypeAlias = Callable[[str], Connection]
"""Opens an SQLite URI (https://sqlite.org/uri.html) or ``:memory:``, without reading from the database."""


def connect_stdlib(uri: str) -> sqlite3.Connection:
    """Open a connection with the standard library's driver."""
    return sqlite3.connect(
        uri, uri=True, isolation_level=None, check_same_thread=False, cached_statements=256, timeout=0
    )
