"""Recovery of distributed transactions: commits the prepared ones that the log names, and rolls back the others.

It takes each coordinator's lock, so that no coordinator is running. It reads the prepared transactions before the log,
and the log on the connection that holds the lock: that this succeeds shows that nobody else has held the lock since.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum

from lapel.database import errors as e
from lapel.database.interface import Database
from lapel.database.two_phase.participant import BranchName, Participant
from lapel.domain.json import JsonObject

__all__ = ["Recovered", "Settlement", "prepared_in", "recover"]

_NOT_GIVEN = "its database was not given, or does not answer"
_UNDECIDED = "its coordinator's database was not given, or does not answer"


class Settlement(StrEnum):
    """What recovery has done with a transaction."""

    COMMITTED = "committed"
    ROLLED_BACK = "rolled back"
    LEFT = "left"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """The result for one prepared transaction, or for a database that could not be read.

    Attributes:
        database: the database's address, or its identity if the address is unknown.
        name: the transaction's name; empty for a database.
        reason: why it was left as it is; empty otherwise.
    """

    settlement: Settlement
    database: str
    name: str = ""
    reason: str = ""

    def to_json(self) -> JsonObject:
        """Return the JSON form, for programs."""
        return asdict(self)


async def prepared_in(database: Database) -> Mapping[str, datetime]:
    """Return the names of all prepared transactions, whoever prepared them, with the time of preparation."""
    if not database.capabilities.two_phase:
        return {}
    try:
        participant = await database.participate()
    except e.PermissionDenied:  # then this user cannot have prepared any
        return {}
    try:
        return await participant.prepared()
    finally:
        participant.close()


async def recover(databases: Iterable[Database]) -> list[Recovered]:
    """Settle the prepared transactions in these databases whose coordinators, also among them, have died.

    The databases need not be connected. Recovery can be repeated, and several processes can run it at the same time.

    Raises:
        TwoPhaseNotSupported: one of the databases does not support prepared transactions.
    """
    by_identity: dict[str, Participant] = {}
    report: list[Recovered] = []
    opened: list[Participant] = []
    try:
        for database in databases:
            try:
                opened.append(participant := await database.participate())
                by_identity.setdefault(participant.identity, participant)
            except e.TwoPhaseNotSupported:
                raise
            except e.DatabaseError as error:
                report.append(_left(database.manager.address, reason=error.detail))
        for _, participant in sorted(by_identity.items()):  # always in the same order, so as not to deadlock
            try:
                report += await _settle(participant, by_identity)
                undecided = [name for name in await _branches(participant) if name.coordinator not in by_identity]
                report += [_left(participant.address, name=str(name), reason=_UNDECIDED) for name in undecided]
            except e.DatabaseError as error:
                report.append(_left(participant.address, reason=error.detail))
    finally:
        for participant in opened:
            participant.close()
    return report


async def _settle(coordinator: Participant, by_identity: Mapping[str, Participant]) -> Sequence[Recovered]:
    if not await _prepared(coordinator, by_identity) and not await _decided(coordinator):
        return []  # without waiting for the lock
    await coordinator.hold(alone=True)
    prepared = await _prepared(coordinator, by_identity)
    decided = await _decided(coordinator)
    report, committed = [], []
    for name in sorted({*prepared, *decided}):
        participant, commit = prepared.get(name) or _participant_of(name, by_identity), name in decided
        if participant is None:
            branch = BranchName.parsed(name)
            report.append(_left(branch.database if branch else "", name=name, reason=_NOT_GIVEN))
            continue
        try:
            await participant.settle(name, commit=commit)
        except e.DatabaseError as error:
            report.append(_left(participant.address, name=name, reason=error.detail))
            continue
        if commit:
            committed.append(name)
        if name in prepared:
            settlement = Settlement.COMMITTED if commit else Settlement.ROLLED_BACK
            report.append(Recovered(settlement=settlement, database=participant.address, name=name))
    await coordinator.forget(committed)
    return report


async def _prepared(coordinator: Participant, by_identity: Mapping[str, Participant]) -> Mapping[str, Participant]:
    """Return the names of this coordinator's prepared transactions, each with its participant."""
    branches_by_participant = {each: await _branches(each) for each in by_identity.values()}
    return {
        str(branch): participant
        for participant, branches in branches_by_participant.items()
        for branch in branches
        if branch.coordinator == coordinator.identity
    }


async def _decided(coordinator: Participant) -> set[str]:
    """Return the names in the coordinator's log, without those from a copy of another coordinator's database."""
    parsed = map(BranchName.parsed, await coordinator.decided())
    return {str(name) for name in parsed if name is not None and name.coordinator == coordinator.identity}


async def _branches(participant: Participant) -> Sequence[BranchName]:
    """Return the prepared branches that belong to this participant's database."""
    parsed = map(BranchName.parsed, await participant.prepared())
    return [branch for branch in parsed if branch is not None and branch.database == participant.identity]


def _participant_of(name: str, by_identity: Mapping[str, Participant]) -> Participant | None:
    branch = BranchName.parsed(name)
    return None if branch is None else by_identity.get(branch.database)


def _left(database: str, *, reason: str, name: str = "") -> Recovered:
    return Recovered(settlement=Settlement.LEFT, database=database, name=name, reason=reason)
