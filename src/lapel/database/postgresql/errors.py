"""Translates SQLSTATEs (PostgreSQL manual, appendix A) and asyncpg's own errors to `lapel.database.errors`."""

from __future__ import annotations

import re

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
"""Every exception type that the driver may raise."""

# By SQLSTATE, or else by its class, the first two characters.
_STATES: dict[str, type[e.DatabaseError]] = {
    state: kind
    for kind, states in {
        e.AccessRefused: "28",
        e.AlreadyExists: "42701 42710 42723 42P07",
        e.CheckViolation: "23514 44",
        # 25P03, 25P04: a time limit of the transaction ended it with its connection; 57: the server is shutting down.
        e.ConnectionLost: "08 25P03 25P04 57",
        e.ConstraintViolation: "23 40002",
        e.CorruptDatabase: "XX001 XX002",
        e.DatabaseBusy: "53 55006",  # too many connections, too little memory, a configured limit
        e.DatabaseFull: "53100",
        e.Deadlock: "40P01",
        e.ForeignKeyViolation: "23001 23503",
        e.InvalidValue: "22",
        e.NotConnected: "08001 08004 57P03 57P04",
        e.NotNullViolation: "23502",
        e.NotSupported: "0A",
        e.OutcomeUnknown: "08007 40003",
        e.PermissionDenied: "0P 42501",
        e.QueryTimeout: "55P03 57014",
        e.ReadOnlyDatabase: "25006",
        e.SerializationFailure: "40001 72",
        e.StorageFailure: "58",
        e.TransactionAborted: "26 40",  # 26: a pooler has switched to a server without the prepared statement
        e.TransactionFailed: "25P02",
        e.UnknownDatabase: "3D",
        e.UniqueViolation: "23505 23P01",  # 23P01: uniqueness by another operator than equality
        e.ValueTooLarge: "22001 54",
        e.WrongSchema: "3F 42703 42704 42804 42883 42P01",
    }.items()
    for state in states.split()
}


def translated(error: Exception) -> e.DatabaseError:
    """Return our error for a driver's error. Raise it ``from`` that one, whose message may contain values."""
    if isinstance(error, asyncpg.InvalidCachedStatementError | asyncpg.OutdatedSchemaCacheError):
        return e.TransactionAborted()  # a migration has changed the table; a retry prepares the statement again
    if isinstance(error, asyncpg.PostgresError):
        state = error.sqlstate or ""
        kind = _STATES.get(state) or _STATES.get(state[:2])
        if kind is None:
            return e.DatabaseError(f"PostgreSQL reports {type(error).__name__} ({state}).")
        result = kind()
        if kind is e.AlreadyExists and (names := re.findall('"(.+?)"', str(error))):  # such as a column and its table
            result = kind(f"The database already has {' of '.join(names)}.")
        if isinstance(result, e.ConstraintViolation):
            column = error.column_name and f"{error.table_name}.{error.column_name}"
            result.constraint = error.constraint_name or column
        return result
    if isinstance(error, asyncpg.DataError | OverflowError | UnicodeError):
        return e.InvalidValue()
    if isinstance(error, TimeoutError):
        return e.QueryTimeout()
    if isinstance(error, MemoryError):
        return e.DatabaseBusy()
    if isinstance(error, asyncpg.ClientConfigurationError | ValueError):
        reason = error.args[0] if isinstance(error, asyncpg.ClientConfigurationError) else None  # has no secrets
        return e.InvalidValue("DATABASE_URL cannot be understood.", hint=reason and f"The driver says: {reason}.")
    if isinstance(error, asyncpg.InterfaceError) and "pool is" in str(error):
        return e.NotConnected()
    return e.ConnectionLost()
