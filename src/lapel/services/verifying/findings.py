"""The findings of a verification so far, which remain if the verification is stopped by its time limit."""

from __future__ import annotations

from dataclasses import dataclass, field

from lapel.domain.json import JsonObject
from lapel.services.verifying.report import Check, Report, Shown

__all__ = ["Findings"]


@dataclass(slots=True)
class Findings:
    """Collects checks while a verification runs.

    Attributes:
        complete: whether no check of what they are about is missing, although the verification may go on.
        shown, picture, proof: see `Report`.
    """

    checks: list[Check] = field(default_factory=list)
    complete: bool = False
    shown: Shown = field(default_factory=Shown)
    picture: bytes | None = None
    proof: JsonObject | None = None

    def add(self, *checks: Check) -> None:
        self.checks.extend(checks)

    def report(self) -> Report:
        return Report(checks=tuple(self.checks), shown=self.shown, picture=self.picture, proof=self.proof)
