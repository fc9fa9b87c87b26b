"""A transaction across two databases, committed in both or in neither: see docs/distributed-transactions.md.

The first database coordinates: it has the lock and the log. Both transactions are prepared, then the decision to commit
is written to the log, then both are committed. Transactions that the log does not name are rolled back (presumed
abort), so nothing needs to be stored before the decision, and nothing can change after it.

The decision is written on the connection that holds the lock. So a process that holds the lock exclusively knows that
what is not in the log can never be committed, even if a suspended coordinator resumes later.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

import structlog

from lapel.database import errors as e
from lapel.database.interface import Database
from lapel.database.shielding import shielded
from lapel.database.transaction import DatabaseTransaction
from lapel.database.two_phase.participant import BranchName, Participant
from lapel.domain.ports import Isolation

__all__ = ["distributed"]

_log = structlog.get_logger("lapel.database")


@asynccontextmanager
async def distributed(
    first: Database, second: Database, *, isolation: Isolation = Isolation.READ_COMMITTED, deadline: float | None = None
) -> AsyncIterator[tuple[DatabaseTransaction, DatabaseTransaction]]:
    """Open a transaction on each database. Both are committed at the end of the block, or both rolled back.

    Args:
        first: the coordinator, whose lock and log are used.
        isolation, deadline: those of each transaction. The deadline applies to the block, not to the commit.

    Raises:
        TwoPhaseNotSupported, TwoPhaseOff, SameDatabase: raised before the transactions are opened.
        OutcomeUnknown: the connection was lost while the decision was written. Recovery finds out the outcome.
        CommitDelayed: the decision to commit is written. Recovery commits what could not be reached.
        DatabaseError: for any other error, neither is committed, nor will be.
    """
    participants: list[Participant] = []
    try:
        for database in (first, second):
            participants.append(await database.participate())
            participants[-1].check()
        coordinator = participants[0]
        if coordinator.identity == participants[1].identity:
            raise e.SameDatabase(hint="On one database, use `database.transaction()`.")
        await coordinator.hold(alone=False)
        act = secrets.token_hex(16)
        names = [str(BranchName(coordinator.identity, act, each.identity)) for each in participants]
        one = first.transaction(isolation=isolation, deadline=deadline, prepared_as=names[0])
        other = second.transaction(isolation=isolation, deadline=deadline, prepared_as=names[1])
        branches = [_Branch(*each) for each in zip(participants, names, (one, other), strict=True)]
        try:
            async with one, other:
                yield one, other
        except GeneratorExit:  # nothing can be awaited, and nothing is prepared
            raise
        except BaseException as error:
            await shielded(_roll_back(branches))
            if isinstance(error, e.OutcomeUnknown):  # while preparing: without a decision, it is rolled back
                raise e.ConnectionLost from error
            raise
        await shielded(_commit(branches))
    finally:
        for participant in participants:
            participant.close()


class _Branch(NamedTuple):
    participant: Participant
    name: str
    transaction: DatabaseTransaction


async def _commit(branches: Sequence[_Branch]) -> None:
    coordinator = branches[0].participant
    try:
        await coordinator.decide([branch.name for branch in branches])
    except e.OutcomeUnknown:
        for branch in branches:
            branch.transaction.conclude("unknown")
        raise
    except e.DatabaseError:
        await _roll_back(branches)
        raise
    committed: list[str] = []
    failure: e.DatabaseError | None = None
    for participant, name, transaction in branches:
        try:
            if not await participant.settle(name, commit=True):  # recovery or an operator was faster
                _log.warning("a decided transaction was not prepared any more", name=name, database=participant.address)
            committed.append(name)
        except e.DatabaseError as error:
            failure = error
            _log.warning("a decided transaction is not committed yet", name=name, database=participant.address)
        transaction.conclude("committed")
    with suppress(e.DatabaseError):  # recovery will do it
        await coordinator.forget(committed)
    if failure is not None:
        raise e.CommitDelayed from failure


async def _roll_back(branches: Sequence[_Branch]) -> None:
    for participant, name, transaction in branches:
        if transaction.outcome in ("prepared", "unknown"):
            try:
                await participant.settle(name, commit=False)
            except e.DatabaseError:
                _log.warning("a prepared transaction is not rolled back yet", name=name, database=participant.address)
            if transaction.outcome == "prepared":
                transaction.conclude("rolled_back")
