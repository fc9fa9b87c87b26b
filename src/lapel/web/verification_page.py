"""Verification for people: a form for a badge, and what was found."""

from __future__ import annotations

from base64 import b64encode
from typing import Final

from lapel.credentials.baking import media_type
from lapel.credentials.date_time import parse_timestamp
from lapel.domain.verification import Kind, Outcome, Problem
from lapel.services.verifying import Report
from lapel.web.links import web_link
from lapel.web.pages import day_of, render

__all__ = ["render_report_page", "render_verification_page"]

_VERDICTS: Final = {
    True: ("good", "Valid", "It is as its issuer has signed it, and it holds now."),
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
"""What people have to know first stands first."""
_LARGEST_PICTURE: Final = 1024 * 1024
"""What a page may carry along, in bytes."""


def render_verification_page(address: str) -> bytes:
    """The form.

    Args:
        address: of a badge, to begin with; may be empty.
    """
    return render("verify.html", address=address)


def render_report_page(report: Report) -> bytes:
    """What a verification has found."""
    shown = report.shown
    tone, word, sentence = _VERDICTS[report.valid]
    names = {
        "Issuer": shown.issuer_name,
        "Recipient": shown.recipient,
        "Awarded": _day(shown.awarded),
        "Valid from": _day(shown.valid_from),
        "Valid until": _day(shown.valid_until),
        "Secured by": shown.format,
    }
    return render(
        "report.html",
        tone=tone,
        word=word,
        sentence=sentence,
        reasons=_reasons(report),
        picture=_picture(report.picture),
        name=shown.name,
        description=shown.description,
        criteria_text=shown.criteria,
        criteria_link=web_link(shown.criteria_id),
        narrative=shown.narrative,
        is_endorsement=shown.kind in (Kind.ENDORSEMENT, Kind.ENDORSEMENT_2),
        facts=[{"name": name, "value": value} for name, value in names.items() if value],
        issuer=shown.issuer_id,
        issuer_link=web_link(shown.issuer_id),
        link=web_link(shown.credential_id),
        checks=[
            {"tone": _WORDS[check.outcome][0], "word": _WORDS[check.outcome][1], "check": check}
            for check in sorted(report.checks, key=lambda check: [*_WORDS].index(check.outcome))
        ],
    )


def _reasons(report: Report) -> list[str]:
    """Why it is not valid, or not certain; not what could not be looked at for that."""
    found = Outcome.FAIL if report.valid is False else Outcome.UNKNOWN
    checks = [check for check in report.checks if check.problem is not Problem.NOT_CHECKED]
    return [check.sentence for check in checks if check.outcome is found]


def _picture(content: bytes | None) -> str | None:
    """The image inside of an address, which is all that the page may load; in an ``img`` no script of an SVG runs."""
    if content is None or len(content) > _LARGEST_PICTURE:
        return None
    return f"data:{media_type(content)};base64,{b64encode(content).decode()}"


def _day(written: str | None) -> str | None:
    """The day of a moment that somebody has written, or what else they have."""
    moment = parse_timestamp(written)
    return day_of(moment) if moment else written
