"""What SQLite's room needs of a driver: ``sqlite3`` is one, and another build of SQLite brings its own."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, Self, TypeAlias

from lapel.database.statement import Row

__all__ = ["MEMORY", "Connection", "Connector", "Cursor", "connect_stdlib"]

MEMORY = ":memory:"


class Cursor(Protocol):
    """The result of one statement. SQLite may still be working on it: errors come as those of a `Connection`."""

    @property
    def rowcount(self) -> int:
        """How many rows an ``INSERT``, ``UPDATE`` or ``DELETE`` has touched."""

    def fetchmany(self, size: int, /) -> list[Row]:
        """The next rows, so many at the most; none at the end."""

    def fetchall(self) -> list[Row]:
        """The rows that are left, the statement ended: it holds no snapshot any more."""

    def close(self) -> None: ...


class Connection(Protocol):
    """One connection: in autocommit mode, usable from any thread, one at a time; `interrupt` at any moment.

    Values are of SQLite's own types: None, int, float, str, bytes.

    Errors are ``sqlite3.Error`` with SQLite's extended result code as ``sqlite_errorcode``; without one, a
    ``sqlite3.ProgrammingError`` for a value that cannot be bound, and for a connection that is closed ("closed" stands
    in its text). So they pass the same wall, whoever's driver it is.
    """

    @property
    def in_transaction(self) -> bool: ...

    def execute(self, sql: str, parameters: Sequence[object] = ..., /) -> Cursor:
        """Run one statement; one without rows to its end."""

    def executemany(self, sql: str, parameters: Iterable[Sequence[object]], /) -> Cursor: ...

    def set_progress_handler(self, handler: Callable[[], bool] | None, steps: int, /) -> None:
        """Have `handler` asked every so many steps whether to interrupt what runs; None for nobody."""

    def backup(self, target: Self, /, *, pages: int, progress: Callable[[int, int, int], object]) -> None:
        """Copy all of it over what `target` has, so many pages at a time.

        Args:
            progress: is told after each time a status of SQLite's, the pages left, and of how many; what it raises
                ends the copying.
        """

    def interrupt(self) -> None:
        """End what runs with ``SQLITE_INTERRUPT``."""

    def close(self) -> None:
        """Close it, whatever is open on it. Does nothing if it is closed."""


Connector: TypeAlias = Callable[[str], Connection]
"""Opens what an SQLite URI names (https://sqlite.org/uri.html), or ``:memory:``, before anything is read of it."""


def connect_stdlib(uri: str) -> sqlite3.Connection:
    """A connection of the standard library's driver."""
    return sqlite3.connect(
        uri, uri=True, isolation_level=None, check_same_thread=False, cached_statements=256, timeout=0
    )
