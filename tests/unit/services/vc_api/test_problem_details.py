"""What is wrong with a credential's status, in the words of Bitstring Status List 1.0, 3.2 and 3.5."""

from __future__ import annotations

import pytest

from lapel.services.vc_api.problem_details import details_of_check
from lapel.services.verifying import Check, CheckCode, Outcome, Problem
from lapel.services.verifying.report import new_check

STATUS_LIST = "https://www.w3.org/ns/credentials/status-list#"


@pytest.mark.parametrize(
    ("problem", "type_"),
    [
        (Problem.REVOKED, f"{STATUS_LIST}STATUS_VERIFICATION_ERROR"),
        (Problem.UNREACHABLE, f"{STATUS_LIST}STATUS_RETRIEVAL_ERROR"),
        (Problem.STATUS_LIST_SHORT, f"{STATUS_LIST}STATUS_LIST_LENGTH_ERROR"),
        (Problem.STATUS_OUTSIDE_LIST, "https://www.w3.org/TR/vc-data-model#RANGE_ERROR"),
        (Problem.STATUS_LIST_INVALID, "https://www.w3.org/TR/vc-data-model#MALFORMED_VALUE_ERROR"),
        (Problem.STATUS_LIST_MISMATCH, f"{STATUS_LIST}STATUS_VERIFICATION_ERROR"),
        (Problem.STATUS_LIST_UNTRUSTED, f"{STATUS_LIST}STATUS_VERIFICATION_ERROR"),
    ],
)
def test_each_problem_with_a_status_has_the_type_that_the_standard_gives_it(problem: Problem, type_: str) -> None:
    check = Check(code=CheckCode.STATUS, outcome=Outcome.FAIL, sentence="No.", problem=problem)

    assert details_of_check(check)["type"] == type_


def test_a_list_that_is_out_of_date_is_well_formed() -> None:
    check = new_check(CheckCode.STATUS, Outcome.UNKNOWN, "It has ended.", Problem.STATUS_LIST_INVALID)

    assert details_of_check(check)["type"] == f"{STATUS_LIST}STATUS_VERIFICATION_ERROR"
