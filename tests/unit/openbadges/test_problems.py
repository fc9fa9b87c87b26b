"""What is wrong with an input, all of it together, and not more than anybody reads."""

from __future__ import annotations

from lapel.errors import InvalidInput
from lapel.openbadges.problems import SHORT, Problems


def test_no_more_than_a_hundred_are_kept_however_they_are_found() -> None:
    too_long, wrong = "x" * (SHORT + 1), InvalidInput("It is wrong.")
    problems = Problems()
    for number in range(40):
        problems.add(f"/added/{number}", "must be a date")
        problems.text(too_long, f"/texts/{number}")
        problems.include(f"/parts/{number}", wrong)

    assert len(problems.found) == len(problems.error().errors) == 100
