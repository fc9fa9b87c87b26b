"""The results of a verification in the form that the VC API gives them (VCALM, 3.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from lapel.domain.json import JsonObject, JsonValue
from lapel.errors import FieldError
from lapel.services.vc_api.options import flag
from lapel.services.vc_api.problem_details import details_of_check, details_of_error
from lapel.services.verifying import Report
from lapel.services.verifying.members import objects
from lapel.services.verifying.report import Check, CheckCode, Outcome, Problem

__all__ = ["Answer", "Result"]

_OF_PROOF: Final = frozenset({CheckCode.PROOF, CheckCode.KEY, CheckCode.ISSUER, CheckCode.HOLDER, CheckCode.SIGNATURE})
_DATES: Final[Mapping[str, Problem]] = {"validFrom": Problem.NOT_YET_VALID, "validUntil": Problem.EXPIRED}
_OBJECTS: Final[Mapping[str, frozenset[CheckCode]]] = {
    "proof": _OF_PROOF,
    "credentialStatus": frozenset({CheckCode.STATUS}),
    "credentialSchema": frozenset({CheckCode.SCHEMA}),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a verification came to."""

    verified: bool
    body: JsonObject


@dataclass(frozen=True, slots=True)
class Result:
    """What one document came to.

    Attributes:
        problems: with its data model, before anything else was looked at.
        report: None where there are such problems.
    """

    document: JsonObject
    problems: Sequence[FieldError]
    report: Report | None

    @property
    def verified(self) -> bool:
        return self.report is not None and self.report.valid is True

    @property
    def checks(self) -> Sequence[Check]:
        return self.report.checks if self.report is not None else ()

    def answer(self, options: JsonObject) -> dict[str, JsonValue]:
        """``verified`` and every check, and what else the options ask for.

        Raises:
            InvalidInput: an option that should be true or false is not.
        """
        answer: dict[str, JsonValue] = {"verified": self.verified}
        if flag(options, "returnProblemDetails", default=True):
            answer |= self._problem_details()
        if flag(options, "returnResults", default=False):
            answer["results"] = self.results()
        return answer | {"checks": [check.to_json() for check in self.checks]}

    def _problem_details(self) -> dict[str, JsonValue]:
        errors = [details_of_error(problem) for problem in self.problems]
        errors += [details_of_check(check) for check in self.checks if check.outcome in (Outcome.FAIL, Outcome.UNKNOWN)]
        warnings = [details_of_check(check) for check in self.checks if _is_warning(check)]
        return {"problemDetails": [*errors, *warnings], "errors": errors, "warnings": warnings}

    def results(self) -> dict[str, JsonValue]:
        """What the document says, member by member, and whether it holds."""
        found: dict[str, JsonValue] = {}
        for name, culprit in _DATES.items():
            if name in self.document:
                holds = bool(self.checks) and all(check.problem is not culprit for check in self.checks)
                found[name] = {"verified": holds, "input": self.document[name]}
        for name, codes in _OBJECTS.items():
            outcomes = {check.outcome for check in self.checks if check.code in codes}
            holds = bool(self.checks) and outcomes.isdisjoint((Outcome.FAIL, Outcome.UNKNOWN))
            found[name] = [{"verified": holds, "input": item} for item in objects(self.document.get(name))]
        return found


def _is_warning(check: Check) -> bool:
    # That it is no badge is what this interface is for.
    return check.outcome is Outcome.WARN and check.problem is not Problem.NOT_A_BADGE
