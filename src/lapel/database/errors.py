"""The errors that driver errors are translated to, each with a stable code and the operation's context.

Most classes are also one of the root errors of `lapel.errors`, so that services and HTTP need not know this module.
The first line of a class's docstring is its default message.
"""

from __future__ import annotations

from dataclasses import dataclass

from lapel.errors import Conflict, InvalidInput, LapelError, NotFound, TooLarge, Unavailable, Unsupported


@dataclass(frozen=True, slots=True)
class OperationContext:
    """The database operation that failed.

    Attributes:
        operation: ``aggregate.verb``, such as ``credentials.create``.
        entity: the kind of entity, such as ``credential``.
        entity_id: the entity's id; None if the operation is not about a single one.
        transaction_id: the operation's transaction; None outside a transaction.
        attempt: 1 for the first attempt, then increased by each retry.
    """

    operation: str
    entity: str
    entity_id: str | None = None
    transaction_id: str | None = None
    attempt: int = 1

    def __str__(self) -> str:
        about = f" of {self.entity} {self.entity_id}" if self.entity_id else ""
        within = f" in transaction {self.transaction_id}" if self.transaction_id else ""
        return f"{self.operation}{about}{within} (attempt {self.attempt})"


class DatabaseError(LapelError):
    """The database could not do this."""

    code = "database_error"
    retryable: bool = False
    """Whether the same transaction may succeed when it is run again."""

    context: OperationContext | None = None

    def with_context(self, context: OperationContext) -> DatabaseError:
        """Set the context, unless it is already set by an inner operation, and return this error."""
        if self.context is None:
            self.context = context
            self.add_note(f"during {context}")
        return self


class ConstraintViolation(DatabaseError, Conflict):
    """A rule of the stored data forbids this.

    Attributes:
        constraint: the constraint's name, if the database reports it.
    """

    code = "constraint_violation"
    constraint: str | None = None

    def with_context(self, context: OperationContext) -> DatabaseError:
        if self.context is None:
            self.detail = f"{self.detail.rstrip('.')} ({context.entity})."
            self.args = (self.detail,)
        return super().with_context(context)


class UniqueViolation(ConstraintViolation):
    """There is already a record with that value."""

    code = "unique_violation"


class ForeignKeyViolation(ConstraintViolation):
    """A record that this one refers to is not there, or others still refer to this one."""

    code = "foreign_key_violation"
    hint = "Look whether what is named is still there: somebody may have deleted it just now."


class NotNullViolation(ConstraintViolation):
    """A value that must be there is missing."""

    code = "not_null_violation"


class CheckViolation(ConstraintViolation):
    """A value is outside what the table allows."""

    code = "check_violation"


class ValueTooLarge(DatabaseError, TooLarge):
    """A value is larger than the database can hold."""

    code = "value_too_large"


class InvalidValue(DatabaseError, InvalidInput):
    """The database cannot hold this value."""

    code = "invalid_value"


class RecordNotFound(DatabaseError, NotFound):
    """There is no such record."""

    code = "not_found"


class Transient(DatabaseError, Unavailable):
    """The database could not do this at this moment."""

    retryable = True


class NotConnected(Transient):
    """The database is not connected."""

    code = "database_not_connected"


class MissingDatabase(DatabaseError, NotFound):
    """There is no database yet."""

    code = "database_missing"
    hint = "`lapel serve` and `lapel db migrate` make one."


class ConnectionLost(Transient):
    """The connection to the database was lost before the transaction ended; it was not carried out."""

    code = "database_connection_lost"


class OutcomeUnknown(DatabaseError, Unavailable):
    """The connection was lost during the commit; whether it happened cannot be told."""

    code = "database_outcome_unknown"
    hint = "Look whether the change is there before you repeat it."


class DatabaseBusy(Transient):
    """The database has no room for more work right now."""

    code = "database_busy"


class QueryTimeout(Transient):
    """The database took too long."""

    code = "database_timeout"


class DeadlineExceeded(DatabaseError, Unavailable):
    """The time for this was over before it was done; it was not carried out."""

    code = "database_deadline_exceeded"


class Deadlock(Transient):
    """Two transactions waited for each other; this one was ended."""

    code = "database_deadlock"


class SerializationFailure(Transient):
    """Another transaction changed what this one had read."""

    code = "database_serialization_failure"


class TransactionAborted(Transient):
    """The transaction was rolled back because the database failed or changed under it."""

    code = "transaction_aborted"


