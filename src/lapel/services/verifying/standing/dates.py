"""The validity period of a credential."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from lapel.credentials.date_time import parse_timestamp
from lapel.domain.json import JsonObject
from lapel.services.verifying.report import Check, CheckCode, Outcome, Problem, new_check

__all__ = ["CLOCK_TOLERANCE", "check_validity", "member_date"]

CLOCK_TOLERANCE: Final = timedelta(seconds=60)
"""How far another clock may be ahead of this one (RFC 7519, 4.1.5): only a later date counts as in the future.

For the end there is no tolerance, because accepting an expired badge has no advantage, but a risk.
"""

_BOUNDS = (("validFrom", "issuanceDate"), ("validUntil", "expirationDate"))


def member_date(document: JsonObject, *names: str) -> datetime | None:
    """Return the first of the members `names` that is a date."""
    for name in names:
        if (moment := parse_timestamp(document.get(name))) is not None:
            return moment
    return None


def check_validity(credential: JsonObject, *, now: datetime) -> Check:
    """Check that `now` is within the validity period (OB 3.0, 9.1). The names of VC 2.0 and 1.1 both count.

    The start has a tolerance of CLOCK_TOLERANCE. A member that is not a date is a failure of the structure check, and
    here only unknown.
    """
    for name in _BOUNDS[0]:
        start = parse_timestamp(credential.get(name))
        if start is not None and now + CLOCK_TOLERANCE < start:
            return _outside(Problem.NOT_YET_VALID, f"It is not valid before {credential[name]}.")
        if start is None and credential.get(name) is not None:
            return _unreadable("begins", name)
    for name in _BOUNDS[1]:
        end = parse_timestamp(credential.get(name))
        if end is not None and now > end:
            return _outside(Problem.EXPIRED, f"It expired on {credential[name]}.")
        if end is None and credential.get(name) is not None:
            return _unreadable("ends", name)
    return Check(code=CheckCode.VALIDITY, outcome=Outcome.PASS, sentence="The date is within its validity period.")


def _unreadable(verb: str, name: str) -> Check:
    sentence = f"When it {verb} cannot be read."
    return new_check(CheckCode.VALIDITY, Outcome.UNKNOWN, sentence, Problem.MEMBER_INVALID, name)


def _outside(problem: Problem, sentence: str) -> Check:
    return Check(code=CheckCode.VALIDITY, outcome=Outcome.FAIL, sentence=sentence, problem=problem)
