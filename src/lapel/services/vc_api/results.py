"""The results of a verification in the VC API's form (VCALM, 3.3)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from lapel.domain.json import JsonObject, JsonValue
from lapel.domain.json_members import objects
from lapel.errors import FieldError
from lapel.services.vc_api.options import flag
from lapel.services.vc_api.problem_details import details_of_check, details_of_error
from lapel.services.verifying import Report
from lapel.services.verifying.report import Check, CheckCode, Outcome, Problem

__all__ = ["Result", "VerificationAnswer"]

_PROOF_CHECKS: Final = frozenset(
    {CheckCode.PROOF, CheckCode.KEY, CheckCode.ISSUER, CheckCode.HOLDER, CheckCode.SIGNATURE}
)
_OBJECTS: Final[Mapping[str, CheckCode]] = {
    "credentialStatus": CheckCode.STATUS,
    "credentialSchema": CheckCode.SCHEMA,
}
_DATES: Final[Mapping[str, Problem]] = {"validFrom": Problem.NOT_YET_VALID, "validUntil": Problem.EXPIRED}


@dataclass(frozen=True, slots=True)
class VerificationAnswer:
    """The answer to a request for verification."""

    verified: bool
    body: JsonObject


@dataclass(frozen=True, slots=True)
class Result:
    """The result of verifying one document.

    Attributes:
        problems: violations of the data model, which are checked first.
        report: the verifier's report; None if there are such problems.
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
        """Return ``verified``, every check, and what else the options ask for.

        Raises:
            InvalidInput: an option that must be true or false is not.
        """
        answer: dict[str, JsonValue] = {"verified": self.verified}
        if flag(options, "returnProblemDetails", default=True):
            answer |= self._problem_details()
        if flag(options, "returnResults", default=False):
            answer["results"] = self.results()
        return answer | {"checks": [check.to_json() for check in self.checks]}

    def _problem_details(self) -> dict[str, JsonValue]:
        errors = [details_of_error(problem) for problem in self.problems]
        errors += [details_of_check(check) for check in self.checks if not check.good]
        warnings = [details_of_check(check) for check in self.checks if _is_warning(check)]
        return {"problemDetails": [*errors, *warnings], "errors": errors, "warnings": warnings}

    def results(self) -> dict[str, JsonValue]:
        """Return members of the document, each with whether it is verified. Of several proofs, one at most is."""
        results: dict[str, JsonValue] = {}
        for name, problem in _DATES.items():
            if name in self.document:
                made = self._made({CheckCode.VALIDITY})
                verified = bool(made) and all(check.problem is not problem for check in made)
                results[name] = {"verified": verified, "input": self.document[name]}
        proof = self.report.proof if self.report is not None else None
        holds = _hold(self._made(_PROOF_CHECKS))
        results["proof"] = [
            {"verified": holds and item is proof, "input": item} for item in objects(self.document.get("proof"))
        ]
        for name, code in _OBJECTS.items():
            made, items = self._made({code}), objects(self.document.get(name))
            # Each status has a check of its own, unless they are those of a newer version of the credential.
            each = [[check] for check in made] if len(made) == len(items) else [made] * len(items)
            results[name] = [
                {"verified": _hold(checks), "input": item} for checks, item in zip(each, items, strict=True)
            ]
        return results

    def _made(self, codes: Collection[CheckCode]) -> Sequence[Check]:
        return [check for check in self.checks if check.code in codes]


def _hold(checks: Sequence[Check]) -> bool:
    """Return whether there are such checks, and all are good."""
    return bool(checks) and all(check.good for check in checks)


def _is_warning(check: Check) -> bool:
    # Not that it is not a badge, because this interface is for any credential.
    return check.outcome is Outcome.WARN and check.problem is not Problem.NOT_A_BADGE
