"""ProblemDetails (RFC 9457) with the problem types that the standards define.

VC Data Model 2.0, 7.2; Data Integrity 1.0, 4.7; Bitstring Status List 1.0, 3.5; VCALM, 3.8. Beside its type, each has
the codes of the check and the problem as in ``POST /v3/verify`` (docs/verification.md), which distinguish more cases.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lapel.domain.json import JsonObject
from lapel.errors import FieldError
from lapel.services.verifying.report import Check, CheckCode, Outcome, Problem

__all__ = ["details_of_check", "details_of_error", "type_of_error"]

_MODEL: Final = "https://www.w3.org/TR/vc-data-model#"
_SECURITY: Final = "https://w3id.org/security#"
_STATUS: Final = "https://www.w3.org/ns/credentials/status-list#"

_MALFORMED: Final = f"{_MODEL}MALFORMED_VALUE_ERROR"
_CRYPTOGRAPHY: Final = f"{_MODEL}CRYPTOGRAPHIC_SECURITY_ERROR"

_OF_ERROR: Final[Mapping[str, str]] = {
    "unreadable_json": f"{_MODEL}PARSING_ERROR",
    "malformed_request": f"{_MODEL}PARSING_ERROR",
    "out_of_range": f"{_MODEL}RANGE_ERROR",
    "unknown_option": "https://www.w3.org/TR/vcalm#UNKNOWN_OPTION_PROVIDED",
}
_OF_PROBLEM: Final[Mapping[Problem, str]] = {
    Problem.CHALLENGE_MISMATCH: f"{_SECURITY}INVALID_CHALLENGE_ERROR",
    Problem.DOMAIN_MISMATCH: f"{_SECURITY}INVALID_DOMAIN_ERROR",
    Problem.STATUS_LIST_SHORT: f"{_STATUS}STATUS_LIST_LENGTH_ERROR",
    Problem.STATUS_OUTSIDE_LIST: f"{_MODEL}RANGE_ERROR",
}
_OF_CHECK: Final[Mapping[CheckCode, str]] = {
    CheckCode.STRUCTURE: _MALFORMED,
    CheckCode.CONTEXTS: _MALFORMED,
    CheckCode.JSON_LD: _MALFORMED,
    CheckCode.SCHEMA: _MALFORMED,
    CheckCode.PROOF: _CRYPTOGRAPHY,
    CheckCode.CLAIMS: _CRYPTOGRAPHY,
    CheckCode.KEY: _CRYPTOGRAPHY,
    CheckCode.ISSUER: _CRYPTOGRAPHY,
    CheckCode.HOLDER: _CRYPTOGRAPHY,
    CheckCode.SIGNATURE: _CRYPTOGRAPHY,
    CheckCode.STATUS: f"{_STATUS}STATUS_VERIFICATION_ERROR",
    CheckCode.VALIDITY: f"{_MODEL}RANGE_ERROR",
}


def details_of_check(check: Check) -> JsonObject:
    """Return the problem details of a check that did not pass."""
    type_ = _OF_CHECK.get(check.code, "about:blank")
    if check.problem is not None:
        type_ = _OF_PROBLEM.get(check.problem, type_)
    if check.code is CheckCode.STATUS and check.problem is Problem.UNREACHABLE:
        type_ = f"{_STATUS}STATUS_RETRIEVAL_ERROR"
    if check.problem is Problem.STATUS_LIST_INVALID and check.outcome is Outcome.FAIL:
        type_ = _MALFORMED  # and not out of date, which is unknown
    return {
        "type": type_,
        "title": _title(type_),
        "detail": f"{check.sentence} ({check.detail})" if check.detail else check.sentence,
        "check": check.code.value,
        "code": check.problem.value if check.problem is not None else None,
    }


def details_of_error(error: FieldError) -> JsonObject:
    """Return the problem details of a problem with one member."""
    type_ = type_of_error(error.code)
    return {
        "type": type_,
        "title": _title(type_),
        "detail": f"{error.pointer} {error.detail}" if error.pointer else error.detail,
        "pointer": error.pointer,
        "code": error.code,
    }


def type_of_error(code: str) -> str:
    """Return the standards' type for a code of `FieldError`."""
    return _OF_ERROR.get(code, _MALFORMED)


def _title(type_: str) -> str:
    return type_.rpartition("#")[2] if "#" in type_ else "The check did not pass"
