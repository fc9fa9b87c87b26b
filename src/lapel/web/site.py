"""Every page that the server shows to people."""

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
    """The pages, as HTTP asks for them (`lapel.http.services.Pages`)."""

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses

    @property
    def headers(self) -> Mapping[str, str]:
        """To be sent with every page."""
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
        """A credential: what, who, when, and whether it holds at `now`."""
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

    def achievement(self, achievement: Achievement, document: JsonObject, *, issuer_name: str, newest: int) -> bytes:
        """What is awarded, and for what, in one of the versions up to `newest`."""
        return render_achievement_page(
            achievement, document, issuer_name=issuer_name, newest=newest, addresses=self._addresses
        )

    def issuer(self, issuer: Issuer, document: JsonObject, achievements: Sequence[Achievement], *, more: bool) -> bytes:
        """Who awards, and what."""
        return render_issuer_page(issuer, document, achievements, more=more, addresses=self._addresses)

    @property
    def form_headers(self) -> Mapping[str, str]:
        """To be sent with a page that has a form, in place of the others."""
        return FORM_HEADERS

    def verification(self, address: str) -> bytes:
        """The form for a badge, which may lie at `address`."""
        return render_verification_page(address)

    def report(self, report: Report) -> bytes:
        """What was found of a badge."""
        return render_report_page(report)

    def problem(self, problem: ProblemDocument) -> bytes:
        """What went wrong."""
        return render_problem_page(problem, addresses=self._addresses)

    def routes(self, description: JsonObject) -> bytes:
        """The routes of an OpenAPI description."""
        return render_docs_page(description)

    def errors(self) -> bytes:
        """Every error code."""
        return render_errors_page()
