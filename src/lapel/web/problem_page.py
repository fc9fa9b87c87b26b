"""The page of an error: what happened, and what the reader can do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from markupsafe import Markup

from lapel.domain.addresses import Addresses
from lapel.services.answers import ProblemDocument
from lapel.web.pages import render, with_code

__all__ = ["render_problem_page"]

_HEADINGS: Final[Mapping[int, str]] = {
    401: "Not open to everybody",
    403: "Not open to everybody",
    404: "Not found",
    405: "Not a page",
    410: "No longer here",
    413: "Too large",
    429: "Too often",
    503: "Not available just now",
}


def render_problem_page(problem: ProblemDocument, *, addresses: Addresses) -> bytes:
    """Render the page."""
    # Not relative, as on other pages: this page can appear at any path, including those that do not exist.
    docs = Markup('<a href="{}/docs">/docs</a>').format(addresses.base)
    return render(
        "problem.html",
        problem=problem,
        hint=with_code(problem.hint).replace("/docs", docs) if problem.hint else None,
        heading=_HEADINGS.get(problem.status, "This did not work"),
        verify=f"{addresses.base}/verify",
    )
