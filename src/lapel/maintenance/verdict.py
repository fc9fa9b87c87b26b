"""Interprets verification reports: whether a failed check of a stored credential means that the database is damaged.

A credential's status and validity do not matter for that.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from lapel.domain.verification import CheckCode, Outcome, Problem
from lapel.services.verifying import Check

__all__ = ["SIGNATURE", "damage_in", "is_genuine"]

SIGNATURE: Final = frozenset({CheckCode.SIGNATURE})
"""The only check that counts if the issuer may be on another server."""
_OF_OURS: Final = SIGNATURE | {CheckCode.STRUCTURE, CheckCode.PROOF, CheckCode.KEY, CheckCode.ISSUER}
_NO_DAMAGE: Final = frozenset({Problem.KEY_REVOKED, Problem.KEY_EXPIRED})
"""The only problems of those checks that credentials issued here can have without damage."""


def damage_in(checks: Sequence[Check], *, among: Collection[CheckCode] = _OF_OURS) -> Check | None:
    """Return the first check whose failure means damage; None if there is none."""
    for check in checks:
        if check.outcome is Outcome.FAIL and check.code in among and check.problem not in _NO_DAMAGE:
            return check
    return None


def is_genuine(checks: Sequence[Check]) -> bool:
    """Return whether the signature was checked and is valid."""
    return any(check.code is CheckCode.SIGNATURE and check.outcome is Outcome.PASS for check in checks)
