"""Every error of both drivers by table: what it means, whether or not it can be produced."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import asyncpg
import pytest

from lapel.database.errors import (
    AccessRefused,
    AlreadyExists,
    CheckViolation,
    ConnectionLost,
    ConstraintViolation,
    CorruptDatabase,
    DatabaseBusy,
    DatabaseError,
    DatabaseFull,
    Deadlock,
    ForeignKeyViolation,
    InvalidValue,
    NotADatabase,
    NotConnected,
    NotNullViolation,
    NotSupported,
    OutcomeUnknown,
    PermissionDenied,
    QueryTimeout,
    ReadOnlyDatabase,
    SerializationFailure,
    StorageFailure,
    TransactionAborted,
    TransactionFailed,
    UniqueViolation,
    UnknownDatabase,
    ValueTooLarge,
    WrongSchema,
)
from lapel.database.postgresql import errors as postgresql
from lapel.database.sqlite import errors as sqlite

STATES: dict[str, type[DatabaseError]] = {
    "08000": ConnectionLost,
    "08001": NotConnected,
    "08003": ConnectionLost,
    "08004": NotConnected,
    "08006": ConnectionLost,
    "08007": OutcomeUnknown,
    "08P01": ConnectionLost,
    "0A000": NotSupported,
    "22001": ValueTooLarge,
    "22003": InvalidValue,
    "22021": InvalidValue,
    "22P02": InvalidValue,
    "23000": ConstraintViolation,
    "23001": ForeignKeyViolation,
    "23502": NotNullViolation,
    "23503": ForeignKeyViolation,
    "23505": UniqueViolation,
    "23514": CheckViolation,
    "23P01": UniqueViolation,
    "25006": ReadOnlyDatabase,
    "25P02": TransactionFailed,
    "25P03": ConnectionLost,
    "25P04": ConnectionLost,
    "26000": TransactionAborted,
    "28000": AccessRefused,
    "28P01": AccessRefused,
    "3D000": UnknownDatabase,
    "3F000": WrongSchema,
    "40000": TransactionAborted,
    "40001": SerializationFailure,
    "40002": ConstraintViolation,
    "40003": OutcomeUnknown,
    "40P01": Deadlock,
    "42501": PermissionDenied,
    "42601": DatabaseError,
    "42703": WrongSchema,
    "42883": WrongSchema,
    "42P07": AlreadyExists,
    "42710": AlreadyExists,
    "42701": AlreadyExists,
    "42P01": WrongSchema,
    "44000": CheckViolation,
    "53000": DatabaseBusy,
    "53100": DatabaseFull,
    "53200": DatabaseBusy,
    "53300": DatabaseBusy,
    "53400": DatabaseBusy,
    "54000": ValueTooLarge,
    "54023": ValueTooLarge,
    "55000": DatabaseError,
    "55006": DatabaseBusy,
    "55P03": QueryTimeout,
    "57000": ConnectionLost,
    "57014": QueryTimeout,
    "57P01": ConnectionLost,
    "57P02": ConnectionLost,
    "57P03": NotConnected,
    "57P04": NotConnected,
    "57P05": ConnectionLost,
    "58000": StorageFailure,
    "58030": StorageFailure,
    "58P01": StorageFailure,
    "72000": SerializationFailure,
    "P0001": DatabaseError,
    "XX000": DatabaseError,
    "XX001": CorruptDatabase,
    "XX002": CorruptDatabase,
}

CODES: dict[str, type[DatabaseError]] = {
    "SQLITE_PERM": PermissionDenied,
    "SQLITE_ABORT": TransactionAborted,
    "SQLITE_ABORT_ROLLBACK": TransactionAborted,
    "SQLITE_BUSY": DatabaseBusy,
    "SQLITE_BUSY_RECOVERY": DatabaseBusy,
    "SQLITE_BUSY_SNAPSHOT": SerializationFailure,
    "SQLITE_LOCKED": DatabaseBusy,
    "SQLITE_LOCKED_SHAREDCACHE": DatabaseBusy,
    "SQLITE_NOMEM": DatabaseBusy,
    "SQLITE_READONLY": ReadOnlyDatabase,
    "SQLITE_READONLY_RECOVERY": ReadOnlyDatabase,
    "SQLITE_READONLY_CANTINIT": ReadOnlyDatabase,
    "SQLITE_READONLY_DIRECTORY": ReadOnlyDatabase,
    "SQLITE_READONLY_DBMOVED": StorageFailure,
    "SQLITE_INTERRUPT": QueryTimeout,
    "SQLITE_IOERR": StorageFailure,
    "SQLITE_IOERR_READ": StorageFailure,
    "SQLITE_IOERR_WRITE": StorageFailure,
    "SQLITE_IOERR_FSYNC": StorageFailure,
    "SQLITE_IOERR_SHMSIZE": DatabaseFull,
    "SQLITE_IOERR_NOMEM": DatabaseBusy,
    "SQLITE_IOERR_CORRUPTFS": CorruptDatabase,
    "SQLITE_IOERR_DATA": CorruptDatabase,
    "SQLITE_CORRUPT": CorruptDatabase,
    "SQLITE_CORRUPT_INDEX": CorruptDatabase,
    "SQLITE_FULL": DatabaseFull,
    "SQLITE_CANTOPEN": StorageFailure,
    "SQLITE_CANTOPEN_ISDIR": StorageFailure,
    "SQLITE_PROTOCOL": DatabaseBusy,
    "SQLITE_SCHEMA": TransactionAborted,
    "SQLITE_TOOBIG": ValueTooLarge,
    "SQLITE_CONSTRAINT": ConstraintViolation,
    "SQLITE_CONSTRAINT_CHECK": CheckViolation,
    "SQLITE_CONSTRAINT_FOREIGNKEY": ForeignKeyViolation,
    "SQLITE_CONSTRAINT_NOTNULL": NotNullViolation,
    "SQLITE_CONSTRAINT_PRIMARYKEY": UniqueViolation,
    "SQLITE_CONSTRAINT_ROWID": UniqueViolation,
    "SQLITE_CONSTRAINT_TRIGGER": ConstraintViolation,
    "SQLITE_CONSTRAINT_UNIQUE": UniqueViolation,
    "SQLITE_MISMATCH": InvalidValue,
    "SQLITE_NOLFS": StorageFailure,
    "SQLITE_AUTH": PermissionDenied,
    "SQLITE_NOTADB": NotADatabase,
    "SQLITE_ERROR_SNAPSHOT": SerializationFailure,
    "SQLITE_ERROR": DatabaseError,
    "SQLITE_INTERNAL": DatabaseError,
    "SQLITE_MISUSE": DatabaseError,
    "SQLITE_RANGE": DatabaseError,
}


SAID_BY_ASYNCPG: list[tuple[Exception, type[DatabaseError]]] = [
    (asyncpg.InterfaceError("connection is closed"), ConnectionLost),
    (asyncpg.InterfaceError("pool is closing"), NotConnected),
    (asyncpg.InternalClientError("state"), ConnectionLost),
    (asyncpg.OutdatedSchemaCacheError("type"), TransactionAborted),
    (asyncpg.DataError("invalid input for query argument $1: 'hunter2'"), InvalidValue),
    (ConnectionResetError(), ConnectionLost),
    (TimeoutError(), QueryTimeout),
    (OverflowError(), InvalidValue),
    (MemoryError(), DatabaseBusy),
]

WITHOUT_A_CODE: list[tuple[Exception, type[DatabaseError]]] = [
    (sqlite3.OperationalError("no such table: issuers"), WrongSchema),
    (sqlite3.OperationalError("table issuers has no column named x"), WrongSchema),
    (sqlite3.ProgrammingError("Cannot operate on a closed database."), NotConnected),
    (OverflowError(), InvalidValue),
    (MemoryError(), DatabaseBusy),
    (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"), InvalidValue),
]


def with_sqlstate(state: str) -> Exception:
    fields = {"S": "ERROR", "V": "ERROR", "C": state, "M": "it says 'hunter2'", "D": "Key (name)=(hunter2)"}
    error: Exception = asyncpg.PostgresError.new(fields)
    return error


def with_result_code(name: str) -> Exception:
    error = sqlite3.OperationalError("it says 'hunter2'")
    error.sqlite_errorcode = getattr(sqlite3, name)
    error.sqlite_errorname = name
    return error


@pytest.mark.parametrize(
    ("translated", "error", "expected"),
    [
        *(pytest.param(postgresql.translated, with_sqlstate(state), STATES[state], id=state) for state in STATES),
        *(pytest.param(postgresql.translated, error, expected, id=repr(error)) for error, expected in SAID_BY_ASYNCPG),
        *(pytest.param(sqlite.translated, with_result_code(name), CODES[name], id=name) for name in CODES),
        *(pytest.param(sqlite.translated, error, expected, id=repr(error)) for error, expected in WITHOUT_A_CODE),
    ],
)
def test_each_error_has_its_meaning_and_no_value_is_told(
    translated: Callable[[Exception], DatabaseError], error: Exception, expected: type[DatabaseError]
) -> None:
    ours = translated(error)
    assert type(ours) is expected
    assert "hunter2" not in str(ours)
