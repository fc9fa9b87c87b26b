"""All pages of the server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from lapel.domain.achievement import Achievement
from lapel.domain.addresses import Addresses
from lapel.domain.credential import Credential
from lapel.domain.issuer import Issuer
from lapel.domain.json import JsonObject
from lapel.services.answers import ProblemDocument
from lapel.services.verifying import Report
from lapel.web.credential_page import render_credential_page
from lapel.web.docs_page import render_docs_page, render_errors_page
from lapel.web.pages import FORM_HEADERS, PAGE_HEADERS
from lapel.web.problem_page import render_problem_page
from lapel.web.profile_pages import render_achievement_page, render_issuer_page
from lapel.web.verification_page import render_report_page, render_verification_page

__all__ = ["Site"]


class Site:
    """Implements `lapel.http.services.Pages`, which describes the methods."""

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses

    @property
    def headers(self) -> Mapping[str, str]:
        return PAGE_HEADERS

    def credential(
        self,
        credential: Credential,
        document: JsonObject,
        *,
        now: datetime,
        is_believed: bool,
        issuer_name: str,
        image_type: str | None,
        has_version_2: bool,
    ) -> bytes:
        return render_credential_page(
            credential,
            document,
            addresses=self._addresses,
            now=now,
            is_believed=is_believed,
            issuer_name=issuer_name,
            image_type=image_type,
            has_version_2=has_version_2,
        )

    def achievement(
        self,
        achievement: Achievement,
        document: JsonObject,
        *,
        issuer_name: str,
        newest: int,
        names: Mapping[str, str],
    ) -> bytes:
        return render_achievement_page(
            achievement, document, issuer_name=issuer_name, newest=newest, names=names, addresses=self._addresses
        )

    def issuer(self, issuer: Issuer, document: JsonObject, achievements: Sequence[Achievement], *, more: bool) -> bytes:
        return render_issuer_page(issuer, document, achievements, more=more, addresses=self._addresses)

    @property
    def form_headers(self) -> Mapping[str, str]:
        return FORM_HEADERS

    def verification(self, address: str) -> bytes:
        return render_verification_page(address)

    def report(self, report: Report) -> bytes:
        return render_report_page(report)

    def problem(self, problem: ProblemDocument) -> bytes:
        return render_problem_page(problem, addresses=self._addresses)

    def routes(self, description: JsonObject) -> bytes:
        return render_docs_page(description)

    def errors(self) -> bytes:
        return render_errors_page()
