"""apsw, which is no DB-API, as `lapel.database.sqlite.driver` describes a connection; and the key given to it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from functools import wraps
from itertools import islice
from typing import Literal, ParamSpec, Self, TypeVar, cast

import apsw

from lapel.database.sqlite.driver import MEMORY
from lapel.database.statement import Row
from lapel_sqlite_encrypted.key import Key, NoCipher

__all__ = ["CIPHER", "EncryptedConnection", "EncryptedCursor"]

CIPHER = "chacha20"  # with Poly1305: every page has a nonce and a tag of its own, in the file and in its log
_P = ParamSpec("_P")
_R = TypeVar("_R")


def _with_our_errors(call: Callable[_P, _R]) -> Callable[_P, _R]:
    """`call`, with errors as the standard library's driver would have raised them, by SQLite's own result codes."""

    @wraps(call)
    def called(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return call(*args, **kwargs)
        except (apsw.ConnectionClosedError, apsw.CursorClosedError) as error:
            raise sqlite3.ProgrammingError("The connection is closed.") from error
        except (apsw.BindingsError, TypeError) as error:  # so it says that it cannot bind a value
            raise sqlite3.ProgrammingError(str(error)) from error
        except apsw.Error as error:
            ours = sqlite3.DatabaseError(str(error))
            ours.sqlite_errorname = type(error).__name__
            ours.sqlite_errorcode = getattr(error, "extendedresult", 0)  # 0: apsw itself refuses
            raise ours from error

    return called


class EncryptedCursor:
    """`lapel.database.sqlite.driver.Cursor`."""

    def __init__(self, cursor: apsw.Cursor, rowcount: int) -> None:
        self._cursor = cursor
        self.rowcount = rowcount

    @_with_our_errors
    def fetchmany(self, size: int, /) -> list[Row]:
        return list(islice(self._cursor, size))

    @_with_our_errors
    def fetchall(self) -> list[Row]:
        return list(self._cursor)

    def close(self) -> None:
        self._cursor.close(True)


class EncryptedConnection:
    """`lapel.database.sqlite.driver.Connection`, to what `uri` names.

    Args:
        key: what it is encrypted under; None for a plain file. In memory nothing is.

    Raises:
        NoCipher: this build of SQLite has none, and would write everything as it is.
    """

    @_with_our_errors
    def __init__(self, uri: str, key: Key | None) -> None:
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_URI  # makes no file
        self._connection = apsw.Connection(uri, flags=flags, statementcachesize=256)
        if key is not None and uri != MEMORY:
            self.give("key", key)

    @_with_our_errors
    def give(self, pragma: Literal["key", "rekey"], key: Key) -> None:
        """Tell SQLite the key that is in force, or the one that is to be."""
        # Its own words for one that is not made from a password, which would take a twentieth of a second each time.
        told = self._connection.pragma("cipher", CIPHER), self._connection.pragma(pragma, f"raw:{key.digits}")
        if told != (CIPHER, "ok"):
            self.close()
            raise NoCipher

    @property
    @_with_our_errors
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    @_with_our_errors
    def execute(self, sql: str, parameters: Sequence[object] = (), /) -> EncryptedCursor:
        cursor = self._connection.execute(sql, cast("apsw.Bindings", parameters))
        return EncryptedCursor(cursor, self._connection.changes())

    @_with_our_errors
    def set_progress_handler(self, handler: Callable[[], bool] | None, steps: int, /) -> None:
        self._connection.set_progress_handler(handler, steps)

    @_with_our_errors
    def backup(self, target: Self, /, *, pages: int, progress: Callable[[int, int, int], object]) -> None:
        with target._connection.backup("main", self._connection, "main") as copying:
            while not copying.done:
                copying.step(pages)
                progress(0, copying.remaining, copying.page_count)

    @_with_our_errors
    def interrupt(self) -> None:
        self._connection.interrupt()

    def close(self) -> None:
        self._connection.close(True)
