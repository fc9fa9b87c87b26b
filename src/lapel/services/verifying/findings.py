"""What a verification has found so far. It outlives the verification, which may be cut short."""

from __future__ import annotations

from dataclasses import dataclass, field

from lapel.services.verifying.report import Check, Report, Shown

__all__ = ["Findings"]


@dataclass(slots=True)
class Findings:
    """Grows while a verification runs."""

    checks: list[Check] = field(default_factory=list)
    shown: Shown = field(default_factory=Shown)
    picture: bytes | None = None

    def add(self, *checks: Check) -> None:
        self.checks.extend(checks)

    def report(self) -> Report:
        return Report(checks=tuple(self.checks), shown=self.shown, picture=self.picture)
