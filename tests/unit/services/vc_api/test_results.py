"""The results of a verification in the VC API's form."""

from __future__ import annotations

from lapel.domain.json import JsonObject
from lapel.services.vc_api.results import Result
from lapel.services.verifying import CheckCode, Outcome, Problem, Report
from lapel.services.verifying.report import new_check


def test_of_what_was_not_looked_at_in_time_nothing_is_verified() -> None:
    made = new_check(CheckCode.PROOF, Outcome.PASS, "The proof is good.")
    cut = new_check(CheckCode.TIME_LIMIT, Outcome.UNKNOWN, "The verification took too long.", Problem.TIMED_OUT)
    document: JsonObject = {
        "proof": {"type": "P"},
        "credentialStatus": {"type": "S"},
        "validUntil": "2027-01-01T00:00:00Z",
    }

    result = Result(document, (), Report(checks=(made, cut)))

    assert result.answer({})["verified"] is False
    assert result.results() == {
        "proof": [{"verified": True, "input": {"type": "P"}}],
        "credentialStatus": [{"verified": False, "input": {"type": "S"}}],
        "credentialSchema": [],
        "validUntil": {"verified": False, "input": "2027-01-01T00:00:00Z"},
    }
