"""One transaction across two databases, committed in both or in none. docs/distributed-transactions.md is the manual.

The coordinator is the first database's: that keeps its lock and its log. Both transactions are prepared, then a
decision is written into the log, then both are committed. What the log does not name is rolled back (presumed abort),
so that until it is written nothing needs to be remembered, and after it nothing can be changed.

A decision is written on the connection that holds the lock. So whoever holds that lock alone
knows that what is not in the log can never be decided any more, by anybody, however late a process comes back to life.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

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
            raise e.SameDatabase(hint="On one database, use `database.transaction()`.")
        await sides[0].hold(alone=False)
        act = secrets.token_hex(16)
        names = [str(BranchName(sides[0].identity, act, side.identity)) for side in sides]
        one = first.transaction(isolation=isolation, deadline=deadline, prepared_as=names[0])
        other = second.transaction(isolation=isolation, deadline=deadline, prepared_as=names[1])
        branches = [_Branch(*each) for each in zip(sides, names, (one, other), strict=True)]
        try:
            async with one, other:
                yield one, other
        except GeneratorExit:  # nothing can be waited for, and nothing is prepared
            raise
        except BaseException as error:
            await shielded(_roll_back(branches))
            if isinstance(error, e.OutcomeUnknown):  # of preparing: known now, for it will not be decided
                raise e.ConnectionLost from error
            raise
        await shielded(_commit(branches))
    finally:
        for side in sides:
            side.close()


class _Branch(NamedTuple):
    side: Participant
    name: str
    transaction: DatabaseTransaction


async def _commit(branches: Sequence[_Branch]) -> None:
    coordinator = branches[0].side
    try:
        await coordinator.decide([branch.name for branch in branches])
    except e.OutcomeUnknown:
        for branch in branches:
            branch.transaction.conclude("unknown")
        raise
    except e.DatabaseError:
        await _roll_back(branches)
        raise
    done: list[str] = []
    delayed: e.DatabaseError | None = None
    for side, name, transaction in branches:
        try:
            if not await side.settle(name, commit=True):  # recovery was faster, or somebody's hand
                _log.warning("a decided transaction was not prepared any more", name=name, database=side.address)
            done.append(name)
        except e.DatabaseError as error:
            delayed = error
            _log.warning("a decided transaction is not committed yet", name=name, database=side.address)
        transaction.conclude("committed")
    with suppress(e.DatabaseError):  # recovery will
        await coordinator.forget(done)
    if delayed is not None:
        raise e.CommitDelayed from delayed


async def _roll_back(branches: Sequence[_Branch]) -> None:
    for side, name, transaction in branches:
        if transaction.outcome in ("prepared", "unknown"):
            try:
                await side.settle(name, commit=False)
            except e.DatabaseError:
                _log.warning("a prepared transaction is not rolled back yet", name=name, database=side.address)
            if transaction.outcome == "prepared":
                transaction.conclude("rolled_back")
