"""The pages for verifying a badge: the form, and the report."""

from __future__ import annotations

from base64 import b64encode
from typing import Final

from lapel.credentials.baking import image_type
from lapel.domain.verification import Kind, Outcome, Problem
from lapel.services.verifying import Report
from lapel.services.verifying.recipient import HASHED_EMAILS
from lapel.web.links import web_link
from lapel.web.pages import day_of, render, with_times

__all__ = ["render_report_page", "render_verification_page"]

_VERDICTS: Final = {
    True: ("good", "Valid", "It is just as its issuer made it, and it is valid now."),
    False: ("bad", "Not valid", "Do not rely on it."),
    None: ("wait", "Not certain", "Nothing was found wrong, but not all of it could be checked."),
}
_WORDS: Final = {
    Outcome.FAIL: ("bad", "Wrong"),
    Outcome.UNKNOWN: ("wait", "Unknown"),
    Outcome.WARN: ("wait", "Note"),
    Outcome.PASS: ("good", "Right"),
    Outcome.SKIP: ("none", "Not checked"),
}
"""How each outcome is shown; checks are sorted in this order, the most important ones first."""
_HASHED: Final = "Not named: the badge has a hash of their e-mail address."
"""How a recipient is shown of whom a report says only that their e-mail address was hashed."""
_MAX_IMAGE_BYTES: Final = 1024 * 1024
"""The largest image that is embedded in a page."""


def render_verification_page(address: str) -> bytes:
    """Render the form. `address` pre-fills the badge's URL; it may be empty."""
    return render("verify.html", address=address)


def render_report_page(report: Report) -> bytes:
    """Render the report of a verification."""
    summary = report.shown
    tone, word, sentence = _VERDICTS[report.valid]
    is_endorsement = summary.kind in (Kind.ENDORSEMENT, Kind.ENDORSEMENT_2)
    recipient = _HASHED if summary.recipient in HASHED_EMAILS else summary.recipient
    names = {
        "Issuer": summary.issuer_name,
        "Endorsed" if is_endorsement else "Recipient": recipient,
        "Awarded": summary.awarded and with_times(summary.awarded, shown=day_of),
        "Valid from": summary.valid_from and with_times(summary.valid_from),
        "Valid until": summary.valid_until and with_times(summary.valid_until),
        "Secured by": summary.format,
    }
    return render(
        "report.html",
        tone=tone,
        word=word,
        sentence=sentence,
        reasons=_reasons(report),
        picture=_picture(report.picture),
        name=summary.name,
        description=summary.description,
        criteria_text=summary.criteria,
        criteria_link=web_link(summary.criteria_id),
        narrative=summary.narrative,
        is_endorsement=is_endorsement,
        facts=[{"name": name, "value": value} for name, value in names.items() if value],
        issuer=summary.issuer_id,
        issuer_link=web_link(summary.issuer_id),
        link=web_link(summary.credential_id),
        checks=[
            {"tone": _WORDS[check.outcome][0], "word": _WORDS[check.outcome][1], "check": check}
            for check in sorted(report.checks, key=lambda check: [*_WORDS].index(check.outcome))
        ],
    )


def _reasons(report: Report) -> list[str]:
    """Return why it is not valid, or not certain; without the checks that were skipped because of that."""
    found = Outcome.FAIL if report.valid is False else Outcome.UNKNOWN
    checks = [check for check in report.checks if check.problem is not Problem.NOT_CHECKED]
    return [check.sentence for check in checks if check.outcome is found]


def _picture(content: bytes | None) -> str | None:
    """Return the image as a data URL, which is all that the page may load; in an ``img`` an SVG runs no scripts."""
    if content is None or len(content) > _MAX_IMAGE_BYTES:
        return None
    return f"data:{image_type(content)};base64,{b64encode(content).decode()}"
