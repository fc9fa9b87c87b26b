"""What takes part in a distributed transaction: one database, as its coordinator and recovery see it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import NamedTuple, Protocol

__all__ = ["BranchName", "Participant"]

_PART = r"([0-9A-Za-z._-]{1,64})"
_FORM = re.compile(rf"lapel-2pc:{_PART}:([0-9a-f]{{32}}):{_PART}")


class BranchName(NamedTuple):
    """The name of a transaction that is prepared in one database as a part of a distributed one.

    As text it is at most 172 characters of ASCII that need no quoting; PostgreSQL takes names of up to 199 bytes.

    Attributes:
        coordinator: the `Participant.identity` of the database that keeps the decision, and the lock.
        act: which distributed transaction it is a part of; random.
        database: the identity of the database that it is prepared in. Names must differ within a server.
    """

    coordinator: str
    act: str
    database: str

    def __str__(self) -> str:
        return f"lapel-2pc:{self.coordinator}:{self.act}:{self.database}"

    @classmethod
    def parsed(cls, text: str) -> BranchName | None:
        """None where it is none of ours."""
        found = _FORM.fullmatch(text)
        return cls(*found.groups()) if found else None


class Participant(Protocol):
    """A connection of its own to one database. Every method raises `lapel.database.errors.DatabaseError`.

    Attributes:
        identity: of this database among all, for as long as it lives, and not of a copy that was made of its rows.
        address: where it is, for the operator, without secrets.
    """

    identity: str
    address: str

    def check(self) -> None:
        """Raise where transactions cannot be prepared here at all, such as `TwoPhaseOff`."""

    async def hold(self, *, alone: bool) -> None:
        """Take this coordinator's lock, until `close` or the loss of the connection: shared by those who coordinate.

        Args:
            alone: shared with nobody, for recovery.

        Raises:
            DatabaseBusy: others have kept it for too long.
        """

    async def prepared(self) -> Mapping[str, datetime]:
        """The names of all transactions that stand prepared here, whosever they are, and since when."""

    async def settle(self, name: str, *, commit: bool) -> bool:
        """Commit one that is prepared, or roll it back, durably; on a new connection if this one is lost.

        Returns:
            Whether one of that name was there. If not, and it is to be committed, whoever has done so has done it
            durably: a fail-over does not bring it back.
        """

    async def decide(self, names: Collection[str]) -> None:
        """Write into the log, durably, that these are to be committed: only on the connection that took the lock.

        Raises:
            OutcomeUnknown: it was lost meanwhile, or a fail-over may lose it. On every other error nothing was written.
        """

    async def decided(self) -> Mapping[str, datetime]:
        """What the log says is to be committed, and since when: only on the connection that took the lock.

        A fail-over does not take it back.
        """

    async def forget(self, names: Collection[str]) -> None:
        """Take these, which are committed, out of the log."""

    def close(self) -> None:
        """Close the connection, and with it let go of the lock."""
