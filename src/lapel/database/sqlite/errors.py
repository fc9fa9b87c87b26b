"""What SQLite's result codes mean (https://sqlite.org/rescode.html) in our words."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from lapel.database import errors as e

__all__ = ["DRIVER_ERRORS", "is_busy", "not_opened", "translated", "translating"]

DRIVER_ERRORS = (sqlite3.Error, OverflowError, UnicodeError, MemoryError)
"""Everything that the driver may raise for a database's reason."""

# By extended code, or else by the primary one, which is its low byte.
_CODES: dict[int, type[e.DatabaseError]] = {
    getattr(sqlite3, f"SQLITE_{name}"): kind
    for kind, names in {
        e.CheckViolation: "CONSTRAINT_CHECK",
        e.ConstraintViolation: "CONSTRAINT",
        e.CorruptDatabase: "CORRUPT IOERR_DATA IOERR_CORRUPTFS",
        # PROTOCOL: others opened and closed the WAL faster than we could join.
        e.DatabaseBusy: "BUSY LOCKED PROTOCOL NOMEM IOERR_NOMEM",
        # SHMSIZE: what is opened on a full disk cannot have an index of its log.
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
_CODES[3091] = e.InvalidValue  # SQLITE_CONSTRAINT_DATATYPE, of STRICT tables, which Python has no name for
_CONSTRAINT = re.compile(r"constraint failed: (\S.*)$")
_SCHEMA = re.compile(r"no such (table|column|index|view|function)|has no column named|has \d+ columns")
_THERE = re.compile(r"^there is already|already exists$|^duplicate column name")


def is_busy(error: Exception) -> bool:
    """Somebody else holds the write lock."""
    return _code(error) & 0xFF == sqlite3.SQLITE_BUSY


def translated(error: Exception) -> e.DatabaseError:
    """Our error for one of the driver's. Raise it ``from`` that: what it says, which may hold values, stays there."""
    if isinstance(error, MemoryError):
        return e.DatabaseBusy()
    if not isinstance(error, sqlite3.Error):
        return e.InvalidValue()
    code = _code(error)
    kind = _CODES.get(code) or _CODES.get(code & 0xFF)
    if kind is not None:
        ours = kind()
        if isinstance(ours, e.ConstraintViolation) and (named := _CONSTRAINT.search(str(error))):
            ours.constraint = named[1]
        return ours
    if isinstance(error, sqlite3.ProgrammingError) and "closed" in str(error):
        return e.NotConnected()
    if not code and isinstance(error, sqlite3.ProgrammingError | sqlite3.InterfaceError):
        return e.InvalidValue()  # the driver itself has no way to bind it
    if _THERE.search(str(error)):
        return e.AlreadyThere(f"SQLite says: {error}.")
    if _SCHEMA.search(str(error)):
        return e.WrongSchema(f"SQLite says: {error}.")  # names of tables and columns only
    return e.DatabaseError(f"SQLite reports {getattr(error, 'sqlite_errorname', type(error).__name__)}.")


@contextmanager
def translating() -> Iterator[None]:
    """Raise the driver's errors as ours. What repositories run does so itself: this costs a microsecond."""
    try:
        yield
    except DRIVER_ERRORS as error:
        raise translated(error) from error


def not_opened(file: str, error: sqlite3.Error) -> e.DatabaseError:
    """`translated`, for an error at the opening of `file`: the operator is told which."""
    ours = translated(error)
    if not isinstance(ours, e.StorageFailure | e.ReadOnlyDatabase):
        return ours
    hint = "Set SQLITE_FILE to a path you can write, on a disk that is whole."
    return e.StorageFailure(f"The database file {file} cannot be opened: {error}.", hint=hint)


def _code(error: Exception) -> int:
    return getattr(error, "sqlite_errorcode", 0)
