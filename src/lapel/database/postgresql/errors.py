"""What PostgreSQL's SQLSTATEs (PostgreSQL manual, appendix A) and asyncpg's own errors mean in our words."""

from __future__ import annotations

import asyncpg

from lapel.database import errors as e

__all__ = ["DRIVER_ERRORS", "translated"]

DRIVER_ERRORS = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # its own state machine, when a connection breaks at the wrong moment
    OSError,
    TimeoutError,
    OverflowError,
    UnicodeError,
    MemoryError,
)
"""Everything that the driver may raise for a database's reason."""

# By SQLSTATE, or else by its class, which is its first two characters.
_STATES: dict[str, type[e.DatabaseError]] = {
    "08": e.ConnectionLost,
    "08001": e.NotConnected,
    "08004": e.NotConnected,
    "08007": e.OutcomeUnknown,
    "0A": e.NotSupported,
    "0P": e.PermissionDenied,
    "22": e.InvalidValue,
    "22001": e.ValueTooLarge,
    "23": e.ConstraintViolation,
    "23001": e.ForeignKeyViolation,
    "23502": e.NotNullViolation,
    "23503": e.ForeignKeyViolation,
    "23505": e.UniqueViolation,
    "23514": e.CheckViolation,
    "23P01": e.UniqueViolation,  # an exclusion constraint: uniqueness by another operator than equality
    "25006": e.ReadOnlyDatabase,
    "25P02": e.TransactionFailed,
    "25P03": e.ConnectionLost,  # it stood idle for too long, and the server ended it with its connection
    "25P04": e.ConnectionLost,  # likewise one that took too long
    "26": e.TransactionAborted,  # a prepared statement that is not there: a pooler has changed the server under us
    "28": e.PermissionDenied,
    "3D": e.NotConnected,
    "3F": e.WrongSchema,
    "40": e.TransactionAborted,
    "40001": e.SerializationFailure,
    "40002": e.ConstraintViolation,
    "40003": e.OutcomeUnknown,
    "40P01": e.Deadlock,
    "42501": e.PermissionDenied,
    "42703": e.WrongSchema,
    "42704": e.WrongSchema,
    "42804": e.WrongSchema,
    "42883": e.WrongSchema,
    "42P01": e.WrongSchema,
    "44": e.CheckViolation,
    "53": e.DatabaseBusy,  # too many connections, too little memory, a configured limit
    "53100": e.DatabaseFull,
    "54": e.ValueTooLarge,
    "55006": e.DatabaseBusy,
    "55P03": e.QueryTimeout,
    "57": e.ConnectionLost,  # the server is shutting down, or somebody has ended the connection
    "57014": e.QueryTimeout,
    "57P03": e.NotConnected,
    "57P04": e.NotConnected,
    "58": e.StorageFailure,
    "72": e.SerializationFailure,  # the snapshot is too old
    "XX001": e.CorruptDatabase,
    "XX002": e.CorruptDatabase,
}


def translated(error: Exception) -> e.DatabaseError:
    """Our error for one of the driver's. Raise it ``from`` that: what it says, which may hold values, stays there."""
    if isinstance(error, asyncpg.InvalidCachedStatementError | asyncpg.OutdatedSchemaCacheError):
        return e.TransactionAborted()  # a table was changed under a prepared statement; the next one is prepared anew
    if isinstance(error, asyncpg.PostgresError):
        state = error.sqlstate or ""
        kind = _STATES.get(state) or _STATES.get(state[:2])
        if kind is None:
            return e.DatabaseError(f"PostgreSQL reports {type(error).__name__} ({state}).")
        ours = kind()
        if isinstance(ours, e.ConstraintViolation):
            ours.constraint = error.constraint_name or (error.column_name and f"{error.table_name}.{error.column_name}")
        return ours
    if isinstance(error, asyncpg.DataError | OverflowError | UnicodeError):
        return e.InvalidValue()
    if isinstance(error, TimeoutError):
        return e.QueryTimeout()
    if isinstance(error, MemoryError):
        return e.DatabaseBusy()
    if isinstance(error, asyncpg.ClientConfigurationError):
        return e.InvalidValue("DATABASE_URL cannot be understood.")
    if isinstance(error, asyncpg.InterfaceError) and "pool is" in str(error):
        return e.NotConnected()
    return e.ConnectionLost()
