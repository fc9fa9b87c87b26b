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
)
"""Everything that the driver may raise for a database's reason."""

_STATES: dict[str, type[e.DatabaseError]] = {
    "23505": e.UniqueViolation,
    "23503": e.ForeignKeyViolation,
    "23502": e.NotNullViolation,
    "23514": e.CheckViolation,
    "40001": e.SerializationFailure,
    "40P01": e.Deadlock,
    "57014": e.QueryTimeout,
    "55P03": e.QueryTimeout,
    "25006": e.ReadOnlyDatabase,
    "25P02": e.TransactionFailed,
    "42501": e.PermissionDenied,
    "42P01": e.WrongSchema,
    "42703": e.WrongSchema,
    "53100": e.DatabaseFull,
    "53300": e.DatabaseBusy,
    "54000": e.ValueTooLarge,
    "57P03": e.NotConnected,
}
_CLASSES: dict[str, type[e.DatabaseError]] = {
    "08": e.ConnectionLost,
    "22": e.InvalidValue,
    "23": e.ConstraintViolation,
    "25": e.ConnectionLost,  # 25P03: the server ended a transaction that stood idle, and with it the connection
    "28": e.PermissionDenied,
    "53": e.DatabaseBusy,
    "54": e.ValueTooLarge,
    "57": e.ConnectionLost,  # 57P01 and 57P02: the server is shutting down
    "58": e.StorageFailure,
    "XX": e.CorruptDatabase,
}


def translated(error: Exception) -> e.DatabaseError:
    """Our error for one of the driver's. Raise it ``from`` that."""
    if isinstance(error, asyncpg.PostgresError):
        state = error.sqlstate or ""
        kind = _STATES.get(state) or _CLASSES.get(state[:2]) or e.DatabaseError
        if kind is e.DatabaseError:
            return kind(f"PostgreSQL says: {error} ({state}).")
        ours = kind()
        if isinstance(ours, e.ConstraintViolation):
            ours.constraint = getattr(error, "constraint_name", None)
        return ours
    if isinstance(error, asyncpg.DataError | OverflowError | UnicodeError):
        return e.InvalidValue()
    if isinstance(error, TimeoutError):
        return e.QueryTimeout()
    if isinstance(error, asyncpg.ClientConfigurationError | ValueError):
        return e.InvalidValue("DATABASE_URL cannot be understood.")
    if isinstance(error, asyncpg.InterfaceError) and "pool is" in str(error):
        return e.NotConnected()
    return e.ConnectionLost()
