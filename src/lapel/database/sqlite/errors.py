"""What SQLite's result codes mean (https://sqlite.org/rescode.html) in our words."""

from __future__ import annotations

import re
import sqlite3

from lapel.database import errors as e

__all__ = ["DRIVER_ERRORS", "DriverError", "is_busy", "translated"]

DriverError = sqlite3.Error | OverflowError | UnicodeError | MemoryError
DRIVER_ERRORS = (sqlite3.Error, OverflowError, UnicodeError, MemoryError)
"""Everything that the driver may raise for a database's reason."""

# By extended code, or else by the primary one, which is its low byte. Named by `sqlite3` where Python knows the name.
_CODES: dict[int, type[e.DatabaseError]] = {
    sqlite3.SQLITE_ABORT: e.TransactionAborted,
    sqlite3.SQLITE_AUTH: e.PermissionDenied,
    sqlite3.SQLITE_BUSY: e.DatabaseBusy,
    sqlite3.SQLITE_BUSY_SNAPSHOT: e.SerializationFailure,
    sqlite3.SQLITE_CANTOPEN: e.StorageFailure,
    sqlite3.SQLITE_CONSTRAINT: e.ConstraintViolation,
    sqlite3.SQLITE_CONSTRAINT_CHECK: e.CheckViolation,
    sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY: e.ForeignKeyViolation,
    sqlite3.SQLITE_CONSTRAINT_NOTNULL: e.NotNullViolation,
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY: e.UniqueViolation,
    sqlite3.SQLITE_CONSTRAINT_ROWID: e.UniqueViolation,
    sqlite3.SQLITE_CONSTRAINT_UNIQUE: e.UniqueViolation,
    3091: e.InvalidValue,  # SQLITE_CONSTRAINT_DATATYPE, of STRICT tables
    sqlite3.SQLITE_CORRUPT: e.CorruptDatabase,
    sqlite3.SQLITE_ERROR_SNAPSHOT: e.SerializationFailure,
    sqlite3.SQLITE_FULL: e.DatabaseFull,
    sqlite3.SQLITE_INTERRUPT: e.QueryTimeout,
    sqlite3.SQLITE_IOERR: e.StorageFailure,
    sqlite3.SQLITE_IOERR_NOMEM: e.DatabaseBusy,
    8202: e.CorruptDatabase,  # SQLITE_IOERR_DATA: a page's checksum is wrong
    8458: e.CorruptDatabase,  # SQLITE_IOERR_CORRUPTFS
    sqlite3.SQLITE_LOCKED: e.DatabaseBusy,
    sqlite3.SQLITE_MISMATCH: e.InvalidValue,
    sqlite3.SQLITE_NOLFS: e.StorageFailure,
    sqlite3.SQLITE_NOMEM: e.DatabaseBusy,
    sqlite3.SQLITE_NOTADB: e.CorruptDatabase,
    sqlite3.SQLITE_PERM: e.PermissionDenied,
    sqlite3.SQLITE_PROTOCOL: e.DatabaseBusy,  # others opened and closed the WAL faster than we could join
    sqlite3.SQLITE_READONLY: e.ReadOnlyDatabase,
    sqlite3.SQLITE_READONLY_DBMOVED: e.StorageFailure,
    sqlite3.SQLITE_SCHEMA: e.TransactionAborted,  # it changed under the statement again and again
    sqlite3.SQLITE_TOOBIG: e.ValueTooLarge,
}
_CONSTRAINT = re.compile(r"constraint failed: (\S.*)$")
_SCHEMA = re.compile(r"no such (table|column|index|view|function)|has no column named|has \d+ columns")


def is_busy(error: sqlite3.Error) -> bool:
    """Somebody else holds the write lock."""
    return _code(error) & 0xFF == sqlite3.SQLITE_BUSY


def translated(error: DriverError) -> e.DatabaseError:
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
    if _SCHEMA.search(str(error)):
        return e.WrongSchema(f"SQLite says: {error}.")  # names of tables and columns only
    return e.DatabaseError(f"SQLite reports {getattr(error, 'sqlite_errorname', type(error).__name__)}.")


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0)
