"""Verification of badges from any issuer. The result is a report of ordered checks, never a bare yes or no."""

from __future__ import annotations

from lapel.services.verifying.documents import OwnDocuments
from lapel.services.verifying.report import Check, CheckCode, Kind, Outcome, Problem, Report, Shown
from lapel.services.verifying.service import Verifying

__all__ = ["Check", "CheckCode", "Kind", "Outcome", "OwnDocuments", "Problem", "Report", "Shown", "Verifying"]
