"""The results of a verification in the VC API's form."""

from __future__ import annotations

import pytest

from lapel.domain.json import JsonObject, JsonValue
from lapel.services.vc_api.results import Result
from lapel.services.verifying import CheckCode, Outcome, Problem, Report
from lapel.services.verifying.report import new_check


def test_of_what_was_not_looked_at_in_time_nothing_is_verified() -> None:
    made = new_check(CheckCode.PROOF, Outcome.PASS, "The proof is good.")
    cut = new_check(CheckCode.TIME_LIMIT, Outcome.UNKNOWN, "The verification took too long.", Problem.TIMED_OUT)
    proof: JsonObject = {"type": "P"}
    document: JsonObject = {
        "proof": proof,
        "credentialStatus": {"type": "S"},
        "validUntil": "2027-01-01T00:00:00Z",
    }

    result = Result(document, (), Report(checks=(made, cut), proof=proof))

    assert result.answer({})["verified"] is False
    assert result.results() == {
        "proof": [{"verified": True, "input": {"type": "P"}}],
        "credentialStatus": [{"verified": False, "input": {"type": "S"}}],
        "credentialSchema": [],
        "validUntil": {"verified": False, "input": "2027-01-01T00:00:00Z"},
    }


@pytest.mark.parametrize(
    ("outcomes", "verified"),
    [
        ([Outcome.PASS, Outcome.FAIL], [True, False]),
        ([Outcome.WARN, Outcome.PASS], [True, True]),
        ([Outcome.PASS], [True, True]),  # of another version of the credential, which has one
        ([Outcome.UNKNOWN], [False, False]),
    ],
)
def test_each_status_has_its_own_result(outcomes: list[Outcome], verified: list[bool]) -> None:
    entries: list[JsonValue] = [{"statusPurpose": "revocation"}, {"statusPurpose": "suspension"}]
    checks = tuple(new_check(CheckCode.STATUS, outcome, "So it is.") for outcome in outcomes)

    results = Result({"credentialStatus": entries}, (), Report(checks=checks)).results()

    assert results["credentialStatus"] == [
        {"verified": each, "input": entry} for each, entry in zip(verified, entries, strict=True)
    ]
