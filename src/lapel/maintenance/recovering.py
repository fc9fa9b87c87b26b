"""What a coordinator has left behind when it died: committed where the log says so, rolled back elsewhere.

For each coordinator its lock is taken, so that none of its own is at work. What stands prepared is read before the log,
and the log on the connection that holds the lock: that it can still be read shows that nobody else has held it since.
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
    """What recovery has done about a transaction."""

    COMMITTED = "committed"
    ROLLED_BACK = "rolled back"
    LEFT = "left"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """One prepared transaction, or a database that could not be looked into.

    Attributes:
        name: of the transaction; empty for a database.
        database: its address, or its identity where nobody knows it.
        reason: why it is left as it is; empty unless it is.
    """

    settlement: Settlement
    database: str
    name: str = ""
    reason: str = ""

    def to_json(self) -> JsonObject:
        """For programs."""
        return asdict(self)


async def prepared_in(database: Database) -> Mapping[str, datetime]:
    """The names of the transactions that stand prepared there, whosever they are, and since when."""
    if not database.capabilities.two_phase:
        return {}
    try:
        side = await database.participate()
    except e.PermissionDenied:  # its user could not have prepared any either
        return {}
    try:
        return await side.prepared()
    finally:
        side.close()


async def recover(databases: Iterable[Database]) -> list[Recovered]:
    """Settle what these databases' dead coordinators have left in any of them.

    None of them need be connected. Safe to repeat, and by several at once.

    Raises:
        TwoPhaseNotSupported: one of them is of a kind that prepares nothing.
    """
    sides: dict[str, Participant] = {}
    report: list[Recovered] = []
    opened: list[Participant] = []
    try:
        for database in databases:
            try:
                opened.append(side := await database.participate())
                sides.setdefault(side.identity, side)
            except e.TwoPhaseNotSupported:
                raise
            except e.DatabaseError as error:
                report.append(_left(database.manager.address, reason=error.detail))
        for _, side in sorted(sides.items()):  # in one order for all, so that two at once do not wait for each other
            try:
                report += await _settle(side, sides)
                undecided = [name for name in await _branches(side) if name.coordinator not in sides]
                report += [_left(side.address, name=str(name), reason=_UNDECIDED) for name in undecided]
            except e.DatabaseError as error:
                report.append(_left(side.address, reason=error.detail))
    finally:
        for side in opened:
            side.close()
    return report


async def _settle(coordinator: Participant, sides: Mapping[str, Participant]) -> Sequence[Recovered]:
    if not await _standing(coordinator, sides) and not await _decided(coordinator):
        return []  # nobody need be waited for
    await coordinator.hold(alone=True)
    standing = await _standing(coordinator, sides)
    decided = await _decided(coordinator)
    report, gone = [], []
    for name in sorted({*standing, *decided}):
        side, commit = standing.get(name) or _meant(name, sides), name in decided
        if side is None:
            branch = BranchName.parsed(name)
            report.append(_left(branch.database if branch else "", name=name, reason=_NOT_GIVEN))
            continue
        try:
            await side.settle(name, commit=commit)
        except e.DatabaseError as error:
            report.append(_left(side.address, name=name, reason=error.detail))
            continue
        if commit:
            gone.append(name)
        if name in standing:
            done = Settlement.COMMITTED if commit else Settlement.ROLLED_BACK
            report.append(Recovered(settlement=done, database=side.address, name=name))
    await coordinator.forget(gone)
    return report


async def _standing(coordinator: Participant, sides: Mapping[str, Participant]) -> Mapping[str, Participant]:
    """The names of this coordinator's transactions that stand prepared, and where each does."""
    found = {side: await _branches(side) for side in sides.values()}
    return {
        str(branch): side
        for side, branches in found.items()
        for branch in branches
        if branch.coordinator == coordinator.identity
    }


async def _decided(coordinator: Participant) -> set[str]:
    """What its log says is to be committed, but for what came with a copy of another coordinator's database."""
    parsed = map(BranchName.parsed, await coordinator.decided())
    return {str(name) for name in parsed if name is not None and name.coordinator == coordinator.identity}


async def _branches(side: Participant) -> Sequence[BranchName]:
    """Those that are prepared there and are meant for it."""
    parsed = map(BranchName.parsed, await side.prepared())
    return [branch for branch in parsed if branch is not None and branch.database == side.identity]


def _meant(name: str, sides: Mapping[str, Participant]) -> Participant | None:
    branch = BranchName.parsed(name)
    return None if branch is None else sides.get(branch.database)


def _left(database: str, *, reason: str, name: str = "") -> Recovered:
    return Recovered(settlement=Settlement.LEFT, database=database, name=name, reason=reason)