LOST_TO_OTHERS = (ConnectionLost, Deadlock, SerializationFailure, TransactionAborted)
"""Errors of a transaction that was rolled back for others' sake or with its connection, and can be retried."""


class DatabaseFull(DatabaseError, Unavailable):
    """There is no room left for the database."""

    code = "database_full"
    hint = "Free some space on the database's disk; reading goes on meanwhile."


class StorageFailure(DatabaseError, Unavailable):
    """The database's storage failed."""

    code = "database_storage_failure"
    hint = "Look at the disk and the database's log."


class CorruptDatabase(DatabaseError):
    """The database file is damaged."""

    code = "database_corrupt"
    hint = "Stop the server and restore a backup."


class NotADatabase(CorruptDatabase):
    """The file is not an SQLite database."""

    hint = "Look whether SQLITE_FILE names the right file. If it does, stop the server and restore a backup."


class ReadOnlyDatabase(DatabaseError, Unavailable):
    """The database accepts no writes."""

    code = "database_read_only"
    hint = "Look at the file's permissions, or whether this is a standby."


class PermissionDenied(DatabaseError):
    """The database user may not do this."""

    code = "database_permission_denied"
    hint = "Grant the database user the rights on Lapel's tables."


class AccessRefused(DatabaseError, Unavailable):
    """The database refuses this user or password."""

    code = "database_access_refused"
    hint = "Look at the user and the password in DATABASE_URL, and at whom the server lets in (pg_hba.conf)."


class UnknownDatabase(DatabaseError, Unavailable):
    """The database server has no such database."""

    code = "database_unknown"
    hint = "Make it with `createdb`, or correct its name in DATABASE_URL."


class WrongSchema(DatabaseError):
    """The database's tables are not those of this version of Lapel."""

    code = "database_wrong_schema"
    hint = "Run `lapel db migrate`."


class AlreadyExists(WrongSchema):
    """The database has something of that name already."""

    code = "database_object_exists"
    hint = "It is not Lapel's, or was made by hand: rename or drop it, and run `lapel db migrate` again."


class NewerDatabase(WrongSchema):
    """The database was made by a newer version of Lapel."""

    code = "database_newer"
    hint = "Upgrade Lapel; it does not migrate backwards."


class ForeignDatabase(WrongSchema):
    """The database holds what is not Lapel's."""

    code = "database_foreign"
    hint = "Give Lapel a database of its own, and look whether SQLITE_FILE or DATABASE_URL names the right one."


class DatabaseLocked(DatabaseError, Unavailable):
    """Another server already runs on this database file."""

    code = "database_locked"
    hint = "Stop the other server, or use PostgreSQL to run several."


class TransactionFailed(DatabaseError):
    """An earlier statement of this transaction failed; it can only be rolled back."""

    code = "transaction_failed"
    hint = "Put what may fail inside `tx.savepoint()`."


class SessionMisuse(DatabaseError):
    """The session is used outside its task or after its end, or a transaction is opened inside another."""

    code = "session_misuse"
    hint = "Use the open transaction, or `tx.savepoint()` for a nested one."


class TransactionEnded(SessionMisuse):
    """This transaction has ended or was never opened."""


class NotSupported(DatabaseError, Unsupported):
    """This database cannot do that."""

    code = "database_not_supported"


class TwoPhaseNotSupported(NotSupported):
    """A database of this kind prepares no transactions."""

    code = "two_phase_not_supported"
    hint = "Only databases that can (`capabilities.two_phase`) take part in distributed transactions: PostgreSQL's can."


class TwoPhaseOff(DatabaseError, Unsupported):
    """The database's server is set to prepare no transactions."""

    code = "two_phase_off"


class SameDatabase(DatabaseError, InvalidInput):
    """One database was given twice."""

    code = "same_database"
    hint = "Name another one."


class CommitDelayed(DatabaseError):
    """The distributed transaction is decided and will be committed, but not everywhere yet."""

    code = "two_phase_commit_delayed"
    hint = "Do not repeat it. `lapel db recover` commits the rest when every database is there."


class UnknownDatabaseType(DatabaseError, InvalidInput):
    """No database module has that name."""

    code = "unknown_database_type"


_KINDS = [name for name, kind in list(globals().items()) if isinstance(kind, type) and issubclass(kind, DatabaseError)]
__all__ = ["LOST_TO_OTHERS", "OperationContext", *_KINDS]
