"""What a verification says: ordered checks, each with an outcome, a stable code and a sentence for people.

A *check code* names what was looked at, a *problem code* what was found wrong with it: `lapel.domain.verification`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from lapel.domain.json import JsonObject
from lapel.domain.verification import CheckCode, Kind, Outcome, Problem
from lapel.services import answers

__all__ = ["Check", "CheckCode", "Kind", "Outcome", "Problem", "Report", "Shown", "made"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at.

    Attributes:
        problem: None where nothing is wrong.
        detail: for whoever has to find the cause; may quote the document.
    """

    code: CheckCode
    outcome: Outcome
    sentence: str
    problem: Problem | None = None
    detail: str | None = None

    def shown(self) -> answers.VerificationCheck:
        """As a report shows it."""
        return answers.VerificationCheck(self.code, self.outcome, self.sentence, self.problem, self.detail)

    def to_json(self) -> JsonObject:
        """``{"code", "outcome", "sentence"}``, and ``problem`` and ``detail`` where there are any."""
        document: JsonObject = msgspec.to_builtins(self.shown())
        return document


def made(
    code: CheckCode, outcome: Outcome, sentence: str, problem: Problem | None = None, detail: str | None = None
) -> Check:
    """A check, written short."""
    return Check(code=code, outcome=outcome, sentence=sentence, problem=problem, detail=detail)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What the document says of itself. It is to be believed only if the report says valid.

    Attributes:
        format: how it is secured: a cryptosuite or proof type, ``vc-jwt``, ``hosted``; None without any security.
        recipient: as the document shows it: a DID or URL, a plain identity, or ``hashed emailAddress``.
        criteria, narrative: Markdown: what is asked of those who earn it, and what is said of whoever has.
        awarded, valid_from, valid_until: as written, not parsed. What Open Badges 2.0 calls issued is `valid_from`.
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
    """

    checks: tuple[Check, ...]
    shown: Shown = field(default_factory=Shown)
    picture: bytes | None = field(default=None, repr=False)

    @property
    def valid(self) -> bool | None:
        """False if any check failed, None if none did but one could not be told, else True."""
        outcomes = {check.outcome for check in self.checks}
        if Outcome.FAIL in outcomes or not outcomes:
            return False
        return None if Outcome.UNKNOWN in outcomes else True

    def problems(self) -> Sequence[Problem]:
        """The problems found, in order."""
        return [check.problem for check in self.checks if check.problem]

    def to_json(self) -> JsonObject:
        """The report as ``POST /v3/verify`` answers it; members without a value are null."""
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
