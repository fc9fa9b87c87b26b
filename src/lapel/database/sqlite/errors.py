"""What SQLite's result codes mean (https://sqlite.org/rescode.html) in our words."""

from __future__ import annotations

import re
import sqlite3

from lapel.database import errors as e

__all__ = ["DRIVER_ERRORS", "is_busy", "translated"]

DRIVER_ERRORS = (sqlite3.Error, OverflowError, UnicodeError)
"""Everything that the driver may raise for a database's reason."""

_PRIMARY = {
    sqlite3.SQLITE_BUSY: e.DatabaseBusy,
    sqlite3.SQLITE_LOCKED: e.DatabaseBusy,
    sqlite3.SQLITE_FULL: e.DatabaseFull,
    sqlite3.SQLITE_IOERR: e.StorageFailure,
    sqlite3.SQLITE_CANTOPEN: e.StorageFailure,
    sqlite3.SQLITE_CORRUPT: e.CorruptDatabase,
    sqlite3.SQLITE_NOTADB: e.CorruptDatabase,
    sqlite3.SQLITE_READONLY: e.ReadOnlyDatabase,
    sqlite3.SQLITE_PERM: e.PermissionDenied,
    sqlite3.SQLITE_AUTH: e.PermissionDenied,
    sqlite3.SQLITE_INTERRUPT: e.QueryTimeout,
    sqlite3.SQLITE_TOOBIG: e.ValueTooLarge,
    sqlite3.SQLITE_MISMATCH: e.InvalidValue,
    sqlite3.SQLITE_NOMEM: e.StorageFailure,
}
_CONSTRAINT = {
    sqlite3.SQLITE_CONSTRAINT_UNIQUE: e.UniqueViolation,
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY: e.UniqueViolation,
    sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY: e.ForeignKeyViolation,
    sqlite3.SQLITE_CONSTRAINT_NOTNULL: e.NotNullViolation,
    sqlite3.SQLITE_CONSTRAINT_CHECK: e.CheckViolation,
    3091: e.InvalidValue,  # SQLITE_CONSTRAINT_DATATYPE, of STRICT tables
}
_NAMED = re.compile(r"constraint failed: (\S.*)$")


def is_busy(error: sqlite3.Error) -> bool:
    """Somebody else holds the write lock."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


def translated(error: sqlite3.Error | OverflowError | UnicodeError) -> e.DatabaseError:
    """Our error for one of the driver's. Raise it ``from`` that."""
    if isinstance(error, OverflowError | UnicodeError):
        return e.InvalidValue()
    code = getattr(error, "sqlite_errorcode", 0)
    if code & 0xFF == sqlite3.SQLITE_CONSTRAINT:
        named = _NAMED.search(str(error))
        violation = _CONSTRAINT.get(code, e.ConstraintViolation)()
        if isinstance(violation, e.ConstraintViolation) and named:
            violation.constraint = named[1]
        return violation
    known = _PRIMARY.get(code & 0xFF)
    if known is not None:
        return known()
    if isinstance(error, sqlite3.ProgrammingError) and "closed" in str(error):
        return e.NotConnected()
    if "no such table" in str(error) or "no such column" in str(error):
        return e.WrongSchema(f"SQLite says: {error}.")
    return e.DatabaseError(f"SQLite says: {error}.")
