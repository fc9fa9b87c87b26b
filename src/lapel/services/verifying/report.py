"""The report of a verification: ordered checks, each with an outcome, a stable code and a sentence for people.

A *check code* names what was checked, and a *problem code* what is wrong with it (`lapel.domain.verification`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from lapel.domain.json import JsonObject
from lapel.domain.verification import CheckCode, Kind, Outcome, Problem
from lapel.services import answers

__all__ = ["Check", "CheckCode", "Kind", "Outcome", "Problem", "Report", "Shown", "new_check"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """The result of one check.

    Attributes:
        problem: None if nothing is wrong.
        detail: helps to find the cause; may quote the document.
    """

    code: CheckCode
    outcome: Outcome
    sentence: str
    problem: Problem | None = None
    detail: str | None = None

    @property
    def good(self) -> bool:
        """Whether it does not count against the document: it passed, warns of something, or was skipped."""
        return self.outcome not in (Outcome.FAIL, Outcome.UNKNOWN)

    def shown(self) -> answers.VerificationCheck:
        """Return the check in the shape that reports have."""
        return answers.VerificationCheck(self.code, self.outcome, self.sentence, self.problem, self.detail)

    def to_json(self) -> JsonObject:
        """Return ``{"code", "outcome", "sentence"}``, with ``problem`` and ``detail`` if there are any."""
        document: JsonObject = msgspec.to_builtins(self.shown())
        return document


def new_check(
    code: CheckCode, outcome: Outcome, sentence: str, problem: Problem | None = None, detail: str | None = None
) -> Check:
    """Return a check from positional arguments, which is shorter to write."""
    return Check(code=code, outcome=outcome, sentence=sentence, problem=problem, detail=detail)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A summary of the document's own claims, to be trusted only if the report is valid.

    Attributes:
        format: how it is secured: a cryptosuite or proof type, ``vc-jwt``, ``hosted``; None if it is not secured.
        recipient: a DID or URL, a plain identity, or, for a hash, its kind, such as ``hashed emailAddress``.
        criteria, narrative: Markdown: what is required to earn it, and what the recipient did.
        awarded, valid_from, valid_until: as written, not parsed. In Open Badges 2.0, ``issuedOn`` is `valid_from`.
    """

    kind: Kind = Kind.OTHER
    format: str | None = None
    credential_id: str | None = None
    name: str | None = None
    description: str | None = None
    criteria: str | None = None
    criteria_id: str | None = None
    narrative: str | None = None
    issuer_id: str | None = None
    issuer_name: str | None = None
    recipient: str | None = None
    awarded: str | None = None
    valid_from: str | None = None
    valid_until: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The result of a verification.

    Attributes:
        picture: the PNG or SVG that the badge was baked into.
        proof: of the document's embedded proofs, the one that the checks are about.
    """

    checks: tuple[Check, ...]
    shown: Shown = field(default_factory=Shown)
    picture: bytes | None = field(default=None, repr=False)
    proof: JsonObject | None = None

    @property
    def valid(self) -> bool | None:
        """False if any check failed, None if none failed but the outcome of one is unknown, else True."""
        outcomes = {check.outcome for check in self.checks}
        if Outcome.FAIL in outcomes or not outcomes:
            return False
        return None if Outcome.UNKNOWN in outcomes else True

    def problems(self) -> Sequence[Problem]:
        """Return the problems of all checks, in order."""
        return [check.problem for check in self.checks if check.problem]

    def to_json(self) -> JsonObject:
        """Return the report in the form of ``POST /v3/verify``; members without a value are null."""
        shown = self.shown
        report = answers.VerificationReport(
            valid=self.valid,
            kind=shown.kind,
            format=shown.format,
            credential=answers.VerificationSubject(
                id=shown.credential_id,
                name=shown.name,
                description=shown.description,
                issuer=answers.NamedParty(shown.issuer_id, shown.issuer_name),
                recipient=shown.recipient,
                awarded_date=shown.awarded,
                valid_from=shown.valid_from,
                valid_until=shown.valid_until,
            ),
            checks=[check.shown() for check in self.checks],
        )
        document: JsonObject = msgspec.to_builtins(report)
        return document
