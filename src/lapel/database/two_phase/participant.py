"""The interface of a database that takes part in distributed transactions, for the coordinator and recovery."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import NamedTuple, Protocol

__all__ = ["BranchName", "Participant"]

_PART = r"([0-9A-Za-z._-]{1,64})"
_FORM = re.compile(rf"lapel-2pc:{_PART}:([0-9a-f]{{32}}):{_PART}")


class BranchName(NamedTuple):
    """The name of a prepared transaction that is a branch of a distributed one.

    Its text has at most 172 ASCII characters, none of which need quoting. PostgreSQL accepts names of up to 199 bytes.

    Attributes:
        coordinator: the `Participant.identity` of the database with the lock and the log.
        act: the random id of the distributed transaction.
        database: the identity of the branch's database, because names must be unique within a server.
    """

    coordinator: str
    act: str
    database: str

    def __str__(self) -> str:
        return f"lapel-2pc:{self.coordinator}:{self.act}:{self.database}"

    @classmethod
    def parsed(cls, text: str) -> BranchName | None:
        """Parse a name; None if it is not a branch's."""
        match = _FORM.fullmatch(text)
        return cls(*match.groups()) if match else None


class Participant(Protocol):
    """A dedicated connection to one database. Methods raise `lapel.database.errors.DatabaseError`.

    Attributes:
        identity: identifies this database among all, throughout its life; a copy of its rows has another identity.
        address: the database's address for the operator, without secrets.
    """

    identity: str
    address: str

    def check(self) -> None:
        """Raise an error such as `TwoPhaseOff` if transactions cannot be prepared here."""

    async def hold(self, *, alone: bool) -> None:
        """Take the coordinator's lock until `close` or the loss of the connection. Coordinators share it.

        Args:
            alone: take it exclusively, for recovery.

        Raises:
            DatabaseBusy: others have held it for too long.
        """

    async def prepared(self) -> Mapping[str, datetime]:
        """Return the names of all prepared transactions, whoever prepared them, with the time of preparation."""

    async def settle(self, name: str, *, commit: bool) -> bool:
        """Durably commit a prepared transaction, or roll it back; on a new connection if this one is lost.

        Returns:
            Whether it was still prepared. If not and `commit` is set, whoever has committed it has done so durably,
            so that a fail-over does not undo it.
        """

    async def decide(self, names: Collection[str]) -> None:
        """Durably write to the log that these are to be committed. Works only on the connection that took the lock.

        Raises:
            OutcomeUnknown: the connection was lost meanwhile, or a fail-over may lose the decision. After any other
                error nothing was written.
        """

    async def decided(self) -> Mapping[str, datetime]:
        """Return the names in the log, with the time of the decision; a fail-over does not undo these decisions.

        Works only on the connection that took the lock.
        """

    async def forget(self, names: Collection[str]) -> None:
        """Remove these committed transactions from the log."""

    def close(self) -> None:
        """Close the connection, which releases the lock."""
