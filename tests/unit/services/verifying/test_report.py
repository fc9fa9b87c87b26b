"""What a report says, and that every code in it is explained to people."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lapel.services.verifying import Check, CheckCode, Outcome, Problem, Report

DOCUMENTATION = Path(__file__).parents[4] / "docs" / "verification.md"


def report(*outcomes: Outcome) -> Report:
    return Report(
        checks=tuple(Check(code=CheckCode.STATUS, outcome=outcome, sentence="It is.") for outcome in outcomes)
    )


@pytest.mark.parametrize(
    ("outcomes", "valid"),
    [
        ((Outcome.PASS, Outcome.WARN, Outcome.SKIP), True),
        ((Outcome.PASS, Outcome.UNKNOWN), None),
        ((Outcome.UNKNOWN, Outcome.FAIL, Outcome.PASS), False),
        ((), False),
    ],
)
def test_a_failure_outweighs_what_is_unknown_and_that_outweighs_the_rest(
    outcomes: tuple[Outcome, ...], valid: bool | None
) -> None:
    assert report(*outcomes).valid is valid


def test_json_leaves_out_what_a_check_does_not_have() -> None:
    check = Check(code=CheckCode.KEY, outcome=Outcome.PASS, sentence="It is published.")

    assert check.to_json() == {"code": "key", "outcome": "pass", "sentence": "It is published."}


def explained(heading: str) -> set[str]:
    section = DOCUMENTATION.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return set(re.findall(r"^\| `([a-z0-9_]+)` \|", section, re.MULTILINE))


def test_the_documentation_explains_exactly_the_checks_that_there_are() -> None:
    assert explained("Checks") == {code.value for code in CheckCode}


def test_the_documentation_explains_exactly_the_problems_that_there_are() -> None:
    assert explained("Problems") == {problem.value for problem in Problem}
