"""Translates SQLite's result codes (https://sqlite.org/rescode.html) to `lapel.database.errors`."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lapel.database import errors as e
from lapel.database.sqlite.database_file import OWNER_HINT
from lapel.file_system import write_problem

__all__ = ["DRIVER_ERRORS", "is_busy", "not_opened", "translated", "translating"]

DRIVER_ERRORS = (sqlite3.Error, OverflowError, UnicodeError, MemoryError)
"""Every exception type that the driver may raise."""

# By extended code, or else by primary code, which is the low byte.
_CODES: dict[int, type[e.DatabaseError]] = {
    getattr(sqlite3, f"SQLITE_{name}"): kind
    for kind, names in {
        e.CheckViolation: "CONSTRAINT_CHECK",
        e.ConstraintViolation: "CONSTRAINT",
        e.CorruptDatabase: "CORRUPT IOERR_DATA IOERR_CORRUPTFS",
        # PROTOCOL: a race with processes that open and close the WAL.
        e.DatabaseBusy: "BUSY LOCKED PROTOCOL NOMEM IOERR_NOMEM",
        # SHMSIZE: the disk was too full for the log's index when the file was opened.
        e.DatabaseFull: "FULL IOERR_SHMSIZE",
        e.ForeignKeyViolation: "CONSTRAINT_FOREIGNKEY",
        e.InvalidValue: "MISMATCH",
        e.NotADatabase: "NOTADB",
        e.NotNullViolation: "CONSTRAINT_NOTNULL",
        e.PermissionDenied: "AUTH PERM",
        e.QueryTimeout: "INTERRUPT",
        e.ReadOnlyDatabase: "READONLY",
        e.SerializationFailure: "BUSY_SNAPSHOT ERROR_SNAPSHOT",
        e.StorageFailure: "CANTOPEN IOERR NOLFS READONLY_DBMOVED",
        e.TransactionAborted: "ABORT SCHEMA",
        e.UniqueViolation: "CONSTRAINT_PRIMARYKEY CONSTRAINT_ROWID CONSTRAINT_UNIQUE",
        e.ValueTooLarge: "TOOBIG",
    }.items()
    for name in names.split()
}
_CODES[3091] = e.InvalidValue  # SQLITE_CONSTRAINT_DATATYPE, of STRICT tables; Python has no constant for it
_CONSTRAINT = re.compile(r"constraint failed: (\S.*)$")
_SCHEMA = re.compile(r"no such (table|column|index|view|function)|has no column named|has \d+ columns")
_EXISTS = re.compile(r"^there is already|already exists$|^duplicate column name")


def is_busy(error: Exception) -> bool:
    """Return whether somebody else holds the write lock."""
    return _code(error) & 0xFF == sqlite3.SQLITE_BUSY


def translated(error: Exception) -> e.DatabaseError:
    """Return our error for a driver's error. Raise it ``from`` that one, whose message may contain values."""
    if isinstance(error, MemoryError):
        return e.DatabaseBusy()
    if not isinstance(error, sqlite3.Error):
        return e.InvalidValue()
    code = _code(error)
    if (kind := _CODES.get(code) or _CODES.get(code & 0xFF)) is not None:
        result = kind()
        if isinstance(result, e.ConstraintViolation) and (match := _CONSTRAINT.search(str(error))):
            result.constraint = match[1]
        return result
    if isinstance(error, sqlite3.ProgrammingError) and "closed" in str(error):
        return e.NotConnected()
    if not code and isinstance(error, sqlite3.ProgrammingError | sqlite3.InterfaceError):
        return e.InvalidValue()  # the driver cannot bind the value
    if _EXISTS.search(str(error)):
        return e.AlreadyExists(f"SQLite says: {error}.")
    if _SCHEMA.search(str(error)):
        return e.WrongSchema(f"SQLite says: {error}.")  # contains names of tables and columns only
    return e.DatabaseError(f"SQLite reports {getattr(error, 'sqlite_errorname', type(error).__name__)}.")


@contextmanager
def translating() -> Iterator[None]:
    """Raise the driver's errors as ours. This costs a microsecond, so methods that repositories call do not use it."""
    try:
        yield
    except DRIVER_ERRORS as error:
        raise translated(error) from error


def not_opened(file: str, error: sqlite3.Error) -> e.DatabaseError:
    """Return our error for one that occurred while opening `file`; storage failures name the file."""
    result = translated(error)
    if not isinstance(result, e.StorageFailure | e.ReadOnlyDatabase):
        return result
    reason = write_problem(Path(file))
    hint = OWNER_HINT if reason else "Set SQLITE_FILE to a path you can write, on a disk that is whole."
    return e.StorageFailure(f"The database file {file} cannot be opened: {reason or error}.", hint=hint)


def _code(error: Exception) -> int:
    return getattr(error, "sqlite_errorcode", 0)
