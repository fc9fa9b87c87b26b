"""One transaction across two databases, committed in both or in none. docs/distributed-transactions.md is the manual.

The coordinator is the first database's: that keeps its lock and its log. Both transactions are prepared, then a
decision is written into the log, then both are committed. What the log does not name is rolled back (presumed abort),
so that until it is written nothing needs to be remembered, and after it nothing can be changed.

A decision is written on the connection that holds the lock. Whoever holds that alone knows therefore that what he does
not find in the log can never be decided any more, by anybody, however late he comes back to life.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import structlog

from lapel.database import errors as e
from lapel.database.interface import Database
from lapel.database.session import shielded
from lapel.database.transaction import DatabaseTransaction
from lapel.database.two_phase.participant import BranchName, Participant
from lapel.domain.ports import Isolation

__all__ = ["distributed"]

_log = structlog.get_logger("lapel.database")


@asynccontextmanager
async def distributed(
    first: Database,
    second: Database,
    *,
    isolation: Isolation = Isolation.READ_COMMITTED,
    deadline: float | None = None,
) -> AsyncIterator[tuple[DatabaseTransaction, DatabaseTransaction]]:
    """A transaction on each, ordinary ones, that end in the same way when the block ends.

    Args:
        first: whose lock and log are used.
        isolation, deadline: of each; the deadline is for the body, not for what follows it.

    Raises:
        TwoPhaseNotSupported, TwoPhaseOff, SameDatabase: before anything is done.
        OutcomeUnknown: the connection was lost while it was being decided: recovery will find out.
        CommitDelayed: it is decided, and recovery will commit what could not be reached.
        DatabaseError: any other one says that neither is committed, nor will be.
    """
    sides: list[Participant] = []
    try:
        for database in (first, second):
            sides.append(await database.participate())
            sides[-1].check()
        if sides[0].identity == sides[1].identity:
            raise e.SameDatabase
        await sides[0].hold(alone=False)
        act = secrets.token_hex(16)
        names = [str(BranchName(sides[0].identity, act, side.identity)) for side in sides]
        one = first.transaction(isolation=isolation, deadline=deadline, prepared_as=names[0])
        other = second.transaction(isolation=isolation, deadline=deadline, prepared_as=names[1])
        ending = _Ending(sides, names, (one, other))
        try:
            async with one, other:
                yield one, other
        except GeneratorExit:  # nothing can be waited for, and nothing is prepared
            raise
        except BaseException as error:
            await shielded(ending.roll_back())
            if isinstance(error, e.OutcomeUnknown):  # of preparing: known now, for it will not be decided
                raise e.ConnectionLost from error
            raise
        await shielded(ending.commit())
    finally:
        for side in sides:
            side.close()


class _Ending:
    """The second phase. None of it is cut short."""

    def __init__(
        self, sides: Sequence[Participant], names: Sequence[str], transactions: Sequence[DatabaseTransaction]
    ) -> None:
        self._sides = sides
        self._branches = list(zip(sides, names, transactions, strict=True))
        self._names = names

    async def commit(self) -> None:
        coordinator = self._sides[0]
        try:
            await coordinator.decide(self._names)
        except e.OutcomeUnknown:
            for _, _, transaction in self._branches:
                transaction.settle("unknown")
            raise
        except e.DatabaseError:
            await self.roll_back()
            raise
        delayed: list[e.DatabaseError] = []
        done: list[str] = []
        for side, name, transaction in self._branches:
            try:
                if not await side.settle(name, commit=True):  # recovery was faster, or somebody's hand
                    _log.warning("a decided transaction was not prepared any more", name=name, database=side.address)
                done.append(name)
            except e.DatabaseError as error:
                delayed.append(error)
                _log.warning("a decided transaction is not committed yet", name=name, database=side.address)
            transaction.settle("committed")
        with suppress(e.DatabaseError):  # recovery will
            await coordinator.forget(done)
        if delayed:
            raise e.CommitDelayed from delayed[0]

    async def roll_back(self) -> None:
        for side, name, transaction in self._branches:
            if transaction.outcome not in ("prepared", "unknown"):
                continue
            try:
                await side.settle(name, commit=False)
            except e.DatabaseError:
                _log.warning("a prepared transaction is not rolled back yet", name=name, database=side.address)
            if transaction.outcome == "prepared":
                transaction.settle("rolled_back")
