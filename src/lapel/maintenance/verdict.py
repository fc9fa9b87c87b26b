"""What a report on a credential says of the database that it lies in: its standing and validity may be anything."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from lapel.domain.verification import CheckCode, Outcome, Problem
from lapel.services.verifying import Check

__all__ = ["SIGNATURE", "damage_in", "is_genuine"]

SIGNATURE: Final = frozenset({CheckCode.SIGNATURE})
"""All that can be told where the issuer may be another server's."""
_OF_OURS: Final = SIGNATURE | {CheckCode.STRUCTURE, CheckCode.PROOF, CheckCode.KEY, CheckCode.ISSUER}
_NO_DAMAGE: Final = frozenset({Problem.KEY_REVOKED, Problem.KEY_EXPIRED})
"""Of those checks none else fails in what was issued here."""


def damage_in(checks: Sequence[Check], *, among: Collection[CheckCode] = _OF_OURS) -> Check | None:
    """The first check that only damage fails; None where there is none."""
    for check in checks:
        if check.outcome is Outcome.FAIL and check.code in among and check.problem not in _NO_DAMAGE:
            return check
    return None


def is_genuine(checks: Sequence[Check]) -> bool:
    """Whether the signature was checked, and fits."""
    return any(check.code is CheckCode.SIGNATURE and check.outcome is Outcome.PASS for check in checks)
